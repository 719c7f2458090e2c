//! Damaged responses before OpenSSL's `OCSP_basic_verify`, `OCSP_resp_find_status` and
//! `OCSP_check_validity`, and before us: what we trust, OpenSSL trusts, and to the same effect.
//!
//! The other way round we are stricter, for the reasons in [`STRICTER`] and for no other.

use std::collections::BTreeMap;

use certstatus::message::{CertStatus, HashAlgorithm};
use certstatus::{Certificate, Error, ExtensionError, Issuer, Stage, TimeError, Verifier};
use certstatus_lab::{Fault, KeyKind, Lab, Leaf};
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspResponse, OcspResponseStatus};
use openssl::stack::Stack;
use openssl::x509::X509;
use openssl::x509::store::{X509Store, X509StoreBuilder};

use crate::harness::pki::NAME;

/// As OpenSSL's own programs and curl have it.
const SKEW: u32 = 300;

/// Mutations of each response, besides that of every bit of some.
const MUTATIONS: usize = 150;

/// What we refuse and OpenSSL 3.0 takes, and why. One that never occurs is out of date.
const STRICTER: [(&str, &str); 4] = [
    ("parse", "DER, and all of the input (RFC 6960, 4.2): OpenSSL takes BER and what follows"),
    ("critical extension", "what is critical and not understood is not to be used (RFC 5280, 4.2)"),
    ("produced in future", "nobody has signed tomorrow, whatever `thisUpdate` says"),
    ("too old", "without nextUpdate newer information is there all the time (RFC 6960, 4.2.2.1)"),
];

struct Both {
    leaf: Vec<u8>,
    issuer: Vec<u8>,
    now: rustls_pki_types::UnixTime,
    /// OpenSSL's: the issuer, who may sign; and the root, whom it trusts.
    certs: Stack<X509>,
    store: X509Store,
    ids: Vec<OcspCertId>,
    /// How often a kind of refusal is ours alone.
    alone: BTreeMap<&'static str, usize>,
    trusted: usize,
    refused: usize,
}

impl Both {
    fn of(lab: &Lab, leaf: &Leaf) -> Self {
        let x509 = |der: &[u8]| X509::from_der(der).unwrap();
        let (subject, issuer) = (x509(leaf.certificate()), x509(lab.intermediate()));
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(x509(lab.root())).unwrap();
        let digests = HashAlgorithm::ALL.map(|hash| match hash {
            HashAlgorithm::Sha1 => MessageDigest::sha1(),
            HashAlgorithm::Sha256 => MessageDigest::sha256(),
            HashAlgorithm::Sha384 => MessageDigest::sha384(),
            _ => MessageDigest::sha512(),
        });
        let id = |digest| OcspCertId::from_cert(digest, &subject, &issuer).unwrap();
        let ids = digests.into_iter().map(id).collect();
        let mut certs = Stack::new().unwrap();
        certs.push(issuer).unwrap();
        Self {
            leaf: leaf.certificate().to_vec(),
            issuer: lab.intermediate().to_vec(),
            now: lab.now(),
            certs,
            store: store.build(),
            ids,
            alone: BTreeMap::new(),
            trusted: 0,
            refused: 0,
        }
    }

    fn by_us(&self, der: &[u8]) -> Result<CertStatus, Error> {
        let algorithms =
            rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        let certificate = Certificate::parse(&self.leaf).unwrap();
        let issuer = Certificate::parse(&self.issuer).unwrap();
        let issuer = Issuer::from_certificate(&issuer);
        let verified =
            Verifier::new(algorithms.all).verify(der, &certificate, &issuer, self.now)?;
        Ok(verified.status())
    }

    /// The status that a program on OpenSSL goes by, if it goes by all that there is to call.
    fn by_openssl(&self, der: &[u8]) -> Option<OcspCertStatus> {
        let response = OcspResponse::from_der(der).ok()?;
        let basic = (response.status() == OcspResponseStatus::SUCCESSFUL).then(|| response.basic());
        let basic = basic?.ok()?;
        basic.verify(&self.certs, &self.store, OcspFlag::empty()).ok()?;
        let found = self.ids.iter().find_map(|id| basic.find_status(id))?;
        found.check_validity(SKEW, None).ok()?;
        Some(found.status)
    }

    fn compare(&mut self, der: &[u8], what: &str) {
        let (ours, theirs) = (self.by_us(der), self.by_openssl(der));
        match (ours, theirs) {
            (Ok(status), theirs) => {
                self.trusted += 1;
                let expected = match status {
                    CertStatus::Good => OcspCertStatus::GOOD,
                    CertStatus::Unknown => OcspCertStatus::UNKNOWN,
                    CertStatus::Revoked(_) => OcspCertStatus::REVOKED,
                };
                // Of several statements OpenSSL takes the first, and we the strictest.
                let stricter = theirs == Some(OcspCertStatus::GOOD) && status != CertStatus::Good;
                assert!(
                    theirs == Some(expected) || stricter,
                    "{what}: {status:?} by us and {theirs:?} by OpenSSL: {}",
                    certstatus::hex(der)
                );
            }
            (Err(error), Some(_)) => {
                let why = reason(&error);
                let known = STRICTER.iter().find(|(kind, _)| *kind == why);
                let (kind, _) = known.unwrap_or_else(|| {
                    panic!("{what}: refused by us alone: {error}: {}", certstatus::hex(der))
                });
                *self.alone.entry(kind).or_default() += 1;
            }
            (Err(_), None) => self.refused += 1,
        }
    }
}

/// The kind of refusal, as it is in [`STRICTER`].
fn reason(error: &Error) -> &'static str {
    match error {
        Error::Extension(ExtensionError::UnknownCritical(_)) => "critical extension",
        Error::Time(TimeError::ProducedInFuture { .. }) => "produced in future",
        Error::Time(TimeError::TooOld { .. }) => "too old",
        other if other.stage() == Stage::Parse => "parse",
        _ => "something else",
    }
}

/// A generator of numbers that are the same in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }
}

/// Some bytes changed, cut out, repeated, or taken from another response.
fn mutate(der: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(der.len());
        let end = (at + 1 + numbers.below(40)).min(der.len());
        match numbers.below(6) {
            0 | 1 => der[at] ^= 1 << numbers.below(8),
            2 => der[at] = numbers.below(256) as u8,
            3 if der.len() > 60 => drop(der.drain(at..end)),
            4 => {
                let piece = der[at..end].to_vec();
                der.splice(at..at, piece);
            }
            _ => {
                let end = end.min(other.len());
                let at = at.min(end);
                der[at..end].copy_from_slice(&other[at..end]);
            }
        }
    }
}

/// Responses of a lab: good, revoked, unknown, and those with each fault that leaves bytes. What is
/// longer than a handshake can hold is left out.
fn responses(lab: &Lab, leaf: &Leaf) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![("good".to_owned(), lab.respond(leaf))];
    for fault in Fault::ALL {
        let der = (fault != Fault::Oversize).then(|| lab.respond_with(leaf, fault).unwrap());
        all.extend(der.flatten().map(|der| (fault.to_string(), der)));
    }
    lab.forget(leaf);
    all.push(("unknown".to_owned(), lab.respond(leaf)));
    lab.revoke(leaf, None);
    all.push(("revoked".to_owned(), lab.respond(leaf)));
    lab.reinstate(leaf);
    all
}

#[test]
fn what_we_trust_of_damaged_responses_openssl_trusts() {
    for delegated in [false, true] {
        let lab = Lab::builder().key(KeyKind::EcdsaP256).delegate(delegated).build().unwrap();
        let leaf = lab.leaf(NAME).unwrap();
        let mut both = Both::of(&lab, &leaf);
        let all = responses(&lab, &leaf);
        let mut numbers = Numbers(1);
        for (name, der) in &all {
            both.compare(der, name);
            let count = if ["good", "revoked"].contains(&name.as_str()) { 6 } else { 1 };
            for _ in 0..count * MUTATIONS {
                let mut mutated = der.clone();
                let other = &all[numbers.below(all.len())].1;
                mutate(&mut mutated, other, &mut numbers);
                both.compare(&mutated, name);
            }
        }
        for (name, der) in all.iter().filter(|(name, _)| name == "good") {
            for bit in 0..8 * der.len() {
                let mut mutated = der.clone();
                mutated[bit / 8] ^= 1 << (bit % 8);
                both.compare(&mutated, name);
            }
        }
        for (kind, why) in STRICTER {
            assert!(both.alone.contains_key(kind), "OpenSSL refuses it too: {kind}: {why}");
        }
        assert!(both.trusted > 10 && both.refused > 1000, "{} {}", both.trusted, both.refused);
    }
}
