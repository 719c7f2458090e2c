//! `SSL_SESSION`: what a session says of itself. `SSL_SESSION_get_time(3)`,
//! `SSL_SESSION_get_id(3)`, `SSL_SESSION_has_ticket(3)` and their like.
//!
//! A pointer that C holds is a reference of an `Arc`. What a function gives as a pointer into a
//! session lives until the session is changed or freed, as in OpenSSL.

use std::ffi::{CString, c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::abi::arguments::{Bytes, Handle, Out, Room, Text, give, int, uint};
use crate::abi::cipher::CipherRef;
use crate::abi::guard::exported;
use crate::abi::objects::Ctx;
use crate::abi::owner::{Owned, Owner, Owners};
use crate::abi::session_cache;
use crate::core::ciphers;
use crate::core::session::Session;
use crate::core::sessions::Slot;
use crate::sys::error;
use crate::sys::ex_data::{Class, ExData};
use crate::sys::libcrypto as ffi;
use crate::sys::reasons;
use crate::sys::stack::Chain;
use crate::sys::x509::Certificate;

/// The longest id of a session, and the longest id context, in bytes.
const LONGEST_ID: usize = 32;

/// An `SSL_SESSION`.
pub(crate) struct SslSession {
    owners: Owners,
    pub(crate) ex_data: ExData,
    state: Mutex<SessionState>,
}

/// The peer's certificates as libcrypto's objects: parsing them takes longer than the rest of a
/// resumption.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) certificate: Certificate,
    /// What `SSL_get_peer_cert_chain` gives; None for a session that has come from elsewhere.
    pub(crate) chain: Option<Arc<Chain>>,
}

/// What changes in an `SSL_SESSION`.
#[derive(Clone, Default)]
pub(crate) struct SessionState {
    pub(crate) fields: Session,
    /// Of a client in TLS 1.3: what there is to offer.
    pub(crate) slot: Option<Arc<Slot>>,
    pub(crate) peer: Option<Peer>,
    pub(crate) not_resumable: bool,
    /// The context whose cache has it, which is to know when it expires.
    pub(crate) owner: Weak<Ctx>,
}

impl Peer {
    /// A peer of whom there is one certificate, in DER. None when it is malformed.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        Some(Self { certificate: Certificate::from_der(der)?, chain: None })
    }
}

impl SessionState {
    fn is_resumable(&self) -> bool {
        let used = self.slot.as_ref().is_some_and(|slot| slot.lock().is_ok_and(|s| s.is_none()));
        let named = !self.fields.id.is_empty() || !self.fields.ticket.is_empty();
        named && !self.not_resumable && !used
    }
}

impl SslSession {
    /// A new session. Called with no lock held: callbacks of ex_data may run.
    ///
    /// The peer's own certificate is parsed from the fields when `peer` is not given.
    pub(crate) fn make(
        fields: Session,
        slot: Option<Arc<Slot>>,
        peer: Option<Peer>,
    ) -> Owner<Self> {
        let peer = peer.or_else(|| Peer::parse(fields.chain.first()?));
        Self::with(SessionState { fields, slot, peer, ..SessionState::default() })
    }

    /// A session that goes on from this one: with its own fields, and a copy of the program's data.
    /// Called with no lock held: callbacks of ex_data run.
    pub(crate) fn succeed(&self, fields: Session, peer: Option<Peer>) -> Owner<Self> {
        let session = Self::make(fields, None, peer);
        session.ex_data.copy_from(&self.ex_data);
        session
    }

    /// The peer's certificates as far as they are these, in DER.
    pub(crate) fn peer_of(&self, chain: &[Vec<u8>]) -> Option<Peer> {
        let state = self.lock();
        let known = &state.fields.chain;
        let peer = state.peer.as_ref().filter(|_| known.first() == chain.first())?;
        let whole = peer.chain.as_ref().filter(|_| known == chain);
        Some(Peer { certificate: peer.certificate.clone(), chain: whole.cloned() })
    }

    fn with(state: SessionState) -> Owner<Self> {
        let session = Owner::new(Arc::new(Self {
            owners: Owners::default(),
            ex_data: ExData::new(Class::Session),
            state: Mutex::new(state),
        }));
        session.ex_data.initialize(Arc::as_ptr(&session).cast_mut().cast());
        session
    }

    /// Locks the state, for a moment in which no code of the program runs. A panic elsewhere has
    /// left plain data, which is used as it is.
    pub(crate) fn lock(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether it can be offered or found.
    pub(crate) fn is_resumable(&self) -> bool {
        self.lock().is_resumable()
    }
}

impl Owned for SslSession {
    fn owners(&self) -> &Owners {
        &self.owners
    }

    fn end(this: &Arc<Self>) {
        this.ex_data.free(Arc::as_ptr(this).cast_mut().cast());
    }
}

/// A session's answer, or `otherwise` for NULL.
fn ask<T>(session: Handle<SslSession>, otherwise: T, of: impl FnOnce(&SessionState) -> T) -> T {
    session.get().map_or(otherwise, |session| of(&session.lock()))
}

/// Changes a session. False for NULL.
fn change(session: Handle<SslSession>, change: impl FnOnce(&mut SessionState)) -> bool {
    session.get().map(|session| change(&mut session.lock())).is_some()
}

/// Changes the time of a session; the cache that has it is to know. False for NULL.
fn change_time(session: Handle<SslSession>, change: impl FnOnce(&mut Session)) -> bool {
    let Some(session) = session.hold() else { return false };
    let owner = {
        let mut state = session.lock();
        change(&mut state.fields);
        state.owner.upgrade()
    };
    if let Some(owner) = owner {
        session_cache::note_time(&owner, &session);
    }
    true
}

/// Gives bytes of a session to C: NULL for none.
fn show(bytes: &[u8]) -> *const c_uchar {
    if bytes.is_empty() { std::ptr::null() } else { bytes.as_ptr() }
}

exported! {
    fn SSL_SESSION_new() -> Handle<SslSession> => Handle::NULL, {
        /// `X509_V_ERR_UNSPECIFIED`: no one has verified a peer.
        const UNSPECIFIED: i64 = 1;
        let session = Session { verify_result: UNSPECIFIED, ..Session::default() };
        give(SslSession::make(session, None, None))
    }

    fn SSL_SESSION_dup(session: Handle<SslSession>) -> Handle<SslSession> => Handle::NULL, {
        let Some(session) = session.get() else { return Handle::NULL };
        let state = SessionState { owner: Weak::new(), ..session.lock().clone() };
        let copy = SslSession::with(state);
        if !copy.ex_data.copy_from(&session.ex_data) {
            return Handle::NULL;
        }
        give(copy)
    }

    fn SSL_SESSION_free(session: Handle<SslSession>) -> () => (), {
        drop(session.take());
    }

    fn SSL_SESSION_up_ref(session: Handle<SslSession>) -> c_int => 0, {
        match session.hold() {
            Some(session) => { give(Owner::new(session)); 1 }
            None => 0,
        }
    }

    fn SSL_SESSION_set_ex_data(session: Handle<SslSession>, index: c_int, data: *mut c_void)
        -> c_int => 0,
    {
        int(session.get().is_some_and(|session| session.ex_data.set(index, data)))
    }

    fn SSL_SESSION_get_ex_data(session: Handle<SslSession>, index: c_int) -> *mut c_void
        => std::ptr::null_mut(),
    {
        session.get().map_or(std::ptr::null_mut(), |session| session.ex_data.get(index))
    }

    fn SSL_SESSION_get_protocol_version(session: Handle<SslSession>) -> c_int => 0, {
        ask(session, 0, |state| state.fields.version)
    }

    fn SSL_SESSION_set_protocol_version(session: Handle<SslSession>, version: c_int) -> c_int
        => 0,
    {
        int(change(session, |state| state.fields.version = version))
    }

    fn SSL_SESSION_is_resumable(session: Handle<SslSession>) -> c_int => 0, {
        ask(session, 0, |state| int(state.is_resumable()))
    }

    fn SSL_SESSION_get_time(session: Handle<SslSession>) -> c_long => 0, {
        ask(session, 0, |state| state.fields.time)
    }

    fn SSL_SESSION_set_time(session: Handle<SslSession>, time: c_long) -> c_long => 0, {
        if change_time(session, |fields| fields.time = time) { time } else { 0 }
    }

    fn SSL_SESSION_get_timeout(session: Handle<SslSession>) -> c_long => 0, {
        ask(session, 0, |state| state.fields.timeout)
    }

    fn SSL_SESSION_set_timeout(session: Handle<SslSession>, seconds: c_long) -> c_long => 0, {
        c_long::from(seconds >= 0 && change_time(session, |fields| fields.timeout = seconds))
    }

    fn SSL_SESSION_get_id(session: Handle<SslSession>, length: Out<c_uint>) -> *const c_uchar
        => std::ptr::null(),
    {
        ask(session, std::ptr::null(), |state| {
            length.set(uint(state.fields.id.len()));
            state.fields.id.as_ptr()
        })
    }

    fn SSL_SESSION_set1_id(session: Handle<SslSession>, id: Bytes, length: c_uint) -> c_int
        => 0,
    {
        let Some(id) = id.get(length) else { return 0 };
        if id.len() > LONGEST_ID {
            error::raise(c"SSL_SESSION_set1_id", reasons::SSL_SESSION_ID_TOO_LONG, None);
            return 0;
        }
        int(change(session, |state| state.fields.id = id.to_vec()))
    }

    fn SSL_SESSION_get0_id_context(session: Handle<SslSession>, length: Out<c_uint>)
        -> *const c_uchar => std::ptr::null(),
    {
        ask(session, std::ptr::null(), |state| {
            length.set(uint(state.fields.id_context.len()));
            state.fields.id_context.as_ptr()
        })
    }

    fn SSL_SESSION_set1_id_context(session: Handle<SslSession>, id: Bytes, length: c_uint)
        -> c_int => 0,
    {
        let Some(id) = id.get(length) else { return 0 };
        if id.len() > LONGEST_ID {
            let name = c"SSL_SESSION_set1_id_context";
            error::raise(name, reasons::SSL_SESSION_ID_CONTEXT_TOO_LONG, None);
            return 0;
        }
        int(change(session, |state| state.fields.id_context = id.to_vec()))
    }

    fn SSL_SESSION_get_master_key(session: Handle<SslSession>, out: Room, size: usize) -> usize
        => 0,
    {
        ask(session, 0, |state| {
            if size == 0 { state.fields.secret.len() } else { out.fill(size, &state.fields.secret) }
        })
    }

    fn SSL_SESSION_set1_master_key(session: Handle<SslSession>, key: Bytes, length: usize)
        -> c_int => 0,
    {
        /// `TLS13_MAX_RESUMPTION_PSK_LENGTH`.
        const LONGEST: usize = 512;
        let Some(key) = key.get(length).filter(|key| key.len() <= LONGEST) else { return 0 };
        int(change(session, |state| state.fields.secret = key.into()))
    }

    fn SSL_SESSION_get0_peer(session: Handle<SslSession>) -> *mut ffi::X509
        => std::ptr::null_mut(),
    {
        ask(session, std::ptr::null_mut(), |state| {
            state.peer.as_ref().map_or(std::ptr::null_mut(), |peer| peer.certificate.as_ptr())
        })
    }

    fn SSL_SESSION_get0_cipher(session: Handle<SslSession>) -> CipherRef => CipherRef::NULL, {
        ask(session, CipherRef::NULL, |state| ciphers::by_id(state.fields.suite).into())
    }

    fn SSL_SESSION_set_cipher(session: Handle<SslSession>, cipher: CipherRef) -> c_int => 0, {
        let suite = cipher.get().map_or(0, |cipher| cipher.id);
        int(change(session, |state| state.fields.suite = suite))
    }

    fn SSL_SESSION_get0_hostname(session: Handle<SslSession>) -> *const c_char
        => std::ptr::null(),
    {
        ask(session, std::ptr::null(), |state| {
            state.fields.hostname.as_ref().map_or(std::ptr::null(), |name| name.as_ptr())
        })
    }

    fn SSL_SESSION_set1_hostname(session: Handle<SslSession>, name: Text) -> c_int => 0, {
        let name: Option<CString> = name.get().map(Into::into);
        int(change(session, |state| state.fields.hostname = name))
    }

    fn SSL_SESSION_get0_alpn_selected(
        session: Handle<SslSession>,
        protocol: Out<*const c_uchar>,
        length: Out<usize>,
    ) -> () => (), {
        ask(session, (), |state| {
            protocol.set(show(&state.fields.alpn));
            length.set(state.fields.alpn.len());
        });
    }

    fn SSL_SESSION_set1_alpn_selected(session: Handle<SslSession>, protocol: Bytes, length: usize)
        -> c_int => 0,
    {
        let protocol = protocol.get(length).unwrap_or_default();
        int(change(session, |state| state.fields.alpn = protocol.to_vec()))
    }

    fn SSL_SESSION_has_ticket(session: Handle<SslSession>) -> c_int => 0, {
        ask(session, 0, |state| int(!state.fields.ticket.is_empty()))
    }

    fn SSL_SESSION_get_ticket_lifetime_hint(session: Handle<SslSession>) -> c_ulong => 0, {
        ask(session, 0, |state| state.fields.lifetime_hint)
    }

    fn SSL_SESSION_get0_ticket(
        session: Handle<SslSession>,
        ticket: Out<*const c_uchar>,
        length: Out<usize>,
    ) -> () => (), {
        ask(session, (), |state| {
            ticket.set(show(&state.fields.ticket));
            length.set(state.fields.ticket.len());
        });
    }

    /// There is no compression.
    fn SSL_SESSION_get_compress_id(_session: Handle<SslSession>) -> c_uint => 0, {
        0
    }

    fn SSL_SESSION_get_max_early_data(session: Handle<SslSession>) -> u32 => 0, {
        ask(session, 0, |state| state.fields.max_early_data)
    }

    fn SSL_SESSION_set_max_early_data(session: Handle<SslSession>, size: u32) -> c_int => 0, {
        int(change(session, |state| state.fields.max_early_data = size))
    }

    /// The extension is never sent, so no session has a limit from it.
    fn SSL_SESSION_get_max_fragment_length(_session: Handle<SslSession>) -> u8 => 0, {
        0
    }
}
