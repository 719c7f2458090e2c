//! The suites of contexts and connections: `SSL_CTX_set_cipher_list(3)`, `SSL_get_ciphers(3)`.
//!
//! Strings are parsed in [`crate::core::ciphers::rules`]; what is left here is where the result
//! goes, and how lists are shown to C.

use std::ffi::{CStr, c_char, c_int};
use std::sync::Arc;

use crate::abi::arguments::{Bytes, Handle, Out, Text};
use crate::abi::cipher::CipherRef;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::core::ciphers::rules::{SuiteB, parse_cipher_list, parse_ciphersuites};
use crate::core::ciphers::{self, Cipher};
use crate::core::client_hello::ClientHello;
use crate::core::settings::Settings;
use crate::sys::error;
use crate::sys::libcrypto::OPENSSL_STACK;
use crate::sys::reasons;
use crate::sys::static_stack::StaticStack;

/// A list of suites as C sees it: a stack that stays valid until the list changes.
#[derive(Debug, Default)]
pub(crate) struct Shown(Option<(Vec<u16>, StaticStack<Cipher>)>);

impl Shown {
    fn show(&mut self, ids: Vec<u16>) -> *mut OPENSSL_STACK {
        if self.0.as_ref().is_none_or(|(shown, _)| *shown != ids) {
            self.0 = stack(&ids).map(|stack| (ids, stack));
        }
        self.0.as_ref().map_or(std::ptr::null_mut(), |(_, stack)| stack.as_ptr())
    }
}

fn stack(ids: &[u16]) -> Option<StaticStack<Cipher>> {
    StaticStack::new(ids.iter().filter_map(|id| ciphers::suite_or_signal(*id)))
}

/// Sets the suites of TLS 1.2. A list that selects none is stored too, as in OpenSSL, and fails.
fn set_cipher_list(function: &'static CStr, settings: &mut Arc<Settings>, list: Text) -> c_int {
    let Some(list) = list.get() else { return 0 };
    let (parsed, level) = match parse_cipher_list(list.to_bytes()) {
        Ok(parsed) => {
            if let Some(profile) = parsed.suite_b {
                Settings::change(settings, |settings| narrow(settings, profile));
            }
            (Ok(parsed.suites), parsed.security_level)
        }
        Err(error) => (Err(reasons::INVALID_COMMAND), error.security_level),
    };
    if let Some(level) = level {
        Settings::change(settings, |settings| settings.security_level = level);
    }
    let failure = match parsed {
        Ok(suites) => {
            let failure = suites.is_empty().then_some(reasons::NO_CIPHER_MATCH);
            Settings::change(settings, |settings| settings.cipher_list = suites.into());
            failure
        }
        Err(reason) => Some(reason),
    };
    match failure {
        Some(reason) => {
            error::raise(function, reason, None);
            0
        }
        None => 1,
    }
}

/// A profile narrows groups and signature schemes too. OpenSSL lets it prevail over what is set
/// later; here what is set last holds.
fn narrow(settings: &mut Settings, profile: SuiteB) {
    settings.groups = profile.groups().into();
    settings.schemes = Some(profile.schemes().into());
    settings.client_schemes = None;
}

/// Sets the suites of TLS 1.3.
fn set_ciphersuites(function: &'static CStr, settings: &mut Arc<Settings>, list: Text) -> c_int {
    let Some(list) = list.get() else { return 0 };
    match parse_ciphersuites(list.to_bytes()) {
        Some(suites) => {
            Settings::change(settings, |settings| settings.ciphersuites = suites.into());
            1
        }
        None => {
            error::raise(function, reasons::NO_CIPHER_MATCH, None);
            0
        }
    }
}

/// All suites in order of preference: those of TLS 1.3 come first.
fn all(settings: &Settings) -> Vec<u16> {
    settings.ciphersuites.iter().chain(settings.cipher_list.iter()).copied().collect()
}

/// Those of [`all`] that a connection can use: its versions and its security level allow them.
fn usable(settings: &Settings) -> Vec<u16> {
    let mut ids = all(settings);
    ids.retain(|id| ciphers::by_id(*id).is_some_and(|cipher| settings.usable(cipher)));
    ids
}

/// The suites that a server has been offered and has, in the client's order.
fn shared(state: &SslState) -> Vec<&'static Cipher> {
    let own = all(&state.settings);
    let offered = state.connection.offered().into_iter().flat_map(ClientHello::suites);
    offered.filter(|id| own.contains(id)).filter_map(ciphers::by_id).collect()
}

/// What `SSL_bytes_to_cipher_list` reads: suites and signals.
fn read_suites(bytes: &[u8], sslv2: bool) -> Result<(Vec<u16>, Vec<u16>), c_int> {
    let size = if sslv2 { 3 } else { 2 };
    if bytes.is_empty() {
        return Err(reasons::NO_CIPHERS_SPECIFIED);
    }
    if !bytes.len().is_multiple_of(size) {
        return Err(reasons::ERROR_IN_RECEIVED_CIPHER_LIST);
    }
    let id = |bytes: &[u8]| match bytes {
        // In a hello of SSLv2 a suite of TLS has a zero before it.
        [high, low] | [0, high, low] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    };
    let known = bytes.chunks(size).filter_map(id);
    let known = known.filter(|id| ciphers::suite_or_signal(*id).is_some());
    let (signals, suites) = known.partition(|id| ciphers::is_signal(*id));
    Ok((suites, signals))
}

exported! {
    fn SSL_CTX_set_cipher_list(ctx: Handle<Ctx>, list: Text) -> c_int => 0, {
        let Some(ctx) = ctx.get() else { return 0 };
        set_cipher_list(c"SSL_CTX_set_cipher_list", &mut ctx.lock().settings, list)
    }

    fn SSL_set_cipher_list(ssl: Handle<Ssl>, list: Text) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        set_cipher_list(c"SSL_set_cipher_list", &mut ssl.lock().settings, list)
    }

    fn SSL_CTX_set_ciphersuites(ctx: Handle<Ctx>, list: Text) -> c_int => 0, {
        let Some(ctx) = ctx.get() else { return 0 };
        set_ciphersuites(c"SSL_CTX_set_ciphersuites", &mut ctx.lock().settings, list)
    }

    fn SSL_set_ciphersuites(ssl: Handle<Ssl>, list: Text) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        set_ciphersuites(c"SSL_set_ciphersuites", &mut ssl.lock().settings, list)
    }

    fn SSL_CTX_get_ciphers(ctx: Handle<Ctx>) -> *mut OPENSSL_STACK => std::ptr::null_mut(), {
        let Some(ctx) = ctx.get() else { return std::ptr::null_mut() };
        let mut state = ctx.lock();
        let ids = all(&state.settings);
        state.ciphers.show(ids)
    }

    fn SSL_get_ciphers(ssl: Handle<Ssl>) -> *mut OPENSSL_STACK => std::ptr::null_mut(), {
        let Some(ssl) = ssl.get() else { return std::ptr::null_mut() };
        let mut state = ssl.lock();
        let ids = all(&state.settings);
        state.ciphers.show(ids)
    }

    /// The stack is the program's. None when there is nothing in it, as in OpenSSL.
    fn SSL_get1_supported_ciphers(ssl: Handle<Ssl>) -> *mut OPENSSL_STACK
        => std::ptr::null_mut(),
    {
        let Some(ssl) = ssl.get() else { return std::ptr::null_mut() };
        let ids = usable(&ssl.lock().settings);
        match stack(&ids).filter(|_| !ids.is_empty()) {
            Some(stack) => stack.into_raw(),
            None => std::ptr::null_mut(),
        }
    }

    /// What the client has offered, as far as it is known here; on a server only.
    fn SSL_get_client_ciphers(ssl: Handle<Ssl>) -> *mut OPENSSL_STACK => std::ptr::null_mut(), {
        let Some(ssl) = ssl.get() else { return std::ptr::null_mut() };
        let mut state = ssl.lock();
        let ids: Vec<u16> = state
            .connection
            .offered()
            .into_iter()
            .flat_map(ClientHello::suites)
            .filter(|id| ciphers::by_id(*id).is_some())
            .collect();
        if ids.is_empty() {
            return std::ptr::null_mut();
        }
        state.handshake.client_ciphers.show(ids)
    }

    /// The name of the n-th suite, counted from 0.
    fn SSL_get_cipher_list(ssl: Handle<Ssl>, n: c_int) -> *const c_char => std::ptr::null(), {
        let nth = |state: &SslState| all(&state.settings).get(usize::try_from(n).ok()?).copied();
        let cipher = ssl.get().and_then(|ssl| nth(&ssl.lock())).and_then(ciphers::by_id);
        cipher.map_or(std::ptr::null(), |cipher| cipher.name.as_ptr())
    }

    /// Writes the names, with colons between them and as many as there is room for.
    fn SSL_get_shared_ciphers(ssl: Handle<Ssl>, room: *mut c_char, size: c_int) -> *mut c_char
        => std::ptr::null_mut(),
    {
        let Some(ssl) = ssl.get() else { return std::ptr::null_mut() };
        let shared = shared(&ssl.lock());
        let size = usize::try_from(size).unwrap_or(0);
        if room.is_null() || size < 2 || shared.is_empty() {
            return std::ptr::null_mut();
        }
        let mut text = Vec::new();
        for cipher in shared {
            let name = cipher.name.to_bytes();
            if text.len() + name.len() >= size {
                break;
            }
            text.extend_from_slice(name);
            text.push(b':');
        }
        // The zero stands where the last colon was.
        match text.last_mut() {
            Some(last) => *last = 0,
            None => text.push(0),
        }
        // SAFETY: the program has `size` bytes of room, and the text is no longer.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr().cast(), room, text.len()) };
        room
    }

    fn SSL_get_current_cipher(ssl: Handle<Ssl>) -> CipherRef => CipherRef::NULL, {
        ssl.get().and_then(|ssl| ciphers::by_id(ssl.lock().connection.suite()?)).into()
    }

    /// As the current suite: the engine changes the keys of both directions together.
    fn SSL_get_pending_cipher(ssl: Handle<Ssl>) -> CipherRef => CipherRef::NULL, {
        ssl.get().and_then(|ssl| ciphers::by_id(ssl.lock().connection.suite()?)).into()
    }

    /// Both stacks are the program's.
    fn SSL_bytes_to_cipher_list(
        _ssl: Handle<Ssl>,
        bytes: Bytes,
        length: usize,
        sslv2: c_int,
        suites: Out<*mut OPENSSL_STACK>,
        signals: Out<*mut OPENSSL_STACK>,
    ) -> c_int => 0, {
        let read = read_suites(bytes.get(length).unwrap_or_default(), sslv2 != 0);
        let (found, marks) = match read {
            Ok(read) => read,
            Err(reason) => {
                error::raise(c"SSL_bytes_to_cipher_list", reason, None);
                return 0;
            }
        };
        let (Some(found), Some(marks)) = (stack(&found), stack(&marks)) else { return 0 };
        if suites.is_wanted() {
            suites.set(found.into_raw());
        }
        if signals.is_wanted() {
            signals.set(marks.into_raw());
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::SignatureScheme;
    use rustls::crypto::kx::NamedGroup;

    use super::*;
    use crate::core::settings::TLS1_2;

    #[test]
    fn a_shown_list_keeps_its_stack_until_it_changes() {
        let mut shown = Shown::default();
        let first = shown.show(vec![0x1301, 0xC02F]);
        assert!(!first.is_null());
        assert_eq!(shown.show(vec![0x1301, 0xC02F]), first);
        assert!(!shown.show(vec![0x1301]).is_null());
        assert_eq!(shown.0.as_ref().unwrap().0, [0x1301]);
    }

    #[test]
    fn suite_b_narrows_groups_and_schemes() {
        let mut settings = Settings::default();
        narrow(&mut settings, SuiteB::Least192);
        assert_eq!(*settings.groups, [NamedGroup::secp384r1]);
        assert_eq!(settings.signing_schemes(true), [SignatureScheme::ECDSA_NISTP384_SHA384]);
        narrow(&mut settings, SuiteB::Least128);
        assert_eq!(settings.groups.len(), 2);
        assert_eq!(settings.accepted_schemes(true).len(), 2);
    }

    #[test]
    fn usable_suites() {
        let mut settings = Arc::new(Settings::default());
        assert_eq!(usable(&settings).len(), 9);
        Settings::change(&mut settings, |settings| settings.security_level = 4);
        assert_eq!(usable(&settings), [0x1302, 0x1303, 0xC02C, 0xC030, 0xCCA9, 0xCCA8]);
        Settings::change(&mut settings, |settings| settings.max_version = TLS1_2);
        assert_eq!(usable(&settings), [0xC02C, 0xC030, 0xCCA9, 0xCCA8]);
    }

    #[test]
    fn lists_in_bytes() {
        let tls = [0x13, 0x01, 0x00, 0x2F, 0x00, 0xFF, 0xC0, 0x2F];
        assert_eq!(read_suites(&tls, false), Ok((vec![0x1301, 0xC02F], vec![0x00FF])));
        let sslv2 = [0x07, 0x00, 0xC0, 0x00, 0xC0, 0x2F, 0x00, 0x00, 0xFF];
        assert_eq!(read_suites(&sslv2, true), Ok((vec![0xC02F], vec![0x00FF])));
        assert_eq!(read_suites(&[], false), Err(reasons::NO_CIPHERS_SPECIFIED));
        assert_eq!(read_suites(&[1], false), Err(reasons::ERROR_IN_RECEIVED_CIPHER_LIST));
    }
}
