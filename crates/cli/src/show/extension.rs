//! Extensions, each with what it means as far as that is known here, and as hexadecimal.

use asn1::{ObjectIdentifier, Parser, Sequence, Tlv};
use certstatus::hex;
use certstatus::message::{Extension, oid};
use serde::Serialize;

use crate::names;
use crate::report::Page;

const SUBJECT_KEY_ID: ObjectIdentifier = asn1::oid!(2, 5, 29, 14);
const KEY_USAGE: ObjectIdentifier = asn1::oid!(2, 5, 29, 15);
const SUBJECT_ALT_NAME: ObjectIdentifier = asn1::oid!(2, 5, 29, 17);
const BASIC_CONSTRAINTS: ObjectIdentifier = asn1::oid!(2, 5, 29, 19);
const AUTHORITY_KEY_ID: ObjectIdentifier = asn1::oid!(2, 5, 29, 35);
const EXTENDED_KEY_USAGE: ObjectIdentifier = asn1::oid!(2, 5, 29, 37);
const AUTHORITY_INFO_ACCESS: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 1, 1);
const TLS_FEATURE: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 1, 24);

/// An extension.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ExtensionShown {
    oid: String,
    /// Its name, if it has one here.
    name: Option<&'static str>,
    critical: bool,
    /// What it says, if that is understood here.
    meaning: Option<String>,
    /// The contents of `extnValue` in hexadecimal.
    value: String,
}

impl ExtensionShown {
    pub(super) fn new(extension: &Extension<'_>) -> Self {
        Self {
            oid: extension.id.to_string(),
            name: names::extension(&extension.id),
            critical: extension.critical,
            meaning: meaning(extension),
            value: hex(&extension.value),
        }
    }

    /// All of a list.
    pub(super) fn all(extensions: &[Extension<'_>]) -> Vec<Self> {
        extensions.iter().map(Self::new).collect()
    }

    fn render(&self, page: &mut Page) {
        let critical = if self.critical { ", critical" } else { "" };
        match self.name {
            Some(name) => page.sentence(&format!("{name} ({}){critical}", self.oid)),
            None => page.sentence(&format!("{}{critical}", self.oid)),
        }
        page.nested(|page| match &self.meaning {
            Some(meaning) => page.sentence(meaning),
            None if self.value.is_empty() => page.sentence("empty"),
            None => page.sentence(&self.value),
        });
    }
}

/// A list of extensions under a label; nothing when it is empty.
pub(super) fn render(page: &mut Page, label: &str, extensions: &[ExtensionShown]) {
    if extensions.is_empty() {
        return;
    }
    page.sentence(label);
    page.nested(|page| extensions.iter().for_each(|extension| extension.render(page)));
}

/// What an extension says; `None` when that is not known here or cannot be read.
fn meaning(extension: &Extension<'_>) -> Option<String> {
    let value = extension.value.as_ref();
    match extension.id {
        oid::NONCE => extension.as_nonce().map(hex),
        oid::NO_CHECK => Some("its own status is not looked up".to_owned()),
        oid::ARCHIVE_CUTOFF => {
            let time: asn1::X509GeneralizedTime = asn1::parse_single(value).ok()?;
            let t = time.as_datetime();
            let (date, hour) = ((t.year(), t.month(), t.day()), (t.hour(), t.minute(), t.second()));
            Some(format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                date.0, date.1, date.2, hour.0, hour.1, hour.2
            ))
        }
        oid::ACCEPTABLE_RESPONSES => {
            let basic = |id: ObjectIdentifier| {
                if id == oid::BASIC_RESPONSE { "basic".to_owned() } else { id.to_string() }
            };
            list(value, |p| Ok(basic(p.read_element()?)))
        }
        EXTENDED_KEY_USAGE => {
            list(value, |p| Ok(names::purpose(&p.read_element::<ObjectIdentifier>()?)))
        }
        TLS_FEATURE => list(value, |p| {
            Ok(match p.read_element::<u64>()? {
                5 => "status_request: the server must staple".to_owned(),
                17 => "status_request_v2".to_owned(),
                other => other.to_string(),
            })
        }),
        SUBJECT_KEY_ID => asn1::parse_single::<&[u8]>(value).ok().map(hex),
        AUTHORITY_KEY_ID => authority_key(value),
        KEY_USAGE => key_usage(value),
        BASIC_CONSTRAINTS => basic_constraints(value),
        SUBJECT_ALT_NAME => list(value, |p| Ok(general_name(&p.read_element()?))),
        AUTHORITY_INFO_ACCESS => list(value, access_description),
        _ => None,
    }
}

/// The elements of a SEQUENCE, with commas between them.
fn list(
    value: &[u8],
    element: impl Fn(&mut Parser<'_>) -> asn1::ParseResult<String>,
) -> Option<String> {
    let read = asn1::parse_single::<Sequence<'_>>(value).and_then(|sequence| {
        sequence.parse(|p| {
            let mut all = Vec::new();
            while !p.is_empty() {
                all.push(element(p)?);
            }
            asn1::ParseResult::Ok(all)
        })
    });
    read.ok().map(|all| all.join(", "))
}

fn access_description(p: &mut Parser<'_>) -> asn1::ParseResult<String> {
    p.read_element::<Sequence<'_>>()?.parse(|p| {
        let method: ObjectIdentifier = p.read_element()?;
        let location = general_name(&p.read_element()?);
        asn1::ParseResult::Ok(match method.as_der() {
            [43, 6, 1, 5, 5, 7, 48, 1] => format!("OCSP {location}"),
            [43, 6, 1, 5, 5, 7, 48, 2] => format!("caIssuers {location}"),
            _ => format!("{method} {location}"),
        })
    })
}

/// A `GeneralName` (RFC 5280, 4.2.1.6): names and addresses as text, the rest as hexadecimal.
fn general_name(name: &Tlv<'_>) -> String {
    let text = || std::str::from_utf8(name.data()).ok().filter(|text| text.is_ascii());
    match (name.tag().as_u8(), text(), name.data()) {
        (Some(0x81 | 0x82 | 0x86), Some(text), _) => text.to_owned(),
        (Some(0x87), _, [a, b, c, d]) => std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string(),
        (Some(0x87), _, bytes) if let Ok(bytes) = <[u8; 16]>::try_from(bytes) => {
            std::net::Ipv6Addr::from(bytes).to_string()
        }
        _ => format!("#{}", hex(name.full_data())),
    }
}

/// `keyIdentifier [0]`; the issuer's name and serial number are shown with the rest as hexadecimal.
fn authority_key(value: &[u8]) -> Option<String> {
    let sequence: Sequence<'_> = asn1::parse_single(value).ok()?;
    let id = sequence.parse(|p| {
        let id: Tlv<'_> = p.read_element()?;
        asn1::ParseResult::Ok((id.tag().as_u8() == Some(0x80)).then(|| hex(id.data())))
    });
    id.ok().flatten()
}

fn key_usage(value: &[u8]) -> Option<String> {
    const BITS: [&str; 9] = [
        "digital signature",
        "non-repudiation",
        "key encipherment",
        "data encipherment",
        "key agreement",
        "certificate signing",
        "CRL signing",
        "encipher only",
        "decipher only",
    ];
    let bits: asn1::BitString<'_> = asn1::parse_single(value).ok()?;
    let set = |at: &usize| bits.has_bit_set(*at);
    let names: Vec<&str> =
        (0..BITS.len()).filter(set).filter_map(|at| BITS.get(at).copied()).collect();
    Some(names.join(", "))
}

fn basic_constraints(value: &[u8]) -> Option<String> {
    let sequence: Sequence<'_> = asn1::parse_single(value).ok()?;
    let read = sequence.parse(|p| {
        let is_ca = p.read_element::<Option<bool>>()?.unwrap_or(false);
        asn1::ParseResult::Ok((is_ca, p.read_element::<Option<u64>>()?))
    });
    Some(match read.ok()? {
        (true, Some(length)) => format!("a CA, with at most {length} CAs below it"),
        (true, None) => "a CA".to_owned(),
        (false, _) => "not a CA".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(id: ObjectIdentifier, value: &[u8]) -> Option<String> {
        meaning(&Extension { id, critical: false, value: value.into() })
    }

    #[test]
    fn what_is_known_has_a_meaning_and_the_rest_none() {
        assert_eq!(shown(KEY_USAGE, &[3, 2, 1, 6]).unwrap(), "certificate signing, CRL signing");
        assert_eq!(shown(BASIC_CONSTRAINTS, &[0x30, 3, 1, 1, 0xff]).unwrap(), "a CA");
        assert_eq!(shown(BASIC_CONSTRAINTS, &[0x30, 0]).unwrap(), "not a CA");
        let feature = shown(TLS_FEATURE, &[0x30, 3, 2, 1, 5]).unwrap();
        assert!(feature.starts_with("status_request:"), "{feature}");
        let names = [0x30, 9, 0x82, 1, b'a', 0x87, 4, 127, 0, 0, 1];
        assert_eq!(shown(SUBJECT_ALT_NAME, &names).unwrap(), "a, 127.0.0.1");
        assert_eq!(shown(asn1::oid!(1, 2, 3), &[5, 0]), None);
        assert_eq!(shown(KEY_USAGE, &[0xff]), None);
    }
}
