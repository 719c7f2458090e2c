//! Words for alerts, states and groups: `SSL_alert_type_string(3)`, `SSL_state_string(3)`,
//! `SSL_group_to_name(3)`.

use std::ffi::{c_char, c_int};

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ssl, SslState};
use crate::core::groups;
use crate::core::names::{self, Names};
use crate::core::settings::TLS1_3;

/// States of `OSSL_HANDSHAKE_STATE` at which a handshake rests.
mod state {
    pub(super) const BEFORE: i32 = 0;
    pub(super) const OK: i32 = 1;
    pub(super) const READ_SERVER_HELLO: i32 = 3;
    pub(super) const WROTE_CLIENT_HELLO: i32 = 12;
    pub(super) const CLIENT_WROTE_FINISHED: i32 = 18;
    pub(super) const WROTE_SERVER_DONE: i32 = 26;
    pub(super) const EARLY_DATA: i32 = 46;
}

/// Where a handshake is. When no one watches it, where it rests: before, after, or between two
/// flights.
fn rests_at(ssl: &SslState) -> c_int {
    if let Some(state) = ssl.handshake.hand_state {
        return state;
    }
    let connection = &ssl.connection;
    let tls13 = connection.version().map(|version| version == TLS1_3);
    match (&ssl.side, tls13) {
        _ if connection.is_complete() => state::OK,
        _ if !connection.is_started() => state::BEFORE,
        (Some(Side::Client), None) => state::WROTE_CLIENT_HELLO,
        (Some(Side::Client), Some(true)) => state::READ_SERVER_HELLO,
        (Some(Side::Client), Some(false)) => state::CLIENT_WROTE_FINISHED,
        (_, Some(true)) => state::EARLY_DATA,
        (_, Some(false)) => state::WROTE_SERVER_DONE,
        (_, None) => state::BEFORE,
    }
}

fn state_names(ssl: Handle<Ssl>) -> Names {
    let Some(ssl) = ssl.get() else { return names::state(-1) };
    let ssl = ssl.lock();
    match ssl.connection.failure() {
        // While the messages before the failure are shown, it has not happened.
        Some(_) if ssl.handshake.hand_state.is_none() || ssl.handshake.hand_failed => {
            names::STATE_ERROR
        }
        _ => names::state(rests_at(&ssl)),
    }
}

/// Whether the header of a record is awaited, or the rest of one.
fn read_names(ssl: Handle<Ssl>) -> Names {
    const HEADER_SIZE: usize = 5;
    const READ_HEADER: c_int = 0xF0;
    const READ_BODY: c_int = 0xF1;
    let buffered = ssl.get().map_or(0, |ssl| ssl.lock().connection.input.unread().len());
    names::read_state(if buffered < HEADER_SIZE { READ_HEADER } else { READ_BODY })
}

exported! {
    fn SSL_alert_type_string(value: c_int) -> *const c_char => c"U".as_ptr(), {
        names::alert_type(value).0.as_ptr()
    }

    fn SSL_alert_type_string_long(value: c_int) -> *const c_char => c"unknown".as_ptr(), {
        names::alert_type(value).1.as_ptr()
    }

    fn SSL_alert_desc_string(value: c_int) -> *const c_char => c"UK".as_ptr(), {
        names::alert_description(value).0.as_ptr()
    }

    fn SSL_alert_desc_string_long(value: c_int) -> *const c_char => c"unknown".as_ptr(), {
        names::alert_description(value).1.as_ptr()
    }

    fn SSL_get_state(ssl: Handle<Ssl>) -> c_int => 0, {
        ssl.get().map_or(state::BEFORE, |ssl| rests_at(&ssl.lock()))
    }

    fn SSL_state_string(ssl: Handle<Ssl>) -> *const c_char => c"UNKWN".as_ptr(), {
        state_names(ssl).0.as_ptr()
    }

    fn SSL_state_string_long(ssl: Handle<Ssl>) -> *const c_char => c"unknown state".as_ptr(), {
        state_names(ssl).1.as_ptr()
    }

    fn SSL_rstate_string(ssl: Handle<Ssl>) -> *const c_char => c"unknown".as_ptr(), {
        read_names(ssl).0.as_ptr()
    }

    fn SSL_rstate_string_long(ssl: Handle<Ssl>) -> *const c_char => c"unknown".as_ptr(), {
        read_names(ssl).1.as_ptr()
    }

    /// The groups are the same on every connection.
    fn SSL_group_to_name(_ssl: Handle<Ssl>, nid: c_int) -> *const c_char => std::ptr::null(), {
        groups::name(nid).map_or(std::ptr::null(), |name| name.as_ptr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        // SAFETY: the functions take numbers and return NULL or static strings.
        unsafe {
            let text = |pointer| std::ffi::CStr::from_ptr(pointer);
            assert_eq!(text(SSL_alert_type_string(0x0228)), c"F");
            assert_eq!(text(SSL_alert_type_string_long(0x0100)), c"warning");
            assert_eq!(text(SSL_alert_desc_string(0x0200)), c"CN");
            assert_eq!(
                text(SSL_alert_desc_string_long(0x0271)),
                c"bad certificate status response"
            );
            assert_eq!(text(SSL_group_to_name(Handle::NULL, 1034)), c"x25519");
            assert!(SSL_group_to_name(Handle::NULL, 7).is_null());
        }
    }
}
