//! Sessions in connections: what a client offers, what a server finds, and who is told of new
//! ones. `SSL_set_session(3)`, `SSL_get_session(3)`, `SSL_CTX_sess_set_new_cb(3)`,
//! `SSL_CTX_set_session_cache_mode(3)`.
//!
//! The callbacks run with no lock held, before the engine gets to see the ClientHello and after
//! its handshake: the engine itself never calls out for a session.

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::sync::Arc;

use crate::abi::arguments::{Bytes, Handle, give, int};
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::abi::session::{Peer, SslSession};
use crate::abi::session_cache::{self, Counters};
use crate::abi::ticket_keys;
use crate::core::client_hello::{ClientHello, extension};
use crate::core::session::{FLAG_EXTENDED_MASTER_SECRET, Session};
use crate::core::sessions::{ClientSession, ServerSessions};
use crate::core::settings::{OP_NO_TICKET, Settings, TLS1_2, TLS1_3, VERIFY_PEER};
use crate::core::tickets::{Keys, Tickets};

/// `SSL_SESS_CACHE_*`.
const CACHE_CLIENT: c_int = 1;
const CACHE_SERVER: c_int = 2;
const CACHE_NO_LOOKUP: c_int = 0x100;
const CACHE_NO_STORE: c_int = 0x200;

/// What a connection has of sessions.
#[derive(Default)]
pub(crate) struct ConnectionSessions {
    /// What `SSL_get_session` gives.
    pub(crate) current: Option<Arc<SslSession>>,
    /// Whether a server's program does not want the session to be resumed.
    pub(crate) not_resumable: bool,
    /// Whether a client has offered a session.
    offered: bool,
    /// The session of its cache that a server lets the engine resume.
    found: Option<Arc<SslSession>>,
    store: Option<Arc<ServerSessions>>,
    tickets: Option<Arc<Tickets>>,
}

/// Counts something in the context that the connection was made from.
fn count(ctx: &Ctx, change: impl FnOnce(&mut Counters)) {
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

/// Looks for the session that a client offers, inside and outside, and makes what the engine gets.
/// Called with no lock held.
pub(crate) fn prepare(ssl: &Arc<Ssl>) -> (Arc<ServerSessions>, Option<Arc<Tickets>>) {
    let (hello, settings, ctx) = {
        let state = ssl.lock();
        let hello = state.connection.hello().cloned().unwrap_or_default();
        (hello, Arc::clone(&state.settings), Arc::clone(&state.session_ctx))
    };
    let tls13 = hello.offers_tls13() && settings.speaks(TLS1_3);
    let tickets = match settings.has_option(OP_NO_TICKET) {
        true => None,
        false => ticket_keys(ssl, &ctx, &hello, tls13, settings.tickets).map(|keys| {
            let id_context = Arc::clone(&settings.session_id_context);
            let name = hello.server_name().map(<[u8]>::to_vec);
            Arc::new(Tickets::new(keys, id_context, settings.session_timeout, name))
        }),
    };
    let found = offered_id(&hello, tls13, tickets.is_some())
        .and_then(|id| Some((find(ssl, &ctx, &settings, &id)?, id)));
    let value = found.as_ref().and_then(|(session, id)| {
        let session = session.lock().fields.clone();
        Some((id.clone(), session.under(hello.server_name()).to_server()?))
    });
    let takes_ticket = tickets.is_some() && hello.extension(extension::SESSION_TICKET).is_some();
    let gives_ids = settings.session_cache_mode & CACHE_SERVER != 0 && !takes_ticket;
    let store = Arc::new(ServerSessions::new(value, gives_ids));
    let mut state = ssl.lock();
    let old = std::mem::replace(
        &mut state.sessions,
        ConnectionSessions {
            found: found.map(|(session, _)| session),
            store: Some(Arc::clone(&store)),
            tickets: tickets.clone(),
            ..ConnectionSessions::default()
        },
    );
    drop(state);
    drop(old);
    (store, tickets)
}

/// The keys of tickets: the context's, or the program's by its callback.
fn ticket_keys(
    ssl: &Arc<Ssl>,
    ctx: &Ctx,
    hello: &ClientHello,
    tls13: bool,
    count: usize,
) -> Option<Keys> {
    let (callback, own) = {
        let state = ctx.lock();
        (state.sessions.ticket_key, state.sessions.ticket_keys.clone())
    };
    let Some(callback) = callback else { return own.map(Keys::Own) };
    let extension = hello.extension(extension::SESSION_TICKET);
    let (offered, count) = match tls13 {
        true => (hello.first_psk(), count),
        false => (extension.filter(|ticket| !ticket.is_empty()), extension.map_or(0, |_| 1)),
    };
    Some(Keys::External(ticket_keys::prepare(ssl, callback, offered, count)))
}

/// The id by which a client offers a session that a server has to know, if it does.
fn offered_id(hello: &ClientHello, tls13: bool, tickets: bool) -> Option<Vec<u8>> {
    if tls13 {
        return hello.first_psk().filter(|_| !tickets).map(<[u8]>::to_vec);
    }
    let ticket = hello.extension(extension::SESSION_TICKET).is_some_and(|t| !t.is_empty());
    (!ticket && !hello.session_id.is_empty()).then(|| hello.session_id.clone())
}

fn find(ssl: &Arc<Ssl>, ctx: &Arc<Ctx>, settings: &Settings, id: &[u8]) -> Option<Arc<SslSession>> {
    let mode = settings.session_cache_mode;
    let mut session = None;
    if mode & CACHE_NO_LOOKUP == 0 {
        let mut state = ctx.lock();
        session = state.sessions.find(id);
        state.sessions.counters.misses += i64::from(session.is_none());
    }
    let session = match session {
        Some(session) => session,
        None => ask_outside(ssl, ctx, mode, id)?,
    };
    let (fits, expired) = {
        let state = session.lock();
        let same = state.fields.id_context == *settings.session_id_context;
        (same && !state.not_resumable, state.fields.has_expired())
    };
    if expired {
        count(ctx, |counters| counters.timeouts += 1);
        session_cache::remove(ctx, &session);
    }
    // Without an id context the session may be of a program that trusts other clients.
    let separate =
        settings.verify_mode & VERIFY_PEER == 0 || !settings.session_id_context.is_empty();
    (fits && !expired && separate).then_some(session)
}

/// Asks the program's cache.
fn ask_outside(ssl: &Arc<Ssl>, ctx: &Ctx, mode: c_int, id: &[u8]) -> Option<Arc<SslSession>> {
    let callback = ctx.lock().sessions.get?;
    let length = c_int::try_from(id.len()).ok()?;
    let mut copy: c_int = 1;
    // SAFETY: the program has set this function for this purpose; the id lives for the call.
    let session = unsafe { callback(Handle::borrowed(ssl), id.as_ptr(), length, &mut copy) };
    // With `copy` the program keeps its reference, otherwise it gives it away.
    let session = if copy != 0 { session.hold()? } else { session.take()? };
    count(ctx, |counters| counters.callback_hits += 1);
    if mode & CACHE_NO_STORE == 0 {
        session_cache::add(ctx, &session);
    }
    Some(session)
}

/// Notes the end of a handshake: the session of the connection, and new ones. Called once, with
/// no lock held.
pub(crate) fn finished(ssl: &Arc<Ssl>) {
    let (server, resumed, tls13) = {
        let state = ssl.lock();
        let tls13 = state.connection.version() == Some(TLS1_3);
        (state.side == Some(Side::Server), state.connection.is_resumed(), tls13)
    };
    if server { finished_server(ssl, resumed, tls13) } else { finished_client(ssl, resumed, tls13) }
}

fn finished_server(ssl: &Arc<Ssl>, resumed: bool, tls13: bool) {
    let (found, store, tickets, session_ctx, ctx) = {
        let mut state = ssl.lock();
        let own = &mut state.sessions;
        let taken = (own.found.take(), own.store.clone(), own.tickets.clone());
        (taken.0, taken.1, taken.2, Arc::clone(&state.session_ctx), Arc::clone(&state.ctx))
    };
    count(&ctx, |counters| counters.accept_good += 1);
    let passed = tickets.map(|tickets| tickets.take_passed()).unwrap_or_default();
    if resumed {
        count(&session_ctx, |counters| counters.hits += 1);
        // As in OpenSSL, what a resumption asks for is not looked at.
        ssl.lock().status.asked = None;
        // It has the id that the client has made up for its ticket (RFC 5077, 3.4).
        let id = if tls13 { Vec::new() } else { session_id(&ssl.lock()) };
        let opened = passed.opened.and_then(|value| Session::of_server(&id, &value));
        let session = found.or_else(|| Some(made(ssl, opened?)));
        if let Some(session) = session {
            set_current(ssl, session);
        }
    } else {
        let facts = facts(&ssl.lock());
        set_current(ssl, made(ssl, facts));
    }
    let not_resumable = ssl.lock().sessions.not_resumable;
    let mut values = store.map(|store| store.take_made()).unwrap_or_default();
    if tls13 {
        let id = |ticket: &[u8]| crate::core::session::id_of_ticket(ticket);
        values.extend(passed.sealed.iter().map(|(ticket, value)| (id(ticket), value.clone())));
    } else if let Some((_, value)) = passed.sealed.last().filter(|_| !resumed) {
        // The client has it in a ticket: it has no id, and belongs in no cache.
        if let Some(session) = Session::of_server(&[], value) {
            set_current(ssl, made(ssl, session));
        }
    }
    // Without anyone to tell, the last is all that can be asked for.
    let last = values.len().saturating_sub(1);
    let told = {
        let stateful = ssl.lock().settings.has_option(OP_NO_TICKET);
        let state = session_ctx.lock();
        state.sessions.new.is_some() || state.sessions.remove.is_some() || stateful
    };
    for (id, value) in values.into_iter().skip(if tls13 && !told { last } else { 0 }) {
        if let Some(session) = Session::of_server(&id, &value) {
            let session = made(ssl, session);
            session.lock().not_resumable = not_resumable;
            set_current(ssl, Arc::clone(&session));
            publish(ssl, &session, CACHE_SERVER);
        }
    }
}

fn finished_client(ssl: &Arc<Ssl>, resumed: bool, tls13: bool) {
    let (current, offered, session_ctx) = {
        let state = ssl.lock();
        let own = &state.sessions;
        (own.current.clone(), own.offered, Arc::clone(&state.session_ctx))
    };
    count(&session_ctx, |counters| {
        counters.connect_good += 1;
        counters.hits += i64::from(resumed);
        counters.misses += i64::from(offered && !resumed);
    });
    let caches = ssl.lock().settings.session_cache_mode & CACHE_CLIENT != 0;
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
}

/// Takes the sessions that a client has received, now or after its handshake. Called with no
/// lock held.
pub(crate) fn collect(ssl: &Arc<Ssl>) {
    let received = received(&ssl.lock());
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
        if fields.version == TLS1_3 && fields.lifetime_hint != 0 {
            let hint = i64::try_from(fields.lifetime_hint).unwrap_or(i64::MAX);
            fields.timeout = fields.timeout.min(hint);
        }
        let session = SslSession::make(fields, slot, peer);
        set_current(ssl, Arc::clone(&session));
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
fn facts(state: &SslState) -> Session {
    let traffic = state.connection.traffic();
    let alpn = traffic.and_then(|traffic| traffic.outputs.alpn_protocol());
    Session {
        version: state.connection.version().unwrap_or_default(),
        suite: state.connection.suite().unwrap_or_default(),
        chain: state.peer.iter().map(|peer| peer.to_der()).collect(),
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
    session.timeout = state.settings.session_timeout.into();
    session.verify_result = state.verify_result;
    session.group = state.connection.group().map_or(0, Into::into);
    let certificate = state.peer.clone()?;
    Some(Peer { certificate, chain: state.peer_chain.clone() })
}

fn made(ssl: &Ssl, mut session: Session) -> Arc<SslSession> {
    let peer = complete(&mut session, &ssl.lock());
    SslSession::make(session, None, peer)
}

/// The session before is dropped without a lock.
fn set_current(ssl: &Ssl, session: Arc<SslSession>) {
    let old = ssl.lock().sessions.current.replace(session);
    drop(old);
}

/// Puts a new session into the caches, inside and outside.
fn publish(ssl: &Arc<Ssl>, session: &Arc<SslSession>, side: c_int) {
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
    if settings.session_cache_mode & side == 0 || mixed || !session.is_resumable() {
        return;
    }
    // A server need not keep what its tickets hold.
    let stateless = server
        && session.lock().fields.version == TLS1_3
        && remove.is_none()
        && !settings.has_option(OP_NO_TICKET);
    if settings.session_cache_mode & CACHE_NO_STORE == 0 && !stateless {
        session_cache::add(&ctx, session);
    }
    let Some(callback) = new else { return };
    let given = give(Arc::clone(session));
    // SAFETY: the program has set this function for this purpose; the session comes with a
    // reference, which it keeps when it returns something else than 0.
    if unsafe { callback(Handle::borrowed(ssl), given) } == 0 {
        drop(given.take());
    }
}

/// Takes the session of a connection that ends without a goodbye out of the cache: it is not to
/// be resumed (RFC 5246, 7.2.1).
pub(crate) fn discard_bad(state: &mut SslState) {
    let Some(session) = state.sessions.current.take() else { return };
    if state.finished && state.shutdown == 0 && state.connection.is_complete() {
        session_cache::remove(&state.session_ctx, &session);
    }
}

/// The session id in the client's hello.
fn session_id(state: &SslState) -> Vec<u8> {
    state.connection.offered().map(|hello| hello.session_id.clone()).unwrap_or_default()
}

exported! {
    fn SSL_get_session(ssl: Handle<Ssl>) -> Handle<SslSession> => Handle::NULL, {
        let Some(ssl) = ssl.get() else { return Handle::NULL };
        ssl.lock().sessions.current.as_ref().map_or(Handle::NULL, Handle::borrowed)
    }

    fn SSL_get1_session(ssl: Handle<Ssl>) -> Handle<SslSession> => Handle::NULL, {
        let Some(ssl) = ssl.get() else { return Handle::NULL };
        let session = ssl.lock().sessions.current.clone();
        session.map_or(Handle::NULL, give)
    }

    fn SSL_set_session(ssl: Handle<Ssl>, session: Handle<SslSession>) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        let session = session.hold();
        let result = session.as_ref().map(|session| session.lock().fields.verify_result);
        let old = {
            let mut state = ssl.lock();
            state.verify_result = result.unwrap_or(state.verify_result);
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
        int(state.session_ctx.lock().sessions.find(id).is_some())
    }
}
