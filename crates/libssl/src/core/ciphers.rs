//! The engine's cipher suites, with all that OpenSSL says of each.
//!
//! The suites are those of rustls: TLS 1.3 (RFC 8446, B.4) and ECDHE with an AEAD for TLS 1.2
//! (RFC 5289, RFC 7905). A `SSL_CIPHER*` of C is the address of an entry here, so pointers compare
//! as they do in OpenSSL. [`rules`] parses the strings that select from them.

pub(crate) mod rules;

use std::ffi::{CStr, c_int};

use rustls::crypto::CipherSuite;
use rustls::{Tls12CipherSuite, Tls13CipherSuite};

use super::tap::provider::PROVIDER;

/// What OpenSSL says of a cipher suite: the object behind a `SSL_CIPHER*`.
#[derive(Debug)]
pub(crate) struct Cipher {
    /// The suite's number in the registry of TLS.
    pub(crate) id: u16,
    /// OpenSSL's name.
    pub(crate) name: &'static CStr,
    /// The name in the RFC.
    pub(crate) standard_name: &'static CStr,
    /// The version that brought it, as `SSL_CIPHER_get_version` says it.
    pub(crate) version: &'static CStr,
    /// Whether it belongs to TLS 1.3.
    pub(crate) tls13: bool,
    /// Strength of the cipher's key, in bits.
    pub(crate) bits: c_int,
    pub(crate) key_exchange: Part,
    pub(crate) authentication: Part,
    pub(crate) encryption: Part,
    pub(crate) mac: Part,
    /// Whether it encrypts and authenticates in one (RFC 5116).
    pub(crate) aead: bool,
    /// The hash of the handshake.
    pub(crate) hash: Hash,
}

/// A part of a suite: its text in `SSL_CIPHER_description`, and its number in libcrypto.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) text: &'static str,
    /// `NID_*` of `openssl/obj_mac.h`.
    pub(crate) nid: c_int,
}

/// A hash function of libcrypto.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Md5,
    Sha256,
    Sha384,
}

const ANY_KEY_EXCHANGE: Part = Part { text: "any", nid: 1063 };
const ECDHE: Part = Part { text: "ECDH", nid: 1038 };
const ANY_AUTHENTICATION: Part = Part { text: "any", nid: 1064 };
const RSA: Part = Part { text: "RSA", nid: 1046 };
const ECDSA: Part = Part { text: "ECDSA", nid: 1047 };
const AES128_GCM: Part = Part { text: "AESGCM(128)", nid: 895 };
const AES256_GCM: Part = Part { text: "AESGCM(256)", nid: 901 };
const CHACHA20_POLY1305: Part = Part { text: "CHACHA20/POLY1305(256)", nid: 1018 };
const AEAD: Part = Part { text: "AEAD", nid: 0 };

/// The engine's suites, in OpenSSL's default order.
pub(crate) static CIPHERS: [Cipher; 9] = [
    tls13(0x1302, c"TLS_AES_256_GCM_SHA384", AES256_GCM),
    tls13(0x1303, c"TLS_CHACHA20_POLY1305_SHA256", CHACHA20_POLY1305),
    tls13(0x1301, c"TLS_AES_128_GCM_SHA256", AES128_GCM),
    tls12(
        0xC02C,
        c"ECDHE-ECDSA-AES256-GCM-SHA384",
        c"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        ECDSA,
        AES256_GCM,
    ),
    tls12(
        0xC030,
        c"ECDHE-RSA-AES256-GCM-SHA384",
        c"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        RSA,
        AES256_GCM,
    ),
    tls12(
        0xCCA9,
        c"ECDHE-ECDSA-CHACHA20-POLY1305",
        c"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ECDSA,
        CHACHA20_POLY1305,
    ),
    tls12(
        0xCCA8,
        c"ECDHE-RSA-CHACHA20-POLY1305",
        c"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        RSA,
        CHACHA20_POLY1305,
    ),
    tls12(
        0xC02B,
        c"ECDHE-ECDSA-AES128-GCM-SHA256",
        c"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ECDSA,
        AES128_GCM,
    ),
    tls12(
        0xC02F,
        c"ECDHE-RSA-AES128-GCM-SHA256",
        c"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        RSA,
        AES128_GCM,
    ),
];

/// The signals that stand among the suites of a hello (RFC 5746, 3.3 and RFC 7507, 2). OpenSSL
/// gives them out as ciphers with nothing inside.
static SIGNALS: [Cipher; 2] =
    [signal(0x00FF, c"TLS_EMPTY_RENEGOTIATION_INFO_SCSV"), signal(0x5600, c"TLS_FALLBACK_SCSV")];

const fn tls13(id: u16, name: &'static CStr, encryption: Part) -> Cipher {
    Cipher {
        version: c"TLSv1.3",
        tls13: true,
        key_exchange: ANY_KEY_EXCHANGE,
        ..tls12(id, name, name, ANY_AUTHENTICATION, encryption)
    }
}

const fn tls12(
    id: u16,
    name: &'static CStr,
    standard_name: &'static CStr,
    authentication: Part,
    encryption: Part,
) -> Cipher {
    let (bits, hash) = match encryption.nid {
        nid if nid == AES256_GCM.nid => (256, Hash::Sha384),
        nid if nid == AES128_GCM.nid => (128, Hash::Sha256),
        _ => (256, Hash::Sha256),
    };
    Cipher {
        id,
        name,
        standard_name,
        version: c"TLSv1.2",
        tls13: false,
        bits,
        key_exchange: ECDHE,
        authentication,
        encryption,
        mac: AEAD,
        aead: true,
        hash,
    }
}

const fn signal(id: u16, name: &'static CStr) -> Cipher {
    Cipher {
        id,
        name,
        standard_name: name,
        version: c"unknown",
        tls13: false,
        bits: 0,
        key_exchange: ANY_KEY_EXCHANGE,
        authentication: ANY_AUTHENTICATION,
        encryption: Part { text: "unknown", nid: 0 },
        // NID_md5_sha1 and MD5: what OpenSSL's tables give for a suite without a hash.
        mac: Part { text: "unknown", nid: 114 },
        aead: false,
        hash: Hash::Md5,
    }
}

impl Cipher {
    /// The line of `SSL_CIPHER_description`, with its newline.
    pub(crate) fn description(&self) -> String {
        format!(
            "{:<30} {:<7} Kx={:<8} Au={:<5} Enc={:<22} Mac={:<4}\n",
            self.name.to_string_lossy(),
            self.version.to_string_lossy(),
            self.key_exchange.text,
            self.authentication.text,
            self.encryption.text,
            self.mac.text,
        )
    }

    /// Whether a security level of `SSL_CTX_set_security_level(3)` allows the suite. The engine's
    /// suites have forward secrecy and no weak MAC, so the key's strength decides.
    pub(crate) fn allowed_at(&self, level: c_int) -> bool {
        self.bits >= security_bits(level)
    }
}

/// The bits of security that a level of `SSL_CTX_set_security_level(3)` asks for.
pub(crate) fn security_bits(level: c_int) -> c_int {
    match level {
        ..=0 => 0,
        1 => 80,
        2 => 112,
        3 => 128,
        4 => 192,
        5.. => 256,
    }
}

/// The suite with this number.
pub(crate) fn by_id(id: u16) -> Option<&'static Cipher> {
    CIPHERS.iter().find(|cipher| cipher.id == id)
}

/// The suite or the signal with this number.
pub(crate) fn suite_or_signal(id: u16) -> Option<&'static Cipher> {
    by_id(id).or_else(|| SIGNALS.iter().find(|signal| signal.id == id))
}

/// Whether a number is a signal and no suite.
pub(crate) fn is_signal(id: u16) -> bool {
    SIGNALS.iter().any(|signal| signal.id == id)
}

/// The suite or the signal with this name of an RFC.
pub(crate) fn by_standard_name(name: &[u8]) -> Option<&'static Cipher> {
    CIPHERS.iter().chain(&SIGNALS).find(|cipher| cipher.standard_name.to_bytes() == name)
}

/// rustls's suite of TLS 1.2 with this number.
pub(crate) fn tls12_suite(id: u16) -> Option<&'static Tls12CipherSuite> {
    let mut suites = PROVIDER.tls12_cipher_suites.iter().copied();
    suites.find(|suite| suite.common.suite == CipherSuite::from(id))
}

/// rustls's suite of TLS 1.3 with this number.
pub(crate) fn tls13_suite(id: u16) -> Option<&'static Tls13CipherSuite> {
    let mut suites = PROVIDER.tls13_cipher_suites.iter().copied();
    suites.find(|suite| suite.common.suite == CipherSuite::from(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_engines() {
        let count = |tls13| CIPHERS.iter().filter(|cipher| cipher.tls13 == tls13).count();
        assert_eq!(count(true), PROVIDER.tls13_cipher_suites.len());
        assert_eq!(count(false), PROVIDER.tls12_cipher_suites.len());
        for cipher in &CIPHERS {
            let there = match cipher.tls13 {
                true => tls13_suite(cipher.id).is_some(),
                false => tls12_suite(cipher.id).is_some(),
            };
            assert!(there, "{cipher:?}");
        }
    }

    #[test]
    fn descriptions_are_openssls() {
        let described = |id| suite_or_signal(id).unwrap().description();
        assert_eq!(
            described(0x1301),
            "TLS_AES_128_GCM_SHA256         TLSv1.3 Kx=any      Au=any   Enc=AESGCM(128)            Mac=AEAD\n"
        );
        assert_eq!(
            described(0xCCA9),
            "ECDHE-ECDSA-CHACHA20-POLY1305  TLSv1.2 Kx=ECDH     Au=ECDSA Enc=CHACHA20/POLY1305(256) Mac=AEAD\n"
        );
        assert_eq!(
            described(0x00FF),
            "TLS_EMPTY_RENEGOTIATION_INFO_SCSV unknown Kx=any      Au=any   Enc=unknown                Mac=unknown\n"
        );
    }

    #[test]
    fn suites_and_signals_are_found_by_number_and_name() {
        assert_eq!(by_id(0xC02F).unwrap().name, c"ECDHE-RSA-AES128-GCM-SHA256");
        assert!(by_id(0x00FF).is_none() && is_signal(0x00FF) && !is_signal(0xC02F));
        assert_eq!(suite_or_signal(0x5600).unwrap().name, c"TLS_FALLBACK_SCSV");
        let by_name = by_standard_name(b"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
        assert!(std::ptr::eq(by_name.unwrap(), by_id(0xC030).unwrap()));
        assert!(by_standard_name(b"ECDHE-RSA-AES256-GCM-SHA384").is_none());
    }

    #[test]
    fn security_levels_allow_by_the_keys_strength() {
        let allowed = |level| CIPHERS.iter().filter(|c| c.allowed_at(level)).count();
        assert_eq!([-1, 0, 3, 4, 5, 9].map(allowed), [9, 9, 9, 6, 6, 6]);
    }
}
