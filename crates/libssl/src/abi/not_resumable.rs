//! Sessions that a server's program does not want to see again:
//! `SSL_CTX_set_not_resumable_session_callback`, which has no man page.

use std::ffi::c_long;
use std::sync::Arc;

use crate::abi::arguments::{Handle, int};
use crate::abi::callbacks::NotResumableCb;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::settings::TLS1_3;

/// Asks a server's program, in a full handshake, whether the session may be resumed. Called with no
/// lock held.
pub(crate) fn ask(ssl: &Arc<Ssl>) {
    let (callback, tls13) = {
        let state = ssl.lock();
        (state.callbacks.not_resumable, state.connection.version() == Some(TLS1_3))
    };
    let Some(callback) = callback else { return };
    // What OpenSSL says of the key exchange: in TLS 1.3 it does not belong to the cipher suite, and
    // the suites of TLS 1.2 here are all of ECDHE.
    let forward_secure = int(!tls13);
    // SAFETY: the program has set this function for this purpose.
    let answer = unsafe { callback(Handle::borrowed(ssl), forward_secure) };
    ssl.lock().sessions.not_resumable = answer != 0;
}

/// Sets the callback of [`ask`] on a context.
pub(crate) fn set_on_context(ctx: &Ctx, callback: Option<NotResumableCb>) -> c_long {
    ctx.lock().callbacks.not_resumable = callback;
    1
}

/// Sets the callback of [`ask`] on a connection.
pub(crate) fn set(ssl: &Ssl, callback: Option<NotResumableCb>) -> c_long {
    ssl.lock().callbacks.not_resumable = callback;
    1
}

exported! {
    fn SSL_CTX_set_not_resumable_session_callback(
        ctx: Handle<Ctx>,
        callback: Option<NotResumableCb>,
    ) -> () => (), {
        if let Some(ctx) = ctx.get() {
            set_on_context(ctx, callback);
        }
    }

    fn SSL_set_not_resumable_session_callback(
        ssl: Handle<Ssl>,
        callback: Option<NotResumableCb>,
    ) -> () => (), {
        if let Some(ssl) = ssl.get() {
            set(ssl, callback);
        }
    }
}
