//! Signature algorithms: `SSL_CTX_set1_sigalgs(3)`, `SSL_get_sigalgs(3)`.

use std::ffi::{CStr, c_int, c_long, c_uchar, c_void};

use rustls::crypto::SignatureScheme;

use crate::abi::arguments::{Handle, Out, int, long};
use crate::abi::context::HasSettings;
use crate::abi::groups::numbers;
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ssl, SslState};
use crate::core::client_hello::ClientHello;
use crate::core::settings::{OP_CIPHER_SERVER_PREFERENCE, Settings};
use crate::core::signatures::{by_id, parse_schemes, schemes_of_nids};

/// `SSL_CTRL_SET_SIGALGS`: `count` NIDs, a hash and a kind of key in turn.
pub(crate) fn set(object: &impl HasSettings, count: c_long, nids: *mut c_void) -> c_long {
    // SAFETY: the program passes `count` readable ints with this command.
    let nids = unsafe { numbers(nids, count) };
    store(object, schemes_of_nids(nids), |settings, list| settings.schemes = Some(list.into()))
}

/// `SSL_CTRL_SET_SIGALGS_LIST`: names with colons between them.
pub(crate) fn set_list(object: &impl HasSettings, _: c_long, list: *mut c_void) -> c_long {
    // SAFETY: the program passes a string of C with this command, or NULL.
    let schemes = unsafe { parse(list) };
    store(object, schemes, |settings, list| settings.schemes = Some(list.into()))
}

/// `SSL_CTRL_SET_CLIENT_SIGALGS`: as [`set`], for the client's certificate.
pub(crate) fn set_client(object: &impl HasSettings, count: c_long, nids: *mut c_void) -> c_long {
    // SAFETY: as in `set`.
    let schemes = schemes_of_nids(unsafe { numbers(nids, count) });
    store(object, schemes, |settings, list| settings.client_schemes = Some(list.into()))
}

/// `SSL_CTRL_SET_CLIENT_SIGALGS_LIST`: as [`set_list`], for the client's certificate.
pub(crate) fn set_client_list(object: &impl HasSettings, _: c_long, list: *mut c_void) -> c_long {
    // SAFETY: as in `set_list`.
    let schemes = unsafe { parse(list) };
    store(object, schemes, |settings, list| settings.client_schemes = Some(list.into()))
}

/// # Safety
/// `list` is NULL or a string of C.
unsafe fn parse(list: *const c_void) -> Option<Vec<SignatureScheme>> {
    if list.is_null() {
        return None;
    }
    // SAFETY: the caller promises it.
    parse_schemes(unsafe { CStr::from_ptr(list.cast()) }.to_bytes())
}

fn store(
    object: &impl HasSettings,
    schemes: Option<Vec<SignatureScheme>>,
    set: impl FnOnce(&mut Settings, Vec<SignatureScheme>),
) -> c_long {
    let Some(schemes) = schemes else { return 0 };
    object.change(|settings| set(settings, schemes));
    1
}

/// `SSL_CTRL_GET_PEER_SIGNATURE_NID`: writes the hash that the peer has signed with.
pub(crate) fn peer_hash(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    write(out, hash(ssl.lock().connection.signatures.peer()))
}

/// `SSL_CTRL_GET_SIGNATURE_NID`: writes the hash that this side has signed with.
pub(crate) fn own_hash(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    write(out, hash(ssl.lock().connection.signatures.own()))
}

fn hash(id: Option<SignatureScheme>) -> Option<c_int> {
    Some(by_id(id?)?.hash_nid)
}

fn kind(id: Option<SignatureScheme>) -> Option<c_int> {
    Some(by_id(id?)?.key_nid)
}

fn write(out: *mut c_void, nid: Option<c_int>) -> c_long {
    long(nid.is_some_and(|nid| Out::from_void(out).set(nid)))
}

/// Where `SSL_get_sigalgs` and its like write what they say of a scheme.
struct Facts {
    key: Out<c_int>,
    hash: Out<c_int>,
    pair: Out<c_int>,
    low: Out<c_uchar>,
    high: Out<c_uchar>,
}

impl Facts {
    fn set(&self, id: SignatureScheme) {
        let scheme = by_id(id);
        self.key.set(scheme.map_or(0, |scheme| scheme.key_nid));
        self.hash.set(scheme.map_or(0, |scheme| scheme.hash_nid));
        self.pair.set(scheme.map_or(0, |scheme| scheme.pair_nid));
        let [high, low] = u16::from(id).to_be_bytes();
        self.low.set(low);
        self.high.set(high);
    }

    /// Writes the scheme at `at`, and returns how many there are. 0 when there is none there, but
    /// for a negative `at`, which asks for the number.
    fn show(&self, schemes: &[SignatureScheme], at: c_int) -> c_int {
        if let Ok(at) = usize::try_from(at) {
            let Some(id) = schemes.get(at) else { return 0 };
            self.set(*id);
        }
        c_int::try_from(schemes.len()).unwrap_or(c_int::MAX)
    }
}

/// The schemes that the peer verifies: a client's in its hello, a server's in its request for a
/// certificate.
fn offered(state: &SslState) -> Vec<SignatureScheme> {
    let request = || state.connection.signatures.request().map(|request| request.schemes.clone());
    match state.side {
        Some(Side::Client) => request().unwrap_or_default(),
        _ => state.connection.offered().map(ClientHello::signature_schemes).unwrap_or_default(),
    }
}

/// The schemes that both sides have; in the peer's order, unless this side insists on its own.
pub(crate) fn shared(state: &SslState) -> Vec<SignatureScheme> {
    let own = state.settings.signing_schemes(state.side != Some(Side::Client));
    let (mut preferred, others) = match state.settings.has_option(OP_CIPHER_SERVER_PREFERENCE) {
        true => (own, offered(state)),
        false => (offered(state), own),
    };
    preferred.retain(|id| others.contains(id));
    preferred
}

exported! {
    fn SSL_get_peer_signature_type_nid(ssl: Handle<Ssl>, out: Out<c_int>) -> c_int => 0, {
        let nid = ssl.get().and_then(|ssl| kind(ssl.lock().connection.signatures.peer()));
        int(nid.is_some_and(|nid| out.set(nid)))
    }

    fn SSL_get_signature_type_nid(ssl: Handle<Ssl>, out: Out<c_int>) -> c_int => 0, {
        let nid = ssl.get().and_then(|ssl| kind(ssl.lock().connection.signatures.own()));
        int(nid.is_some_and(|nid| out.set(nid)))
    }

    fn SSL_get_sigalgs(
        ssl: Handle<Ssl>,
        at: c_int,
        key: Out<c_int>,
        hash: Out<c_int>,
        pair: Out<c_int>,
        low: Out<c_uchar>,
        high: Out<c_uchar>,
    ) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        Facts { key, hash, pair, low, high }.show(&offered(&ssl.lock()), at)
    }

    fn SSL_get_shared_sigalgs(
        ssl: Handle<Ssl>,
        at: c_int,
        key: Out<c_int>,
        hash: Out<c_int>,
        pair: Out<c_int>,
        low: Out<c_uchar>,
        high: Out<c_uchar>,
    ) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        if at < 0 {
            return 0;
        }
        Facts { key, hash, pair, low, high }.show(&shared(&ssl.lock()), at)
    }
}
