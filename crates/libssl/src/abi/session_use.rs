//! Sessions in connections: what a client offers, what a server finds, and who is told of new
//! ones. `SSL_set_session(3)`, `SSL_get_session(3)`, `SSL_CTX_sess_set_new_cb(3)`,
//! `SSL_CTX_set_session_cache_mode(3)`.
//!
//! The callbacks run with no lock held, before the engine gets to see the ClientHello and after
//! its handshake: the engine itself never calls out for a session.

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::sync::Arc;

use crate::abi::arguments::{Bytes, Handle, give, int};
use crate::abi::context::HasSettings;
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::abi::owner::Owner;
use crate::abi::session::{Peer, SslSession};
use crate::abi::session_cache::{self, Counters};
use crate::abi::session_server::{self, ServerHandshake};
use crate::core::session::{FLAG_EXTENDED_MASTER_SECRET, Session};
use crate::core::sessions::ClientSession;
use crate::core::settings::{OP_NO_TICKET, Settings, TLS1_2, TLS1_3, VERIFY_PEER};
use crate::sys::error;
use crate::sys::stack::Chain;
use crate::sys::x509::Certificate;

/// `SSL_SESS_CACHE_*`.
const CACHE_CLIENT: c_int = 1;
pub(crate) const CACHE_SERVER: c_int = 2;
const CACHE_NO_STORE: c_int = 0x200;
/// How long a session lasts when 0 is set, in seconds: OpenSSL's default of its TLS methods.
const DEFAULT_TIMEOUT: i64 = 7200;

/// What a connection has of sessions.
#[derive(Default)]
pub(crate) struct ConnectionSessions {
    /// What `SSL_get_session` gives.
    pub(crate) current: Option<Owner<SslSession>>,
    /// Whether a server's program does not want the session to be resumed.
    pub(crate) not_resumable: bool,
    /// Whether a client has offered a session.
    offered: bool,
    /// Whether the session that it has offered is still the current one.
    shows_offered: bool,
    pub(crate) server: ServerHandshake,
}

impl ConnectionSessions {
    /// Keeps the session for a new handshake, and nothing else of the one before.
    pub(crate) fn begin_handshake(&mut self) {
        *self = Self { current: self.current.take(), ..Self::default() };
    }
}

/// Counts something in the context that the connection was made from.
pub(crate) fn count(ctx: &Ctx, change: impl FnOnce(&mut Counters)) {
    change(&mut ctx.lock().sessions.counters);
}

/// Notes the start of a handshake, and gives what a client offers.
pub(crate) fn started(state: &mut SslState) -> Option<ClientSession> {
    let client = state.side == Some(Side::Client);
    count(&state.session_ctx, |counters| match client {
        true => counters.connect += 1,
        false => counters.accept += 1,
    });
    let session = state.sessions.current.as_ref().filter(|_| client)?;
    if !session.is_resumable() {
        return None;
    }
    let own = session.lock();
    if !state.settings.speaks(own.fields.version) {
        return None;
    }
    let offer = match (own.fields.version, &own.slot) {
        (TLS1_3, Some(slot)) => slot.lock().ok()?.take().map(ClientSession::Tls13),
        (TLS1_2, _) => own.fields.to_client12().map(ClientSession::Tls12),
        _ => None,
    };
    state.sessions.offered = offer.is_some();
    state.sessions.shows_offered = offer.is_some();
    offer
}

/// Gives a client that offers no session the one that its handshake is to make, for the program to
/// see meanwhile. It cannot be resumed. Called with no lock held.
pub(crate) fn begin(ssl: &Ssl) {
    let (client, offered) = {
        let state = ssl.lock();
        (state.side == Some(Side::Client), state.sessions.offered)
    };
    if client && !offered {
        let session = Session { version: TLS1_2, ..Session::default() };
        set_current(ssl, made(ssl, session));
    }
}

/// Notes the end of a handshake: the session of the connection, and new ones. Called once, with
/// no lock held.
pub(crate) fn finished(ssl: &Arc<Ssl>) {
    let (server, resumed, tls13) = {
        let state = ssl.lock();
        let tls13 = state.connection.version() == Some(TLS1_3);
        (state.side == Some(Side::Server), state.connection.is_resumed(), tls13)
    };
    if server {
        session_server::finished(ssl, resumed, tls13);
    } else {
        finished_client(ssl, resumed, tls13);
    }
}

fn finished_client(ssl: &Arc<Ssl>, resumed: bool, tls13: bool) {
    let (current, offered, session_ctx) = {
        let state = ssl.lock();
        let own = &state.sessions;
        (own.current.clone(), own.offered, Arc::clone(&state.session_ctx))
    };
    let mut completed = 0;
    count(&session_ctx, |counters| {
        counters.connect_good += 1;
        counters.hits += i64::from(resumed);
        counters.misses += i64::from(offered && !resumed);
        completed = counters.connect_good;
    });
    if let Some(current) = current.as_ref().filter(|_| resumed) {
        // The server is trusted as in the handshake that the session comes from.
        let result = current.lock().fields.verify_result;
        ssl.lock().verify_result = result;
    }
    let caches = session_ctx.settings().session_cache_mode & CACHE_CLIENT != 0;
    if tls13
        && caches
        && let Some(current) = current.filter(|_| resumed)
    {
        // Sessions of TLS 1.3 are to be used once.
        session_cache::remove(&session_ctx, &current);
    }
    if !resumed || tls13 {
        let facts = facts(&ssl.lock());
        set_current(ssl, made(ssl, facts));
    }
    let received = received(&ssl.lock());
    take(ssl, received, resumed && !tls13);
    session_cache::clear_at_times(&session_ctx, CACHE_CLIENT, completed);
}

/// Takes the sessions that a client has received, now or after its handshake. Called with no
/// lock held.
pub(crate) fn collect(ssl: &Arc<Ssl>) {
    let received = received(&ssl.lock());
    if !received.is_empty() {
        // As in OpenSSL, work on a message of the handshake empties the queue before.
        error::clear();
    }
    accept(ssl, received);
}

/// The sessions that a client has received since this was last asked, for [`accept`].
pub(crate) fn received(state: &SslState) -> Vec<ClientSession> {
    state.connection.sessions().map(|own| own.take_received()).unwrap_or_default()
}

/// Makes these sessions the connection's, and gives them to the program. Called with no lock held.
pub(crate) fn accept(ssl: &Arc<Ssl>, received: Vec<ClientSession>) {
    take(ssl, received, false);
}

fn take(ssl: &Arc<Ssl>, received: Vec<ClientSession>, resumed: bool) {
    for session in received {
        let (fields, slot) = match session {
            ClientSession::Tls12(session) => (Session::of_client12(&session), None),
            ClientSession::Tls13(session) => {
                let fields = Session::of_client13(&session);
                (fields, Some(Arc::new(std::sync::Mutex::new(Some(session)))))
            }
        };
        let Some(mut fields) = fields else { continue };
        let peer = complete(&mut fields, &ssl.lock());
        let session = SslSession::make(fields, slot, peer);
        set_current(ssl, session.clone());
        if !resumed {
            publish(ssl, &session, CACHE_CLIENT);
        }
    }
}

/// `SSL_CTRL_GET_EXTMS_SUPPORT`: whether the session has an extended master secret; -1 when it is
/// not known yet.
pub(crate) fn extends_master_secret(ssl: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    let state = ssl.lock();
    match &state.sessions.current {
        Some(session) if state.connection.is_complete() => {
            c_long::from(session.lock().fields.flags & FLAG_EXTENDED_MASTER_SECRET != 0)
        }
        _ => -1,
    }
}

/// What a connection says of its session, without what it takes to resume it.
pub(crate) fn facts(state: &SslState) -> Session {
    let traffic = state.connection.traffic();
    let alpn = traffic.and_then(|traffic| traffic.outputs.alpn_protocol());
    Session {
        version: state.connection.version().unwrap_or_default(),
        suite: state.connection.suite().unwrap_or_default(),
        chain: state.handshake.peer.iter().map(|peer| peer.to_der()).collect(),
        alpn: alpn.map(|alpn| alpn.as_ref().to_vec()).unwrap_or_default(),
        flags: match state.connection.agreed().extended_master_secret {
            true => FLAG_EXTENDED_MASTER_SECRET,
            false => 0,
        },
        ..Session::default()
    }
}

/// Adds what the connection's settings say to a new session. Gives the peer's certificate.
fn complete(session: &mut Session, state: &SslState) -> Option<Peer> {
    session.id_context = state.settings.session_id_context.to_vec();
    session.timeout = timeout(&state.session_ctx.settings());
    session.verify_result = state.verify_result;
    session.group = state.connection.group().map_or(0, Into::into);
    peer_of(state)
}

/// The certificates of a connection's peer.
pub(crate) fn peer_of(state: &SslState) -> Option<Peer> {
    let certificate = state.handshake.peer.clone()?;
    Some(Peer { certificate, chain: state.handshake.peer_chain.clone() })
}

/// How long new sessions of a context last, in seconds.
pub(crate) fn timeout(settings: &Settings) -> i64 {
    match settings.session_timeout {
        0 => DEFAULT_TIMEOUT,
        seconds => seconds,
    }
}

fn made(ssl: &Ssl, mut session: Session) -> Owner<SslSession> {
    let peer = complete(&mut session, &ssl.lock());
    SslSession::make(session, None, peer)
}

/// The session before is dropped without a lock.
pub(crate) fn set_current(ssl: &Ssl, session: Owner<SslSession>) {
    let old = ssl.lock().sessions.current.replace(session);
    drop(old);
}

/// Puts a new session into the caches, inside and outside.
pub(crate) fn publish(ssl: &Arc<Ssl>, session: &Owner<SslSession>, side: c_int) {
    let (settings, ctx) = {
        let state = ssl.lock();
        (Arc::clone(&state.settings), Arc::clone(&state.session_ctx))
    };
    let (new, remove) = {
        let state = ctx.lock();
        (state.sessions.new, state.sessions.remove)
    };
    let server = side == CACHE_SERVER;
    let mixed =
        server && settings.session_id_context.is_empty() && settings.verify_mode & VERIFY_PEER != 0;
    let mode = ctx.settings().session_cache_mode;
    if mode & side == 0 || mixed || !session.is_resumable() {
        return;
    }
    // A server need not keep what its tickets hold.
    let stateless = server
        && session.lock().fields.version == TLS1_3
        && remove.is_none()
        && !settings.has_option(OP_NO_TICKET);
    if mode & CACHE_NO_STORE == 0 && !stateless {
        session_cache::add(&ctx, session);
    }
    let Some(callback) = new else { return };
    let given = give(Owner::clone(session));
    // SAFETY: the program has set this function for this purpose; the session comes with a
    // reference, which it keeps when it returns something else than 0.
    if unsafe { callback(Handle::borrowed(ssl), given) } == 0 {
        drop(given.take());
    }
}

/// Takes the session of a connection that ends without a close_notify: it is not to be resumed
/// (RFC 5246, 7.2.1). [`discard`] removes it from the cache.
pub(crate) fn take_bad(state: &mut SslState) -> Option<(Owner<Ctx>, Owner<SslSession>)> {
    bad_session(state)?;
    Some((state.session_ctx.clone(), state.sessions.current.take()?))
}

/// Removes a session that [`take_bad`] returned. Called with no lock held: callbacks run.
pub(crate) fn discard(bad: Option<(Owner<Ctx>, Owner<SslSession>)>) {
    if let Some((ctx, session)) = bad {
        session_cache::remove(&ctx, &session);
    }
}

/// The peer's certificate. Until this handshake has one it is the session's, as in OpenSSL: a client
/// offers that session, and a cleared connection still has the one of its last handshake.
pub(crate) fn peer(state: &SslState) -> Option<Certificate> {
    match &state.handshake.peer {
        None if !state.handshake.finished => {
            state.sessions.current.as_ref()?.lock().peer.as_ref().map(|p| p.certificate.clone())
        }
        own => own.clone(),
    }
}

/// The chain that belongs to [`peer`].
pub(crate) fn peer_chain(state: &SslState) -> Option<Arc<Chain>> {
    match &state.handshake.peer_chain {
        None if !state.handshake.finished => {
            state.sessions.current.as_ref()?.lock().peer.as_ref()?.chain.clone()
        }
        own => own.clone(),
    }
}

/// Replaces the session that a client has offered in vain by the one that its handshake makes.
/// Called with no lock held.
pub(crate) fn not_resumed(ssl: &Ssl) {
    let offered = std::mem::take(&mut ssl.lock().sessions.shows_offered);
    if offered {
        let version = ssl.lock().connection.version().unwrap_or(TLS1_2);
        set_current(ssl, made(ssl, Session { version, ..Session::default() }));
    }
}

/// The session that leaves the cache when this connection ends now.
fn bad_session(state: &SslState) -> Option<Owner<SslSession>> {
    let bad = state.handshake.finished && state.shutdown == 0 && state.connection.is_complete();
    state.sessions.current.clone().filter(|_| bad)
}

exported! {
    fn SSL_get_session(ssl: Handle<Ssl>) -> Handle<SslSession> => Handle::NULL, {
        let Some(ssl) = ssl.get() else { return Handle::NULL };
        ssl.lock().sessions.current.as_ref().map_or(Handle::NULL, |own| Handle::borrowed(own))
    }

    fn SSL_get1_session(ssl: Handle<Ssl>) -> Handle<SslSession> => Handle::NULL, {
        let Some(ssl) = ssl.get() else { return Handle::NULL };
        let session = ssl.lock().sessions.current.clone();
        session.map_or(Handle::NULL, give)
    }

    fn SSL_set_session(ssl: Handle<Ssl>, session: Handle<SslSession>) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        let session = session.hold().map(Owner::new);
        let (bad, ctx) = {
            let state = ssl.lock();
            (bad_session(&state), Arc::clone(&state.session_ctx))
        };
        if let Some(bad) = bad {
            session_cache::remove(&ctx, &bad);
        }
        let result = session.as_ref().map(|session| session.lock().fields.verify_result);
        let old = {
            let mut state = ssl.lock();
            state.verify_result = result.unwrap_or(state.verify_result);
            // As in OpenSSL, the method is the context's again.
            state.version_method = None;
            std::mem::replace(&mut state.sessions.current, session)
        };
        drop(old);
        1
    }

    fn SSL_copy_session_id(to: Handle<Ssl>, from: Handle<Ssl>) -> c_int => 0, {
        let (Some(to), Some(from)) = (to.get(), from.get()) else { return 0 };
        let (session, id_context) = {
            let state = from.lock();
            (state.sessions.current.clone(), Arc::clone(&state.settings.session_id_context))
        };
        let old = {
            let mut state = to.lock();
            Settings::change(&mut state.settings, |own| own.session_id_context = id_context);
            std::mem::replace(&mut state.sessions.current, session)
        };
        drop(old);
        1
    }

    fn SSL_has_matching_session_id(ssl: Handle<Ssl>, id: Bytes, length: c_uint) -> c_int => 0, {
        let (Some(ssl), Some(id)) = (ssl.get(), id.get(length)) else { return 0 };
        let state = ssl.lock();
        let cache = state.session_ctx.lock();
        let versions = match state.connection.version() {
            Some(version) => [version; 2],
            None => [TLS1_2, TLS1_3],
        };
        int(versions.iter().any(|version| cache.sessions.find(*version, id).is_some()))
    }
}
