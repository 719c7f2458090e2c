//! RFC 6960, 4.2.1: the structures of a response.

use std::borrow::Cow;

use certstatus::message::{
    AlgorithmIdentifier, BasicOcspResponse, CertId, CertStatus, CrlReason, Extension,
    HashAlgorithm, OcspResponse, OcspResponseStatus, ResponderId, ResponseData, RevokedInfo,
    SingleResponse, oid,
};
use certstatus::time::unix;
use certstatus::{Error, Limits, Stage};

const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];

fn single(cert_status: CertStatus) -> SingleResponse<'static> {
    SingleResponse {
        cert_id: CertId {
            hash_algorithm: HashAlgorithm::Sha256.identifier(),
            issuer_name_hash: Cow::Borrowed(&[1; 32]),
            issuer_key_hash: Cow::Borrowed(&[2; 32]),
            serial_number: Cow::Borrowed(&[5]),
        },
        cert_status,
        this_update: unix(1_700_000_000),
        next_update: Some(unix(1_700_086_400)),
        extensions: Vec::new(),
    }
}

fn data(responses: Vec<SingleResponse<'static>>) -> ResponseData<'static> {
    ResponseData {
        responder_id: ResponderId::ByKey(Cow::Borrowed(&[3; 20])),
        produced_at: unix(1_700_000_100),
        responses,
        extensions: Vec::new(),
    }
}

fn signed(data: ResponseData<'static>, certs: Vec<Vec<u8>>) -> OcspResponse<'static> {
    let algorithm = AlgorithmIdentifier::from_contents(ED25519).unwrap();
    OcspResponse::Successful(BasicOcspResponse::new(data, algorithm, vec![4; 64], certs))
}

fn parse(der: &[u8]) -> Result<OcspResponse<'_>, Error> {
    OcspResponse::parse(der, &Limits::default())
}

#[track_caller]
fn round_trips(response: &OcspResponse<'_>) {
    let der = response.to_der();
    let read = parse(&der).unwrap();
    assert_eq!(&read, response);
    assert_eq!(read.to_der(), der);
}

#[test]
fn what_is_written_is_read_again() {
    round_trips(&signed(data(vec![single(CertStatus::Good)]), vec![]));
    round_trips(&signed(data(vec![single(CertStatus::Unknown)]), vec![vec![0x30, 0]]));
    let mut everything = data(vec![single(CertStatus::Good), single(CertStatus::Unknown)]);
    everything.responses[0].next_update = None;
    everything.responses[1].extensions = vec![Extension {
        id: oid::ARCHIVE_CUTOFF,
        critical: true,
        value: Cow::Borrowed(b"\x18\x0f20200101000000Z"),
    }];
    everything.extensions = vec![Extension::nonce(&[8; 32])];
    let name = [0x31, 12, 0x30, 10, 6, 3, 0x55, 4, 3, 0x0c, 3, b'O', b'C', b'A'];
    let name: &'static [u8] = Box::leak(name.to_vec().into_boxed_slice());
    everything.responder_id = ResponderId::ByName(certstatus::message::Name::from_contents(name));
    round_trips(&signed(everything, vec![vec![0x30, 0], vec![0x30, 2, 5, 0]]));
}

#[test]
fn every_reason_round_trips_and_others_are_refused() {
    for reason in CrlReason::ALL.map(Some).into_iter().chain([None]) {
        round_trips(&signed(
            data(vec![single(CertStatus::Revoked(RevokedInfo {
                revocation_time: unix(1_600_000_000),
                revocation_reason: reason,
            }))]),
            vec![],
        ));
    }
    let der = signed(
        data(vec![single(CertStatus::Revoked(RevokedInfo {
            revocation_time: unix(1_600_000_000),
            revocation_reason: Some(CrlReason::AaCompromise),
        }))]),
        vec![],
    )
    .to_der();
    let at = der.windows(5).position(|w| w == [0xa0, 3, 10, 1, 10]).unwrap();
    for unused in [7, 11, 127] {
        let mut der = der.clone();
        der[at + 4] = unused;
        assert_eq!(parse(&der).unwrap_err().stage(), Stage::Parse, "reason {unused}");
    }
}

#[test]
fn errors_of_the_responder_are_read_and_carry_nothing() {
    for status in OcspResponseStatus::ALL {
        let der = [0x30, 3, 10, 1, status as u8];
        if status == OcspResponseStatus::Successful {
            assert!(parse(&der).is_err(), "success without an answer");
            continue;
        }
        let response = parse(&der).unwrap();
        assert_eq!(response, OcspResponse::Unsuccessful(status));
        assert_eq!(response.to_der(), der);
    }
    for unused in [4, 7, 100] {
        assert!(parse(&[0x30, 3, 10, 1, unused]).is_err(), "status {unused}");
    }
    // An error that carries an answer all the same.
    let mut der = signed(data(vec![single(CertStatus::Good)]), vec![]).to_der();
    let at = der.windows(3).position(|w| w == [10, 1, 0]).unwrap();
    der[at + 2] = OcspResponseStatus::TryLater as u8;
    assert_eq!(parse(&der).unwrap_err().stage(), Stage::Parse);
}

#[test]
fn other_response_types_are_named() {
    let mut der = signed(data(vec![single(CertStatus::Good)]), vec![]).to_der();
    let basic = oid::BASIC_RESPONSE;
    let at = der.windows(9).position(|w| w == basic.as_der()).unwrap();
    der[at + 8] = 99;
    let error = parse(&der).unwrap_err();
    assert!(matches!(error, Error::ResponseType(_)), "{error}");
    assert!(error.to_string().contains("1.3.6.1.5.5.7.48.1.99"), "{error}");
}

/// Every cut of a response is refused, and so is every byte appended to it.
#[test]
fn truncated_and_extended_responses_are_refused() {
    let der = signed(data(vec![single(CertStatus::Good)]), vec![vec![0x30, 0]]).to_der();
    for end in 0..der.len() {
        assert_eq!(parse(&der[..end]).unwrap_err().stage(), Stage::Parse, "cut at {end}");
    }
    for byte in [0, 0x30, 0xff] {
        let mut longer = der.clone();
        longer.push(byte);
        assert!(parse(&longer).is_err());
    }
}

#[test]
fn times_are_whole_seconds_in_utc() {
    let der = signed(data(vec![single(CertStatus::Good)]), vec![]).to_der();
    let at = der.windows(15).position(|w| w == b"20231114221320Z").unwrap();
    for wrong in [b"20231114221320z", b"20231314221320Z", b"20231114241320Z", b"19691231235959Z"] {
        let mut der = der.clone();
        der[at..at + 15].copy_from_slice(wrong);
        assert!(parse(&der).is_err(), "{}", String::from_utf8_lossy(wrong));
    }
}

#[test]
fn the_number_of_certificates_and_statements_is_bounded() {
    let limits = Limits::default();
    let statements = |count| signed(data(vec![single(CertStatus::Good); count]), vec![]).to_der();
    assert!(parse(&statements(limits.single_responses)).is_ok());
    assert!(parse(&statements(limits.single_responses + 1)).is_err());
    let certificates =
        |count| signed(data(vec![single(CertStatus::Good)]), vec![vec![0x30, 0]; count]).to_der();
    assert!(parse(&certificates(limits.certificates)).is_ok());
    assert!(parse(&certificates(limits.certificates + 1)).is_err());
    assert!(parse(&vec![0; limits.response + 1]).is_err_and(|e| e.to_string().contains("65527")));
}

#[test]
fn certificates_must_at_least_be_sequences() {
    let der = signed(data(vec![single(CertStatus::Good)]), vec![vec![0x31, 0]]).to_der();
    assert!(parse(&der).is_err());
}

#[test]
fn errors_are_sentences() {
    let error = parse(&[0x30, 3, 10, 1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the OCSPResponse is malformed: the whole at byte 0: it ends a byte too early"
    );
    let html = b"<html>503 Service Unavailable</html>";
    let error = parse(html).unwrap_err().to_string();
    assert!(error.starts_with("the OCSPResponse is malformed"), "{error}");
}
