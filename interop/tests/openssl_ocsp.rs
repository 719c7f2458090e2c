//! `openssl ocsp` as the client: it reads and makes the same requests as we do, verifies the lab's
//! responses, and asks the lab's responder over HTTP (RFC 6960, 4.1 and 4.2, appendix A.1).

use std::process::Command;

use certstatus::message::{CrlReason, HashAlgorithm};
use certstatus_lab::{Fault, KeyKind, Lab, RsaScheme};

use crate::harness::files::Files;
use crate::harness::pki::{NAME, Pki, with_rsa_and_ecdsa};
use crate::harness::process::{Finished, Program, run};

with_rsa_and_ecdsa!(
    openssl_reads_our_requests_and_makes_the_same,
    openssl_asks_the_labs_responder_with_a_nonce,
);

fn ocsp() -> Command {
    let mut command = Program::find("openssl", "openssl").call();
    command.arg("ocsp");
    command
}

/// With what a response is about and by whom it may be signed. An issuer that signs itself does not
/// bring its certificate.
fn ocsp_about(files: &Files, hash: HashAlgorithm) -> Command {
    let mut command = ocsp();
    command.args(["-CAfile", &files.root(), "-verify_other", &files.issuer()]);
    command.args(["-issuer", &files.issuer()]);
    command.args([&format!("-{}", name(hash)), "-cert", &files.leaf()]);
    command
}

/// The hash as `openssl` names it: `sha256`.
fn name(hash: HashAlgorithm) -> String {
    hash.to_string().to_lowercase().replace('-', "")
}

fn openssl_reads_our_requests_and_makes_the_same(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let leaf = pki.must_staple();
    let files = Files::of(pki.lab(), leaf);
    for hash in HashAlgorithm::ALL {
        let ours = pki.lab().request(leaf, hash).unwrap();
        let theirs = files.path("theirs.der");
        let mut make = ocsp_about(&files, hash);
        make.args(["-no_nonce", "-reqout", &theirs]);
        run(make).exits(0);
        assert_eq!(std::fs::read(&theirs).unwrap(), ours.to_der(), "{hash}");

        let request = files.write("ours.der", &ours.clone().with_nonce(&[0xa5; 32]).to_der());
        let mut read = ocsp();
        read.args(["-reqin", &request, "-req_text"]);
        let hex = |bytes: &[u8]| certstatus::hex(bytes).to_uppercase();
        let cert_id = &ours.requests[0].cert_id;
        run(read)
            .unfolded()
            .exits(0)
            .says(&format!("Hash Algorithm: {}", name(hash)))
            .says(&format!("Issuer Name Hash: {}", hex(&cert_id.issuer_name_hash)))
            .says(&format!("Issuer Key Hash: {}", hex(&cert_id.issuer_key_hash)))
            .says(&format!("Serial Number: {}", hex(leaf.serial())))
            // The OCTET STRING in the extension (RFC 9654, 2.1) has 32 bytes.
            .says(&format!("0420{}", "A5".repeat(32)));
    }
}

/// What `openssl ocsp` makes of a response that is in a file.
fn judge(files: &Files, response: &[u8], hash: HashAlgorithm) -> Finished {
    let mut command = ocsp_about(files, hash);
    command.args(["-respin", &files.write("response.der", response), "-no_nonce"]);
    run(command)
}

/// Every status, by every hash, as `openssl ocsp` sees it.
fn judge_every_status(lab: &Lab, what: &str) {
    let leaf = lab.leaf(NAME).unwrap();
    let files = Files::of(lab, &leaf);
    let verdict = |word: &str, hash: HashAlgorithm| {
        let response = lab.answer(&lab.request(&leaf, hash).unwrap().to_der());
        let done = judge(&files, &response, hash);
        eprintln!("{what}, {hash}: {word}");
        done.exits(0).says("Response verify OK").says(&format!("cert.pem: {word}"));
        done
    };
    for hash in HashAlgorithm::ALL {
        verdict("good", hash);
    }
    lab.revoke(&leaf, Some(CrlReason::KeyCompromise));
    verdict("revoked", HashAlgorithm::Sha256).says("Reason: keyCompromise");
    lab.revoke(&leaf, None);
    verdict("revoked", HashAlgorithm::Sha1).does_not_say("Reason:");
    lab.forget(&leaf);
    verdict("unknown", HashAlgorithm::Sha1);
}

#[test]
fn openssl_verifies_responses_of_every_kind_of_signer() {
    for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::EcdsaP521, KeyKind::Ed25519] {
        for delegate in [false, true] {
            let lab = Lab::builder().key(kind).delegate(delegate).build().unwrap();
            judge_every_status(&lab, &format!("{kind}, delegate: {delegate}"));
        }
    }
}

#[test]
fn openssl_verifies_responses_of_every_rsa_scheme() {
    for (scheme, delegate) in RsaScheme::ALL.into_iter().zip([false, true].into_iter().cycle()) {
        let builder = Lab::builder().key(KeyKind::EcdsaP256).ca_key(KeyKind::Rsa2048);
        let builder = builder.delegate(delegate).rsa_scheme(scheme).responder_id_by_key();
        judge_every_status(&builder.build().unwrap(), &format!("{scheme}, delegate: {delegate}"));
    }
}

/// What both must refuse, `openssl` refuses too: the faults are what they are called.
#[test]
fn openssl_refuses_the_labs_faults() {
    let lab = Lab::builder().delegate(true).build().unwrap();
    let leaf = lab.leaf(NAME).unwrap();
    let files = Files::of(&lab, &leaf);
    for (fault, words) in [
        (Fault::BadSignature, "Response Verify Failure"),
        (Fault::DelegateWithoutEku, "Response Verify Failure"),
        (Fault::DelegateOfAnotherCa, "Response Verify Failure"),
        (Fault::ExpiredDelegate, "Response Verify Failure"),
        (Fault::MissingSigner, "Response Verify Failure"),
        (Fault::Expired, "Status times invalid"),
        (Fault::NotYetValid, "Status times invalid"),
        (Fault::WrongSerial, "No Status found"),
        (Fault::WrongIssuer, "No Status found"),
        (Fault::TryLater, "Responder Error: trylater (3)"),
        (Fault::Unauthorized, "Responder Error: unauthorized (6)"),
        (Fault::MalformedDer, "Error reading OCSP response"),
    ] {
        let response = lab.respond_with(&leaf, fault).unwrap().unwrap();
        eprintln!("{fault}");
        judge(&files, &response, HashAlgorithm::Sha1).says(words);
    }
}

fn openssl_asks_the_labs_responder_with_a_nonce(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let lab = pki.lab();
    let leaf = lab.leaf(NAME).unwrap();
    let files = Files::of(lab, &leaf);
    let asked = lab.requests();
    let says = |word: &str| {
        let mut ask = ocsp_about(&files, HashAlgorithm::Sha256);
        ask.args(["-url", lab.responder_url(), "-timeout", "10", "-nonce"]);
        let done = run(ask);
        done.exits(0).says("Response verify OK").says(&format!("cert.pem: {word}"));
        // Without a nonce, or with another, it would say so.
        done.does_not_say("WARNING").does_not_say("Nonce");
    };
    says("good");
    lab.revoke(&leaf, Some(CrlReason::Superseded));
    says("revoked");
    lab.forget(&leaf);
    says("unknown");
    assert!(lab.requests() >= asked + 3, "the lab's responder was not asked");
}
