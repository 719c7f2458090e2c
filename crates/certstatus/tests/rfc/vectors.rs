//! The vectors in `tests/vectors`, made by the lab's example `vectors`: each must come out as its
//! table says, and no mutation of one may come out as anything else that is trusted.

use std::path::{Path, PathBuf};

use certstatus::message::{CertStatus, OcspRequest, OcspResponse};
use certstatus::time::unix;
use certstatus::{Certificate, Error, Issuer, Limits, Nonce, VerifiedResponse, Verifier};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::{NOW, algorithms};

/// A line of the table, with its files.
struct Vector {
    file: String,
    der: Vec<u8>,
    certificate: Vec<u8>,
    issuer: Vec<u8>,
    nonce: Option<Vec<u8>>,
    expected: String,
}

impl Vector {
    fn all() -> Vec<Self> {
        let table = std::fs::read_to_string(directory().join("table.txt")).unwrap();
        let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(Self::read).collect()
    }

    fn read(line: &str) -> Self {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let nonce = words.last().unwrap().strip_prefix("nonce=").map(bytes);
        words.truncate(words.len() - usize::from(nonce.is_some()));
        let [file, certificate, issuer, expected @ ..] = words.as_slice() else {
            panic!("a line has at least four words: {line}");
        };
        let read = |name: &str| std::fs::read(directory().join(name)).unwrap();
        Self {
            file: (*file).to_owned(),
            der: read(file),
            certificate: read(certificate),
            issuer: read(issuer),
            nonce,
            expected: expected.join(" "),
        }
    }

    fn is_request(&self) -> bool {
        self.expected.starts_with("request")
    }

    /// What the core makes of these bytes in place of the vector's own.
    fn verify(&self, der: &[u8]) -> Result<VerifiedResponse, Error> {
        let certificate = Certificate::parse(&self.certificate).unwrap();
        let issuer = Certificate::parse(&self.issuer).unwrap();
        let nonce = self.nonce.as_deref().map_or(Nonce::NotSent, Nonce::Required);
        Verifier::new(algorithms()).nonce(nonce).verify(
            der,
            &certificate,
            &Issuer::from_certificate(&issuer),
            unix(NOW),
        )
    }

    fn found(&self) -> String {
        if self.is_request() {
            let certificate = Certificate::parse(&self.certificate).unwrap();
            let issuer = Certificate::parse(&self.issuer).unwrap();
            let issuer = Issuer::from_certificate(&issuer);
            return request(&self.der, &certificate, &issuer, self.nonce.as_deref());
        }
        match self.verify(&self.der) {
            Ok(verified) => status(verified.status()),
            Err(error) => refusal(&error),
        }
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

#[test]
fn every_vector_comes_out_as_the_table_says() {
    let vectors = Vector::all();
    assert!(vectors.len() >= 100, "{} vectors", vectors.len());
    for vector in vectors {
        assert_eq!(vector.found(), vector.expected, "{}", vector.file);
    }
}

/// A way to damage some bytes.
#[derive(Clone, Debug)]
enum Mutation {
    Flip { at: Index, bit: u8 },
    Set { at: Index, byte: u8 },
    Insert { at: Index, byte: u8 },
    Remove { at: Index, length: usize },
    Repeat { at: Index, length: usize },
    Cut { at: Index },
}

impl Mutation {
    fn apply(&self, der: &mut Vec<u8>) {
        if der.is_empty() {
            return;
        }
        let length = der.len();
        match self {
            Self::Flip { at, bit } => der[at.index(length)] ^= 1 << bit,
            Self::Set { at, byte } => der[at.index(length)] = *byte,
            Self::Insert { at, byte } => der.insert(at.index(length), *byte),
            Self::Remove { at, length: count } => {
                let at = at.index(length);
                der.drain(at..(at + count).min(length));
            }
            Self::Repeat { at, length: count } => {
                let at = at.index(length);
                let piece = der[at..(at + count).min(length)].to_vec();
                der.splice(at..at, piece);
            }
            Self::Cut { at } => der.truncate(at.index(length)),
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set { at, byte }),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Insert { at, byte }),
        1 => (at(), 1..64usize).prop_map(|(at, length)| Mutation::Remove { at, length }),
        1 => (at(), 1..64usize).prop_map(|(at, length)| Mutation::Repeat { at, length }),
        1 => at().prop_map(|at| Mutation::Cut { at }),
    ]
}

/// Whatever is changed in a response, it is refused or says exactly what it said before: only what
/// no signature covers, like a certificate that is not needed, can change and leave it trusted.
#[track_caller]
fn says_nothing_else(vector: &Vector, mutated: &[u8]) {
    let Ok(found) = vector.verify(mutated) else { return };
    let Ok(original) = vector.verify(&vector.der) else {
        panic!("{}: refused as it is, and trusted when damaged", vector.file);
    };
    let facts =
        |v: &VerifiedResponse| (v.status(), v.this_update(), v.next_update(), v.produced_at());
    assert_eq!(facts(&found), facts(&original), "{}", vector.file);
}

#[test]
fn mutated_vectors_are_refused_or_say_the_same() {
    let vectors = Vector::all();
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 32, failure_persistence: None, ..Config::default() },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    for vector in &vectors {
        let property = |mutations: Vec<Mutation>| {
            let mut der = vector.der.clone();
            mutations.iter().for_each(|mutation| mutation.apply(&mut der));
            if vector.is_request() {
                let limits = Limits::default();
                let read = OcspRequest::parse(&der, &limits).map(|request| request.to_der());
                // What is read and unsigned is written as it was.
                if let Ok(written) = read {
                    let parsed = OcspRequest::parse(&der, &limits).unwrap();
                    let signed = parsed.signature.is_some() || parsed.requestor_name.is_some();
                    assert!(written == der || signed, "{}", vector.file);
                }
            } else {
                says_nothing_else(vector, &der);
            }
            Ok(())
        };
        runner.run(&proptest::collection::vec(mutation(), 1..4), property).unwrap();
    }
}

/// Every single bit of one response: small enough to try them all.
#[test]
fn no_single_bit_makes_a_response_say_something_else() {
    let vectors = Vector::all();
    for file in ["ecdsa-p256-issuer/good.der", "ed25519-delegate/revoked.der"] {
        let vector = vectors.iter().find(|vector| vector.file == file).unwrap();
        for at in 0..vector.der.len() {
            for bit in 0..8 {
                let mut der = vector.der.clone();
                der[at] ^= 1 << bit;
                says_nothing_else(vector, &der);
            }
        }
    }
}

#[test]
fn random_bytes_are_refused() {
    let mut runner = TestRunner::deterministic();
    runner
        .run(&proptest::collection::vec(any::<u8>(), 0..512), |bytes| {
            let limits = Limits::default();
            assert!(OcspResponse::parse(&bytes, &limits).is_err());
            assert!(OcspRequest::parse(&bytes, &limits).is_err());
            assert!(Certificate::parse(&bytes).is_err());
            Ok(())
        })
        .unwrap();
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn request(
    der: &[u8],
    certificate: &Certificate<'_>,
    issuer: &Issuer<'_>,
    nonce: Option<&[u8]>,
) -> String {
    let request = OcspRequest::parse(der, &Limits::default()).unwrap();
    assert_eq!(request.nonce(), nonce);
    assert_eq!(request.to_der(), der);
    let cert_id = &request.requests[0].cert_id;
    assert!(cert_id.matches(certificate, issuer));
    format!("request {}", cert_id.hash().unwrap())
}

fn status(status: CertStatus) -> String {
    match status {
        CertStatus::Good => "good".to_owned(),
        CertStatus::Unknown => "unknown".to_owned(),
        CertStatus::Revoked(info) => match info.revocation_reason {
            Some(reason) => format!("revoked {reason}"),
            None => "revoked".to_owned(),
        },
    }
}

/// The stage, and the innermost variant by its name.
fn refusal(error: &Error) -> String {
    let variant =
        |debug: String| -> String { debug.chars().take_while(|c| c.is_alphanumeric()).collect() };
    let kind = match error {
        Error::Signer(inner) => variant(format!("{inner:?}")),
        Error::Match(inner) => variant(format!("{inner:?}")),
        Error::Time(inner) => variant(format!("{inner:?}")),
        Error::Extension(inner) => variant(format!("{inner:?}")),
        outer => variant(format!("{outer:?}")),
    };
    format!("error {} {kind}", error.stage().name().replace(' ', "-"))
}
