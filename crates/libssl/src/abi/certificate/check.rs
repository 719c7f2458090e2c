//! Whether a certificate can be used in the handshake at hand: `SSL_check_chain(3)`.
//!
//! As in OpenSSL the answer is a sum of flags, one for each thing that fits.

use std::ffi::c_int;

use rustls::crypto::SignatureScheme;

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ssl, SslState};
use crate::abi::signatures::shared;
use crate::core::client_hello::ClientHello;
use crate::core::settings::TLS1_3;
use crate::core::signatures::{by_id, is_of_tls13};
use crate::sys::libcrypto as ffi;
use crate::sys::pkey::{Key, Kind};
use crate::sys::stack::certificates;
use crate::sys::x509::Certificate;

/// `CERT_PKEY_*` of `openssl/ssl.h`.
mod flag {
    use std::ffi::c_int;

    pub(super) const VALID: c_int = 0x1;
    pub(super) const SIGN: c_int = 0x2;
    pub(super) const EE_SIGNATURE: c_int = 0x10;
    pub(super) const CA_SIGNATURE: c_int = 0x20;
    pub(super) const EE_PARAM: c_int = 0x40;
    pub(super) const CA_PARAM: c_int = 0x80;
    pub(super) const EXPLICIT_SIGN: c_int = 0x100;
    pub(super) const ISSUER_NAME: c_int = 0x200;
    pub(super) const CERT_TYPE: c_int = 0x400;
}

/// What is checked.
struct Checked {
    own: Certificate,
    key: Key,
    kind: Kind,
    chain: Vec<Certificate>,
}

/// What the peer's schemes and this side's have in common, and what the peer says of certificates.
struct Schemes {
    shared: Vec<SignatureScheme>,
    /// TLS 1.3: for the signatures in certificates, when the peer says so (RFC 8446, 4.2.3).
    of_certificates: Option<Vec<SignatureScheme>>,
    tls13: bool,
}

impl Schemes {
    fn of(state: &SslState) -> Self {
        let tls13 = state.connection.version() == Some(TLS1_3);
        let hello = state.connection.offered().filter(|_| tls13);
        let of_certificates = hello.and_then(ClientHello::certificate_schemes);
        Self { shared: shared(state), of_certificates, tls13 }
    }

    /// Whether the signature in a certificate is one that the peer verifies.
    fn allow_signature(&self, certificate: &Certificate) -> bool {
        // SAFETY: the certificate is valid.
        let nid = unsafe { ffi::X509_get_signature_nid(certificate.as_ptr()) };
        let schemes = self.of_certificates.as_ref().unwrap_or(&self.shared);
        let mut pairs = schemes.iter().filter_map(|id| by_id(*id)).map(|scheme| scheme.pair_nid);
        pairs.any(|pair| pair == nid)
    }

    /// Whether one of the shared schemes is for a key.
    fn fit(&self, kind: Kind, usable: impl Fn(SignatureScheme) -> bool) -> bool {
        let signs = |id: &&SignatureScheme| kind_of(**id) == Some(kind) && usable(**id);
        self.shared.iter().any(|id| signs(&id))
    }
}

/// The kind of key that signs with a scheme.
fn kind_of(id: SignatureScheme) -> Option<Kind> {
    Some(match u16::from(id) {
        0x0809..=0x080B => Kind::RsaPss,
        0x0804..=0x0806 | 0x0201 | 0x0301 | 0x0401 | 0x0501 | 0x0601 => Kind::Rsa,
        0x0203 | 0x0303 | 0x0403 | 0x0503 | 0x0603 => Kind::Ec,
        0x0807 => Kind::Ed25519,
        0x0808 => Kind::Ed448,
        _ => return None,
    })
}

/// Whether a key of TLS 1.3 signs with a scheme: one for ECDSA names its curve.
fn signs_in_tls13(id: SignatureScheme, key: &Key) -> bool {
    let group = match u16::from(id) {
        0x0403 => 23,
        0x0503 => 24,
        0x0603 => 25,
        _ => return is_of_tls13(id),
    };
    key.group().is_some_and(|own| u16::from(own) == group)
}

/// Whether the peer takes the group of a certificate's key, if that has one.
fn allows_group(state: &SslState, certificate: &Certificate) -> bool {
    let Some(key) = certificate.public_key().filter(|key| key.kind() == Some(Kind::Ec)) else {
        return true;
    };
    let Some(group) = key.group() else { return false };
    if !state.settings.allows_group(group) {
        return false;
    }
    match state.side {
        Some(Side::Client) => state.settings.groups.contains(&group),
        _ => {
            let groups = state.connection.offered().into_iter().flat_map(ClientHello::groups);
            let groups: Vec<u16> = groups.collect();
            groups.is_empty() || groups.contains(&group.into())
        }
    }
}

/// What a client finds in the server's request: the type of its key, and its issuers.
fn fits_request(state: &SslState, checked: &Checked) -> c_int {
    /// `TLS_CT_RSA_SIGN` and `TLS_CT_ECDSA_SIGN` (RFC 8422, 5.5).
    const RSA_SIGN: u8 = 1;
    const ECDSA_SIGN: u8 = 64;
    let request = state.connection.signatures.request();
    let kind = match checked.kind {
        Kind::Rsa => Some(RSA_SIGN),
        Kind::Ec => Some(ECDSA_SIGN),
        _ => None,
    };
    let types = request.map(|request| request.types.as_slice()).unwrap_or_default();
    let names = request.map(|request| request.authorities.as_slice()).unwrap_or_default();
    let mut shown = std::iter::once(&checked.own).chain(&checked.chain);
    let issued = names.is_empty()
        || shown.any(|certificate| certificate.issuer().is_some_and(|name| names.contains(&name)));
    flag_if(kind.is_none_or(|kind| types.contains(&kind)), flag::CERT_TYPE)
        | flag_if(issued, flag::ISSUER_NAME)
}

fn flag_if(holds: bool, flag: c_int) -> c_int {
    if holds { flag } else { 0 }
}

fn check(state: &SslState, checked: &Checked) -> c_int {
    let schemes = Schemes::of(state);
    let client = state.side == Some(Side::Client);
    let own_signature = match schemes.tls13 {
        true => {
            schemes.fit(checked.kind, |id| signs_in_tls13(id, &checked.key))
                && schemes
                    .of_certificates
                    .as_ref()
                    .is_none_or(|_| schemes.allow_signature(&checked.own))
        }
        false => schemes.allow_signature(&checked.own),
    };
    let ca_signatures = checked.chain.iter().all(|of_ca| schemes.allow_signature(of_ca));
    let own_group = allows_group(state, &checked.own);
    let ca_groups = client || checked.chain.iter().all(|of_ca| allows_group(state, of_ca));
    let signs = schemes.fit(checked.kind, |id| !schemes.tls13 || is_of_tls13(id));
    flag_if(own_signature, flag::EE_SIGNATURE)
        | flag_if(ca_signatures, flag::CA_SIGNATURE)
        | flag_if(own_group, flag::EE_PARAM)
        | flag_if(ca_groups, flag::CA_PARAM)
        | flag_if(own_signature && own_group, flag::VALID)
        | flag_if(signs, flag::SIGN | flag::EXPLICIT_SIGN)
        | match client {
            true => fits_request(state, checked),
            false => flag::ISSUER_NAME | flag::CERT_TYPE,
        }
}

exported! {
    /// Meant for the certificate callback; `chain` is without the certificate itself.
    fn SSL_check_chain(
        ssl: Handle<Ssl>,
        certificate: *mut ffi::X509,
        key: *mut ffi::EVP_PKEY,
        chain: *mut ffi::stack_st_X509,
    ) -> c_int => 0, {
        // SAFETY: the program passes NULL or valid objects.
        let (certificate, key, chain) = unsafe {
            (Certificate::from_ref(certificate), Key::from_ref(key), certificates(chain))
        };
        let (Some(ssl), Some(own), Some(key)) = (ssl.get(), certificate, key) else { return 0 };
        let Some(kind) = key.kind() else { return 0 };
        check(&ssl.lock(), &Checked { own, key, kind, chain })
    }
}
