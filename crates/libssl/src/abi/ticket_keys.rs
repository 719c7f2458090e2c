//! Tickets with the program's own keys: `SSL_CTX_set_tlsext_ticket_key_evp_cb(3)`.
//!
//! The engine seals and opens tickets inside a handshake, where no callback can run. So the
//! callback is called before: for the ticket that the client offers, which is opened at once, and
//! for as many as the handshake can make.

use std::ffi::{c_int, c_uchar, c_void};
use std::sync::Arc;

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::secret::Secret;
use crate::core::tickets::Sealer;
use crate::sys::libcrypto as ffi;
use crate::sys::ticket_cipher::{MacKind, NAME_LENGTH, TicketCipher, VECTOR_LENGTH};

/// `int (*)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, HMAC_CTX *, int)`, or with
/// an `EVP_MAC_CTX`.
pub(crate) type TicketKeyCb = unsafe extern "C" fn(
    Handle<Ssl>,
    *mut c_uchar,
    *mut c_uchar,
    *mut ffi::EVP_CIPHER_CTX,
    *mut c_void,
    c_int,
) -> c_int;

/// The callback of a context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TicketKey {
    pub(crate) callback: TicketKeyCb,
    pub(crate) kind: MacKind,
}

/// The most tickets that a handshake makes with a program's keys.
const MOST: usize = 16;

/// Sets the callback, of either kind; there is one.
pub(crate) fn set(ctx: &Ctx, callback: Option<TicketKeyCb>, kind: MacKind) -> c_int {
    ctx.lock().sessions.ticket_key = callback.map(|callback| TicketKey { callback, kind });
    1
}

/// Runs the callback for as many tickets as a handshake makes. Called with no lock held.
pub(crate) fn sealers(ssl: &Arc<Ssl>, key: TicketKey, count: usize) -> Vec<Sealer> {
    (0..count.min(MOST)).map_while(|_| sealer(ssl, key)).collect()
}

fn call(
    ssl: &Arc<Ssl>,
    key: TicketKey,
    name: &mut [u8; NAME_LENGTH],
    vector: &mut [u8; VECTOR_LENGTH],
    cipher: &TicketCipher,
    seal: bool,
) -> c_int {
    let (name, vector) = (name.as_mut_ptr(), vector.as_mut_ptr());
    let ssl = Handle::borrowed(ssl);
    // SAFETY: the program has set this function for this purpose and for this kind of MAC; name
    // and vector have the sizes that it expects, and the contexts live for the call.
    unsafe { (key.callback)(ssl, name, vector, cipher.cipher(), cipher.mac(), seal.into()) }
}

fn sealer(ssl: &Arc<Ssl>, key: TicketKey) -> Option<Sealer> {
    let cipher = TicketCipher::new(key.kind)?;
    let (mut name, mut vector) = ([0; NAME_LENGTH], [0; VECTOR_LENGTH]);
    let ready = call(ssl, key, &mut name, &mut vector, &cipher, true) > 0;
    ready.then_some(Sealer { name, vector, cipher })
}

/// A ticket that the callback has opened.
pub(crate) struct Opened {
    pub(crate) plain: Secret,
    /// Whether a resumption by it is to send a new one.
    pub(crate) renew: bool,
}

/// Opens a ticket by the callback. Called with no lock held.
pub(crate) fn open(ssl: &Arc<Ssl>, key: TicketKey, ticket: &[u8]) -> Option<Opened> {
    /// The answer of a callback that wants the ticket to be renewed.
    const RENEW: c_int = 2;
    let (mut name, rest) = ticket.split_first_chunk::<NAME_LENGTH>().map(|(n, r)| (*n, r))?;
    let mut vector = *rest.first_chunk::<VECTOR_LENGTH>()?;
    let cipher = TicketCipher::new(key.kind)?;
    let answer = call(ssl, key, &mut name, &mut vector, &cipher, false);
    let plain = (answer > 0).then(|| cipher.open(ticket))?.map(Secret::from)?;
    Some(Opened { plain, renew: answer == RENEW })
}

exported! {
    fn SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx: Handle<Ctx>, callback: Option<TicketKeyCb>)
        -> c_int => 0,
    {
        ctx.get().map_or(0, |ctx| set(ctx, callback, MacKind::Evp))
    }
}
