//! The vectors that `examples/vectors.rs` wrote come out of the core as their table says.

use std::path::Path;

use certstatus::message::{CertStatus, OcspRequest};
use certstatus::time::unix;
use certstatus::{Certificate, Error, Issuer, Limits, Nonce, Verifier};

use crate::support::algorithms;

/// 2026-03-01T12:00:00Z, as the head of the table says.
const NOW: u64 = 1_772_366_400;

#[test]
fn every_vector_comes_out_as_the_table_says() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../certstatus/tests/vectors");
    let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
    let table = std::fs::read_to_string(directory.join("table.txt")).unwrap();
    let mut count = 0;
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let nonce = words.last().unwrap().strip_prefix("nonce=").map(bytes);
        words.truncate(words.len() - usize::from(nonce.is_some()));
        let [file, certificate, issuer, expected @ ..] = words.as_slice() else {
            panic!("a line has at least four words: {line}");
        };
        let (der, certificate, issuer) = (read(file), read(certificate), read(issuer));
        let certificate = Certificate::parse(&certificate).unwrap();
        let issuer = Certificate::parse(&issuer).unwrap();
        let issuer = Issuer::from_certificate(&issuer);
        let found = if expected[0] == "request" {
            request(&der, &certificate, &issuer, nonce.as_deref())
        } else {
            let expected_nonce = nonce.as_deref().map_or(Nonce::NotSent, Nonce::Required);
            let verifier = Verifier::new(algorithms()).nonce(expected_nonce);
            match verifier.verify(&der, &certificate, &issuer, unix(NOW)) {
                Ok(verified) => status(verified.status()),
                Err(error) => refusal(&error),
            }
        };
        assert_eq!(found, expected.join(" "), "{file}");
        count += 1;
    }
    assert!(count >= 100, "{count} vectors");
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
