//! The verification of responses with real signatures: what is trusted is what somebody signed who
//! may, whatever else was done to it.

use std::sync::LazyLock;

use certstatus::message::{OcspResponse, OcspResponseStatus};
use certstatus::time::unix;
use certstatus::{Error, Limits, Stage};

use crate::bounded::bounded;
use crate::tree::{Body, Node};
use crate::vectors::{NOW, Vectors, World};

/// The worlds whose responses are tried, one for each kind of key and of signer.
const WORLDS: [&str; 5] =
    ["faults", "ecdsa-p256-delegate", "ecdsa-p384-issuer", "ed25519-delegate", "rsa-2048-issuer"];

/// A response, as it comes.
pub fn verify(data: &[u8]) {
    for name in WORLDS {
        trusted_as_signed(Vectors::all().world(name), data);
    }
}

/// A script of edits on one of the vectors: values are moved within it and in from others of its
/// world, and every length stays right, so that what is wrong is the meaning.
pub fn verify_edited(data: &[u8]) {
    let mut script = Script(data);
    let Some((world, trees)) = script.number().map(|n| &FORESTS[n % FORESTS.len()]) else { return };
    let pick = |n: usize| trees.get(n % trees.len().max(1)).cloned();
    let Some(mut tree) = script.number().and_then(pick) else { return };
    for _ in 0..MOST_EDITS {
        let Some(edit) = script.number() else { break };
        let other = match edit {
            MOVE_IN => script.number().and_then(pick),
            _ => Some(tree.clone()),
        };
        let Some(other) = other else { break };
        let Some(()) = script.edit(edit, &mut tree, other) else { break };
    }
    trusted_as_signed(world, &tree.write());
}

/// The worlds, and their responses as trees.
static FORESTS: LazyLock<Vec<(&'static World, Vec<Node>)>> = LazyLock::new(|| {
    let worlds = WORLDS.iter().map(|name| Vectors::all().world(name));
    let trees =
        |world: &World| world.responses.values().filter_map(|der| Node::read(der)).collect();
    worlds.map(|world| (world, trees(world))).collect()
});

const MOST_EDITS: usize = 8;
const MOVE_IN: usize = 0;
const MOVE: usize = 1;
const REMOVE: usize = 2;
const REPEAT: usize = 3;
const FLIP: usize = 4;
const SWAP: usize = 5;

/// Reads numbers off the input.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn number(&mut self) -> Option<usize> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(usize::from(*first))
    }

    /// None at the end of the script.
    fn edit(&mut self, edit: usize, tree: &mut Node, mut other: Node) -> Option<()> {
        let count = tree.count();
        let place = self.number()? % count;
        match edit {
            MOVE_IN | MOVE => {
                let from = self.number()? % other.count();
                *tree.at(place)? = other.at(from)?.clone();
            }
            REMOVE | REPEAT | SWAP => {
                let Body::Nodes(nodes) = &mut tree.at(place)?.body else { return Some(()) };
                let at = self.number()? % nodes.len().max(1);
                match (edit, nodes.get(at).cloned()) {
                    (REMOVE, Some(_)) => drop(nodes.remove(at)),
                    (REPEAT, Some(node)) => nodes.insert(at, node),
                    (_, Some(_)) => nodes.swap(0, at),
                    (_, None) => {}
                }
            }
            FLIP => {
                let (at, bit) = (self.number()?, self.number()?);
                if let Body::Bytes(bytes) = &mut tree.at(place)?.body
                    && let Some(length) = std::num::NonZero::new(bytes.len())
                {
                    bytes[at % length] ^= 1 << (bit % 8);
                }
            }
            tag => tree.at(place)?.tag = tag as u8,
        }
        Some(())
    }
}

/// Nobody who fuzzes has a key: a response is trusted only if what is signed in it was signed for a
/// vector, and then it says what that one said. It is kept as it came, and it can be read.
fn trusted_as_signed(world: &World, data: &[u8]) {
    let now = unix(NOW);
    let verified = match bounded(data, || world.verify(data, now)) {
        Ok(verified) => verified,
        Err(error) => return refused(&error),
    };
    assert_eq!(verified.der(), data);
    assert_eq!(verified.is_about(&world.leaf).ok(), Some(true));
    assert!(verified.is_current(now) && verified.this_update() <= verified.expires());
    let response = OcspResponse::parse(data, &Limits::default()).expect("it was read before");
    let OcspResponse::Successful(basic) = response else {
        panic!("an error of a responder is trusted");
    };
    let signed = world.trusted.iter().find(|(tbs, _)| tbs == basic.tbs_der());
    let (_, status) = signed.expect("what is trusted was signed");
    assert_eq!(verified.status(), *status);
}

fn refused(error: &Error) {
    assert!(!error.to_string().is_empty());
    if let Error::Unsuccessful(status) = error {
        assert_ne!(*status, OcspResponseStatus::Successful);
        assert_eq!(error.stage(), Stage::ResponseStatus);
    }
}
