//! Names of CAs: what a server sends with its request for a certificate, what a client sends in
//! its hello (RFC 8446, 4.2.4), and what either was sent. `SSL_CTX_set_client_CA_list(3)`,
//! `SSL_CTX_set0_CA_list(3)`, `SSL_load_client_CA_file(3)`.

use std::ffi::{CStr, CString, c_int};
use std::os::unix::ffi::OsStrExt;

use crate::abi::arguments::{Handle, Text, int};
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::core::client_hello::ClientHello;
use crate::core::settings::{Settings, TLS1_3};
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::names::{self, Names};

type Stack = *mut ffi::OPENSSL_STACK;

/// The names that a context or a connection has.
///
/// The program has the stacks too, and may push names onto them, so they are read when they are sent.
#[derive(Debug, Default)]
pub(crate) struct CaNames {
    /// For both sides: `SSL_CTX_set0_CA_list`.
    both: Option<Names>,
    /// For a server, before the other: `SSL_CTX_set_client_CA_list`.
    client: Option<Names>,
}

impl CaNames {
    /// Those of a new context: there are lists, and nothing in them.
    pub(crate) fn of_context() -> Self {
        Self { both: Names::new(), client: Names::new() }
    }

    /// Those of a copy of a connection.
    pub(crate) fn copy(&self) -> Self {
        let copy = |list: &Option<Names>| list.as_ref()?.copy();
        Self { both: copy(&self.both), client: copy(&self.client) }
    }
}

/// One of the two lists.
type Which = fn(&mut CaNames) -> &mut Option<Names>;

fn both(names: &mut CaNames) -> &mut Option<Names> {
    &mut names.both
}

fn client(names: &mut CaNames) -> &mut Option<Names> {
    &mut names.client
}

fn show(list: &Option<Names>) -> Stack {
    list.as_ref().map_or(std::ptr::null_mut(), Names::as_ptr)
}

/// A context or a connection.
trait HasNames {
    fn with<T>(&self, run: impl FnOnce(&mut CaNames) -> T) -> T;
}

impl HasNames for Ctx {
    fn with<T>(&self, run: impl FnOnce(&mut CaNames) -> T) -> T {
        run(&mut self.lock().ca_names)
    }
}

impl HasNames for Ssl {
    fn with<T>(&self, run: impl FnOnce(&mut CaNames) -> T) -> T {
        run(&mut self.lock().ca_names)
    }
}

/// Takes a stack over, in place of the one before.
///
/// # Safety
/// `stack` is NULL or a stack of names that the program gives away.
unsafe fn set(object: Option<&impl HasNames>, which: Which, stack: Stack) {
    // SAFETY: the caller promises it.
    let new = unsafe { Names::from_raw(stack) };
    if let Some(object) = object {
        drop(object.with(|names| std::mem::replace(which(names), new)));
    }
}

/// Adds the subject of a certificate.
///
/// # Safety
/// `certificate` is NULL or a valid certificate.
unsafe fn add(
    object: Option<&impl HasNames>,
    which: Which,
    certificate: *const ffi::X509,
) -> c_int {
    let Some(object) = object else { return 0 };
    int(object.with(|names| {
        let slot = which(names);
        if slot.is_none() {
            *slot = Names::new();
        }
        let Some(list) = slot else { return false };
        // SAFETY: the caller promises it.
        unsafe { list.push_subject(certificate) }
    }))
}

/// The names that this side sends. A server sends its list of client CAs; without one, or when it
/// is empty, the list for both sides, as a client does.
fn to_send(own: &CaNames, ctx: &CaNames, server: bool) -> Vec<Vec<u8>> {
    let client = own.client.as_ref().or(ctx.client.as_ref());
    client
        .filter(|list| server && !list.is_empty())
        .or(own.both.as_ref())
        .or(ctx.both.as_ref())
        .map(Names::to_der)
        .unwrap_or_default()
}

/// Puts the names to send into the settings, before a handshake uses them. The context that counts
/// is the current one: a server name callback may have changed it.
pub(crate) fn settle(state: &mut SslState) {
    let server = state.side == Some(Side::Server);
    let names = to_send(&state.ca_names, &state.ctx.lock().ca_names, server);
    if *state.settings.client_ca != *names {
        Settings::change_names(&mut state.settings, names.into());
    }
}

/// What the peer has sent, as a stack of the connection's.
fn of_peer(state: &mut SslState) -> Stack {
    if state.handshake.peer_ca_names.is_none() {
        let sent = match state.side {
            Some(Side::Server) => state.connection.offered().and_then(ClientHello::authorities),
            _ => state.connection.signatures.request().map(|r| r.authorities.clone()),
        };
        // TLS 1.3 has an extension for them, which is left out when there are none.
        let absent =
            |names: &Vec<Vec<u8>>| names.is_empty() && state.connection.version() == Some(TLS1_3);
        state.handshake.peer_ca_names =
            sent.filter(|sent| !absent(sent)).and_then(|s| Names::from_der(&s));
    }
    state.handshake.peer_ca_names.as_ref().map_or(std::ptr::null_mut(), Names::as_ptr)
}

/// Adds the subjects of every file of a directory. False when the directory cannot be read, or a
/// file cannot be opened.
///
/// # Safety
/// `stack` is a valid stack of names.
pub(crate) unsafe fn add_dir(stack: Stack, dir: &CStr) -> bool {
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(dir.to_bytes()));
    let files = match std::fs::read_dir(path) {
        Ok(files) => files,
        Err(failure) => {
            let what = format!("{}: {failure}", path.display());
            error::raise(c"SSL_add_dir_cert_subjects_to_stack", error::SYS_LIB, Some(&what));
            return false;
        }
    };
    for file in files {
        let path = file.ok().and_then(|file| CString::new(file.path().as_os_str().as_bytes()).ok());
        // SAFETY: the caller promises the stack.
        if !path.is_some_and(|path| unsafe { names::add_file(stack, &path) }) {
            return false;
        }
    }
    true
}

exported! {
    fn SSL_CTX_set_client_CA_list(ctx: Handle<Ctx>, stack: Stack) -> () => (), {
        // SAFETY: the program gives a stack of names away, or passes NULL.
        unsafe { set(ctx.get(), client, stack) };
    }

    fn SSL_set_client_CA_list(ssl: Handle<Ssl>, stack: Stack) -> () => (), {
        // SAFETY: as above.
        unsafe { set(ssl.get(), client, stack) };
    }

    fn SSL_CTX_set0_CA_list(ctx: Handle<Ctx>, stack: Stack) -> () => (), {
        // SAFETY: as above.
        unsafe { set(ctx.get(), both, stack) };
    }

    fn SSL_set0_CA_list(ssl: Handle<Ssl>, stack: Stack) -> () => (), {
        // SAFETY: as above.
        unsafe { set(ssl.get(), both, stack) };
    }

    fn SSL_CTX_get_client_CA_list(ctx: Handle<Ctx>) -> Stack => std::ptr::null_mut(), {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| show(&ctx.lock().ca_names.client))
    }

    fn SSL_CTX_get0_CA_list(ctx: Handle<Ctx>) -> Stack => std::ptr::null_mut(), {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| show(&ctx.lock().ca_names.both))
    }

    /// On a client, what the server has sent with its request.
    fn SSL_get_client_CA_list(ssl: Handle<Ssl>) -> Stack => std::ptr::null_mut(), {
        let Some(ssl) = ssl.get() else { return std::ptr::null_mut() };
        let mut state = ssl.lock();
        if state.side == Some(Side::Client) {
            return of_peer(&mut state);
        }
        match &state.ca_names.client {
            None => show(&state.ctx.lock().ca_names.client),
            own => show(own),
        }
    }

    fn SSL_get0_CA_list(ssl: Handle<Ssl>) -> Stack => std::ptr::null_mut(), {
        let Some(ssl) = ssl.get() else { return std::ptr::null_mut() };
        let state = ssl.lock();
        match &state.ca_names.both {
            None => show(&state.ctx.lock().ca_names.both),
            own => show(own),
        }
    }

    fn SSL_get0_peer_CA_list(ssl: Handle<Ssl>) -> Stack => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| of_peer(&mut ssl.lock()))
    }

    fn SSL_CTX_add_client_CA(ctx: Handle<Ctx>, certificate: *const ffi::X509) -> c_int => 0, {
        // SAFETY: the program passes NULL or a valid certificate.
        unsafe { add(ctx.get(), client, certificate) }
    }

    fn SSL_add_client_CA(ssl: Handle<Ssl>, certificate: *const ffi::X509) -> c_int => 0, {
        // SAFETY: as above.
        unsafe { add(ssl.get(), client, certificate) }
    }

    fn SSL_CTX_add1_to_CA_list(ctx: Handle<Ctx>, certificate: *const ffi::X509) -> c_int => 0, {
        // SAFETY: as above.
        unsafe { add(ctx.get(), both, certificate) }
    }

    fn SSL_add1_to_CA_list(ssl: Handle<Ssl>, certificate: *const ffi::X509) -> c_int => 0, {
        // SAFETY: as above.
        unsafe { add(ssl.get(), both, certificate) }
    }

    fn SSL_load_client_CA_file(file: Text) -> Stack => std::ptr::null_mut(), {
        file.get().and_then(names::load_file).map_or(std::ptr::null_mut(), Names::into_raw)
    }

    /// Names are read in the default library context: they do not depend on it.
    fn SSL_load_client_CA_file_ex(
        file: Text,
        _libctx: *mut std::ffi::c_void,
        _properties: Text,
    ) -> Stack => std::ptr::null_mut(), {
        file.get().and_then(names::load_file).map_or(std::ptr::null_mut(), Names::into_raw)
    }

    fn SSL_add_file_cert_subjects_to_stack(stack: Stack, file: Text) -> c_int => 0, {
        let Some(file) = file.get().filter(|_| !stack.is_null()) else { return 0 };
        // SAFETY: the program passes a valid stack of names.
        int(unsafe { names::add_file(stack, file) })
    }

    fn SSL_add_dir_cert_subjects_to_stack(stack: Stack, dir: Text) -> c_int => 0, {
        let Some(dir) = dir.get().filter(|_| !stack.is_null()) else { return 0 };
        // SAFETY: as above.
        int(unsafe { add_dir(stack, dir) })
    }

    fn SSL_dup_CA_list(stack: Stack) -> Stack => std::ptr::null_mut(), {
        // SAFETY: the program passes NULL or a valid stack of names.
        unsafe { names::duplicate(stack) }.map_or(std::ptr::null_mut(), Names::into_raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list with one name: O=`name`.
    fn list(name: u8) -> Option<Names> {
        let der = vec![0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 10, 0x0C, 1, name];
        Names::from_der(&[der])
    }

    fn first(names: &[Vec<u8>]) -> Option<u8> {
        names.first().and_then(|name| name.last().copied())
    }

    #[test]
    fn a_servers_list_comes_before_that_for_both() {
        let ctx = CaNames { both: list(b'B'), client: list(b'C') };
        let own = CaNames::default();
        assert_eq!(first(&to_send(&own, &ctx, true)), Some(b'C'));
        assert_eq!(first(&to_send(&own, &ctx, false)), Some(b'B'));
        let own = CaNames { both: list(b'b'), ..CaNames::default() };
        assert_eq!(first(&to_send(&own, &ctx, true)), Some(b'C'));
        assert_eq!(first(&to_send(&own, &ctx, false)), Some(b'b'));
    }

    #[test]
    fn an_empty_list_of_a_server_is_none() {
        let ctx = CaNames { both: list(b'B'), client: list(b'C') };
        let own = CaNames { client: Names::new(), ..CaNames::default() };
        assert_eq!(first(&to_send(&own, &ctx, true)), Some(b'B'));
        assert_eq!(first(&to_send(&own, &CaNames::default(), true)), None);
    }

    #[test]
    fn names_come_back_from_der() {
        let der = list(b'x').unwrap().to_der();
        assert_eq!(Names::from_der(&der).unwrap().to_der(), der);
        assert!(Names::from_der(&[vec![1, 2, 3]]).is_none());
    }
}
