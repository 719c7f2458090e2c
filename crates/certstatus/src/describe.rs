//! Names and reasons for people: algorithms, curves, keys, extensions, and names that only look alike.
//!
//! An error that shows an object identifier, or two names that read the same, helps nobody.

use asn1::{Explicit, ObjectIdentifier, ParseResult, Sequence, Tlv};

use crate::Certificate;
use crate::message::{AlgorithmIdentifier, Name, SubjectPublicKeyInfo, oid};

/// `id-RSASSA-PSS` (RFC 4055, 3.1).
const RSASSA_PSS: ObjectIdentifier = asn1::oid!(1, 2, 840, 113549, 1, 1, 10);
const RSA: ObjectIdentifier = asn1::oid!(1, 2, 840, 113549, 1, 1, 1);

/// Signature and key algorithms (RFC 3279, 4055, 5758, 8410), and curves (RFC 5480, 5639; SEC 2).
const ALGORITHMS: &[(ObjectIdentifier, &str)] = &[
    (RSA, "rsaEncryption"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 4), "md5WithRSAEncryption"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 5), "sha1WithRSAEncryption"),
    (RSASSA_PSS, "RSASSA-PSS"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 11), "sha256WithRSAEncryption"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 12), "sha384WithRSAEncryption"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 13), "sha512WithRSAEncryption"),
    (asn1::oid!(1, 2, 840, 10040, 4, 1), "DSA"),
    (asn1::oid!(1, 2, 840, 10040, 4, 3), "dsa-with-SHA1"),
    (asn1::oid!(2, 16, 840, 1, 101, 3, 4, 3, 2), "dsa-with-SHA256"),
    (asn1::oid!(1, 2, 840, 10045, 2, 1), "ecPublicKey"),
    (asn1::oid!(1, 2, 840, 10045, 4, 1), "ecdsa-with-SHA1"),
    (asn1::oid!(1, 2, 840, 10045, 4, 3, 2), "ecdsa-with-SHA256"),
    (asn1::oid!(1, 2, 840, 10045, 4, 3, 3), "ecdsa-with-SHA384"),
    (asn1::oid!(1, 2, 840, 10045, 4, 3, 4), "ecdsa-with-SHA512"),
    (asn1::oid!(1, 3, 101, 112), "Ed25519"),
    (asn1::oid!(1, 3, 101, 113), "Ed448"),
    (asn1::oid!(1, 2, 840, 10045, 3, 1, 1), "P-192"),
    (asn1::oid!(1, 3, 132, 0, 33), "P-224"),
    (asn1::oid!(1, 2, 840, 10045, 3, 1, 7), "P-256"),
    (asn1::oid!(1, 3, 132, 0, 34), "P-384"),
    (asn1::oid!(1, 3, 132, 0, 35), "P-521"),
    (asn1::oid!(1, 3, 132, 0, 10), "secp256k1"),
    (asn1::oid!(1, 3, 36, 3, 3, 2, 8, 1, 1, 7), "brainpoolP256r1"),
    (asn1::oid!(1, 3, 36, 3, 3, 2, 8, 1, 1, 11), "brainpoolP384r1"),
    (asn1::oid!(1, 3, 36, 3, 3, 2, 8, 1, 1, 13), "brainpoolP512r1"),
    (asn1::oid!(1, 2, 156, 10197, 1, 301), "SM2"),
    (asn1::oid!(1, 2, 156, 10197, 1, 501), "SM2 with SM3"),
    (asn1::oid!(2, 16, 840, 1, 101, 3, 4, 3, 17), "ML-DSA-44"),
    (asn1::oid!(2, 16, 840, 1, 101, 3, 4, 3, 18), "ML-DSA-65"),
    (asn1::oid!(2, 16, 840, 1, 101, 3, 4, 3, 19), "ML-DSA-87"),
];

/// Extensions of certificates that CAs mark as critical (RFC 5280, 4.2; RFC 6960, 4.2.2.2.1), and whether
/// webpki supports them.
const EXTENSIONS: &[(ObjectIdentifier, &str, bool)] = &[
    (asn1::oid!(2, 5, 29, 15), "key usage", true),
    (asn1::oid!(2, 5, 29, 17), "subject alternative name", true),
    (asn1::oid!(2, 5, 29, 19), "basic constraints", true),
    (asn1::oid!(2, 5, 29, 30), "name constraints", true),
    (asn1::oid!(2, 5, 29, 31), "CRL distribution points", true),
    (asn1::oid!(2, 5, 29, 35), "authority key identifier", true),
    (asn1::oid!(2, 5, 29, 37), "extended key usage", true),
    (asn1::oid!(2, 5, 29, 14), "subject key identifier", false),
    (asn1::oid!(2, 5, 29, 18), "issuer alternative name", false),
    (asn1::oid!(2, 5, 29, 32), "certificate policies", false),
    (asn1::oid!(2, 5, 29, 33), "policy mappings", false),
    (asn1::oid!(2, 5, 29, 36), "policy constraints", false),
    (asn1::oid!(2, 5, 29, 54), "inhibit any policy", false),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 1, 3), "qualified certificate statements", false),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 1, 24), "TLS feature", false),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 5), "no check", false),
];

fn oid_name(oid: &ObjectIdentifier) -> String {
    let known = ALGORITHMS.iter().find(|(known, _)| known == oid);
    known.map_or_else(|| oid.to_string(), |(_, name)| (*name).to_owned())
}

/// The field's name of an algorithm, or its identifier; with the curve of a key, or the salt of a
/// signature.
pub(crate) fn algorithm(identifier: &AlgorithmIdentifier<'_>) -> String {
    let Some(oid) = identifier.algorithm() else { return "malformed".to_owned() };
    let name = oid_name(&oid);
    let Some(parameters) = identifier.parameters() else { return name };
    if oid == RSASSA_PSS {
        return match salt_length(parameters) {
            Ok(salt) => format!("{name} with a salt of {salt} bytes"),
            Err(_) => name,
        };
    }
    match asn1::parse_single::<ObjectIdentifier>(parameters) {
        Ok(curve) => format!("{name} {}", oid_name(&curve)),
        Err(_) => name,
    }
}

/// `RSASSA-PSS-params ::= SEQUENCE { [0] hash, [1] mask generation, [2] saltLength DEFAULT 20, .. }`
fn salt_length(parameters: &[u8]) -> ParseResult<u64> {
    asn1::parse_single::<Sequence<'_>>(parameters)?.parse(|p| {
        p.read_element::<Option<Explicit<Tlv<'_>, 0>>>()?;
        p.read_element::<Option<Explicit<Tlv<'_>, 1>>>()?;
        let salt = p.read_element::<Option<Explicit<u64, 2>>>()?;
        p.read_element::<Option<Explicit<Tlv<'_>, 3>>>()?;
        ParseResult::Ok(salt.map_or(20, Explicit::into_inner))
    })
}

/// An RSA key of a size that no provider of rustls verifies, with the size; `None` for any other key.
pub(crate) fn odd_rsa_key(key: &SubjectPublicKeyInfo<'_>) -> Option<String> {
    /// What aws-lc-rs and ring verify.
    const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
    if key.algorithm().algorithm()? != RSA {
        return None;
    }
    let modulus = asn1::parse_single::<Sequence<'_>>(key.subject_public_key()).and_then(|key| {
        key.parse(|p| {
            let modulus = p.read_element::<asn1::BigUint<'_>>()?;
            p.read_element::<asn1::BigUint<'_>>()?;
            ParseResult::Ok(modulus)
        })
    });
    let modulus = modulus.ok()?;
    let bytes = modulus.as_bytes();
    let at = bytes.iter().position(|byte| *byte != 0)?;
    let bits = (bytes.len() - at) * 8 - bytes.get(at)?.leading_zeros() as usize;
    (!BITS.contains(&bits)).then(|| format!("RSA of {bits} bits"))
}

/// The critical extensions of a certificate that webpki does not support, by name.
pub fn unsupported_critical_extensions(certificate: &Certificate<'_>) -> Vec<String> {
    let extensions = certificate.extensions().unwrap_or_default();
    let critical = extensions.iter().filter(|extension| extension.critical);
    let named = critical.filter_map(|extension| {
        let known = EXTENSIONS.iter().find(|(known, ..)| *known == extension.id);
        match known {
            Some((.., true)) => None,
            Some((_, name, false)) => Some((*name).to_owned()),
            None => Some(
                oid::name(&extension.id).map_or_else(|| extension.id.to_string(), str::to_owned),
            ),
        }
    });
    named.collect()
}

/// In which types of string two names that read the same are written; empty where the names differ to
/// readers too.
pub(crate) fn string_types(one: &Name<'_>, other: &Name<'_>) -> String {
    if one == other || one.to_string() != other.to_string() {
        return String::new();
    }
    let (one, other) = (one.string_types(), other.string_types());
    match one.iter().zip(&other).find(|(one, other)| one != other) {
        Some((one, other)) => format!(
            "; the two names read the same, but one is encoded as {one} and the other as {other}"
        ),
        None => "; the two names read the same, but are encoded differently".to_owned(),
    }
}

/// The name of a type of string (X.680, 8.4).
pub(crate) fn string_type(tag: asn1::Tag) -> &'static str {
    match tag.as_u8() {
        Some(0x0c) => "UTF8String",
        Some(0x13) => "PrintableString",
        Some(0x14) => "TeletexString",
        Some(0x16) => "IA5String",
        Some(0x1c) => "UniversalString",
        Some(0x1e) => "BMPString",
        _ => "another type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asn1::SimpleAsn1Readable;

    #[test]
    fn algorithms_have_names_curves_and_salts() {
        let brainpool =
            [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 9, 0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7];
        let shown = |contents| algorithm(&AlgorithmIdentifier::from_contents(contents).unwrap());
        assert_eq!(shown(&brainpool), "ecPublicKey brainpoolP256r1");
        let pss = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10, 0x30, 5, 0xa2, 3, 2, 1, 42];
        assert_eq!(shown(&pss), "RSASSA-PSS with a salt of 42 bytes");
        let default = [&pss[..11], &[0x30, 0]].concat();
        assert_eq!(shown(&default), "RSASSA-PSS with a salt of 20 bytes");
        assert_eq!(shown(&[6, 3, 0x2b, 0x65, 0x71]), "Ed448");
    }

    #[test]
    fn names_that_read_the_same_differ_in_their_strings() {
        let name = |tag: u8, text: &[u8]| {
            let value = [&[6, 3, 0x55, 4, 3, tag, text.len() as u8], text].concat();
            let attribute = [&[0x30, value.len() as u8], &value[..]].concat();
            [&[0x31, attribute.len() as u8], &attribute[..]].concat()
        };
        let (printable, utf8, other) = (name(0x13, b"CA"), name(0x0c, b"CA"), name(0x13, b"CB"));
        let read = |contents| Name::parse_data(contents).unwrap();
        let told = string_types(&read(&printable), &read(&utf8));
        assert!(told.contains("PrintableString") && told.contains("UTF8String"), "{told}");
        assert_eq!(string_types(&read(&printable), &read(&other)), "");
        assert_eq!(string_types(&read(&printable), &read(&printable)), "");
    }
}
