//! RFC 7633: the TLS feature extension.

use certstatus::Certificate;
use certstatus_lab::{Lab, LeafRequest};

use crate::support::at;

#[test]
fn a_must_staple_certificate_is_recognised() {
    let lab = Lab::builder().now(at(0)).build().unwrap();
    let marked = lab.issue(LeafRequest::new("www.example.org").must_staple()).unwrap();
    let plain = lab.leaf("www.example.org").unwrap();
    let must_staple = |der: &[u8]| Certificate::parse(der).unwrap().must_staple().unwrap();
    assert!(must_staple(marked.certificate()));
    assert!(!must_staple(plain.certificate()));
    assert!(!must_staple(lab.root()));
}

/// `Features ::= SEQUENCE OF INTEGER`: other features do not count, and what cannot be read is an
/// error, which callers treat as the mark.
#[test]
fn the_extension_is_read_strictly() {
    let lab = Lab::builder().now(at(0)).build().unwrap();
    let marked = lab.issue(LeafRequest::new("www.example.org").must_staple()).unwrap();
    let der = marked.certificate().to_vec();
    let value = [0x30, 3, 2, 1, 5];
    let found = der.windows(5).position(|window| window == value).unwrap();
    let with = |value: [u8; 5]| {
        let mut changed = der.clone();
        changed[found..found + 5].copy_from_slice(&value);
        Certificate::parse(&changed).unwrap().must_staple().ok()
    };
    assert_eq!(with([0x30, 3, 2, 1, 5]), Some(true));
    assert_eq!(with([0x30, 3, 2, 1, 17]), Some(false), "status_request_v2 is another feature");
    assert_eq!(with([0x30, 3, 4, 1, 5]), None, "no INTEGER");
    assert_eq!(with([0x31, 3, 2, 1, 5]), None, "no SEQUENCE");
    assert_eq!(with([0x30, 2, 2, 1, 5]), None, "a trailing byte");
}

/// RFC 5280, 4.1.1.3: a signature that is not whole octets is none of any algorithm.
#[test]
fn a_signature_with_unused_bits_is_refused() {
    let lab = Lab::builder().now(at(0)).build().unwrap();
    let mut der = lab.leaf("www.example.org").unwrap().certificate().to_vec();
    let (length, last) = (der.len(), der.len() - 1);
    // It is the last element: BIT STRING, its length in one byte, no unused bits, SEQUENCE.
    let signature = (0..length - 4)
        .rev()
        .find(|at| der[*at..].starts_with(&[3, (length - at - 2) as u8, 0, 0x30]))
        .unwrap();
    assert!(Certificate::parse(&der).is_ok());
    der[signature + 2] = 1;
    der[last] &= 0xfe;
    assert!(Certificate::parse(&der).is_err());
}

/// RFC 5280, 4.2.2.1: where the responder and the issuer's certificate are.
#[test]
fn authority_information_access_is_read() {
    let lab = Lab::builder().now(at(0)).build().unwrap();
    let urls = ["http://a.example/ocsp", "http://b.example/"];
    let leaf = lab.issue(LeafRequest::new("www.example.org").responder_urls(urls)).unwrap();
    let certificate = Certificate::parse(leaf.certificate()).unwrap();
    assert_eq!(certificate.ocsp_urls().unwrap(), urls);
    assert_eq!(certificate.ca_issuers_urls().unwrap().len(), 1);
    let bare = lab.issue(LeafRequest::new("www.example.org").no_aia()).unwrap();
    let bare = Certificate::parse(bare.certificate()).unwrap();
    assert!(bare.ocsp_urls().unwrap().is_empty() && bare.ca_issuers_urls().unwrap().is_empty());
}
