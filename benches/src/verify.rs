//! Verifying a response: beside the bare signature verifications that it contains, and beside
//! OpenSSL doing the same to the same bytes.
//!
//! OpenSSL does `d2i_OCSP_RESPONSE`, `OCSP_response_get1_basic`, `OCSP_basic_verify`,
//! `OCSP_resp_find_status` and `OCSP_check_validity`, with parsed certificates, `OCSP_CERTID` and
//! store at hand, as we have the parsed certificate and issuer: both come from the path that the
//! client has built. The store trusts the issuer itself (`X509_V_FLAG_PARTIAL_CHAIN`), which is the
//! least work that OpenSSL can be given; with the root alone it verifies the whole chain again, and
//! that is shown too.

use certstatus::message::{CertStatus, OcspResponse};
use certstatus::{Certificate, Issuer, Limits, Verifier};
use certstatus_lab::{KeyKind, Lab, Leaf};
use openssl::hash::MessageDigest;
use openssl::ocsp::{self, OcspCertId, OcspFlag};
use openssl::stack::Stack;
use openssl::x509::X509;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};

use crate::side_by_side::{Contestant, Effort, Results, measure};

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// Measures and prints the table.
pub(crate) fn run(effort: Effort) {
    println!("Verification of a response, µs per call\n");
    println!(
        "{:<20}{:>8}{:>8}{:>10}{:>10}   {:<22}{:<22}{:>7}",
        "", "bare", "ours", "OpenSSL", "(root)", "ours / bare", "OpenSSL / ours", "allocs"
    );
    for key in [KeyKind::EcdsaP256, KeyKind::Rsa2048] {
        for delegated in [false, true] {
            row(effort, key, delegated);
        }
    }
    println!();
}

fn row(effort: Effort, key: KeyKind, delegated: bool) {
    let sample = Sample::new(key, delegated);
    let issuer = Certificate::parse(&sample.issuer).expect("the issuer");
    let issuer = Issuer::from_certificate(&issuer);
    let certificate = Certificate::parse(sample.leaf.certificate()).expect("the certificate");
    let results = measure(
        effort,
        vec![
            Contestant::new("bare", || sample.bare()),
            Contestant::new("ours", || sample.ours(&certificate, &issuer)),
            Contestant::new("openssl", || sample.openssl(&sample.issuer_store)),
            Contestant::new("openssl-root", || sample.openssl(&sample.root_store)),
        ],
    );
    let allocations = allocation_counter::measure(|| {
        std::hint::black_box(sample.ours(&certificate, &issuer));
    });
    let needed = if delegated { 2.5 } else { 1.6 };
    println!(
        "{:<20}{:>8}{:>8}{:>10}{:>10}   {:<22}{:<22}{:>7}",
        format!("{key} {}", if delegated { "delegate" } else { "issuer" }),
        micro(&results, "bare"),
        micro(&results, "ours"),
        micro(&results, "openssl"),
        micro(&results, "openssl-root"),
        crate::judged(results.ratio("ours", "bare"), "≤", 1.15),
        crate::judged(results.ratio("openssl", "ours"), "≥", needed),
        allocations.count_total,
    );
}

fn micro(results: &Results, name: &str) -> String {
    format!("{:.1}", results.nanoseconds(name) / 1000.0)
}

/// A signature: who verifies it, under which key, over what.
struct Signed {
    algorithm: Algorithm,
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    fn verify(&self) {
        let verified = self.algorithm.verify_signature(&self.key, &self.message, &self.signature);
        assert!(verified.is_ok(), "the sample's signature must verify");
    }
}

/// One response and everything that both sides want to have at hand.
struct Sample {
    response: Vec<u8>,
    leaf: Leaf,
    issuer: Vec<u8>,
    now: UnixTime,
    signatures: Vec<Signed>,
    cert_id: OcspCertId,
    chain: Stack<X509>,
    issuer_store: X509Store,
    root_store: X509Store,
}

impl Sample {
    fn new(key: KeyKind, delegated: bool) -> Self {
        let mut lab = Lab::builder().key(key);
        if delegated {
            lab = lab.delegated(key);
        }
        let lab = lab.build().expect("the lab");
        let leaf = lab.leaf("bench.example").expect("a certificate");
        let response = lab.respond(&leaf);
        let issuer = lab.intermediate().to_vec();
        let x509 = |der: &[u8]| X509::from_der(der).expect("a certificate that OpenSSL reads");
        let mut chain = Stack::new().expect("a stack");
        chain.push(x509(&issuer)).expect("a push");
        let store = |trusted: &[u8], flags| {
            let mut builder = X509StoreBuilder::new().expect("a store");
            builder.add_cert(x509(trusted)).expect("a trusted certificate");
            builder.set_flags(flags).expect("flags");
            builder.build()
        };
        Self {
            signatures: signatures(&response, &issuer),
            cert_id: OcspCertId::from_cert(
                MessageDigest::sha1(),
                &x509(leaf.certificate()),
                &x509(&issuer),
            )
            .expect("a CertID"),
            chain,
            issuer_store: store(&issuer, X509VerifyFlags::PARTIAL_CHAIN),
            root_store: store(lab.root(), X509VerifyFlags::empty()),
            now: UnixTime::now(),
            response,
            leaf,
            issuer,
        }
    }

    fn bare(&self) {
        self.signatures.iter().for_each(Signed::verify);
    }

    fn ours(&self, certificate: &Certificate<'_>, issuer: &Issuer<'_>) -> CertStatus {
        let verified = Verifier::new(algorithms())
            .verify(&self.response, certificate, issuer, self.now)
            .expect("a response that holds");
        verified.status()
    }

    fn openssl(&self, store: &X509Store) -> ocsp::OcspCertStatus {
        let response = ocsp::OcspResponse::from_der(&self.response).expect("a response");
        let basic = response.basic().expect("an answer");
        basic.verify(&self.chain, store, OcspFlag::empty()).expect("a response that verifies");
        let found = basic.find_status(&self.cert_id).expect("a status");
        found.check_validity(300, None).expect("a response that is current");
        found.status
    }
}

fn algorithms() -> &'static [Algorithm] {
    aws_lc_rs::default_provider().signature_verification_algorithms.all
}

/// The signatures that a verification of the response contains: the response's, and the delegate's
/// certificate's if there is one.
fn signatures(response: &[u8], issuer: &[u8]) -> Vec<Signed> {
    let parsed = OcspResponse::parse(response, &Limits::default()).expect("a response");
    let OcspResponse::Successful(basic) = parsed else { panic!("an answer is needed") };
    let issuer = Certificate::parse(issuer).expect("the issuer");
    let delegate = basic.certs().next().map(<[u8]>::to_vec);
    let delegate = delegate.as_deref().map(|der| Certificate::parse(der).expect("the delegate"));
    let signer = delegate.as_ref().unwrap_or(&issuer);
    let of_response = signed(
        signer,
        basic.tbs_der().to_vec(),
        basic.signature_algorithm().contents(),
        basic.signature().to_vec(),
    );
    let of_delegate = delegate.as_ref().map(|delegate| {
        signed(
            &issuer,
            delegate.tbs_der().to_vec(),
            delegate.signature_algorithm().contents(),
            delegate.signature().to_vec(),
        )
    });
    of_delegate.into_iter().chain([of_response]).collect()
}

fn signed(
    signer: &Certificate<'_>,
    message: Vec<u8>,
    algorithm: &[u8],
    signature: Vec<u8>,
) -> Signed {
    let key = signer.public_key();
    let algorithm = algorithms()
        .iter()
        .find(|known| {
            known.signature_alg_id().as_ref() == algorithm
                && known.public_key_alg_id().as_ref() == key.algorithm().contents()
        })
        .expect("an algorithm of the provider");
    Signed { algorithm: *algorithm, key: key.subject_public_key().to_vec(), message, signature }
}
