//! The names for which a certificate is: its subject alternative name (RFC 5280, 4.2.1.6).

use std::net::{Ipv4Addr, Ipv6Addr};

use asn1::{ObjectIdentifier, Sequence, Tlv};
use certstatus::Certificate;
use certstatus::message::Extension;

const SUBJECT_ALT_NAME: ObjectIdentifier = asn1::oid!(2, 5, 29, 17);

/// DNS names and addresses, in their order; what cannot be read is left out. For showing only: what
/// a certificate is valid for is webpki's to say.
pub(super) fn of_certificate(der: impl AsRef<[u8]>) -> Vec<String> {
    let Ok(certificate) = Certificate::parse(der.as_ref()) else { return Vec::new() };
    let names = certificate.extensions().ok().and_then(|all| {
        let is_names = |extension: &&Extension<'_>| extension.id == SUBJECT_ALT_NAME;
        read(&all.iter().find(is_names)?.value).ok()
    });
    names.unwrap_or_default()
}

/// The names in the value of the extension.
fn read(value: &[u8]) -> asn1::ParseResult<Vec<String>> {
    asn1::parse_single::<Sequence<'_>>(value)?.parse(|p| {
        let mut names = Vec::new();
        while !p.is_empty() {
            names.extend(general_name(&p.read_element()?));
        }
        Ok(names)
    })
}

/// `dNSName [2]` and `iPAddress [7]` of a `GeneralName`.
fn general_name(name: &Tlv<'_>) -> Option<String> {
    match name.tag().as_u8()? {
        0x82 => std::str::from_utf8(name.data()).ok().map(str::to_owned),
        0x87 => {
            let v4 = <[u8; 4]>::try_from(name.data()).map(|a| Ipv4Addr::from(a).to_string());
            let v6 = <[u8; 16]>::try_from(name.data()).map(|a| Ipv6Addr::from(a).to_string());
            v4.or(v6).ok()
        }
        _ => None,
    }
}
