//! Groups for key exchange: `SSL_CTX_set1_groups(3)` and what it describes, all of them commands
//! of `SSL_ctrl` and `SSL_CTX_ctrl`; and the security level, which narrows them.

use std::ffi::{CStr, c_int, c_long, c_void};

use rustls::crypto::kx::NamedGroup;

use crate::abi::arguments::Out;
use crate::abi::context::HasSettings;
use crate::abi::objects::{Ssl, SslState};
use crate::core::client_hello::ClientHello;
use crate::core::groups::{self, GroupsError};
use crate::core::settings::{OP_CIPHER_SERVER_PREFERENCE, TLS1_2};
use crate::sys::error;
use crate::sys::{pkey, reasons};

/// `SSL_CTRL_SET_GROUPS`: `count` NIDs.
pub(crate) fn set(object: &impl HasSettings, count: c_long, nids: *mut c_void) -> c_long {
    // SAFETY: the program passes `count` readable ints with this command.
    let nids = unsafe { numbers(nids, count) };
    store(object, groups::groups_of_nids(nids))
}

/// `SSL_CTRL_SET_GROUPS_LIST`: names with colons between them.
pub(crate) fn set_list(object: &impl HasSettings, _: c_long, list: *mut c_void) -> c_long {
    if list.is_null() {
        return 0;
    }
    // SAFETY: the program passes a string of C with this command.
    let list = unsafe { CStr::from_ptr(list.cast()) };
    store(object, groups::parse_groups(list.to_bytes()))
}

/// `SSL_CTRL_SET_TMP_ECDH`: the group of the key, an `EC_KEY`, becomes the only group.
pub(crate) fn set_temporary(object: &impl HasSettings, _: c_long, key: *mut c_void) -> c_long {
    let function = c"SSL_CTRL_SET_TMP_ECDH";
    if key.is_null() {
        error::raise(function, error::PASSED_NULL_PARAMETER, None);
        return 0;
    }
    // SAFETY: with this command the program passes a valid `EC_KEY`.
    let Some(nid) = (unsafe { pkey::curve_nid(key.cast()) }) else {
        error::raise(function, reasons::MISSING_PARAMETERS, None);
        return 0;
    };
    store(object, groups::groups_of_nids(&[nid]))
}

fn store(object: &impl HasSettings, groups: Result<Vec<NamedGroup>, GroupsError>) -> c_long {
    let reason = match &groups {
        Ok(_) | Err(GroupsError::Malformed) => None,
        Err(GroupsError::UnknownName(_)) => Some(error::PASSED_INVALID_ARGUMENT),
        Err(GroupsError::Empty) => Some(reasons::BAD_LENGTH),
        Err(GroupsError::Absent) => Some(error::UNSUPPORTED),
    };
    match groups {
        Ok(groups) => {
            object.change(|settings| settings.groups = groups.into());
            1
        }
        Err(failure) => {
            if let Some(reason) = reason {
                // OpenSSL says nothing more of an empty list.
                let text = (failure != GroupsError::Empty).then(|| failure.to_string());
                error::raise(c"SSL_CTRL_SET_GROUPS", reason, text.as_deref());
            }
            0
        }
    }
}

/// `SSL_CTRL_GET_GROUPS`: writes the client's groups on a server; returns how many there are.
pub(crate) fn of_peer(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    let nids: Vec<c_int> = offered(&ssl.lock()).map(groups::nid).collect();
    if !out.is_null() {
        // SAFETY: the program has room for as many ints as this command said before.
        unsafe { std::ptr::copy_nonoverlapping(nids.as_ptr(), out.cast(), nids.len()) };
    }
    c_long::try_from(nids.len()).unwrap_or(c_long::MAX)
}

/// `SSL_CTRL_GET_SHARED_GROUP`: the n-th group that both sides have, as a NID; for -1 how many
/// there are. On a server only.
pub(crate) fn shared(ssl: &Ssl, n: c_long, _: *mut c_void) -> c_long {
    let state = ssl.lock();
    let settings = &state.settings;
    let own: Vec<NamedGroup> = settings
        .groups
        .iter()
        .copied()
        .filter(|id| settings.allows_group(*id))
        .filter(|id| groups::key_exchange(*id).is_some())
        .collect();
    let offered: Vec<NamedGroup> = offered(&state).collect();
    let (preferred, others) = match settings.has_option(OP_CIPHER_SERVER_PREFERENCE) {
        true => (own, offered),
        false => (offered, own),
    };
    let mut shared = preferred.into_iter().filter(|id| others.contains(id));
    match usize::try_from(n) {
        Ok(n) => shared.nth(n).map_or(0, |id| groups::nid(id).into()),
        Err(_) if n == -1 => c_long::try_from(shared.count()).unwrap_or(c_long::MAX),
        Err(_) => 0,
    }
}

/// `SSL_CTRL_GET_NEGOTIATED_GROUP`: the NID of the key exchange's group, 0 for none.
pub(crate) fn negotiated(ssl: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    ssl.lock().connection.group().map_or(0, |id| groups::nid(id).into())
}

/// `SSL_CTRL_GET_RAW_CIPHERLIST`: shows the suites of the client as they were sent, for as long as
/// the connection is; returns their size. Without a place for them: the size of one.
pub(crate) fn raw_suites(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    const SUITE: c_long = 2;
    let state = ssl.lock();
    let Some(hello) = state.connection.offered() else { return 0 };
    match Out::from_void(out).set(hello.cipher_suites.as_ptr()) {
        true => c_long::try_from(hello.cipher_suites.len()).unwrap_or(0),
        false => SUITE,
    }
}

/// `SSL_CTRL_GET_EC_POINT_FORMATS`: shows the formats of the client as they were sent, for as long
/// as the connection is; returns how many they are. On a server of TLS 1.2 only, which looks at them
/// in a full handshake.
pub(crate) fn point_formats(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    let state = ssl.lock();
    let connection = &state.connection;
    let looked = connection.version() == Some(TLS1_2) && !connection.is_resumed();
    let hello = connection.offered().filter(|_| looked);
    let formats = hello.and_then(ClientHello::point_formats).unwrap_or_default();
    let start = if formats.is_empty() { std::ptr::null() } else { formats.as_ptr() };
    Out::from_void(out).set(start);
    c_long::try_from(formats.len()).unwrap_or(0)
}

fn offered(state: &SslState) -> impl Iterator<Item = NamedGroup> {
    let groups = state.connection.offered().into_iter().flat_map(ClientHello::groups);
    groups.map(NamedGroup)
}

/// The ints of a command that takes a list.
///
/// # Safety
/// `start` is NULL, or has `count` readable ints for as long as the result is used.
pub(crate) unsafe fn numbers<'a>(start: *mut c_void, count: c_long) -> &'a [c_int] {
    match usize::try_from(count) {
        // SAFETY: the caller promises it.
        Ok(count) if !start.is_null() => unsafe { std::slice::from_raw_parts(start.cast(), count) },
        _ => &[],
    }
}
