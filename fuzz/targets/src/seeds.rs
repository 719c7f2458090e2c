//! Inputs from which a run begins, made of the vectors.

use std::path::Path;

use asn1::SimpleAsn1Writable;
use certstatus::Limits;
use certstatus::message::{BasicOcspResponse, OcspRequest, OcspResponse};

use crate::vectors::{self, Vectors};

/// Longer ones would only slow a run down; the long vectors differ in the length of keys.
const LONGEST: usize = 1400;

pub(crate) fn none() -> Vec<Vec<u8>> {
    Vec::new()
}

pub(crate) fn responses() -> Vec<Vec<u8>> {
    distinct(Vectors::all().responses().map(<[u8]>::to_vec))
}

pub(crate) fn requests() -> Vec<Vec<u8>> {
    distinct(Vectors::all().requests.iter().cloned())
}

pub(crate) fn certificates() -> Vec<Vec<u8>> {
    let worlds = Vectors::all().worlds.values();
    let own = worlds.flat_map(|world| [world.leaf.clone(), world.issuer.clone()]);
    let included = parsed()
        .into_iter()
        .flat_map(|basic| basic.certs().map(<[u8]>::to_vec).collect::<Vec<_>>());
    distinct(own.chain(included))
}

/// The answers without their envelope.
pub(crate) fn basic() -> Vec<Vec<u8>> {
    distinct(parsed().iter().filter_map(|basic| {
        let whole = OcspResponse::Successful(basic.clone()).to_der();
        let header = whole.windows(11).position(|bytes| bytes == BASIC_RESPONSE)?;
        asn1::parse_single::<&[u8]>(&whole[header + BASIC_RESPONSE.len()..])
            .ok()
            .map(<[u8]>::to_vec)
    }))
}

/// `id-pkix-ocsp-basic` with tag and length.
const BASIC_RESPONSE: [u8; 11] = [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];

pub(crate) fn singles() -> Vec<Vec<u8>> {
    distinct(parsed().iter().flat_map(|basic| basic.data().responses.iter().map(encoded)))
}

pub(crate) fn cert_ids() -> Vec<Vec<u8>> {
    distinct(
        parsed()
            .iter()
            .flat_map(|basic| basic.data().responses.iter().map(|single| encoded(&single.cert_id))),
    )
}

pub(crate) fn extensions() -> Vec<Vec<u8>> {
    let limits = Limits::default();
    let mut all = Vec::new();
    for basic in parsed() {
        let data = basic.data();
        let singles = data.responses.iter().flat_map(|single| &single.extensions);
        all.extend(data.extensions.iter().chain(singles).map(encoded));
    }
    for request in &Vectors::all().requests {
        let request = OcspRequest::parse(request, &limits).expect("a vector's request");
        all.extend(request.extensions.iter().map(encoded));
    }
    distinct(all.into_iter())
}

pub(crate) fn names() -> Vec<Vec<u8>> {
    let certificates = certificates();
    let certificates =
        certificates.iter().filter_map(|der| certstatus::Certificate::parse(der).ok());
    distinct(certificates.map(|certificate| encoded(certificate.subject())))
}

fn parsed() -> Vec<BasicOcspResponse<'static>> {
    let responses = Vectors::all().responses();
    let parsed = responses.filter_map(|der| OcspResponse::parse(der, &Limits::default()).ok());
    parsed
        .filter_map(|response| match response {
            OcspResponse::Successful(basic) => Some(basic),
            OcspResponse::Unsuccessful(_) => None,
        })
        .collect()
}

fn encoded<T: SimpleAsn1Writable<Error = asn1::WriteError>>(value: &T) -> Vec<u8> {
    asn1::write_single(value).expect("what was read can be written")
}

fn distinct(all: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = all.filter(|seed| seed.len() <= LONGEST).collect();
    all.sort();
    all.dedup();
    all
}

/// Bytes without a meaning, for targets that make a case of whatever they are given.
pub(crate) fn noise() -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let mut byte = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (1..=48).map(|count| (0..count * 8).map(|_| byte()).collect()).collect()
}

/// What a client sends first, to a server of each of its settings.
pub(crate) fn to_servers() -> Vec<Vec<u8>> {
    spoken("client_hello", &[0, 1, 2, 4])
}

/// What a server sends first, to a client of each of its settings.
pub(crate) fn to_clients() -> Vec<Vec<u8>> {
    spoken("server_flight", &[0, 1, 2, 5])
}

/// The files of another target, after a first byte that says how they are taken.
fn spoken(target: &str, settings: &[u8]) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(target);
    let files =
        vectors::entries(&directory).into_iter().filter_map(|path| std::fs::read(path).ok());
    distinct(files.flat_map(|bytes| settings.iter().map(move |how| [&[*how], &bytes[..]].concat())))
}
