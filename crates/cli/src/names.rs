//! The field's names of object identifiers, for people: `sha256WithRSAEncryption` and the like.

use asn1::ObjectIdentifier;
use certstatus::message::{AlgorithmIdentifier, oid as ocsp};

/// Signature and key algorithms (RFC 3279, 4055, 5758, 8017, 8410).
const ALGORITHMS: &[(ObjectIdentifier, &str)] = &[
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 1), "rsaEncryption"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 4), "md5WithRSAEncryption"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 5), "sha1WithRSAEncryption"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 10), "RSASSA-PSS"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 11), "sha256WithRSAEncryption"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 12), "sha384WithRSAEncryption"),
    (asn1::oid!(1, 2, 840, 113549, 1, 1, 13), "sha512WithRSAEncryption"),
    (asn1::oid!(1, 2, 840, 10045, 2, 1), "ecPublicKey"),
    (asn1::oid!(1, 2, 840, 10045, 4, 1), "ecdsa-with-SHA1"),
    (asn1::oid!(1, 2, 840, 10045, 4, 3, 2), "ecdsa-with-SHA256"),
    (asn1::oid!(1, 2, 840, 10045, 4, 3, 3), "ecdsa-with-SHA384"),
    (asn1::oid!(1, 2, 840, 10045, 4, 3, 4), "ecdsa-with-SHA512"),
    (asn1::oid!(1, 3, 101, 112), "Ed25519"),
    (asn1::oid!(1, 3, 101, 113), "Ed448"),
    (asn1::oid!(1, 3, 14, 3, 2, 26), "SHA-1"),
    (asn1::oid!(2, 16, 840, 1, 101, 3, 4, 2, 1), "SHA-256"),
    (asn1::oid!(2, 16, 840, 1, 101, 3, 4, 2, 2), "SHA-384"),
    (asn1::oid!(2, 16, 840, 1, 101, 3, 4, 2, 3), "SHA-512"),
];

/// The named curves of RFC 5480, 2.1.1.1.
const CURVES: &[(ObjectIdentifier, &str)] = &[
    (asn1::oid!(1, 2, 840, 10045, 3, 1, 7), "P-256"),
    (asn1::oid!(1, 3, 132, 0, 34), "P-384"),
    (asn1::oid!(1, 3, 132, 0, 35), "P-521"),
];

/// Extensions of certificates (RFC 5280, 4.2; RFC 6962, 7633) and of OCSP messages.
const EXTENSIONS: &[(ObjectIdentifier, &str)] = &[
    (asn1::oid!(2, 5, 29, 14), "subject key identifier"),
    (asn1::oid!(2, 5, 29, 15), "key usage"),
    (asn1::oid!(2, 5, 29, 17), "subject alternative name"),
    (asn1::oid!(2, 5, 29, 19), "basic constraints"),
    (asn1::oid!(2, 5, 29, 20), "CRL number"),
    (asn1::oid!(2, 5, 29, 21), "reason code"),
    (asn1::oid!(2, 5, 29, 24), "invalidity date"),
    (asn1::oid!(2, 5, 29, 29), "certificate issuer"),
    (asn1::oid!(2, 5, 29, 30), "name constraints"),
    (asn1::oid!(2, 5, 29, 31), "CRL distribution points"),
    (asn1::oid!(2, 5, 29, 32), "certificate policies"),
    (asn1::oid!(2, 5, 29, 35), "authority key identifier"),
    (asn1::oid!(2, 5, 29, 37), "extended key usage"),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 1, 1), "authority information access"),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 1, 24), "TLS feature"),
    (asn1::oid!(1, 3, 6, 1, 4, 1, 11129, 2, 4, 2), "signed certificate timestamps"),
    (asn1::oid!(1, 3, 6, 1, 4, 1, 11129, 2, 4, 3), "precertificate poison"),
    (asn1::oid!(1, 3, 6, 1, 4, 1, 11129, 2, 4, 5), "signed certificate timestamps (OCSP)"),
];

/// Key purposes (RFC 5280, 4.2.1.12).
const PURPOSES: &[(ObjectIdentifier, &str)] = &[
    (asn1::oid!(2, 5, 29, 37, 0), "any"),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 3, 1), "server authentication"),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 3, 2), "client authentication"),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 3, 3), "code signing"),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 3, 4), "e-mail protection"),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 3, 8), "time stamping"),
    (asn1::oid!(1, 3, 6, 1, 5, 5, 7, 3, 9), "OCSP signing"),
];

fn find(
    table: &[(ObjectIdentifier, &'static str)],
    oid: &ObjectIdentifier,
) -> Option<&'static str> {
    table.iter().find(|(known, _)| known == oid).map(|(_, name)| *name)
}

/// The name of an algorithm, or its identifier; with the curve of an elliptic-curve key.
pub(crate) fn algorithm(identifier: &AlgorithmIdentifier<'_>) -> String {
    let Some(oid) = identifier.algorithm() else { return "malformed".to_owned() };
    let name = find(ALGORITHMS, &oid).map_or_else(|| oid.to_string(), str::to_owned);
    match identifier.parameters().map(asn1::parse_single::<ObjectIdentifier>) {
        Some(Ok(curve)) => {
            let curve = find(CURVES, &curve).map_or_else(|| curve.to_string(), str::to_owned);
            format!("{name} {curve}")
        }
        _ => name,
    }
}

/// The name of an extension, if it has one here.
pub(crate) fn extension(oid: &ObjectIdentifier) -> Option<&'static str> {
    ocsp::name(oid).or_else(|| find(EXTENSIONS, oid))
}

/// The name of a key purpose, or its identifier.
pub(crate) fn purpose(oid: &ObjectIdentifier) -> String {
    find(PURPOSES, oid).map_or_else(|| oid.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use certstatus::message::HashAlgorithm;

    #[test]
    fn known_identifiers_have_names_and_unknown_ones_their_numbers() {
        assert_eq!(algorithm(&HashAlgorithm::Sha256.identifier()), "SHA-256");
        let p256 =
            [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        let p256 = AlgorithmIdentifier::from_contents(&p256).unwrap();
        assert_eq!(algorithm(&p256), "ecPublicKey P-256");
        let other = AlgorithmIdentifier::from_contents(&[6, 2, 0x2a, 3]).unwrap();
        assert_eq!(algorithm(&other), "1.2.3");
        assert_eq!(extension(&ocsp::NONCE), Some("nonce"));
        assert_eq!(purpose(&asn1::oid!(1, 2, 3)), "1.2.3");
    }
}
