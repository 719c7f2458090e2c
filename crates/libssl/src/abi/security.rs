//! What is secure enough: `SSL_CTX_set_security_level(3)`, `SSL_CTX_set_security_callback(3)`.
//!
//! The engine takes its decisions by itself. So a callback of the program's is asked before a
//! handshake about all that it could use, and the engine then uses what was allowed. Certificates
//! and keys of this side are asked about when they are set; those of the peer are libcrypto's to
//! judge, by the level.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use rustls::crypto::SignatureScheme;
use rustls::crypto::kx::NamedGroup;

use crate::abi::arguments::{Handle, Opaque};
use crate::abi::callbacks::SecurityCb;
use crate::abi::context::HasSettings;
use crate::abi::guard::exported;
use crate::abi::info;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::ciphers::{self, security_bits};
use crate::core::failure::Failure;
use crate::core::settings::{Allowed, Settings, TLS1_2, TLS1_3};
use crate::core::{groups, signatures};
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::reasons;
use crate::sys::x509::Certificate;

/// `SSL_SECOP_*` of `openssl/ssl.h`: what a question is about, and what comes with it.
mod about {
    use std::ffi::c_int;

    const CIPHER: c_int = 1 << 16;
    const CURVE: c_int = 2 << 16;
    const PKEY: c_int = 4 << 16;
    const SIGALG: c_int = 5 << 16;
    const CERT: c_int = 6 << 16;
    pub(super) const CIPHER_SUPPORTED: c_int = 1 | CIPHER;
    pub(super) const CIPHER_SHARED: c_int = 2 | CIPHER;
    pub(super) const CURVE_SUPPORTED: c_int = 4 | CURVE;
    pub(super) const CURVE_SHARED: c_int = 5 | CURVE;
    pub(super) const TMP_DH: c_int = 7 | PKEY;
    pub(super) const VERSION: c_int = 9;
    pub(super) const TICKET: c_int = 10;
    pub(super) const SIGALG_SUPPORTED: c_int = 11 | SIGALG;
    pub(super) const SIGALG_SHARED: c_int = 12 | SIGALG;
    pub(super) const COMPRESSION: c_int = 15;
    pub(super) const EE_KEY: c_int = 16 | CERT;
    pub(super) const CA_KEY: c_int = 17 | CERT;
    pub(super) const CA_MD: c_int = 18 | CERT;
}

/// What a question to a callback is about: the operation, its strength in bits, a NID or a
/// version, and an object of the operation's kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    op: c_int,
    bits: c_int,
    nid: c_int,
    other: *mut c_void,
}

/// What OpenSSL's default callback says at a level. Its rules for old suites are left out: the
/// engine has none.
fn default_answer(level: c_int, question: &Question) -> bool {
    const SSL3: c_int = 0x0300;
    const TLS1: c_int = 0x0301;
    const TLS1_1: c_int = 0x0302;
    /// No Diffie-Hellman below 1024 bits, at any level.
    const WEAKEST_DH: c_int = 80;
    if level <= 0 {
        return question.op != about::TMP_DH || question.bits >= WEAKEST_DH;
    }
    match question.op {
        about::VERSION => match question.nid {
            ..=SSL3 => level < 2,
            TLS1 => level < 3,
            TLS1_1 => level < 4,
            _ => true,
        },
        about::COMPRESSION => level < 2,
        about::TICKET => level < 3,
        _ => question.bits >= security_bits(level),
    }
}

/// A context or a connection: whoever has a security callback.
pub(crate) trait Secured {
    /// The program's callback, and its data.
    fn callback(&self) -> (Option<SecurityCb>, *mut c_void);
    /// The level that the default callback goes by.
    fn level(&self) -> c_int;
    /// Calls the callback about this object.
    ///
    /// # Safety
    /// `other` is what the operation comes with.
    unsafe fn call(&self, callback: SecurityCb, question: &Question, data: *mut c_void) -> c_int;

    /// Whether something is secure enough. Called with no lock held.
    ///
    /// # Safety
    /// As for [`Self::call`].
    unsafe fn ask(&self, question: &Question) -> bool {
        match self.callback() {
            // SAFETY: the caller promises it.
            (Some(callback), data) => unsafe { self.call(callback, question, data) != 0 },
            (None, _) => default_answer(self.level(), question),
        }
    }
}

impl Secured for Ctx {
    fn callback(&self) -> (Option<SecurityCb>, *mut c_void) {
        let state = self.lock();
        (state.callbacks.security, state.callbacks.security_data.0)
    }

    fn level(&self) -> c_int {
        self.lock().settings.security_level
    }

    unsafe fn call(&self, callback: SecurityCb, of: &Question, data: *mut c_void) -> c_int {
        let ctx = Handle::passing(self);
        // SAFETY: the program has set this function for this purpose.
        unsafe { callback(Handle::NULL, ctx, of.op, of.bits, of.nid, of.other, data) }
    }
}

impl Secured for Ssl {
    fn callback(&self) -> (Option<SecurityCb>, *mut c_void) {
        let state = self.lock();
        (state.callbacks.security, state.callbacks.security_data.0)
    }

    fn level(&self) -> c_int {
        self.lock().settings.security_level
    }

    unsafe fn call(&self, callback: SecurityCb, of: &Question, data: *mut c_void) -> c_int {
        let ssl = Handle::passing(self);
        // SAFETY: the program has set this function for this purpose.
        unsafe { callback(ssl, Handle::NULL, of.op, of.bits, of.nid, of.other, data) }
    }
}

/// Whether a certificate of this side is secure enough, its own or one of its chain; otherwise the
/// reason. Called with no lock held.
pub(crate) fn judge_certificate(
    object: &impl Secured,
    certificate: &Certificate,
    own: bool,
) -> Result<(), c_int> {
    let raw = certificate.as_ptr();
    let other = raw.cast();
    let (key_op, key_reason) = match own {
        true => (about::EE_KEY, reasons::EE_KEY_TOO_SMALL),
        false => (about::CA_KEY, reasons::CA_KEY_TOO_SMALL),
    };
    // SAFETY: the certificate is valid, and what these operations come with.
    unsafe {
        let key = ffi::X509_get0_pubkey(raw);
        let bits = if key.is_null() { -1 } else { ffi::EVP_PKEY_get_security_bits(key) };
        if !object.ask(&Question { op: key_op, bits, nid: 0, other }) {
            return Err(key_reason);
        }
        if ffi::X509_get_extension_flags(raw) & ffi::EXFLAG_SS != 0 {
            return Ok(());
        }
        let (mut digest, mut kind, mut bits) = (0, 0, -1);
        let null = std::ptr::null_mut();
        if ffi::X509_get_signature_info(raw, &mut digest, &mut kind, &mut bits, null) == 0 {
            bits = -1;
        }
        let nid = if digest == 0 { kind } else { digest };
        match object.ask(&Question { op: about::CA_MD, bits, nid, other }) {
            true => Ok(()),
            false => Err(reasons::CA_MD_TOO_WEAK),
        }
    }
}

/// Asks the program's callback, if it has one, about all that a handshake could use. Called with
/// no lock held.
pub(crate) fn settle(ssl: &Ssl) {
    let (callback, settings, side) = {
        let state = ssl.lock();
        (state.callbacks.security, Arc::clone(&state.settings), state.side)
    };
    if callback.is_none() && settings.allowed.is_none() {
        return;
    }
    let allowed = callback.map(|_| Arc::new(ask_all(ssl, &settings, side == Some(Side::Server))));
    ssl.change(|settings| settings.allowed = allowed);
}

fn ask_all(ssl: &Ssl, settings: &Settings, server: bool) -> Allowed {
    // SAFETY: what comes with each operation is what its header says, and lives for the call.
    let ask =
        |op, bits, nid, other: *mut c_void| unsafe { ssl.ask(&Question { op, bits, nid, other }) };
    let version = |version: &c_int| ask(about::VERSION, 0, *version, std::ptr::null_mut());
    let suite = |id: &u16| {
        let op = if server { about::CIPHER_SHARED } else { about::CIPHER_SUPPORTED };
        ciphers::by_id(*id).is_some_and(|cipher| {
            ask(op, cipher.bits, 0, std::ptr::from_ref(cipher).cast_mut().cast())
        })
    };
    let group = |id: &NamedGroup| {
        let op = if server { about::CURVE_SHARED } else { about::CURVE_SUPPORTED };
        let mut wire = id.0.to_be_bytes();
        groups::bits(*id)
            .is_some_and(|bits| ask(op, bits, groups::nid(*id), wire.as_mut_ptr().cast()))
    };
    let scheme = |id: &SignatureScheme| {
        let op = if server { about::SIGALG_SHARED } else { about::SIGALG_SUPPORTED };
        let mut wire = id.0.to_be_bytes();
        signatures::by_id(*id)
            .is_some_and(|scheme| ask(op, scheme.bits, scheme.hash_nid, wire.as_mut_ptr().cast()))
    };
    let suites = settings.ciphersuites.iter().chain(settings.cipher_list.iter());
    let schemes = [false, true].into_iter().flat_map(|client| settings.chosen_schemes(client));
    let mut schemes: Vec<_> = schemes.copied().collect();
    schemes.sort_unstable_by_key(|scheme| scheme.0);
    schemes.dedup();
    Allowed {
        versions: [TLS1_3, TLS1_2].into_iter().filter(version).collect(),
        suites: suites.copied().filter(suite).collect(),
        groups: settings.groups.iter().copied().filter(group).collect(),
        schemes: schemes.into_iter().filter(scheme).collect(),
    }
}

/// As OpenSSL does at the very start of a handshake: the highest version must be allowed, whatever
/// is spoken in the end. Called with no lock held.
pub(crate) fn allows_start(ssl: &Ssl) -> Result<(), Failure> {
    let version = info::version(&ssl.lock());
    let question =
        Question { op: about::VERSION, bits: 0, nid: version, other: std::ptr::null_mut() };
    // SAFETY: nothing comes with this operation.
    match ssl.callback().0.is_none() || unsafe { ssl.ask(&question) } {
        true => Ok(()),
        false => Err(Failure::local(
            error::INTERNAL_ERROR,
            "the security callback refuses the highest version of this connection",
        )),
    }
}

/// The default callback, for programs that ask for it and call it themselves.
///
/// # Safety
/// As a security callback: one of `ssl` and `ctx` is an object, the other is NULL.
unsafe extern "C" fn default_callback(
    ssl: Handle<Ssl>,
    ctx: Handle<Ctx>,
    op: c_int,
    bits: c_int,
    nid: c_int,
    other: *mut c_void,
    _data: *mut c_void,
) -> c_int {
    crate::abi::guard::guard(c"SSL_get_security_callback", 0, || {
        let level = ctx.get().map(Secured::level).or_else(|| ssl.get().map(Secured::level));
        let level = level.unwrap_or_default();
        c_int::from(default_answer(level, &Question { op, bits, nid, other }))
    })
}

/// What is kept of a callback: none for the default one, which the engine knows by itself.
fn kept(callback: Option<SecurityCb>) -> Option<SecurityCb> {
    callback.filter(|callback| *callback as usize != default_callback as SecurityCb as usize)
}

exported! {
    fn SSL_CTX_set_security_callback(ctx: Handle<Ctx>, callback: Option<SecurityCb>) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().callbacks.security = kept(callback);
        }
    }

    fn SSL_set_security_callback(ssl: Handle<Ssl>, callback: Option<SecurityCb>) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().callbacks.security = kept(callback);
        }
    }

    fn SSL_CTX_get_security_callback(ctx: Handle<Ctx>) -> Option<SecurityCb> => None, {
        ctx.get()?.callback().0.or(Some(default_callback))
    }

    fn SSL_get_security_callback(ssl: Handle<Ssl>) -> Option<SecurityCb> => None, {
        ssl.get()?.callback().0.or(Some(default_callback))
    }

    fn SSL_CTX_set0_security_ex_data(ctx: Handle<Ctx>, data: *mut c_void) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().callbacks.security_data = Opaque(data);
        }
    }

    fn SSL_set0_security_ex_data(ssl: Handle<Ssl>, data: *mut c_void) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().callbacks.security_data = Opaque(data);
        }
    }

    fn SSL_CTX_get0_security_ex_data(ctx: Handle<Ctx>) -> *mut c_void => std::ptr::null_mut(), {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| ctx.callback().1)
    }

    fn SSL_get0_security_ex_data(ssl: Handle<Ssl>) -> *mut c_void => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| ssl.callback().1)
    }

    fn SSL_CTX_set_security_level(ctx: Handle<Ctx>, level: c_int) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.change(|settings| settings.security_level = level);
        }
    }

    fn SSL_CTX_get_security_level(ctx: Handle<Ctx>) -> c_int => 0, {
        ctx.get().map_or(0, Secured::level)
    }

    fn SSL_set_security_level(ssl: Handle<Ssl>, level: c_int) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.change(|settings| settings.security_level = level);
        }
    }

    fn SSL_get_security_level(ssl: Handle<Ssl>) -> c_int => 0, {
        ssl.get().map_or(0, Secured::level)
    }
}
