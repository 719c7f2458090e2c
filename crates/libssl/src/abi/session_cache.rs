//! What a context keeps for sessions: its cache, its counters, its callbacks, its ticket keys.
//! `SSL_CTX_sess_set_get_cb(3)`, `SSL_CTX_add_session(3)`, `SSL_CTX_flush_sessions(3)`,
//! `SSL_CTX_sess_number(3)`, `SSL_CTX_sess_set_cache_size(3)`.

use std::ffi::{c_int, c_long, c_uchar, c_void};
use std::sync::Arc;

use crate::abi::arguments::{Bytes, Handle, Room, int};
use crate::abi::context::HasSettings;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::owner::Owner;
use crate::abi::session::SslSession;
use crate::abi::ticket_keys::TicketKey;
use crate::core::session::now;
use crate::core::session_cache::{Cache, Key};
use crate::core::tickets::{KEYS_LENGTH, TicketKeys};
use crate::sys::error;
use crate::sys::reasons;

/// `int (*)(SSL *, SSL_SESSION *)`: `SSL_CTX_sess_set_new_cb(3)`.
pub(crate) type NewSessionCb = unsafe extern "C" fn(Handle<Ssl>, Handle<SslSession>) -> c_int;
/// `void (*)(SSL_CTX *, SSL_SESSION *)`: `SSL_CTX_sess_set_remove_cb(3)`.
pub(crate) type RemoveSessionCb = unsafe extern "C" fn(Handle<Ctx>, Handle<SslSession>);
/// `SSL_SESSION *(*)(SSL *, const unsigned char *, int, int *)`: `SSL_CTX_sess_set_get_cb(3)`.
pub(crate) type GetSessionCb =
    unsafe extern "C" fn(Handle<Ssl>, *const c_uchar, c_int, *mut c_int) -> Handle<SslSession>;

/// `SSL_SESSION_CACHE_MAX_SIZE_DEFAULT`.
const DEFAULT_SIZE: usize = 1024 * 20;
/// `SSL_SESS_CACHE_NO_AUTO_CLEAR` and `SSL_SESS_CACHE_UPDATE_TIME`.
const CACHE_NO_AUTO_CLEAR: c_int = 0x80;
const CACHE_UPDATE_TIME: c_int = 0x400;

/// The sessions of a context, and what belongs to them.
pub(crate) struct SessionCache {
    cache: Cache<Owner<SslSession>>,
    pub(crate) counters: Counters,
    pub(crate) new: Option<NewSessionCb>,
    pub(crate) get: Option<GetSessionCb>,
    pub(crate) remove: Option<RemoveSessionCb>,
    /// Made with the context, so that processes forked later have the same.
    pub(crate) ticket_keys: Option<Arc<TicketKeys>>,
    /// The program's callback for keys of its own.
    pub(crate) ticket_key: Option<TicketKey>,
}

/// `SSL_CTX_sess_number(3)`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connect: c_long,
    pub(crate) connect_good: c_long,
    pub(crate) accept: c_long,
    pub(crate) accept_good: c_long,
    pub(crate) hits: c_long,
    pub(crate) callback_hits: c_long,
    pub(crate) misses: c_long,
    pub(crate) timeouts: c_long,
    pub(crate) full: c_long,
}

impl Default for SessionCache {
    fn default() -> Self {
        Self {
            cache: Cache::new(DEFAULT_SIZE),
            counters: Counters::default(),
            new: None,
            get: None,
            remove: None,
            ticket_keys: TicketKeys::random().map(Arc::new),
            ticket_key: None,
        }
    }
}

impl SessionCache {
    /// The session of that version with that id.
    pub(crate) fn find(&self, version: c_int, id: &[u8]) -> Option<Owner<SslSession>> {
        self.cache.get(&Key::new(version, id)?).cloned()
    }

    /// Takes all sessions; the context is on its way out.
    pub(crate) fn take_all(&mut self) -> Vec<Owner<SslSession>> {
        self.cache.take_all()
    }
}

/// The place of a session in a cache, and its last second.
fn place(session: &SslSession) -> Option<(Key, Option<i64>)> {
    let state = session.lock();
    let key = Key::new(state.fields.version, &state.fields.id)?;
    Some((key, state.fields.last_second()))
}

/// Puts a session into the cache. False when it was there.
pub(crate) fn add(ctx: &Arc<Ctx>, session: &Arc<SslSession>) -> bool {
    if ctx.settings().session_cache_mode & CACHE_UPDATE_TIME != 0 {
        session.lock().fields.time = now();
    }
    let Some((key, last)) = place(session) else { return false };
    let (inserted, remove) = {
        let mut state = ctx.lock();
        let owned = Owner::new(Arc::clone(session));
        let inserted = state.sessions.cache.insert(key, owned, last);
        state.sessions.counters.full += inserted.evicted.len() as c_long;
        (inserted, state.sessions.remove)
    };
    session.lock().owner = Arc::downgrade(ctx);
    let new = !inserted.replaced.as_ref().is_some_and(|before| Arc::ptr_eq(before, session));
    tell_removed(ctx, remove, inserted.evicted);
    new
}

/// Takes a session out of the cache, so that it is not resumed. False when it was not there.
pub(crate) fn remove(ctx: &Ctx, session: &Arc<SslSession>) -> bool {
    let Some((key, _)) = place(session).filter(|_| !session.lock().fields.id.is_empty()) else {
        return false;
    };
    let (taken, remove) = {
        let mut state = ctx.lock();
        (state.sessions.cache.remove(&key), state.sessions.remove)
    };
    tell_removed(ctx, remove, vec![Owner::new(Arc::clone(session))]);
    taken.is_some()
}

/// Notes that a session's time was changed, if the cache has it.
pub(crate) fn note_time(ctx: &Ctx, session: &Arc<SslSession>) {
    let Some((key, last)) = place(session) else { return };
    let mut state = ctx.lock();
    if state.sessions.cache.get(&key).is_some_and(|known| Arc::ptr_eq(known, session)) {
        state.sessions.cache.set_last(&key, last);
    }
}

/// Takes the sessions out of the cache whose time is over at `at`, in seconds since 1970; all for 0.
pub(crate) fn flush(ctx: &Ctx, at: i64) {
    let (gone, callback) = {
        let mut state = ctx.lock();
        let cache = &mut state.sessions.cache;
        (if at == 0 { cache.take_all() } else { cache.take_expired(at) }, state.sessions.remove)
    };
    tell_removed(ctx, callback, gone);
}

/// Takes expired sessions out of the cache at every 255th handshake, as OpenSSL does, unless the
/// program does so itself. `completed` is how many there were on this side.
pub(crate) fn clear_at_times(ctx: &Ctx, side: c_int, completed: c_long) {
    let mode = ctx.settings().session_cache_mode;
    if mode & CACHE_NO_AUTO_CLEAR == 0 && mode & side != 0 && completed & 0xFF == 0xFF {
        flush(ctx, now());
    }
}

/// Calls the program's callback for sessions that have left the cache. No lock is held.
pub(crate) fn tell_removed(
    ctx: &Ctx,
    callback: Option<RemoveSessionCb>,
    sessions: Vec<Owner<SslSession>>,
) {
    for session in sessions {
        session.lock().not_resumable = true;
        if let Some(callback) = callback {
            // SAFETY: the program has set this function for this purpose; both objects live for
            // the call.
            unsafe { callback(Handle::passing(ctx), Handle::borrowed(&session)) };
        }
    }
}

macro_rules! counters {
    ($($(#[$meta:meta])* $name:ident => $($field:ident)?;)+) => {$(
        $(#[$meta])*
        pub(crate) fn $name(_ctx: &Ctx, _: c_long, _: *mut c_void) -> c_long {
            0 $(+ _ctx.lock().sessions.counters.$field)?
        }
    )+};
}

counters! {
    /// `SSL_CTRL_SESS_CONNECT`.
    connect => connect;
    /// `SSL_CTRL_SESS_CONNECT_GOOD`.
    connect_good => connect_good;
    /// `SSL_CTRL_SESS_CONNECT_RENEGOTIATE` and its sibling: there is no renegotiation to count.
    renegotiations => ;
    /// `SSL_CTRL_SESS_ACCEPT`.
    accept => accept;
    /// `SSL_CTRL_SESS_ACCEPT_GOOD`.
    accept_good => accept_good;
    /// `SSL_CTRL_SESS_HIT`.
    hits => hits;
    /// `SSL_CTRL_SESS_CB_HIT`.
    callback_hits => callback_hits;
    /// `SSL_CTRL_SESS_MISSES`.
    misses => misses;
    /// `SSL_CTRL_SESS_TIMEOUTS`.
    timeouts => timeouts;
    /// `SSL_CTRL_SESS_CACHE_FULL`.
    full => full;
}

/// `SSL_CTRL_SESS_NUMBER`.
pub(crate) fn number(ctx: &Ctx, _: c_long, _: *mut c_void) -> c_long {
    ctx.lock().sessions.cache.len() as c_long
}

/// `SSL_CTRL_GET_SESS_CACHE_SIZE`.
pub(crate) fn size(ctx: &Ctx, _: c_long, _: *mut c_void) -> c_long {
    ctx.lock().sessions.cache.size as c_long
}

/// `SSL_CTRL_SET_SESS_CACHE_SIZE`: returns what was set before. Negative sizes change nothing.
pub(crate) fn set_size(ctx: &Ctx, size: c_long, _: *mut c_void) -> c_long {
    let Ok(size) = usize::try_from(size) else { return 0 };
    std::mem::replace(&mut ctx.lock().sessions.cache.size, size) as c_long
}

/// `SSL_CTRL_GET_TLSEXT_TICKET_KEYS`: for NULL, how many bytes they are.
pub(crate) fn ticket_keys(ctx: &Ctx, length: c_long, keys: *mut c_void) -> c_long {
    let room = Room::from_void(keys);
    if room.is_null() {
        return KEYS_LENGTH as c_long;
    }
    if length != KEYS_LENGTH as c_long {
        error::raise(c"SSL_CTX_ctrl", reasons::INVALID_TICKET_KEYS_LENGTH, None);
        return 0;
    }
    let Some(keys) = ctx.lock().sessions.ticket_keys.clone() else { return 0 };
    room.fill(KEYS_LENGTH, keys.bytes());
    1
}

/// `SSL_CTRL_SET_TLSEXT_TICKET_KEYS`.
pub(crate) fn set_ticket_keys(ctx: &Ctx, length: c_long, keys: *mut c_void) -> c_long {
    let keys = Bytes::from_void(keys);
    if keys.as_ptr().is_null() {
        return KEYS_LENGTH as c_long;
    }
    let given = (length == KEYS_LENGTH as c_long).then(|| keys.get(KEYS_LENGTH)).flatten();
    let Some(keys) = given.and_then(TicketKeys::from_bytes) else {
        error::raise(c"SSL_CTX_ctrl", reasons::INVALID_TICKET_KEYS_LENGTH, None);
        return 0;
    };
    ctx.lock().sessions.ticket_keys = Some(Arc::new(keys));
    1
}

exported! {
    fn SSL_CTX_sess_set_new_cb(ctx: Handle<Ctx>, callback: Option<NewSessionCb>) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().sessions.new = callback;
        }
    }

    fn SSL_CTX_sess_get_new_cb(ctx: Handle<Ctx>) -> Option<NewSessionCb> => None, {
        ctx.get().and_then(|ctx| ctx.lock().sessions.new)
    }

    fn SSL_CTX_sess_set_get_cb(ctx: Handle<Ctx>, callback: Option<GetSessionCb>) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().sessions.get = callback;
        }
    }

    fn SSL_CTX_sess_get_get_cb(ctx: Handle<Ctx>) -> Option<GetSessionCb> => None, {
        ctx.get().and_then(|ctx| ctx.lock().sessions.get)
    }

    fn SSL_CTX_sess_set_remove_cb(ctx: Handle<Ctx>, callback: Option<RemoveSessionCb>) -> ()
        => (),
    {
        if let Some(ctx) = ctx.get() {
            ctx.lock().sessions.remove = callback;
        }
    }

    fn SSL_CTX_sess_get_remove_cb(ctx: Handle<Ctx>) -> Option<RemoveSessionCb> => None, {
        ctx.get().and_then(|ctx| ctx.lock().sessions.remove)
    }

    fn SSL_CTX_add_session(ctx: Handle<Ctx>, session: Handle<SslSession>) -> c_int => 0, {
        let (Some(ctx), Some(session)) = (ctx.hold(), session.hold()) else { return 0 };
        int(add(&ctx, &session))
    }

    fn SSL_CTX_remove_session(ctx: Handle<Ctx>, session: Handle<SslSession>) -> c_int => 0, {
        let (Some(ctx), Some(session)) = (ctx.hold(), session.hold()) else { return 0 };
        int(remove(&ctx, &session))
    }

    fn SSL_CTX_flush_sessions(ctx: Handle<Ctx>, at: c_long) -> () => (), {
        if let Some(ctx) = ctx.hold() {
            flush(&ctx, at);
        }
    }
}
