//! What the ClientHello callback asks: `SSL_client_hello_get0_ext(3)` and its like. Outside of that
//! callback there is nothing to say, as in OpenSSL.

use std::ffi::{c_int, c_uint};

use crate::abi::arguments::{Handle, Out, int};
use crate::abi::guard::exported;
use crate::abi::handshake_state::ServerStage;
use crate::abi::objects::Ssl;
use crate::core::client_hello::ClientHello;
use crate::sys::libcrypto as ffi;

/// The extensions that OpenSSL 3.0 knows: of the others it tells nothing.
const KNOWN: [u16; 26] = [
    0xFF01, 0, 1, 12, 11, 10, 35, 5, 13172, 16, 14, 22, 18, 23, 50, 49, 13, 43, 45, 51, 44, 0xFDE8,
    42, 47, 21, 41,
];

/// Whether OpenSSL 3.0 knows the extension.
pub(crate) fn is_known(kind: u16) -> bool {
    KNOWN.contains(&kind)
}

/// The extensions that OpenSSL 3.0 deals with itself, so that programs cannot add their own.
const INTERNAL: [c_uint; 24] = [
    0, 1, 5, 10, 11, 12, 13, 14, 16, 18, 21, 22, 23, 35, 41, 42, 43, 44, 45, 47, 49, 51, 13172,
    0xFF01,
];

/// Reads the hello, while its callback runs. What `read` returns may point into the hello, which
/// stays in the connection until the callback is over.
fn with<T>(ssl: Handle<Ssl>, read: impl FnOnce(&ClientHello) -> T) -> Option<T> {
    let state = ssl.get()?.lock();
    let in_callback = state.handshake.server_stage < ServerStage::ClientHelloDone;
    state.connection.hello().filter(|_| in_callback).map(read)
}

fn show(ssl: Handle<Ssl>, out: &Out<*const u8>, field: fn(&ClientHello) -> &[u8]) -> usize {
    with(ssl, |hello| {
        let bytes = field(hello);
        out.set(bytes.as_ptr());
        bytes.len()
    })
    .unwrap_or(0)
}

/// Numbers in memory of libcrypto's. NULL when it is out, or there are none.
fn numbers(numbers: &[c_int]) -> *mut c_int {
    if numbers.is_empty() {
        return std::ptr::null_mut();
    }
    // SAFETY: the memory has room for all of them, and does not overlap with this library's own.
    unsafe {
        let size = size_of_val(numbers);
        let copy: *mut c_int = ffi::CRYPTO_malloc(size, std::ptr::null(), 0).cast();
        if !copy.is_null() {
            std::ptr::copy_nonoverlapping(numbers.as_ptr(), copy, numbers.len());
        }
        copy
    }
}

exported! {
    fn SSL_extension_supported(kind: c_uint) -> c_int => 0, {
        int(INTERNAL.contains(&kind))
    }

    /// A hello in the format of SSL 2 is not read at all.
    fn SSL_client_hello_isv2(_ssl: Handle<Ssl>) -> c_int => 0, { 0 }

    fn SSL_client_hello_get0_legacy_version(ssl: Handle<Ssl>) -> c_uint => 0, {
        with(ssl, |hello| c_uint::from(hello.legacy_version)).unwrap_or(0)
    }

    fn SSL_client_hello_get0_random(ssl: Handle<Ssl>, out: Out<*const u8>) -> usize => 0, {
        show(ssl, &out, |hello| &hello.random)
    }

    fn SSL_client_hello_get0_session_id(ssl: Handle<Ssl>, out: Out<*const u8>) -> usize => 0, {
        show(ssl, &out, |hello| &hello.session_id)
    }

    fn SSL_client_hello_get0_ciphers(ssl: Handle<Ssl>, out: Out<*const u8>) -> usize => 0, {
        show(ssl, &out, |hello| &hello.cipher_suites)
    }

    fn SSL_client_hello_get0_compression_methods(ssl: Handle<Ssl>, out: Out<*const u8>) -> usize
        => 0,
    {
        show(ssl, &out, |hello| &hello.compression_methods)
    }

    fn SSL_client_hello_get0_ext(
        ssl: Handle<Ssl>,
        kind: c_uint,
        out: Out<*const u8>,
        length: Out<usize>,
    ) -> c_int => 0, {
        let found = with(ssl, |hello| {
            let kind = u16::try_from(kind).ok().filter(|kind| KNOWN.contains(kind))?;
            let contents = hello.extension(kind)?;
            out.set(contents.as_ptr());
            length.set(contents.len());
            Some(())
        });
        int(found.flatten().is_some())
    }

    /// The program frees the list.
    fn SSL_client_hello_get1_extensions_present(
        ssl: Handle<Ssl>,
        out: Out<*mut c_int>,
        length: Out<usize>,
    ) -> c_int => 0, {
        let kinds = with(ssl, |hello| {
            let kinds = hello.extensions.iter().map(|(kind, _)| *kind);
            kinds.filter(|kind| KNOWN.contains(kind)).map(c_int::from).collect::<Vec<_>>()
        });
        let Some(kinds) = kinds.filter(|_| out.is_wanted() && length.is_wanted()) else {
            return 0;
        };
        let list = numbers(&kinds);
        if list.is_null() && !kinds.is_empty() {
            return 0;
        }
        out.set(list);
        length.set(kinds.len());
        1
    }
}
