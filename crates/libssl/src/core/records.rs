//! Records as long as TLS allows.
//!
//! A record carries up to 2^14 bytes of plaintext, and what encryption adds comes on top (RFC 5246,
//! 6.2.3; RFC 8446, 5.2). rustls counts what is added into the 2^14 bytes, so that 16 KiB, which is
//! what programs write most, become two records, and the second costs almost as much as the first.
//! It subtracts what the cipher says that an empty record grows by; the suites here say nothing,
//! and are rustls's own in all else. rustls never encrypts an empty record, and would fail if it
//! did.

use std::sync::LazyLock;

use rustls::crypto::cipher::{
    AeadKey, Iv, KeyBlockShape, OutboundPlain, Record, RecordDecrypter, RecordEncrypter,
    Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::error::Error;
use rustls::{CipherSuiteCommon, ConnectionTrafficSecrets, Tls12CipherSuite, Tls13CipherSuite};
use rustls_aws_lc_rs::{ALL_TLS12_CIPHER_SUITES, ALL_TLS13_CIPHER_SUITES};

/// The engine's suites of TLS 1.2.
pub(crate) static TLS12_SUITES: LazyLock<Vec<Tls12CipherSuite>> =
    LazyLock::new(|| ALL_TLS12_CIPHER_SUITES.iter().map(|suite| tls12(suite)).collect());

/// The engine's suites of TLS 1.3.
pub(crate) static TLS13_SUITES: LazyLock<Vec<Tls13CipherSuite>> =
    LazyLock::new(|| ALL_TLS13_CIPHER_SUITES.iter().map(|suite| tls13(suite)).collect());

fn tls12(suite: &'static Tls12CipherSuite) -> Tls12CipherSuite {
    Tls12CipherSuite {
        common: common(&suite.common),
        protocol_version: suite.protocol_version,
        prf_provider: suite.prf_provider,
        kx: suite.kx,
        sign: suite.sign,
        // Made once for each suite, and in use as long as the process lives.
        aead_alg: Box::leak(Box::new(Full(suite.aead_alg))),
    }
}

fn tls13(suite: &'static Tls13CipherSuite) -> Tls13CipherSuite {
    Tls13CipherSuite {
        common: common(&suite.common),
        protocol_version: suite.protocol_version,
        hkdf_provider: suite.hkdf_provider,
        aead_alg: Box::leak(Box::new(Full(suite.aead_alg))),
        quic: None,
    }
}

fn common(of: &CipherSuiteCommon) -> CipherSuiteCommon {
    CipherSuiteCommon {
        suite: of.suite,
        hash_provider: of.hash_provider,
        confidentiality_limit: of.confidentiality_limit,
    }
}

/// A cipher, or what encrypts with it, that lets records be full.
struct Full<T>(T);

impl Tls12AeadAlgorithm for Full<&'static dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn RecordEncrypter> {
        Box::new(Full(self.0.encrypter(key, iv, extra)))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn RecordDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }
}

impl Tls13AeadAlgorithm for Full<&'static dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordEncrypter> {
        Box::new(Full(self.0.encrypter(key, iv)))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn iv_len(&self) -> usize {
        self.0.iv_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

impl RecordEncrypter for Full<Box<dyn RecordEncrypter>> {
    fn encrypt<'a>(
        &mut self,
        record: Record<OutboundPlain<'_>>,
        sequence: u64,
        out: &'a mut [u8],
    ) -> Result<Record<&'a [u8]>, Error> {
        self.0.encrypt(record, sequence, out)
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        match length {
            0 => 0,
            _ => self.0.encrypted_payload_len(length),
        }
    }
}
