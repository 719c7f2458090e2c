//! What both ends of a connection know and no one else: `SSL_export_keying_material(3)`; and the
//! randoms of its hellos, `SSL_get_client_random(3)`.

use std::ffi::c_int;

use zeroize::Zeroizing;

use crate::abi::arguments::{Bytes, Handle, Room};
use crate::abi::guard::exported;
use crate::abi::objects::Ssl;
use crate::core::connection::Randoms;
use crate::core::settings::TLS1_3;
use crate::sys::{error, reasons};

/// Copies what fits of a random; with no room at all the length is asked for.
fn copy(ssl: Handle<Ssl>, out: &Room, size: usize, which: fn(Randoms) -> [u8; 32]) -> usize {
    let Some(ssl) = ssl.get() else { return 0 };
    let random = which(ssl.lock().connection.randoms());
    if size == 0 { random.len() } else { out.fill(size, &random) }
}

/// Returns whether a program may export under a label.
fn may_export(label: &[u8], tls13: bool) -> bool {
    /// The field has 255 bytes, and "tls13 " stands before the label (RFC 8446, 7.1).
    const LONGEST: usize = 249;
    /// The labels of TLS 1.2 itself (RFC 5246, 6.3, 7.4.9, 8.1; RFC 7627, 4): a secret of the
    /// handshake must not come out under one of them (RFC 5705, 4).
    const RESERVED: [&[u8]; 5] = [
        b"client finished",
        b"server finished",
        b"master secret",
        b"extended master secret",
        b"key expansion",
    ];
    match tls13 {
        true => label.len() <= LONGEST,
        // As OpenSSL, which compares the beginnings.
        false => !RESERVED.iter().any(|reserved| label.starts_with(reserved)),
    }
}

exported! {
    fn SSL_get_client_random(ssl: Handle<Ssl>, out: Room, size: usize) -> usize => 0, {
        copy(ssl, &out, size, |randoms| randoms.client)
    }

    fn SSL_get_server_random(ssl: Handle<Ssl>, out: Room, size: usize) -> usize => 0, {
        copy(ssl, &out, size, |randoms| randoms.server)
    }

    /// In TLS 1.3 no context is the same as an empty one (RFC 8446, 7.5).
    fn SSL_export_keying_material(
        ssl: Handle<Ssl>,
        out: Room,
        length: usize,
        label: Bytes,
        label_length: usize,
        context: Bytes,
        context_length: usize,
        use_context: c_int,
    ) -> c_int => 0, {
        let (Some(ssl), Some(label)) = (ssl.get(), label.get(label_length)) else { return 0 };
        let context = match use_context {
            0 => None,
            _ => match context.get(context_length) {
                None => return 0,
                context => context,
            },
        };
        let material = {
            let state = ssl.lock();
            let Some(traffic) = state.connection.traffic() else { return -1 };
            if !may_export(label, state.connection.version() == Some(TLS1_3)) {
                drop(state);
                let function = c"SSL_export_keying_material";
                error::raise(function, reasons::TLS_ILLEGAL_EXPORTER_LABEL, None);
                return 0;
            }
            traffic.export(label, context, length).map(Zeroizing::new)
        };
        match material {
            Some(material) => { out.fill(length, &material); 1 }
            None => 0,
        }
    }
}
