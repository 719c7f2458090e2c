//! Signature schemes: OpenSSL's names and numbers, and the lists of `SSL_CTX_set1_sigalgs_list(3)`
//! and `SSL_CTX_set1_sigalgs`.
//!
//! A list may name schemes that the engine lacks, as OpenSSL's default does; they are kept, since
//! programs read them back, and fit nothing.

use std::ffi::c_int;

use rustls::crypto::SignatureScheme;
use rustls::crypto::kx::NamedGroup;
use rustls_aws_lc_rs::SUPPORTED_SIG_ALGS;

use super::ciphers::{Cipher, security_bits};
use crate::sys::pkey;

/// A signature scheme that a list may name.
#[derive(Debug)]
pub(crate) struct Scheme {
    /// The scheme in the hello (RFC 8446, 4.2.3; before TLS 1.3 RFC 5246, 7.4.1.4.1).
    pub(crate) id: SignatureScheme,
    /// The name in RFC 8446; old schemes have none.
    name: Option<&'static str>,
    /// `NID_*` of the key's kind in `openssl/obj_mac.h`.
    pub(crate) key_nid: c_int,
    /// `NID_*` of the hash, 0 when the scheme has none of its own.
    pub(crate) hash_nid: c_int,
    /// `NID_*` of both together, 0 when there is none.
    pub(crate) pair_nid: c_int,
    /// Bits of security, as OpenSSL counts them.
    pub(crate) bits: c_int,
}

const RSA: c_int = 6;
const RSA_PSS: c_int = 912;
const EC: c_int = 408;
const DSA: c_int = 116;
const ED25519: c_int = 1087;
const ED448: c_int = 1088;
const SHA1: c_int = 64;
const SHA224: c_int = 675;
const SHA256: c_int = 672;
const SHA384: c_int = 673;
const SHA512: c_int = 674;

const fn scheme(
    id: u16,
    name: Option<&'static str>,
    key_nid: c_int,
    hash_nid: c_int,
    pair_nid: c_int,
) -> Scheme {
    let bits = match (hash_nid, key_nid) {
        (SHA1, _) => 64,
        (SHA224, _) => 112,
        (SHA256, _) | (0, ED25519) => 128,
        (SHA384, _) => 192,
        (0, _) => 224,
        _ => 256,
    };
    Scheme { id: SignatureScheme(id), name, key_nid, hash_nid, pair_nid, bits }
}

/// The schemes in OpenSSL's order of preference. Where two have the same key and hash the first is
/// the one that a pair like `PSS+SHA256` stands for.
static SCHEMES: [Scheme; 23] = [
    scheme(0x0403, Some("ecdsa_secp256r1_sha256"), EC, SHA256, 794),
    scheme(0x0503, Some("ecdsa_secp384r1_sha384"), EC, SHA384, 795),
    scheme(0x0603, Some("ecdsa_secp521r1_sha512"), EC, SHA512, 796),
    scheme(0x0807, Some("ed25519"), ED25519, 0, 0),
    scheme(0x0808, Some("ed448"), ED448, 0, 0),
    scheme(0x0303, None, EC, SHA224, 793),
    scheme(0x0203, None, EC, SHA1, 416),
    scheme(0x0804, Some("rsa_pss_rsae_sha256"), RSA_PSS, SHA256, 0),
    scheme(0x0805, Some("rsa_pss_rsae_sha384"), RSA_PSS, SHA384, 0),
    scheme(0x0806, Some("rsa_pss_rsae_sha512"), RSA_PSS, SHA512, 0),
    scheme(0x0809, Some("rsa_pss_pss_sha256"), RSA_PSS, SHA256, 0),
    scheme(0x080A, Some("rsa_pss_pss_sha384"), RSA_PSS, SHA384, 0),
    scheme(0x080B, Some("rsa_pss_pss_sha512"), RSA_PSS, SHA512, 0),
    scheme(0x0401, Some("rsa_pkcs1_sha256"), RSA, SHA256, 668),
    scheme(0x0501, Some("rsa_pkcs1_sha384"), RSA, SHA384, 669),
    scheme(0x0601, Some("rsa_pkcs1_sha512"), RSA, SHA512, 670),
    scheme(0x0301, Some("rsa_pkcs1_sha224"), RSA, SHA224, 671),
    scheme(0x0201, Some("rsa_pkcs1_sha1"), RSA, SHA1, 65),
    scheme(0x0402, None, DSA, SHA256, 803),
    scheme(0x0502, None, DSA, SHA384, 0),
    scheme(0x0602, None, DSA, SHA512, 0),
    scheme(0x0302, None, DSA, SHA224, 802),
    scheme(0x0202, None, DSA, SHA1, 113),
];

/// The schemes when the program selects none: OpenSSL 3.0's, as far as the engine has them.
pub(crate) static DEFAULT_SCHEMES: [SignatureScheme; 14] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::ED448,
    pkey::RSA_PSS_PSS_SHA256,
    pkey::RSA_PSS_PSS_SHA384,
    pkey::RSA_PSS_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// Reads a list, as `ECDSA+SHA256:rsa_pss_rsae_sha256`: the schemes in order of preference.
///
/// None when an element is empty or not known or a scheme stands twice; OpenSSL leaves nothing in
/// the error queue.
pub(crate) fn parse_schemes(list: &[u8]) -> Option<Vec<SignatureScheme>> {
    let mut schemes = Vec::new();
    for element in list.split(|byte| *byte == b':') {
        let id = by_name(std::str::from_utf8(element.trim_ascii()).ok()?)?.id;
        if schemes.contains(&id) {
            return None;
        }
        schemes.push(id);
    }
    Some(schemes)
}

/// The schemes of pairs of NIDs: hash and kind of key. None when a pair fits no scheme or one half
/// stands alone.
pub(crate) fn schemes_of_nids(nids: &[c_int]) -> Option<Vec<SignatureScheme>> {
    let (pairs, alone) = nids.as_chunks();
    let scheme = |[hash, key]: &[c_int; 2]| by_pair(*key, *hash).map(|scheme| scheme.id);
    (!nids.is_empty() && alone.is_empty()).then(|| pairs.iter().map(scheme).collect())?
}

/// A scheme by its name in RFC 8446, or by its key and its hash.
fn by_name(name: &str) -> Option<&'static Scheme> {
    let Some((key, hash)) = name.split_once('+') else {
        return SCHEMES.iter().find(|scheme| scheme.name == Some(name));
    };
    let key = match key {
        "RSA" => RSA,
        "RSA-PSS" | "PSS" => RSA_PSS,
        "DSA" => DSA,
        "ECDSA" => EC,
        _ => return None,
    };
    let hash = match hash {
        "SHA1" | "sha1" => SHA1,
        "SHA224" | "sha224" => SHA224,
        "SHA256" | "sha256" => SHA256,
        "SHA384" | "sha384" => SHA384,
        "SHA512" | "sha512" => SHA512,
        _ => return None,
    };
    by_pair(key, hash)
}

fn by_pair(key_nid: c_int, hash_nid: c_int) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|scheme| scheme.key_nid == key_nid && scheme.hash_nid == hash_nid)
}

/// What OpenSSL says of a scheme.
pub(crate) fn by_id(id: SignatureScheme) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|scheme| scheme.id == id)
}

/// Whether signatures of the scheme are verified: by the engine, or by libcrypto.
pub(crate) fn is_verified(id: SignatureScheme) -> bool {
    SUPPORTED_SIG_ALGS.mapping().iter().any(|(scheme, _)| *scheme == id) || pkey::verifies(id)
}

/// Whether keys for the scheme are ones for RSA of every kind of signature.
pub(crate) fn is_of_rsa(id: SignatureScheme) -> bool {
    const RSA_PSS_RSAE: std::ops::RangeInclusive<u16> = 0x0804..=0x0806;
    RSA_PSS_RSAE.contains(&id.0) || by_id(id).is_some_and(|scheme| scheme.key_nid == RSA)
}

/// Whether TLS 1.3 has signatures of the scheme in its handshake (RFC 8446, 4.2.3).
pub(crate) fn is_of_tls13(id: SignatureScheme) -> bool {
    by_id(id).is_some_and(|scheme| {
        !matches!(scheme.key_nid, RSA | DSA) && !matches!(scheme.hash_nid, SHA1 | SHA224)
    })
}

/// Whether a server of TLS 1.2 signs in the scheme. The engine's suites of TLS 1.2 are without keys
/// that are for RSASSA-PSS only.
pub(crate) fn is_of_tls12_servers(id: SignatureScheme) -> bool {
    !matches!(id, pkey::RSA_PSS_PSS_SHA256 | pkey::RSA_PSS_PSS_SHA384 | pkey::RSA_PSS_PSS_SHA512)
}

/// The curve of the keys that sign with the scheme, in this engine. None for keys without one.
pub(crate) fn curve(id: SignatureScheme) -> Option<NamedGroup> {
    Some(match id {
        SignatureScheme::ECDSA_NISTP256_SHA256 => NamedGroup::secp256r1,
        SignatureScheme::ECDSA_NISTP384_SHA384 => NamedGroup::secp384r1,
        SignatureScheme::ECDSA_NISTP521_SHA512 => NamedGroup::secp521r1,
        _ => return None,
    })
}

/// Whether a suite of TLS 1.2 is signed for with the scheme.
pub(crate) fn fits(id: SignatureScheme, cipher: &Cipher) -> bool {
    by_id(id).is_some_and(|scheme| {
        let of_rsa = matches!(scheme.key_nid, RSA | RSA_PSS);
        of_rsa == (cipher.authentication.text == "RSA")
    })
}

/// Whether a security level of `SSL_CTX_set_security_level(3)` allows the scheme; it allows none
/// that OpenSSL does not know.
pub(crate) fn allowed_at(id: SignatureScheme, level: c_int) -> bool {
    by_id(id).is_some_and(|scheme| scheme.bits >= security_bits(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(list: &str) -> Option<Vec<u16>> {
        parse_schemes(list.as_bytes()).map(|ids| ids.into_iter().map(u16::from).collect())
    }

    #[test]
    fn names_and_pairs() {
        assert_eq!(
            numbers("ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA384:ed25519"),
            Some(vec![0x0403, 0x0804, 0x0501, 0x0807])
        );
        assert_eq!(numbers("PSS+sha512"), Some(vec![0x0806]));
        assert_eq!(numbers(" rsa_pss_pss_sha256 : DSA+SHA1 "), Some(vec![0x0809, 0x0202]));
        assert_eq!(numbers("ECDSA+SHA1:ECDSA+SHA224"), Some(vec![0x0203, 0x0303]));
    }

    #[test]
    fn lists_that_openssl_refuses() {
        for refused in [
            "",
            ":",
            "ECDSA",
            "ECDSA+",
            "+SHA256",
            "ECDSA+SHA256:",
            "ECDSA+SHA256:nope",
            "ECDSA+SHA256:ecdsa_secp256r1_sha256",
            "RSA-PSS+SHA256:rsa_pss_rsae_sha256",
            "ECDSA+SHA256+X",
            "RSA-PSS+SHA1",
            "RSA+MD5",
            "RSA+SHA-256",
            "ecdsa+sha256",
            "ED25519",
            "ECDSA_SECP256R1_SHA256",
            "ed25519+SHA256",
            "dsa_sha256",
        ] {
            assert_eq!(numbers(refused), None, "{refused}");
        }
    }

    #[test]
    fn pairs_of_nids() {
        let numbers = |nids: &[c_int]| {
            schemes_of_nids(nids)
                .map(|schemes| schemes.into_iter().map(u16::from).collect::<Vec<_>>())
        };
        assert_eq!(numbers(&[SHA256, EC, SHA384, RSA]), Some(vec![0x0403, 0x0501]));
        assert_eq!(numbers(&[SHA256, RSA, SHA256, RSA]), Some(vec![0x0401, 0x0401]));
        assert_eq!(numbers(&[0, ED25519]), Some(vec![0x0807]));
        assert_eq!(numbers(&[SHA256, RSA_PSS]), Some(vec![0x0804]));
        assert_eq!(numbers(&[SHA256]), None);
        assert_eq!(numbers(&[]), None);
        assert_eq!(numbers(&[4, RSA]), None);
    }

    #[test]
    fn security_levels() {
        let allowed = |level| SCHEMES.iter().filter(|s| allowed_at(s.id, level)).count();
        assert_eq!([0, 1, 2, 3, 4, 5].map(allowed), [23, 20, 20, 17, 11, 5]);
    }
}
