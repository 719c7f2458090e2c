//! Verification of the peer's certificates by libcrypto, with the program's store, parameters and
//! callbacks: `SSL_CTX_set_verify(3)`, `SSL_CTX_load_verify_locations(3)`.

use std::ffi::{c_int, c_long, c_void};
use std::sync::{Arc, OnceLock};

use crate::abi::arguments::{Handle, Opaque, Text};
use crate::abi::callbacks::{CertVerifyCb, VerifyCb};
use crate::abi::guard::exported;
use crate::abi::handshake_state::Want;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::session_use;
use crate::core::failure::Failure;
use crate::core::settings::Settings;
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::reasons;
use crate::sys::stack::Chain;
use crate::sys::x509::{Certificate, Store};

/// A context of verification, freed at the end.
struct StoreCtx(*mut ffi::X509_STORE_CTX);

impl Drop for StoreCtx {
    fn drop(&mut self) {
        // SAFETY: the context is owned here and freed once.
        unsafe { ffi::X509_STORE_CTX_free(self.0) };
    }
}

/// An outcome of [`verify_peer`] that is no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// The handshake goes on.
    Accepted,
    /// The verification is to run again.
    Retry,
}

/// `SSL_VERIFY_NONE`.
const VERIFY_NONE: c_int = 0;

/// Verifies the certificates that the peer has shown (DER, its own first), and keeps them and the
/// outcome in the connection. Called with no lock held: the program's callbacks run in it.
///
/// A client's verification that succeeds after `SSL_set_retry_verify` is no outcome yet: success is
/// also the value that the function's man page has the callback return. A server has no retries.
pub(crate) fn verify_peer(ssl: &Arc<Ssl>, chain: &[Vec<u8>]) -> Result<Verified, Failure> {
    const BAD_CERTIFICATE: u8 = 42;
    let malformed = || {
        Failure::new(
            BAD_CERTIFICATE,
            reasons::BAD_ECC_CERT,
            "a certificate of the peer is malformed",
        )
    };
    let ctx = Arc::clone(&ssl.lock().session_ctx);
    let certificates: Vec<Certificate> = chain
        .iter()
        .map(|der| ctx.seen.certificate(der))
        .collect::<Option<_>>()
        .ok_or_else(malformed)?;
    let own = certificates.first().ok_or_else(malformed)?;
    let server = ssl.lock().side == Some(Side::Server);
    // A server's chain is without the client's own certificate, as in OpenSSL.
    let mut shown = Chain::new(certificates.iter().skip(usize::from(server))).map(Arc::new);
    let untrusted = Chain::new(&certificates).ok_or_else(malformed)?;
    {
        let mut state = ssl.lock();
        state.handshake.want = Want::Nothing;
        state.handshake.retry_verify = false;
        // As in OpenSSL a client shows what it verifies as a chain, and as its peer when it has.
        state.handshake.peer = None;
        state.handshake.peer_chain = shown.take_if(|_| !server);
        state.handshake.verified_chain = None;
    }
    let verified = run(ssl, own, &untrusted).ok_or_else(malformed)?;
    let mut state = ssl.lock();
    if !server && verified && state.handshake.retry_verify {
        return Ok(Verified::Retry);
    }
    // A server refuses in every mode. A client refuses in every mode but SSL_VERIFY_NONE, also
    // in those that lack SSL_VERIFY_PEER.
    if !verified && (server || state.settings.verify_mode != VERIFY_NONE) {
        return Err(Failure::new(
            alert_of(state.verify_result),
            reasons::CERTIFICATE_VERIFY_FAILED,
            String::new(),
        ));
    }
    state.handshake.peer = Some(own.clone());
    state.handshake.peer_chain = shown.or(state.handshake.peer_chain.take());
    drop(state);
    error::clear();
    Ok(Verified::Accepted)
}

/// Runs the verification. None when it could not be set up.
fn run(ssl: &Arc<Ssl>, own: &Certificate, untrusted: &Chain) -> Option<bool> {
    let (store, callbacks, context_callbacks, param, server, level) = {
        let state = ssl.lock();
        let ctx = state.ctx.lock();
        let server = state.side == Some(Side::Server);
        let level = state.settings.security_level;
        let store = state.certificates.verify_store.as_ref().unwrap_or(&ctx.store).clone();
        (store, state.callbacks, ctx.callbacks, state.param.as_ptr(), server, level)
    };
    // SAFETY: the objects live for the whole verification: the store and the certificates are
    // owned here, the parameters by the connection, which `ssl` holds. The callbacks are the
    // program's, set for this purpose.
    unsafe {
        let context = StoreCtx(ffi::X509_STORE_CTX_new());
        if context.0.is_null()
            || ffi::X509_STORE_CTX_init(context.0, store.as_ptr(), own.as_ptr(), untrusted.as_ptr())
                == 0
        {
            return None;
        }
        let object = Arc::as_ptr(ssl).cast_mut().cast::<c_void>();
        ffi::X509_STORE_CTX_set_ex_data(context.0, ssl_index(), object);
        let purpose = if server { c"ssl_client" } else { c"ssl_server" };
        ffi::X509_STORE_CTX_set_default(context.0, purpose.as_ptr());
        let effective = ffi::X509_STORE_CTX_get0_param(context.0);
        ffi::X509_VERIFY_PARAM_set_auth_level(effective, level);
        ffi::X509_VERIFY_PARAM_set1(effective, param);
        if callbacks.verify.is_some() {
            ffi::X509_STORE_CTX_set_verify_cb(context.0, callbacks.verify);
        }
        let verified = match context_callbacks.cert_verify {
            Some(callback) => callback(context.0, context_callbacks.cert_verify_arg.0),
            None => ffi::X509_verify_cert(context.0),
        };
        let mut state = ssl.lock();
        state.verify_result = c_long::from(ffi::X509_STORE_CTX_get_error(context.0));
        if !ffi::X509_STORE_CTX_get0_chain(context.0).is_null() {
            state.handshake.verified_chain =
                Chain::from_raw(ffi::X509_STORE_CTX_get1_chain(context.0));
        }
        ffi::X509_VERIFY_PARAM_move_peername(param, effective);
        Some(verified > 0)
    }
}

/// The index under which a verification callback finds its `SSL`.
fn ssl_index() -> c_int {
    static INDEX: OnceLock<c_int> = OnceLock::new();
    *INDEX.get_or_init(|| {
        /// `CRYPTO_EX_INDEX_X509_STORE_CTX`.
        const X509_STORE_CTX: c_int = 5;
        // SAFETY: no callbacks and no data are registered with the index.
        unsafe {
            ffi::CRYPTO_get_ex_new_index(X509_STORE_CTX, 0, std::ptr::null_mut(), None, None, None)
        }
    })
}

/// The alert for an outcome of verification: `ssl_x509err2alert` of OpenSSL, by RFC 8446, 6.2.
fn alert_of(code: c_long) -> u8 {
    const HANDSHAKE_FAILURE: u8 = 40;
    const BAD_CERTIFICATE: u8 = 42;
    const UNSUPPORTED_CERTIFICATE: u8 = 43;
    const CERTIFICATE_REVOKED: u8 = 44;
    const CERTIFICATE_EXPIRED: u8 = 45;
    const CERTIFICATE_UNKNOWN: u8 = 46;
    const UNKNOWN_CA: u8 = 48;
    const DECRYPT_ERROR: u8 = 51;
    const INTERNAL_ERROR: u8 = 80;
    match code {
        // untrusted, rejected, bad times, hosts, keys
        28 | 4 | 5 | 6 | 13 | 14 | 15 | 16 | 9 | 62 | 63 | 64 | 66 | 67 | 68 | 11 | 12 => {
            BAD_CERTIFICATE
        }
        26 => UNSUPPORTED_CERTIFICATE,
        50 => HANDSHAKE_FAILURE,
        7 | 8 => DECRYPT_ERROR,
        10 => CERTIFICATE_EXPIRED,
        23 => CERTIFICATE_REVOKED,
        2 | 3 | 18 | 19 | 20 | 21 | 22 | 24 | 25 | 33 => UNKNOWN_CA,
        1 | 17 | 65 | 69 | 70 => INTERNAL_ERROR,
        _ => CERTIFICATE_UNKNOWN,
    }
}

exported! {
    fn SSL_CTX_set_verify(ctx: Handle<Ctx>, mode: c_int, callback: VerifyCb) -> () => (), {
        let Some(ctx) = ctx.get() else { return };
        let mut state = ctx.lock();
        Settings::change(&mut state.settings, |settings| settings.verify_mode = mode);
        state.callbacks.verify = callback;
    }

    fn SSL_set_verify(ssl: Handle<Ssl>, mode: c_int, callback: VerifyCb) -> () => (), {
        let Some(ssl) = ssl.get() else { return };
        let mut state = ssl.lock();
        // Servers set the same mode in each name callback: the settings then stay shared.
        if state.settings.verify_mode != mode {
            Settings::change(&mut state.settings, |settings| settings.verify_mode = mode);
        }
        if callback.is_some() {
            state.callbacks.verify = callback;
        }
    }

    fn SSL_CTX_get_verify_mode(ctx: Handle<Ctx>) -> c_int => 0, {
        ctx.get().map_or(0, |ctx| ctx.lock().settings.verify_mode)
    }

    fn SSL_get_verify_mode(ssl: Handle<Ssl>) -> c_int => 0, {
        ssl.get().map_or(0, |ssl| ssl.lock().settings.verify_mode)
    }

    fn SSL_CTX_get_verify_callback(ctx: Handle<Ctx>) -> VerifyCb => None, {
        ctx.get().and_then(|ctx| ctx.lock().callbacks.verify)
    }

    fn SSL_get_verify_callback(ssl: Handle<Ssl>) -> VerifyCb => None, {
        ssl.get().and_then(|ssl| ssl.lock().callbacks.verify)
    }

    fn SSL_CTX_set_verify_depth(ctx: Handle<Ctx>, depth: c_int) -> () => (), {
        if let Some(ctx) = ctx.get() {
            // SAFETY: the parameters are valid and owned by the context.
            unsafe { ffi::X509_VERIFY_PARAM_set_depth(ctx.lock().param.as_ptr(), depth) };
        }
    }

    fn SSL_set_verify_depth(ssl: Handle<Ssl>, depth: c_int) -> () => (), {
        if let Some(ssl) = ssl.get() {
            // SAFETY: the parameters are valid and owned by the connection.
            unsafe { ffi::X509_VERIFY_PARAM_set_depth(ssl.lock().param.as_ptr(), depth) };
        }
    }

    fn SSL_CTX_get_verify_depth(ctx: Handle<Ctx>) -> c_int => 0, {
        // SAFETY: the parameters are valid and owned by the context.
        ctx.get().map_or(0, |ctx| unsafe {
            ffi::X509_VERIFY_PARAM_get_depth(ctx.lock().param.as_ptr())
        })
    }

    fn SSL_get_verify_depth(ssl: Handle<Ssl>) -> c_int => 0, {
        // SAFETY: the parameters are valid and owned by the connection.
        ssl.get().map_or(0, |ssl| unsafe {
            ffi::X509_VERIFY_PARAM_get_depth(ssl.lock().param.as_ptr())
        })
    }

    fn SSL_CTX_set_cert_verify_callback(
        ctx: Handle<Ctx>,
        callback: Option<CertVerifyCb>,
        argument: *mut c_void,
    ) -> () => (), {
        if let Some(ctx) = ctx.get() {
            let mut state = ctx.lock();
            state.callbacks.cert_verify = callback;
            state.callbacks.cert_verify_arg = Opaque(argument);
        }
    }

    fn SSL_CTX_get_cert_store(ctx: Handle<Ctx>) -> *mut ffi::X509_STORE => std::ptr::null_mut(), {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| ctx.lock().store.as_ptr())
    }

    fn SSL_CTX_set_cert_store(ctx: Handle<Ctx>, store: *mut ffi::X509_STORE) -> () => (), {
        // SAFETY: the program gives a reference to a valid store away, or passes NULL.
        let store = unsafe { Store::from_raw(store) };
        replace_store(ctx.get(), store);
    }

    fn SSL_CTX_set1_cert_store(ctx: Handle<Ctx>, store: *mut ffi::X509_STORE) -> () => (), {
        // SAFETY: the program passes NULL or a valid store.
        let store = unsafe { Store::from_ref(store) };
        replace_store(ctx.get(), store);
    }

    fn SSL_CTX_load_verify_locations(ctx: Handle<Ctx>, file: Text, dir: Text) -> c_int => 0, {
        let Some(store) = store_of(ctx.get()) else { return 0 };
        let (file, dir) = (file.as_ptr(), dir.as_ptr());
        // SAFETY: the store is valid; the strings are NULL or strings of C.
        unsafe { ffi::X509_STORE_load_locations(store.as_ptr(), file, dir) }
    }

    fn SSL_CTX_load_verify_file(ctx: Handle<Ctx>, file: Text) -> c_int => 0, {
        let Some(store) = store_of(ctx.get()) else { return 0 };
        // SAFETY: as above.
        unsafe { ffi::X509_STORE_load_file(store.as_ptr(), file.as_ptr()) }
    }

    fn SSL_CTX_load_verify_dir(ctx: Handle<Ctx>, dir: Text) -> c_int => 0, {
        let Some(store) = store_of(ctx.get()) else { return 0 };
        // SAFETY: as above.
        unsafe { ffi::X509_STORE_load_path(store.as_ptr(), dir.as_ptr()) }
    }

    fn SSL_CTX_load_verify_store(ctx: Handle<Ctx>, uri: Text) -> c_int => 0, {
        let Some(store) = store_of(ctx.get()) else { return 0 };
        // SAFETY: as above.
        unsafe { ffi::X509_STORE_load_store(store.as_ptr(), uri.as_ptr()) }
    }

    fn SSL_CTX_set_default_verify_paths(ctx: Handle<Ctx>) -> c_int => 0, {
        let Some(store) = store_of(ctx.get()) else { return 0 };
        // SAFETY: the store is valid.
        unsafe { ffi::X509_STORE_set_default_paths(store.as_ptr()) }
    }

    fn SSL_CTX_get0_param(ctx: Handle<Ctx>) -> *mut ffi::X509_VERIFY_PARAM
        => std::ptr::null_mut(),
    {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| ctx.lock().param.as_ptr())
    }

    fn SSL_get0_param(ssl: Handle<Ssl>) -> *mut ffi::X509_VERIFY_PARAM => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| ssl.lock().param.as_ptr())
    }

    fn SSL_CTX_set1_param(ctx: Handle<Ctx>, param: *mut ffi::X509_VERIFY_PARAM) -> c_int => 0, {
        // SAFETY: both parameters are valid; the program passes its own.
        ctx.get().map_or(0, |ctx| unsafe {
            ffi::X509_VERIFY_PARAM_set1(ctx.lock().param.as_ptr(), param)
        })
    }

    fn SSL_set1_param(ssl: Handle<Ssl>, param: *mut ffi::X509_VERIFY_PARAM) -> c_int => 0, {
        // SAFETY: as above.
        ssl.get().map_or(0, |ssl| unsafe {
            ffi::X509_VERIFY_PARAM_set1(ssl.lock().param.as_ptr(), param)
        })
    }

    fn SSL_get_verify_result(ssl: Handle<Ssl>) -> c_long => 0, {
        ssl.get().map_or(0, |ssl| ssl.lock().verify_result)
    }

    fn SSL_set_verify_result(ssl: Handle<Ssl>, result: c_long) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().verify_result = result;
        }
    }

    fn SSL_get_ex_data_X509_STORE_CTX_idx() -> c_int => -1, {
        ssl_index()
    }

    fn SSL_get0_peer_certificate(ssl: Handle<Ssl>) -> *mut ffi::X509 => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| {
            session_use::peer(&ssl.lock()).map_or(std::ptr::null_mut(), |peer| peer.as_ptr())
        })
    }

    fn SSL_get1_peer_certificate(ssl: Handle<Ssl>) -> *mut ffi::X509 => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| {
            session_use::peer(&ssl.lock()).map_or(std::ptr::null_mut(), |peer| peer.to_raw())
        })
    }

    fn SSL_get_peer_cert_chain(ssl: Handle<Ssl>) -> *mut ffi::stack_st_X509
        => std::ptr::null_mut(),
    {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| {
            session_use::peer_chain(&ssl.lock()).map_or(std::ptr::null_mut(), |chain| chain.as_ptr())
        })
    }

    fn SSL_get0_verified_chain(ssl: Handle<Ssl>) -> *mut ffi::stack_st_X509
        => std::ptr::null_mut(),
    {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| {
            ssl.lock().handshake.verified_chain.as_ref().map_or(std::ptr::null_mut(), Chain::as_ptr)
        })
    }
}

/// The store of a context, with a reference of its own: loading reads files, without the lock.
fn store_of(ctx: Option<&Ctx>) -> Option<Store> {
    Some(ctx?.lock().store.clone())
}

fn replace_store(ctx: Option<&Ctx>, store: Option<Store>) {
    if let (Some(ctx), Some(store)) = (ctx, store) {
        let old = std::mem::replace(&mut ctx.lock().store, store);
        drop(old);
    }
}
