//! What a context keeps for sessions: its cache, its counters, its callbacks, its ticket keys.
//! `SSL_CTX_sess_set_get_cb(3)`, `SSL_CTX_add_session(3)`, `SSL_CTX_flush_sessions(3)`,
//! `SSL_CTX_sess_number(3)`, `SSL_CTX_sess_set_cache_size(3)`.

use std::collections::{HashMap, VecDeque};
use std::ffi::{c_int, c_long, c_uchar, c_void};
use std::sync::Arc;

use crate::abi::arguments::{Bytes, Handle, Room, int};
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::session::SslSession;
use crate::abi::ticket_keys::TicketKey;
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
const DEFAULT_SIZE: c_long = 1024 * 20;

/// The sessions of a context, and what belongs to them.
pub(crate) struct SessionCache {
    sessions: HashMap<Vec<u8>, Arc<SslSession>>,
    /// The ids, oldest first.
    order: VecDeque<Vec<u8>>,
    /// How many sessions to keep at most; 0 for no limit.
    size: c_long,
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
            sessions: HashMap::new(),
            order: VecDeque::new(),
            size: DEFAULT_SIZE,
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
    /// The session with that id.
    pub(crate) fn find(&self, id: &[u8]) -> Option<Arc<SslSession>> {
        self.sessions.get(id).cloned()
    }

    fn insert(&mut self, id: &[u8], session: &Arc<SslSession>) -> Inserted {
        if let Some(known) = self.sessions.get(id) {
            if Arc::ptr_eq(known, session) {
                return Inserted { new: false, dropped: Vec::new() };
            }
        } else {
            self.order.push_back(id.to_vec());
        }
        let mut dropped = Vec::from_iter(self.sessions.insert(id.to_vec(), Arc::clone(session)));
        while self.size > 0 && self.sessions.len() as c_long > self.size {
            let Some(oldest) = self.order.pop_front() else { break };
            dropped.extend(self.sessions.remove(&oldest));
            self.counters.full += 1;
        }
        Inserted { new: true, dropped }
    }

    fn take(&mut self, id: &[u8]) -> Option<Arc<SslSession>> {
        self.order.retain(|known| known != id);
        self.sessions.remove(id)
    }

    fn take_if(&mut self, over: impl Fn(&SslSession) -> bool) -> Vec<Arc<SslSession>> {
        let gone: Vec<_> =
            self.sessions.iter().filter(|(_, s)| over(s)).map(|(id, _)| id.clone()).collect();
        self.order.retain(|id| !gone.contains(id));
        gone.iter().filter_map(|id| self.sessions.remove(id)).collect()
    }

    /// Takes all sessions; the context is on its way out.
    pub(crate) fn take_all(&mut self) -> Vec<Arc<SslSession>> {
        self.order.clear();
        std::mem::take(&mut self.sessions).into_values().collect()
    }
}

/// What came of putting a session into a cache.
struct Inserted {
    new: bool,
    /// What it had to make room, to be told and freed without a lock.
    dropped: Vec<Arc<SslSession>>,
}

/// Puts a session into the cache. False when it was there.
pub(crate) fn add(ctx: &Ctx, session: &Arc<SslSession>) -> bool {
    let id = session.lock().fields.id.clone();
    let (inserted, remove) = {
        let mut state = ctx.lock();
        (state.sessions.insert(&id, session), state.sessions.remove)
    };
    tell_removed(ctx, remove, inserted.dropped);
    inserted.new
}

/// Takes a session out of the cache, so that it is not resumed. False when it was not there.
pub(crate) fn remove(ctx: &Ctx, session: &Arc<SslSession>) -> bool {
    let id = session.lock().fields.id.clone();
    if id.is_empty() {
        return false;
    }
    let (taken, remove) = {
        let mut state = ctx.lock();
        (state.sessions.take(&id), state.sessions.remove)
    };
    session.lock().not_resumable = true;
    let found = taken.is_some();
    tell_removed(ctx, remove, vec![taken.unwrap_or_else(|| Arc::clone(session))]);
    found
}

/// Calls the program's callback for sessions that have left the cache. No lock is held.
pub(crate) fn tell_removed(
    ctx: &Ctx,
    callback: Option<RemoveSessionCb>,
    sessions: Vec<Arc<SslSession>>,
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
    ctx.lock().sessions.sessions.len() as c_long
}

/// `SSL_CTRL_GET_SESS_CACHE_SIZE`.
pub(crate) fn size(ctx: &Ctx, _: c_long, _: *mut c_void) -> c_long {
    ctx.lock().sessions.size
}

/// `SSL_CTRL_SET_SESS_CACHE_SIZE`: returns what was set before. Negative sizes change nothing.
pub(crate) fn set_size(ctx: &Ctx, size: c_long, _: *mut c_void) -> c_long {
    if size < 0 {
        return 0;
    }
    std::mem::replace(&mut ctx.lock().sessions.size, size)
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

    /// Removes the sessions whose time is over at `at`, in seconds since 1970; all for 0.
    fn SSL_CTX_flush_sessions(ctx: Handle<Ctx>, at: c_long) -> () => (), {
        let Some(ctx) = ctx.hold() else { return };
        let over = |session: &SslSession| {
            let state = session.lock();
            at == 0 || at > state.fields.time.saturating_add(state.fields.timeout)
        };
        let (gone, callback) = {
            let mut state = ctx.lock();
            (state.sessions.take_if(over), state.sessions.remove)
        };
        tell_removed(&ctx, callback, gone);
    }
}
