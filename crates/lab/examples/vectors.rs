//! Writes the core's test vectors: certificates, requests and responses with fixed dates, and a
//! table that says of each what must come out.
//!
//! `cargo run -p certstatus-lab --example vectors` replaces `crates/certstatus/tests/vectors`. Keys
//! are made anew each time; names, dates and outcomes stay. The outcome is written down from what
//! was made, and no verifier is asked.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use certstatus::Stage;
use certstatus::message::{CrlReason, HashAlgorithm};
use certstatus::time::unix;
use certstatus_lab::{Effect, Fault, KeyKind, Lab, LabBuilder, Leaf, LeafRequest, RsaScheme};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// 2026-03-01T12:00:00Z.
const NOW: u64 = 1_772_366_400;

/// The nonce of every request that has one.
const NONCE: [u8; 32] = *b"0123456789abcdef0123456789ABCDEF";

const HEADER: &str = "\
# What must come out of each file. Written by `cargo run -p certstatus-lab --example vectors`.
#
# file  certificate  issuer  outcome
#
# Responses are verified at 2026-03-01T12:00:00Z with default freshness and limits. Outcomes:
#   good | unknown | revoked | revoked REASON
#   error STAGE KIND   the stage's name with - for a space, and the variant of the error
#   request HASH       a request about the certificate, with a CertID by that hash function
# A last word nonce=HEX: that nonce was sent, and the response must have it; the request has it.
";

fn main() -> Result<()> {
    let mut vectors = Vectors::create()?;
    for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::EcdsaP521, KeyKind::Ed25519] {
        statuses(&mut vectors, kind.name(), Lab::builder().ca_key(kind))?;
    }
    let rsa = Lab::builder().ca_key(KeyKind::Rsa2048);
    statuses(&mut vectors, "rsa-2048", rsa.clone())?;
    statuses(&mut vectors, "rsa-2048-pss", rsa.rsa_pss(true))?;
    schemes(&mut vectors)?;
    responder_by_key(&mut vectors)?;
    reasons(&mut vectors)?;
    hashes_and_nonces(&mut vectors)?;
    faults(&mut vectors)?;
    vectors.finish()
}

/// Good, revoked and unknown, signed by the issuer and by a delegate.
fn statuses(vectors: &mut Vectors, name: &str, builder: LabBuilder) -> Result<()> {
    for (suffix, delegate) in [("issuer", false), ("delegate", true)] {
        let mut group =
            vectors.group(&format!("{name}-{suffix}"), builder.clone().delegate(delegate))?;
        group.response("good", "good")?;
        group.lab.revoke(&group.leaf, Some(CrlReason::KeyCompromise));
        group.response("revoked", "revoked keyCompromise")?;
        group.lab.forget(&group.leaf);
        group.response("unknown", "unknown")?;
    }
    Ok(())
}

/// The RSA signature schemes beside the usual one of PKCS#1 and of PSS, by a delegate whose key is
/// of another kind than its issuer's.
fn schemes(vectors: &mut Vectors) -> Result<()> {
    for scheme in
        [RsaScheme::Pkcs1Sha384, RsaScheme::Pkcs1Sha512, RsaScheme::PssSha384, RsaScheme::PssSha512]
    {
        let builder = Lab::builder().delegated(KeyKind::Rsa2048).rsa_scheme(scheme);
        vectors.group(scheme.name(), builder)?.response("good", "good")?;
    }
    Ok(())
}

/// `ResponderID` as the hash of a key; everywhere else it is a name.
fn responder_by_key(vectors: &mut Vectors) -> Result<()> {
    for (name, delegate) in [("by-key-issuer", false), ("by-key-delegate", true)] {
        let builder = Lab::builder().responder_id_by_key().delegate(delegate);
        vectors.group(name, builder)?.response("good", "good")?;
    }
    Ok(())
}

/// Every reason of a revocation, and none.
fn reasons(vectors: &mut Vectors) -> Result<()> {
    let mut group = vectors.group("reasons", Lab::builder())?;
    for reason in CrlReason::ALL {
        group.lab.revoke(&group.leaf, Some(reason));
        group.response(&reason.to_string(), &format!("revoked {reason}"))?;
    }
    group.lab.revoke(&group.leaf, None);
    group.response("none", "revoked")
}

/// Requests for each hash function with and without a nonce, and the responses to them.
fn hashes_and_nonces(vectors: &mut Vectors) -> Result<()> {
    let mut group = vectors.group("hashes", Lab::builder())?;
    for hash in HashAlgorithm::ALL {
        let name = hash.to_string().to_lowercase();
        let plain = group.lab.request(&group.leaf, hash)?;
        let with_nonce = plain.clone().with_nonce(&NONCE);
        for (request, nonce) in [(plain, ""), (with_nonce, "-nonce")] {
            let request = request.to_der();
            let word = if nonce.is_empty() { String::new() } else { nonce_word() };
            let response = group.lab.answer(&request);
            let outcome = format!("request {hash}{word}");
            group.write(&format!("{name}{nonce}-request"), &request, &outcome)?;
            group.write(&format!("{name}{nonce}"), &response, &format!("good{word}"))?;
        }
    }
    Ok(())
}

/// Every fault of a message.
fn faults(vectors: &mut Vectors) -> Result<()> {
    let mut group = vectors.group("faults", Lab::builder())?;
    let request = group.lab.request(&group.leaf, HashAlgorithm::Sha1)?;
    for fault in Fault::ALL {
        let about_nonce = matches!(fault, Fault::NonceMismatch | Fault::NonceMissing);
        let (request, word) = if about_nonce {
            (request.clone().with_nonce(&NONCE), nonce_word())
        } else {
            (request.clone(), String::new())
        };
        if let Some(response) = group.lab.answer_with(&request.to_der(), fault)? {
            let outcome = outcome(fault)? + &word;
            group.write(fault.name(), &response, &outcome)?;
        }
    }
    Ok(())
}

fn nonce_word() -> String {
    format!(" nonce={}", certstatus::hex(&NONCE))
}

/// What must come out of a response with that fault.
fn outcome(fault: Fault) -> Result<String> {
    let stage = match fault.effect() {
        Effect::Trusted => return Ok("good".to_owned()),
        Effect::Revoked => return Ok("revoked".to_owned()),
        Effect::Refused(stage) => stage,
        _ => return Err(format!("{fault} has no bytes").into()),
    };
    let kind = match (stage, fault) {
        (Stage::ResponseStatus, _) => "Unsuccessful",
        (Stage::Parse, Fault::Oversize) => "TooLarge",
        (Stage::Parse, Fault::WrongResponseType) => "ResponseType",
        (Stage::Parse, _) => "Malformed",
        (Stage::Match, _) => "NoMatch",
        (Stage::Extensions, Fault::NonceMismatch) => "NonceMismatch",
        (Stage::Extensions, Fault::NonceMissing) => "NonceMissing",
        (Stage::Extensions, _) => "UnknownCritical",
        (Stage::Time, Fault::Expired) => "Expired",
        (Stage::Time, Fault::NotYetValid) => "NotYetValid",
        (Stage::Time, Fault::VeryOld) => "TooOld",
        (Stage::Time, Fault::InvertedTimes) => "Inverted",
        (Stage::Time, Fault::ProducedInFuture) => "ProducedInFuture",
        (Stage::Signer, Fault::BadSignature) => "BadSignature",
        (Stage::Signer, Fault::MissingSigner) => "NoCandidate",
        (Stage::Signer, _) => "NotDelegated",
        (_, fault) => return Err(format!("no outcome is known of the fault {fault}").into()),
    };
    Ok(format!("error {} {kind}", stage.name().replace(' ', "-")))
}

/// The directory that is written, and its table.
struct Vectors {
    directory: PathBuf,
    table: String,
}

impl Vectors {
    fn create() -> Result<Self> {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let directory = crates.canonicalize()?.join("certstatus/tests/vectors");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, table: HEADER.to_owned() })
    }

    /// A lab of its own, with a leaf, in a directory of its own.
    fn group(&mut self, name: &str, builder: LabBuilder) -> Result<Group<'_>> {
        let lab = builder.now(unix(NOW)).build()?;
        let leaf = lab.issue(LeafRequest::new("localhost"))?;
        let directory = self.directory.join(name);
        fs::create_dir(&directory)?;
        fs::write(directory.join("leaf.crt"), leaf.certificate())?;
        fs::write(directory.join("issuer.crt"), lab.intermediate())?;
        writeln!(self.table)?;
        Ok(Group { lab, leaf, name: name.to_owned(), directory, table: &mut self.table })
    }

    fn finish(self) -> Result<()> {
        Ok(fs::write(self.directory.join("table.txt"), self.table)?)
    }
}

/// Vectors about one leaf.
struct Group<'a> {
    lab: Lab,
    leaf: Leaf,
    name: String,
    directory: PathBuf,
    table: &'a mut String,
}

impl Group<'_> {
    /// The lab's response as it is now.
    fn response(&mut self, name: &str, outcome: &str) -> Result<()> {
        self.write(name, &self.lab.respond(&self.leaf), outcome)
    }

    fn write(&mut self, name: &str, der: &[u8], outcome: &str) -> Result<()> {
        fs::write(self.directory.join(name).with_extension("der"), der)?;
        let group = &self.name;
        writeln!(
            self.table,
            "{group}/{name}.der  {group}/leaf.crt  {group}/issuer.crt  {outcome}"
        )?;
        Ok(())
    }
}
