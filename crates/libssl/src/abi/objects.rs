//! `SSL_CTX` and `SSL`: what is in them, how they are locked, counted, made and freed.
//!
//! A pointer that C holds is a reference of an `Arc`. The state is behind a mutex that is held for
//! the moment of a change and never while code of the program runs, so a callback may use its own
//! object, and a second thread waits instead of racing.

use std::ffi::{CString, c_int, c_long, c_void};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::arguments::{Handle, Text, give, int};
use crate::abi::callbacks::Callbacks;
use crate::abi::certificate::Certificates;
use crate::abi::cipher_list::Shown;
use crate::abi::client_ca::CaNames;
use crate::abi::guard::exported;
use crate::abi::handshake_state::{self, HandshakeState, VersionMethod};
use crate::abi::method::{Method, Side};
use crate::abi::owner::{Owned, Owner, Owners};
use crate::abi::seen::Seen;
use crate::abi::session_cache::{self, SessionCache};
use crate::abi::session_use::{self, ConnectionSessions};
use crate::abi::status::Status;
use crate::core::connection::Connection;
use crate::core::properties;
use crate::core::settings::{Settings, Switched};
use crate::sys::bio::Bio;
use crate::sys::error;
use crate::sys::ex_data::{Class, ExData};
use crate::sys::libcrypto as ffi;
use crate::sys::reasons;
use crate::sys::x509::{Store, VerifyParam};

/// An `SSL_CTX`.
pub(crate) struct Ctx {
    owners: Owners,
    pub(crate) ex_data: ExData,
    /// What the peers of its connections have shown.
    pub(crate) seen: Seen,
    state: Mutex<CtxState>,
}

/// What changes in an `SSL_CTX`.
pub(crate) struct CtxState {
    pub(crate) method: &'static Method,
    pub(crate) settings: Arc<Settings>,
    pub(crate) callbacks: Callbacks,
    pub(crate) certificates: Certificates,
    pub(crate) store: Store,
    pub(crate) param: VerifyParam,
    pub(crate) quiet_shutdown: c_int,
    pub(crate) read_ahead: c_int,
    /// What `SSL_CTX_get_ciphers` shows.
    pub(crate) ciphers: Shown,
    /// The names of CAs to send.
    pub(crate) ca_names: CaNames,
    /// Sessions by id, and the keys of tickets.
    pub(crate) sessions: SessionCache,
    /// What the last connection that switched to this context has got by that.
    pub(crate) switched: Option<Switched>,
}

/// An `SSL`.
pub(crate) struct Ssl {
    owners: Owners,
    pub(crate) ex_data: ExData,
    /// Whether someone watches what passes, to be known without the lock.
    pub(crate) watched: AtomicBool,
    /// Whether that is being told, so that what is done meanwhile is told after it.
    pub(crate) telling: AtomicBool,
    state: Mutex<SslState>,
}

/// What changes in an `SSL`.
pub(crate) struct SslState {
    /// The names of CAs to send.
    pub(crate) ca_names: CaNames,
    /// The context that is current: a server name callback may change it.
    pub(crate) ctx: Owner<Ctx>,
    /// The context that the connection was made from; its sessions and tickets are used.
    pub(crate) session_ctx: Owner<Ctx>,
    pub(crate) method: &'static Method,
    /// The side, once it is chosen.
    pub(crate) side: Option<Side>,
    /// What `SSL_is_server` goes by until then.
    pub(crate) supposed_side: Side,
    pub(crate) settings: Arc<Settings>,
    pub(crate) callbacks: Callbacks,
    pub(crate) certificates: Certificates,
    pub(crate) param: VerifyParam,
    pub(crate) rbio: Option<Bio>,
    pub(crate) wbio: Option<Bio>,
    pub(crate) connection: Connection,
    /// State of this handshake, which a new one replaces whole.
    pub(crate) handshake: HandshakeState,
    /// The method of the version that an earlier handshake agreed on, until `SSL_clear`.
    pub(crate) version_method: Option<VersionMethod>,
    /// Whether a handshake is running: what a callback of it calls does not run it again.
    pub(crate) in_handshake: bool,
    /// `SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN`.
    pub(crate) shutdown: c_int,
    pub(crate) quiet_shutdown: c_int,
    pub(crate) read_ahead: c_int,
    /// The name that a client sends, or that a server was sent.
    pub(crate) server_name: Option<CString>,
    pub(crate) verify_result: c_long,
    pub(crate) status: Status,
    pub(crate) sessions: ConnectionSessions,
    /// What `SSL_get_ciphers` shows.
    pub(crate) ciphers: Shown,
}

impl Ctx {
    /// Locks the state, for a moment in which no code of the program runs.
    pub(crate) fn lock(&self) -> Locked<'_, CtxState> {
        lock(&self.state)
    }

    /// As [`Self::lock`], for the end of the object: after a panic its parts are released too.
    fn last_state(&self) -> Locked<'_, CtxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ssl {
    /// Locks the state, for a moment in which no code of the program runs.
    pub(crate) fn lock(&self) -> Locked<'_, SslState> {
        lock(&self.state)
    }

    /// As [`Self::lock`], for the end of the object: after a panic its parts are released too.
    fn last_state(&self) -> Locked<'_, SslState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::lock`], for a `Drop`, which must not panic. None for a poisoned object.
    pub(crate) fn try_state(&self) -> Option<Locked<'_, SslState>> {
        self.state.lock().ok()
    }
}

/// A locked state.
pub(crate) type Locked<'a, T> = MutexGuard<'a, T>;

/// A panic while the lock was held leaves an object that must not be used: this panics again, and
/// the guard of the function turns it into its failure.
#[allow(clippy::panic)]
fn lock<T>(state: &Mutex<T>) -> Locked<'_, T> {
    match state.lock() {
        Ok(locked) => {
            #[cfg(test)]
            crate::abi::injection::strike_while_locked();
            locked
        }
        Err(_) => panic!("the object is poisoned by an earlier panic"),
    }
}

impl Ctx {
    fn make(method: &'static Method) -> Option<Owner<Self>> {
        let mut settings = Settings::default();
        settings.fixed_version = method.version;
        let state = CtxState {
            ca_names: CaNames::of_context(),
            method,
            settings: Arc::new(settings),
            callbacks: Callbacks::default(),
            certificates: Certificates::default(),
            store: Store::new()?,
            param: VerifyParam::new()?,
            quiet_shutdown: 0,
            read_ahead: 0,
            ciphers: Shown::default(),
            sessions: SessionCache::default(),
            switched: None,
        };
        Some(Owner::new(Arc::new(Self {
            owners: Owners::default(),
            ex_data: ExData::new(Class::Ctx),
            seen: Seen::default(),
            state: Mutex::new(state),
        })))
    }
}

impl Owned for Ctx {
    fn owners(&self) -> &Owners {
        &self.owners
    }

    fn end(this: &Arc<Self>) {
        let (sessions, remove) = {
            let mut state = this.last_state();
            (state.sessions.take_all(), state.sessions.remove)
        };
        session_cache::tell_removed(this, remove, sessions);
        this.ex_data.free(Arc::as_ptr(this).cast_mut().cast());
        // A free function may have put one in again.
        let sessions = this.last_state().sessions.take_all();
        drop(sessions);
    }
}

impl Ssl {
    pub(crate) fn make(ctx: &Arc<Ctx>) -> Option<Owner<Self>> {
        let param = VerifyParam::new()?;
        let shared = ctx.lock();
        // SAFETY: both parameters are valid and owned by objects that are held here.
        unsafe { ffi::X509_VERIFY_PARAM_inherit(param.as_ptr(), shared.param.as_ptr()) };
        let state = SslState {
            ca_names: CaNames::default(),
            ctx: Owner::new(Arc::clone(ctx)),
            session_ctx: Owner::new(Arc::clone(ctx)),
            method: shared.method,
            side: None,
            supposed_side: shared.method.side.unwrap_or(Side::Server),
            settings: Arc::clone(&shared.settings),
            callbacks: shared.callbacks,
            certificates: shared.certificates.clone(),
            param,
            rbio: None,
            wbio: None,
            connection: Connection::default(),
            handshake: HandshakeState::default(),
            version_method: None,
            in_handshake: false,
            shutdown: 0,
            quiet_shutdown: shared.quiet_shutdown,
            read_ahead: shared.read_ahead,
            server_name: None,
            verify_result: 0,
            status: Status::default(),
            sessions: ConnectionSessions::default(),
            ciphers: Shown::default(),
        };
        Some(Owner::new(Arc::new(Self {
            owners: Owners::default(),
            ex_data: ExData::new(Class::Ssl),
            watched: AtomicBool::new(false),
            telling: AtomicBool::new(false),
            state: Mutex::new(state),
        })))
    }
}

impl Owned for Ssl {
    fn owners(&self) -> &Owners {
        &self.owners
    }

    fn end(this: &Arc<Self>) {
        let bad = session_use::take_bad(&mut this.last_state());
        session_use::discard(bad);
        this.ex_data.free(Arc::as_ptr(this).cast_mut().cast());
        // Freeing a BIO may run code of the program; the order is OpenSSL's.
        let wbio = this.last_state().wbio.take();
        drop(wbio);
        let rbio = this.last_state().rbio.take();
        drop(rbio);
        // Freeing certificates may run code of the program as well.
        let replaced = handshake_state::replace(&mut this.last_state());
        drop(replaced);
    }
}

exported! {
    fn SSL_CTX_new(method: *const Method) -> Handle<Ctx> => Handle::NULL, {
        error::load_strings();
        // SAFETY: the program passes NULL or what a method function returned, which is static.
        let Some(method) = (unsafe { method.as_ref() }) else {
            error::raise(c"SSL_CTX_new", reasons::NULL_SSL_METHOD_PASSED, None);
            return Handle::NULL;
        };
        let Some(ctx) = Ctx::make(method) else { return Handle::NULL };
        ctx.ex_data.initialize(Arc::as_ptr(&ctx).cast_mut().cast());
        crate::abi::conf::section::apply_system_default(&ctx);
        give(ctx)
    }

    /// The library context and the properties select providers of libcrypto. Handshakes are the
    /// engine's, which is none, and certificates are verified in the default context.
    fn SSL_CTX_new_ex(
        libctx: *mut c_void,
        query: Text,
        method: *const Method,
    ) -> Handle<Ctx> => Handle::NULL, {
        let fits = query.get().is_none_or(|query| query.to_str().is_ok_and(properties::fits));
        if !libctx.is_null() || !fits {
            let why = "no library context, and no property that the TLS engine has not";
            error::raise(c"SSL_CTX_new_ex", error::UNSUPPORTED, Some(why));
            return Handle::NULL;
        }
        // SAFETY: the argument is passed on as it came.
        unsafe { SSL_CTX_new(method) }
    }

    fn SSL_CTX_free(ctx: Handle<Ctx>) => (), {
        drop(ctx.take());
    }

    fn SSL_CTX_up_ref(ctx: Handle<Ctx>) -> c_int => 0, {
        match ctx.hold() {
            Some(ctx) => { give(Owner::new(ctx)); 1 }
            None => 0,
        }
    }

    fn SSL_CTX_set_ex_data(ctx: Handle<Ctx>, index: c_int, data: *mut c_void) -> c_int => 0, {
        int(ctx.get().is_some_and(|ctx| ctx.ex_data.set(index, data)))
    }

    fn SSL_CTX_get_ex_data(ctx: Handle<Ctx>, index: c_int) -> *mut c_void
        => std::ptr::null_mut(),
    {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| ctx.ex_data.get(index))
    }

    fn SSL_new(ctx: Handle<Ctx>) -> Handle<Ssl> => Handle::NULL, {
        let Some(ctx) = ctx.hold() else {
            error::raise(c"SSL_new", reasons::NULL_SSL_CTX, None);
            return Handle::NULL;
        };
        let Some(ssl) = Ssl::make(&ctx) else { return Handle::NULL };
        ssl.ex_data.initialize(Arc::as_ptr(&ssl).cast_mut().cast());
        give(ssl)
    }

    fn SSL_free(ssl: Handle<Ssl>) => (), {
        drop(ssl.take());
    }

    fn SSL_up_ref(ssl: Handle<Ssl>) -> c_int => 0, {
        match ssl.hold() {
            Some(ssl) => { give(Owner::new(ssl)); 1 }
            None => 0,
        }
    }

    fn SSL_set_ex_data(ssl: Handle<Ssl>, index: c_int, data: *mut c_void) -> c_int => 0, {
        int(ssl.get().is_some_and(|ssl| ssl.ex_data.set(index, data)))
    }

    fn SSL_get_ex_data(ssl: Handle<Ssl>, index: c_int) -> *mut c_void => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| ssl.ex_data.get(index))
    }

    fn SSL_get_SSL_CTX(ssl: Handle<Ssl>) -> Handle<Ctx> => Handle::NULL, {
        ssl.get().map_or(Handle::NULL, |ssl| Handle::borrowed(&ssl.lock().ctx))
    }
}
