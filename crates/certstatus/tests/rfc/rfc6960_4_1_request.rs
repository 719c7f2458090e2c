//! RFC 6960, 4.1: requests; RFC 9654: their nonce.

use std::borrow::Cow;

use certstatus::message::{CertId, Extension, HashAlgorithm, OcspRequest, Request, oid};
use certstatus::{Error, Limits, Stage};

fn cert_id(hash: HashAlgorithm, length: usize) -> CertId<'static> {
    CertId {
        hash_algorithm: hash.identifier(),
        issuer_name_hash: Cow::Owned(vec![1; length]),
        issuer_key_hash: Cow::Owned(vec![2; length]),
        serial_number: Cow::Borrowed(&[0x00, 0x9f, 0x01]),
    }
}

fn parse(der: &[u8]) -> Result<OcspRequest<'_>, Error> {
    OcspRequest::parse(der, &Limits::default())
}

/// The smallest request there is, byte by byte as RFC 6960, 4.1.1 has it.
#[test]
fn a_request_is_encoded_as_the_rfc_says() {
    let der = OcspRequest::new(cert_id(HashAlgorithm::Sha1, 20)).to_der();
    let mut expected = vec![0x30, 68, 0x30, 66, 0x30, 64, 0x30, 62, 0x30, 60];
    expected.extend([0x30, 9, 6, 5, 0x2b, 14, 3, 2, 26, 5, 0]);
    expected.extend([4, 20].iter().chain(&[1; 20]).chain(&[4, 20]).chain(&[2; 20]));
    expected.extend([2, 3, 0, 0x9f, 1]);
    assert_eq!(der.len(), 70);
    // The innermost length is the sum of what follows it: 11 + 22 + 22 + 5.
    assert_eq!(der, expected);
}

#[test]
fn what_is_written_is_read_again() {
    for hash in HashAlgorithm::ALL {
        let mut request = OcspRequest::new(cert_id(hash, 32)).with_nonce(&[7; 32]);
        request.requests.push(Request {
            cert_id: cert_id(hash, 32),
            extensions: vec![Extension {
                id: oid::SERVICE_LOCATOR,
                critical: true,
                value: Cow::Borrowed(&[0x30, 0]),
            }],
        });
        let der = request.to_der();
        let read = parse(&der).unwrap();
        assert_eq!(read, request);
        assert_eq!(read.to_der(), der);
        assert_eq!(read.nonce(), Some(&[7; 32][..]));
        assert_eq!(read.requests[0].cert_id.hash(), Some(hash));
        assert_eq!(read.into_owned().unwrap().to_der(), der);
    }
}

#[test]
fn a_nonce_replaces_the_one_before() {
    let request = OcspRequest::new(cert_id(HashAlgorithm::Sha1, 20)).with_nonce(&[1; 16]);
    let request = request.with_nonce(&[2; 32]);
    assert_eq!(request.nonce(), Some(&[2; 32][..]));
    assert_eq!(request.extensions.len(), 1);
}

/// RFC 9654, 2.1: `OCTET STRING(SIZE(1..128))`.
#[test]
fn nonces_have_1_to_128_bytes() {
    for (length, allowed) in [(0, false), (1, true), (32, true), (128, true), (129, false)] {
        let request = OcspRequest::new(cert_id(HashAlgorithm::Sha1, 20));
        let der = request.with_nonce(&vec![9; length]).to_der();
        assert_eq!(parse(&der).is_ok(), allowed, "{length} bytes");
    }
}

#[test]
fn hash_algorithms_are_read_with_and_without_null_parameters() {
    for hash in HashAlgorithm::ALL {
        let with_null = hash.identifier();
        let bare = &with_null.contents()[..with_null.contents().len() - 2];
        let bare = certstatus::message::AlgorithmIdentifier::from_contents(bare).unwrap();
        assert_eq!(HashAlgorithm::from_identifier(&with_null), Some(hash));
        assert_eq!(HashAlgorithm::from_identifier(&bare), Some(hash));
    }
    // MD5 is not understood, nor SHA-1 with parameters other than NULL.
    for unknown in [
        &[6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 2, 5, 5, 0][..],
        &[6, 5, 0x2b, 14, 3, 2, 26, 4, 0][..],
    ] {
        let unknown = certstatus::message::AlgorithmIdentifier::from_contents(unknown).unwrap();
        assert_eq!(HashAlgorithm::from_identifier(&unknown), None);
    }
}

#[test]
fn what_is_not_strict_der_is_refused() {
    let good = OcspRequest::new(cert_id(HashAlgorithm::Sha1, 20)).to_der();
    let refused = |der: &[u8], why: &str| {
        let error = parse(der).expect_err(why);
        assert_eq!(error.stage(), Stage::Parse, "{why}");
    };
    let mut trailing = good.clone();
    trailing.push(0);
    refused(&trailing, "trailing byte");
    refused(&good[..good.len() - 1], "truncated");
    refused(&[], "empty");
    let mut long_form = vec![0x30, 0x81, 68];
    long_form.extend(&good[2..]);
    refused(&long_form, "length not minimal");
    // version [0] v1, which is the default and so must not be there.
    let mut version = vec![0x30, 73, 0x30, 71, 0xa0, 3, 2, 1, 0];
    version.extend(&good[4..]);
    refused(&version, "default version encoded");
    refused(&[0x30, 4, 0x30, 2, 0x30, 0], "no certificate asked about");
}

#[test]
fn a_requestors_name_and_signature_are_read() {
    let good = OcspRequest::new(cert_id(HashAlgorithm::Sha1, 20)).to_der();
    let name = [0xa1, 4, 0x82, 2, b'a', b'b'];
    let signature = [0xa0, 15, 0x30, 13, 0x30, 7, 6, 3, 0x2b, 0x65, 0x70, 5, 0, 3, 2, 0, 0xff];
    let mut der = vec![0x30, 91, 0x30, 72];
    der.extend(name.iter().chain(&good[4..]).chain(&signature));
    let request = parse(&der).unwrap();
    assert_eq!(request.requestor_name, Some(&name[2..]));
    let signature = request.signature.as_ref().unwrap();
    assert_eq!(signature.signature, [0xff]);
    assert!(signature.certs.is_empty());
    assert_eq!(signature.algorithm.algorithm().unwrap().to_string(), "1.3.101.112");
    let last = der.len() - 1;
    (der[last - 1], der[last]) = (1, 0xfe);
    assert!(parse(&der).is_err(), "a bit of the signature does not count");
}

#[test]
fn an_extension_twice_is_refused() {
    let mut request = OcspRequest::new(cert_id(HashAlgorithm::Sha1, 20));
    request.extensions = vec![Extension::nonce(&[1; 16]), Extension::nonce(&[1; 16])];
    assert!(parse(&request.to_der()).is_err());
}

#[test]
fn limits_hold() {
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    };
    let mut request = OcspRequest::new(cert_id(HashAlgorithm::Sha1, 20));
    request.requests = vec![request.requests[0].clone(); 3];
    let der = request.to_der();
    assert!(OcspRequest::parse(&der, &limits(|l| l.single_responses = 3)).is_ok());
    assert!(OcspRequest::parse(&der, &limits(|l| l.single_responses = 2)).is_err());
    let mut exact = Limits::default();
    exact.response = der.len();
    assert!(OcspRequest::parse(&der, &exact).is_ok());
    exact.response -= 1;
    assert!(matches!(OcspRequest::parse(&der, &exact), Err(Error::TooLarge { .. })));
}
