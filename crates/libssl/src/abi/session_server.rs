//! The sessions of a server's connections: the one that a client offers, by ticket or by id, and
//! those that its handshake makes.
//!
//! An offered session is looked for, opened and judged before the engine gets to see the
//! ClientHello, by the rules of OpenSSL's `ssl_get_prev_session`. With a session that is resumed,
//! the outcome of its verification becomes that of the connection.

use std::ffi::{c_int, c_long};
use std::sync::Arc;

use crate::abi::arguments::Handle;
use crate::abi::context::HasSettings;
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::abi::owner::Owner;
use crate::abi::session::SslSession;
use crate::abi::session_use::{CACHE_SERVER, count, facts, peer_of, publish, set_current, timeout};
use crate::abi::ticket_keys::Opened;
use crate::abi::{session_cache, status, ticket_keys};
use crate::core::client_hello::{ClientHello, extension};
use crate::core::failure::{Failure, alert};
use crate::core::server_sessions::{Made, Offered, Plan, ServerSessions};
use crate::core::session::{FLAG_EXTENDED_MASTER_SECRET, Origin, ticket};
use crate::core::settings::{OP_NO_TICKET, Settings, TLS1_2, TLS1_3, VERIFY_PEER};
use crate::core::tickets::Keys;
use crate::sys::reasons;

/// `SSL_SESS_CACHE_NO_INTERNAL_*`.
const CACHE_NO_LOOKUP: c_int = 0x100;
const CACHE_NO_STORE: c_int = 0x200;
/// How many identities of a client are looked up. Clients offer one or two; a ClientHello has room
/// for thousands, and each one costs a MAC or calls of the program.
const MOST_IDENTITIES: usize = 16;

/// What a server's connection has of sessions while its handshake runs.
#[derive(Default)]
pub(crate) struct ServerHandshake {
    /// The settings when the ClientHello came, before a name callback could change them.
    at_hello: Option<Arc<Settings>>,
    /// The session of a cache that the engine may resume.
    cached: Option<Owner<SslSession>>,
    store: Option<Arc<ServerSessions>>,
    /// Whether the session that is resumed has become the connection's.
    adopted: bool,
}

/// Notes the settings before the name callback.
pub(crate) fn note_hello(state: &mut SslState) {
    state.sessions.server.at_hello = Some(Arc::clone(&state.settings));
}

/// A session that was found.
struct Found {
    offered: Offered,
    cached: Option<Owner<SslSession>>,
}

/// The parts of a handshake that a session is looked for with.
struct Search<'a> {
    ssl: &'a Arc<Ssl>,
    /// The context that the connection was made from.
    ctx: &'a Arc<Ctx>,
    settings: &'a Settings,
    hello: &'a ClientHello,
    tls13: bool,
}

/// Looks for the session that a client offers, inside and outside, and makes the store that the
/// engine gets. Err when the handshake fails. Called with no lock held.
pub(crate) fn prepare(ssl: &Arc<Ssl>) -> Result<Arc<ServerSessions>, Failure> {
    let (hello, settings, at_hello, ctx) = {
        let state = ssl.lock();
        let hello = state.connection.hello().cloned().unwrap_or_default();
        let settings = Arc::clone(&state.settings);
        let at_hello = state.sessions.server.at_hello.clone();
        (hello, settings, at_hello, Arc::clone(&state.session_ctx))
    };
    let tls13 = hello.offers_tls13() && settings.speaks_tls13();
    let search = Search { ssl, ctx: &ctx, settings: &settings, hello: &hello, tls13 };
    let found = match search.find() {
        Some(found) => search.allows(&found, at_hello.as_deref())?.then_some(found),
        None => None,
    };
    let keys = if settings.has_option(OP_NO_TICKET) { None } else { search.keys() };
    let takes_ticket = keys.is_some() && hello.extension(extension::SESSION_TICKET).is_some();
    let shared = ctx.settings();
    let (offered, cached) = found.map_or((None, None), |f| (Some(f.offered), f.cached));
    let store = Arc::new(ServerSessions::new(Plan {
        tls13,
        offered,
        keys,
        gives_ids: shared.session_cache_mode & CACHE_SERVER != 0 && !takes_ticket,
        // A session without a name is resumed under any, as in OpenSSL, unless that name asks for
        // certificates: without the name none may have been asked for.
        name: match settings.verify_mode & VERIFY_PEER {
            0 => hello.server_name().map(<[u8]>::to_vec),
            _ => None,
        },
        origin: Origin {
            id_context: settings.session_id_context.to_vec(),
            timeout: timeout(&shared),
            ..Origin::default()
        },
    }));
    let mut state = ssl.lock();
    let server =
        ServerHandshake { at_hello, cached, store: Some(Arc::clone(&store)), adopted: false };
    let old = std::mem::take(&mut state.sessions);
    state.sessions.server = server;
    drop(state);
    drop(old);
    Ok(store)
}

impl Search<'_> {
    /// The first session that the client offers and that is known.
    fn find(&self) -> Option<Found> {
        let tickets = !self.settings.has_option(OP_NO_TICKET);
        if self.tls13 {
            return self.hello.psks().take(MOST_IDENTITIES).find_map(|identity| {
                if tickets { self.open(identity) } else { self.look_up(identity, true) }
            });
        }
        if tickets && self.hello.offers_ticket() {
            return self.open(self.hello.extension(extension::SESSION_TICKET)?);
        }
        let id = &self.hello.session_id;
        if id.is_empty() { None } else { self.look_up(id, false) }
    }

    /// The session in a ticket.
    fn open(&self, sealed: &[u8]) -> Option<Found> {
        let (callback, own) = {
            let state = self.ctx.lock();
            (state.sessions.ticket_key, state.sessions.ticket_keys.clone())
        };
        let opened = match callback {
            Some(callback) => ticket_keys::open(self.ssl, callback, sealed)?,
            None => Opened { plain: own?.open(sealed)?, renew: true },
        };
        let mut session = ticket::decode(&opened.plain)?;
        if !self.tls13 {
            // By its echo the client sees that the ticket was taken (RFC 5077, 3.4).
            session.id = self.hello.session_id.clone();
        }
        let renew = opened.renew;
        let offered = Offered { key: sealed.to_vec(), by_ticket: true, renew, session };
        Some(Found { offered, cached: None })
    }

    /// The session with an id, of the internal cache or of the program's.
    fn look_up(&self, id: &[u8], by_ticket: bool) -> Option<Found> {
        let version = if self.tls13 { TLS1_3 } else { TLS1_2 };
        let mut session = None;
        if self.ctx.settings().session_cache_mode & CACHE_NO_LOOKUP == 0 {
            let mut state = self.ctx.lock();
            session = state.sessions.find(version, id);
            state.sessions.counters.misses += c_long::from(session.is_none());
        }
        let cached = session.or_else(|| self.ask_outside(id))?;
        let session = cached.lock().fields.clone();
        let offered = Offered { key: id.to_vec(), by_ticket, renew: true, session };
        Some(Found { offered, cached: Some(cached) })
    }

    /// Asks the program's cache.
    fn ask_outside(&self, id: &[u8]) -> Option<Owner<SslSession>> {
        let callback = self.ctx.lock().sessions.get?;
        let length = c_int::try_from(id.len()).ok()?;
        let (ssl, mut copy) = (Handle::borrowed(self.ssl), 1);
        // SAFETY: the program has set this function for this purpose; the id lives for the call.
        let session = unsafe { callback(ssl, id.as_ptr(), length, &mut copy) };
        // With `copy` the program keeps its reference, otherwise it gives it away.
        let session = if copy != 0 { Owner::new(session.hold()?) } else { session.take()? };
        // A session that has left a cache, or is not to be resumed, counts as none.
        if session.lock().not_resumable {
            return None;
        }
        count(self.ctx, |counters| counters.callback_hits += 1);
        if self.ctx.settings().session_cache_mode & CACHE_NO_STORE == 0 {
            session_cache::add(self.ctx, &session);
        }
        Some(session)
    }

    /// Whether a session may be resumed here, by the rules of `ssl_get_prev_session` and in its
    /// order. Err where OpenSSL ends the handshake.
    ///
    /// OpenSSL judges before the name callback. What that callback has changed counts here as well,
    /// and then makes the handshake a full one.
    fn allows(&self, found: &Found, at_hello: Option<&Settings>) -> Result<bool, Failure> {
        const ILLEGAL_PARAMETER: u8 = 47;
        let session = &found.offered.session;
        if session.version != if self.tls13 { TLS1_3 } else { TLS1_2 } {
            return Ok(false);
        }
        // Without an id context the session may be of a program that trusts other clients.
        let is_mixed = |settings: &Settings| {
            settings.verify_mode & VERIFY_PEER != 0 && settings.session_id_context.is_empty()
        };
        let at_hello = at_hello.unwrap_or(self.settings);
        if session.id_context == *at_hello.session_id_context && is_mixed(at_hello) {
            let reason = reasons::SESSION_ID_CONTEXT_UNINITIALIZED;
            return Err(Failure::new(alert::INTERNAL_ERROR, reason, String::new()));
        }
        if session.id_context != *self.settings.session_id_context || is_mixed(self.settings) {
            return Ok(false);
        }
        if session.has_expired() {
            count(self.ctx, |counters| counters.timeouts += 1);
            if let Some(cached) = &found.cached {
                session_cache::remove(self.ctx, cached);
            }
            return Ok(false);
        }
        if self.tls13 {
            return Ok(true);
        }
        let extended = session.flags & FLAG_EXTENDED_MASTER_SECRET != 0;
        let extends = self.hello.agreed(false).extended_master_secret;
        if extended && !extends {
            let reason = reasons::INCONSISTENT_EXTMS;
            return Err(Failure::new(ILLEGAL_PARAMETER, reason, String::new()));
        }
        Ok(extended == extends)
    }

    /// The keys of new tickets: the context's, or the program's by its callback.
    fn keys(&self) -> Option<Keys> {
        let (callback, own) = {
            let state = self.ctx.lock();
            (state.sessions.ticket_key, state.sessions.ticket_keys.clone())
        };
        let Some(callback) = callback else { return own.map(Keys::Own) };
        let takes = self.hello.extension(extension::SESSION_TICKET).is_some();
        let count = if self.tls13 { self.settings.tickets } else { usize::from(takes) };
        Some(Keys::External(ticket_keys::sealers(self.ssl, callback, count).into()))
    }
}

/// Makes the session that the engine resumes the connection's, with the outcome of its
/// verification. Called with no lock held, as soon as the engine has resumed it.
pub(crate) fn adopt(ssl: &Arc<Ssl>) {
    let (cached, store, ctx) = {
        let mut state = ssl.lock();
        let ctx = Arc::clone(&state.session_ctx);
        let own = &mut state.sessions.server;
        if std::mem::replace(&mut own.adopted, true) {
            return;
        }
        (own.cached.take(), own.store.clone(), ctx)
    };
    let Some(fields) = store.and_then(|store| Some(store.offered()?.session.clone())) else {
        return;
    };
    count(&ctx, |counters| counters.hits += 1);
    let verify_result = fields.verify_result;
    let session = cached.unwrap_or_else(|| SslSession::make(fields, None, None));
    ssl.lock().verify_result = verify_result;
    set_current(ssl, session);
}

/// Notes before a full handshake that the offered session, if any, is not resumed.
pub(crate) fn begin_full(state: &SslState) {
    let Some(store) = &state.sessions.server.store else { return };
    store.begin_full(state.connection.has_declined(), state.settings.has_option(OP_NO_TICKET));
    if state.settings.verify_mode & VERIFY_PEER != 0 {
        store.set_verify_result(state.verify_result);
    }
}

/// Notes the outcome of verifying the client, for the sessions of the handshake.
pub(crate) fn note_verified(state: &SslState) {
    if let Some(store) = &state.sessions.server.store {
        store.set_verify_result(state.verify_result);
    }
}

/// Notes the end of a handshake: the session of the connection, and new ones. Called with no lock
/// held.
pub(crate) fn finished(ssl: &Arc<Ssl>, resumed: bool, tls13: bool) {
    if resumed {
        adopt(ssl);
    }
    let (store, session_ctx, ctx, not_resumable, stateful) = {
        let state = ssl.lock();
        let own = &state.sessions;
        let contexts = (Arc::clone(&state.session_ctx), Arc::clone(&state.ctx));
        let stateful = state.settings.has_option(OP_NO_TICKET);
        (own.server.store.clone(), contexts.0, contexts.1, own.not_resumable, stateful)
    };
    let mut completed = 0;
    count(&ctx, |counters| {
        counters.accept_good += 1;
        completed = counters.accept_good;
    });
    if resumed {
        // As in OpenSSL, what a resumption asks for is not looked at.
        status::note_resumed(&mut ssl.lock());
    }
    let mut made = store.as_ref().map(|store| store.take_made()).unwrap_or_default();
    if !tls13 && resumed {
        made.clear();
    }
    if made.is_empty() && !resumed {
        let mut session = facts(&ssl.lock());
        if let Some(store) = &store {
            store.complete(&mut session);
        }
        let peer = peer_of(&ssl.lock());
        set_current(ssl, SslSession::make(session, None, peer));
    }
    // Where nothing is published, the last is all that can be asked for.
    let published = {
        let state = session_ctx.lock();
        state.sessions.new.is_some() || state.sessions.remove.is_some() || stateful
    };
    let last = made.len().saturating_sub(1);
    let skipped = if tls13 && !published { last } else { 0 };
    let mut before = ssl.lock().sessions.current.clone().filter(|_| resumed);
    for Made { mut session, sealed } in made.into_iter().skip(skipped) {
        session.group = ssl.lock().connection.group().map_or(session.group, Into::into);
        let peer = peer_of(&ssl.lock());
        let session = match &before {
            Some(before) => before.succeed(session, peer),
            None => SslSession::make(session, None, peer),
        };
        session.lock().not_resumable = not_resumable;
        set_current(ssl, session.clone());
        // A client of TLS 1.2 has it in a ticket: it has no id, and belongs in no cache.
        if tls13 || !sealed {
            publish(ssl, &session, CACHE_SERVER);
        }
        before = Some(session);
    }
    session_cache::clear_at_times(&session_ctx, CACHE_SERVER, completed);
}
