//! `openssl ocsp -index` as the responder: we fetch from it, and verify what it signs.
//!
//! Its `index.txt` is made from the lab's leaves, and it signs with the lab's keys; everything else
//! in the response is OpenSSL's.

use certstatus::message::{CertStatus, CrlReason, HashAlgorithm, OcspResponse};
use certstatus::{Error, ExtensionError, Limits, Nonce, Signer, VerifiedResponse, Verifier};
use certstatus_lab::{KeyKind, Lab, Leaf};

use crate::harness::command;
use crate::harness::files::Files;
use crate::harness::pki::{NAME, provider, verify, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Finished, Program};

with_rsa_and_ecdsa!(we_fetch_from_openssl, we_verify_what_openssl_signs);

fn openssl() -> Program {
    Program::find("openssl", "openssl")
}

/// A lab with a leaf of each status, and the exit code for it.
struct Statuses {
    lab: Lab,
    leaves: [(Leaf, i32); 3],
}

impl Statuses {
    fn new(kind: KeyKind, delegate: bool) -> Self {
        let lab = Lab::builder().key(kind).delegate(delegate).build().unwrap();
        let issue = || lab.leaf(NAME).unwrap();
        let leaves = [(issue(), 0), (issue(), 3), (issue(), 4)];
        lab.revoke(&leaves[1].0, Some(CrlReason::KeyCompromise));
        lab.forget(&leaves[2].0);
        Self { lab, leaves }
    }
}

/// Starts the responder at a port of its own choice.
fn respond(files: &Files, more: &[&str]) -> (Daemon, u16) {
    let mut command = openssl().call();
    command.args(["ocsp", "-port", "0", "-index", &files.index(), "-CA", &files.issuer()]);
    command.args(["-rsigner", &files.signer(), "-rkey", &files.signer_key()]).args(more);
    let mut daemon = Daemon::start(command);
    let port = daemon.accept_port();
    (daemon, port)
}

fn fetch(files: &Files, port: u16, more: &[&str]) -> Finished {
    let url = format!("http://127.0.0.1:{port}/");
    let (leaf, issuer) = (files.leaf(), files.issuer());
    let mut args = vec!["fetch", &leaf, "--issuer", &issuer, "--url", &url];
    args.extend(more);
    command::run(&args)
}

/// By GET and POST, with a nonce that must come back and without, signed by a delegate and by the CA itself.
fn we_fetch_from_openssl(kind: KeyKind) {
    for delegate in [false, true] {
        let Statuses { lab, leaves } = Statuses::new(kind, delegate);
        let of_lab = Files::of(&lab, &leaves[0].0);
        let (_responder, port) = respond(&of_lab, &["-ndays", "1"]);
        for (leaf, code) in &leaves {
            let files = Files::of(&lab, leaf);
            // What has a nonce no cache can answer, so that GET has no use.
            for (how, words) in
                [(&[][..], "by GET"), (&["--post"], "by POST"), (&["--nonce"], "by POST")]
            {
                fetch(&files, port, how).exits(*code).says(words);
            }
        }
        let out = of_lab.path("fetched.der");
        fetch(&of_lab, port, &["--out", &out]).exits(0);
        let fetched = std::fs::read(&out).unwrap();
        judge(&leaves[0].0, &fetched, Nonce::NotSent).unwrap();
    }
}

/// The response to a request in a file, without any network.
fn sign(files: &Files, request: &[u8], more: &[&str]) -> Vec<u8> {
    let request = files.write("question.der", request);
    let response = files.path("answer.der");
    let (index, issuer) = (files.index(), files.issuer());
    let (signer, key) = (files.signer(), files.signer_key());
    let mut args = vec!["ocsp", "-index", &index, "-CA", &issuer, "-rsigner", &signer];
    args.extend(["-rkey", &key, "-reqin", &request, "-respout", &response]);
    openssl().run(args.iter().chain(more)).exits(0);
    std::fs::read(response).unwrap()
}

fn judge(leaf: &Leaf, response: &[u8], nonce: Nonce<'_>) -> Result<VerifiedResponse, Error> {
    let provider = provider();
    let verifier = Verifier::new(provider.signature_verification_algorithms.all).nonce(nonce);
    verify(&verifier, leaf.certificate(), leaf.issuer(), response)
}

fn we_verify_what_openssl_signs(kind: KeyKind) {
    for delegate in [false, true] {
        let statuses = Statuses::new(kind, delegate);
        every_status_by_every_hash(&statuses, delegate);
        with_and_without_next_update(&statuses);
        nonces_come_back(&statuses);
        signatures_of_other_kinds(&statuses, kind);
    }
}

fn every_status_by_every_hash(Statuses { lab, leaves }: &Statuses, delegate: bool) {
    for hash in HashAlgorithm::ALL {
        for (leaf, code) in leaves {
            let files = Files::of(lab, leaf);
            let request = lab.request(leaf, hash).unwrap().to_der();
            let verified = judge(leaf, &sign(&files, &request, &[]), Nonce::NotSent).unwrap();
            match (verified.status(), code) {
                (CertStatus::Good, 0) | (CertStatus::Unknown, 4) => {}
                (CertStatus::Revoked(info), 3) => {
                    assert_eq!(info.revocation_reason, Some(CrlReason::KeyCompromise));
                    let minute_ago = lab.now().as_secs() - 60;
                    assert!(info.revocation_time.as_secs() > minute_ago, "{info}");
                }
                (status, code) => panic!("{status} where {code} is the exit code"),
            }
            let signer = if delegate { Signer::Delegate } else { Signer::Issuer };
            assert_eq!(verified.signer(), signer);
        }
    }
}

/// Without `-ndays` or `-nmin` OpenSSL leaves `nextUpdate` out: newer information is available all
/// the time (RFC 6960, 4.2.2.1).
fn with_and_without_next_update(Statuses { lab, leaves: [(leaf, _), ..] }: &Statuses) {
    let files = Files::of(lab, leaf);
    let request = lab.request(leaf, HashAlgorithm::Sha1).unwrap().to_der();
    let verified = judge(leaf, &sign(&files, &request, &[]), Nonce::NotSent).unwrap();
    assert_eq!(verified.next_update(), None);
    let for_days = sign(&files, &request, &["-ndays", "2"]);
    let verified = judge(leaf, &for_days, Nonce::NotSent).unwrap();
    let seconds = verified.next_update().unwrap().as_secs() - verified.this_update().as_secs();
    assert_eq!(seconds, 2 * 86_400);
}

fn nonces_come_back(Statuses { lab, leaves: [(leaf, _), ..] }: &Statuses) {
    let files = Files::of(lab, leaf);
    let request = lab.request(leaf, HashAlgorithm::Sha256).unwrap();
    let (ours, other) = ([0xa5; 32], [0x5a; 32]);
    let answer = sign(&files, &request.clone().with_nonce(&ours).to_der(), &[]);
    judge(leaf, &answer, Nonce::Required(&ours)).unwrap();
    judge(leaf, &answer, Nonce::IfPresent(&ours)).unwrap();
    let refused = judge(leaf, &answer, Nonce::Required(&other)).unwrap_err();
    assert!(matches!(refused, Error::Extension(ExtensionError::NonceMismatch { .. })));
    let without = sign(&files, &request.to_der(), &[]);
    let refused = judge(leaf, &without, Nonce::Required(&ours)).unwrap_err();
    assert!(matches!(refused, Error::Extension(ExtensionError::NonceMissing { .. })));
}

/// `ResponderID` by key, other digests, RSA-PSS, and a signature that is spoiled.
fn signatures_of_other_kinds(Statuses { lab, leaves: [(leaf, _), ..] }: &Statuses, kind: KeyKind) {
    let files = Files::of(lab, leaf);
    let request = lab.request(leaf, HashAlgorithm::Sha1).unwrap().to_der();
    let pss = ["-rmd", "sha256", "-rsigopt", "rsa_padding_mode:pss"];
    let salt = ["-rsigopt", "rsa_pss_saltlen:digest"];
    let pss = [&pss[..], &salt[..]].concat();
    let mut options = vec![vec!["-resp_key_id"], vec!["-rmd", "sha384"]];
    if kind.is_rsa() {
        options.extend([vec!["-rmd", "sha512"], pss]);
    }
    for options in options {
        let answer = sign(&files, &request, &options);
        let verified = judge(leaf, &answer, Nonce::NotSent)
            .unwrap_or_else(|e| panic!("{kind} {options:?}: {e}"));
        assert_eq!(verified.status(), CertStatus::Good);
    }
    let spoiled = sign(&files, &request, &["-badsig"]);
    assert!(OcspResponse::parse(&spoiled, &Limits::default()).is_ok());
    assert!(judge(leaf, &spoiled, Nonce::NotSent).is_err());
}

/// OpenSSL signs with SHA-256 by every kind of ECDSA key; Ed25519 has a digest of its own.
#[test]
fn we_verify_every_kind_of_key_with_which_openssl_signs() {
    for kind in [KeyKind::EcdsaP384, KeyKind::EcdsaP521, KeyKind::Rsa3072, KeyKind::Ed25519] {
        let statuses = Statuses::new(kind, true);
        let (leaf, _) = &statuses.leaves[0];
        let files = Files::of(&statuses.lab, leaf);
        let request = statuses.lab.request(leaf, HashAlgorithm::Sha256).unwrap().to_der();
        let verified = judge(leaf, &sign(&files, &request, &[]), Nonce::NotSent)
            .unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!((verified.status(), verified.signer()), (CertStatus::Good, Signer::Delegate));
    }
}
