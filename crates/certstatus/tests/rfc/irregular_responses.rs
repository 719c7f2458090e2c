//! Signed responses that depart from DER and RFC 6960: each reports a revocation that counts, and
//! none says *good* to a verifier.

use certstatus::message::{CertStatus, OcspResponse};
use certstatus::{
    Acceptance, Decision, Invalid, Limits, Policy, Refusal, Require, Stage, Staple, Unknown,
};

use crate::support::{Fixture, at};

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = contents.len();
    let mut all = vec![tag];
    match length {
        0..0x80 => all.push(length as u8),
        0x80..0x100 => all.extend([0x81, length as u8]),
        _ => all.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    all.extend(contents);
    all
}

fn time(text: &str) -> Vec<u8> {
    tlv(0x18, &[text.as_bytes()])
}

fn extension(parts: &[&[u8]]) -> Vec<u8> {
    const NONCE: &[u8] = &[6, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 2];
    tlv(0x30, &[&[NONCE], parts].concat())
}

/// The fields of a response, each as its element or elements.
#[derive(Clone)]
struct Fields {
    version: Vec<u8>,
    produced_at: Vec<u8>,
    before: Vec<u8>,
    status: Vec<u8>,
    this_update: Vec<u8>,
    next_update: Vec<u8>,
    single_rest: Vec<u8>,
    rest: Vec<u8>,
}

struct Bench {
    fixture: Fixture,
    cert_id: Vec<u8>,
    responder_id: Vec<u8>,
    good: Fields,
}

const GOOD: &[u8] = &[0x80, 0];

impl Bench {
    fn new() -> Self {
        let fixture = Fixture::new();
        let der = fixture.response(vec![fixture.statement(CertStatus::Good, 0, Some(3600))]);
        let OcspResponse::Successful(basic) =
            OcspResponse::parse(&der, &Limits::default()).unwrap()
        else {
            panic!("the lab answers")
        };
        let tbs = asn1::strip_tlv(basic.tbs_der()).unwrap().0;
        let (responder_id, rest) = asn1::strip_tlv(tbs.data()).unwrap();
        let (produced_at, rest) = asn1::strip_tlv(rest).unwrap();
        let list = asn1::strip_tlv(rest).unwrap().0;
        let single = asn1::strip_tlv(list.data()).unwrap().0;
        let (cert_id, rest) = asn1::strip_tlv(single.data()).unwrap();
        let (status, rest) = asn1::strip_tlv(rest).unwrap();
        let (this_update, next_update) = asn1::strip_tlv(rest).unwrap();
        Self {
            cert_id: cert_id.full_data().to_vec(),
            responder_id: responder_id.full_data().to_vec(),
            good: Fields {
                version: vec![],
                produced_at: produced_at.full_data().to_vec(),
                before: vec![],
                status: status.full_data().to_vec(),
                this_update: this_update.full_data().to_vec(),
                next_update: next_update.to_vec(),
                single_rest: vec![],
                rest: vec![],
            },
            fixture,
        }
    }

    fn sign(&self, fields: &Fields) -> Vec<u8> {
        let Fields { status, this_update, next_update, single_rest, .. } = fields;
        let single = tlv(0x30, &[&self.cert_id, status, this_update, next_update, single_rest]);
        let list = tlv(0x30, &[&fields.before, &single]);
        let Fields { version, produced_at, rest, .. } = fields;
        let tbs = tlv(0x30, &[version, &self.responder_id, produced_at, &list, rest]);
        self.fixture.lab.sign_encoded(&tbs).unwrap()
    }
}

fn revoked(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0xa1, parts)
}

fn is_revoked(decision: &Decision) -> bool {
    matches!(decision, Decision::Refuse(Refusal::Revoked(_)))
}

#[track_caller]
fn assert_revoked(bench: &Bench, name: &str, fields: &Fields) {
    let der = bench.sign(fields);
    let verified = bench.fixture.verify(&der, at(10)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(matches!(verified.status(), CertStatus::Revoked(_)), "{name}");
    assert!(!verified.irregularities().is_empty(), "{name} says nothing odd");
    assert!(verified.is_about(bench.fixture.leaf.certificate()).unwrap(), "{name}");
    assert!(verified.is_current(at(10)) && verified.expires() > at(10), "{name}");
    for require in [Require::Always, Require::MustStaple, Require::Never] {
        let policy = Policy::default()
            .require(require)
            .treat_invalid(Invalid::AsMissing)
            .treat_unknown(Unknown::AsMissing);
        assert!(is_revoked(&policy.decide(Staple::Verified(&verified), false)), "{name}");
    }
    // The same bytes with another signature are nothing.
    let mut forged = der;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert!(bench.fixture.verify(&forged, at(10)).is_err(), "{name}, forged");
}

#[test]
fn odd_revocation_times_and_reasons_count() {
    let bench = Bench::new();
    let now = time("20260101000000Z");
    let reason = |value: u8| tlv(0xa0, &[&[10, 1, value]]);
    for (name, status) in [
        ("fraction", revoked(&[&time("20260101000000.5Z"), &reason(1)])),
        ("comma", revoked(&[&time("20260101000000,25Z")])),
        ("year 1", revoked(&[&time("00010101000000Z")])),
        ("1969 with a fraction", revoked(&[&time("19691231235959.9Z")])),
        ("no seconds", revoked(&[&time("202601010000Z")])),
        ("offset", revoked(&[&time("20260101000000+0100")])),
        ("no date", revoked(&[&time("tomorrow")])),
        ("UTCTime", revoked(&[&tlv(0x17, &[b"260101000000Z"])])),
        ("reason 7", revoked(&[&now, &reason(7)])),
        ("reason 11", revoked(&[&now, &reason(11)])),
        ("reason 255", revoked(&[&now, &tlv(0xa0, &[&[10, 2, 0, 255]])])),
        ("negative reason", revoked(&[&now, &reason(0xff)])),
        ("reason that is an INTEGER", revoked(&[&now, &tlv(0xa0, &[&[2, 1, 1]])])),
        ("reason without its tag", revoked(&[&now, &[10, 1, 1]])),
        ("trailing", revoked(&[&now, &reason(1), &[5, 0]])),
        ("empty", revoked(&[])),
        ("not DER", revoked(&[&[0x18, 0x80]])),
        ("primitive", tlv(0x81, &[&now])),
        ("primitive and empty", tlv(0x81, &[])),
    ] {
        assert_revoked(&bench, name, &Fields { status, ..bench.good.clone() });
    }
}

/// Departures anywhere in a response: with *revoked* they count, with *good* they refuse.
#[test]
fn odd_fields_hide_no_revocation_and_make_nothing_good() {
    let bench = Bench::new();
    let now = time("20260101000000Z");
    let good = &bench.good;
    let extensions = |tag: u8, all: &[&[u8]]| tlv(tag, &[&tlv(0x30, all)]);
    let octet = |bytes: &[u8]| tlv(4, &[bytes]);
    let plain = extension(&[&octet(&octet(&[7; 32]))]);
    let unknown = [&[0x30, 8][..], &[6, 1, 42], &[1, 1, 0xff], &[4, 0]].concat();
    let produced = String::from_utf8(good.produced_at[2..16].to_vec()).unwrap();
    let cases: Vec<(&str, Fields)> = vec![
        ("v1 written", Fields { version: tlv(0xa0, &[&[2, 1, 0]]), ..good.clone() }),
        ("version 2", Fields { version: tlv(0xa0, &[&[2, 1, 1]]), ..good.clone() }),
        ("producedAt", Fields { produced_at: time(&format!("{produced}.123Z")), ..good.clone() }),
        ("producedAt of 1969", Fields { produced_at: time("19690101000000Z"), ..good.clone() }),
        ("thisUpdate", Fields { this_update: time(&format!("{produced}.5Z")), ..good.clone() }),
        ("thisUpdate of year 1", Fields { this_update: time("00010101000000Z"), ..good.clone() }),
        (
            "thisUpdate of year 1 alone",
            Fields { this_update: time("00010101000000Z"), next_update: vec![], ..good.clone() },
        ),
        (
            "nextUpdate that is no time",
            Fields { next_update: tlv(0xa0, &[&time("never")]), ..good.clone() },
        ),
        ("empty list", Fields { rest: extensions(0xa1, &[]), ..good.clone() }),
        ("empty single list", Fields { single_rest: extensions(0xa1, &[]), ..good.clone() }),
        (
            "critical FALSE",
            Fields {
                rest: extensions(0xa1, &[&extension(&[&[1, 1, 0], &octet(&octet(&[7; 32]))])]),
                ..good.clone()
            },
        ),
        (
            "raw nonce",
            Fields { rest: extensions(0xa1, &[&extension(&[&octet(&[7; 16])])]), ..good.clone() },
        ),
        (
            "nonce of 129",
            Fields {
                rest: extensions(0xa1, &[&extension(&[&octet(&octet(&[7; 129]))])]),
                ..good.clone()
            },
        ),
        ("nonce twice", Fields { rest: extensions(0xa1, &[&plain, &plain]), ..good.clone() }),
        ("extensions that are none", Fields { rest: tlv(0xa1, &[&[5, 0]]), ..good.clone() }),
        ("trailing", Fields { rest: vec![5, 0], ..good.clone() }),
        ("single trailing", Fields { single_rest: vec![0xa2, 0], ..good.clone() }),
        ("unreadable statement", Fields { before: vec![0x30, 0], ..good.clone() }),
        ("unknown critical", Fields { rest: extensions(0xa1, &[&unknown]), ..good.clone() }),
        (
            "unknown critical of the statement",
            Fields { single_rest: extensions(0xa1, &[&unknown]), ..good.clone() },
        ),
    ];
    for (name, fields) in cases {
        let error = bench.fixture.verify(&bench.sign(&fields), at(10)).expect_err(name);
        assert!(matches!(error.stage(), Stage::Parse | Stage::Extensions), "{name}: {error}");
        if error.stage() == Stage::Parse {
            assert!(error.to_string().contains(" at byte "), "{name}: {error}");
        }
        let decision = Policy::default().decide(Staple::Invalid(&error), false);
        assert!(!matches!(decision, Decision::Accept(Acceptance::Good)), "{name}");
        assert_revoked(&bench, name, &Fields { status: revoked(&[&now]), ..fields });
    }
    assert!(bench.fixture.verify(&bench.sign(good), at(10)).is_ok());
}

/// A status good or unknown with contents, or of another tag, is none.
#[test]
fn odd_status_is_not_good() {
    let bench = Bench::new();
    for status in [&[0xa0, 0][..], &[0xa0, 2, 5, 0], &[0x80, 1, 0], &[0xa2, 0], &[0x83, 0]] {
        let fields = Fields { status: status.to_vec(), ..bench.good.clone() };
        let error = bench.fixture.verify(&bench.sign(&fields), at(10)).unwrap_err();
        assert_eq!(error.stage(), Stage::Parse, "{status:?}");
    }
    assert_eq!(bench.good.status, GOOD);
}

/// A good statement does not outweigh an odd revocation beside it, in either order.
#[test]
fn odd_revocation_counts_beside_good() {
    let bench = Bench::new();
    let good = &bench.good;
    let statement = tlv(0x30, &[&bench.cert_id, GOOD, &good.this_update, &good.next_update]);
    let odd = revoked(&[&time("20260101000000.5Z")]);
    assert_revoked(
        &bench,
        "good first",
        &Fields { before: statement, status: odd.clone(), ..good.clone() },
    );
    let statement = tlv(0x30, &[&bench.cert_id, &odd, &time("never")]);
    assert_revoked(&bench, "revoked first", &Fields { before: statement, ..good.clone() });
}
