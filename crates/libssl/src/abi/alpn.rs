//! Choosing a protocol: `SSL_select_next_proto(3)`. The lists and callbacks of ALPN are set in
//! [`crate::abi::context`] and [`crate::abi::handshake`].

use std::ffi::{c_int, c_uchar, c_uint};

use crate::abi::arguments::{Bytes, Out};
use crate::abi::guard::exported;
use crate::core::settings::split_protocols;

/// `OPENSSL_NPN_NEGOTIATED`: a protocol of both lists.
const NEGOTIATED: c_int = 1;
/// `OPENSSL_NPN_NO_OVERLAP`: none is in both; the client's first is given.
const NO_OVERLAP: c_int = 2;

/// Where the first protocol of `server` that `client` has too starts, and how long it is.
fn common(server: &[u8], client: &[u8]) -> Option<(usize, u8)> {
    let client = split_protocols(client)?;
    let mut start = 1;
    for protocol in split_protocols(server)? {
        if client.contains(&protocol) {
            return Some((start, u8::try_from(protocol.len()).ok()?));
        }
        start += protocol.len() + 1;
    }
    None
}

exported! {
    /// The result points into one of the lists, which are in wire format.
    fn SSL_select_next_proto(
        out: Out<*const c_uchar>,
        out_length: Out<c_uchar>,
        server: Bytes,
        server_length: c_uint,
        client: Bytes,
        client_length: c_uint,
    ) -> c_int => NO_OVERLAP, {
        let (Some(ours), Some(theirs)) = (server.get(server_length), client.get(client_length))
        else {
            return NO_OVERLAP;
        };
        if let Some((start, length)) = common(ours, theirs) {
            out.set(ours.get(start..).unwrap_or_default().as_ptr());
            out_length.set(length);
            return NEGOTIATED;
        }
        // The client's first, or nothing when its list is not one.
        let first = split_protocols(theirs).and_then(|protocols| protocols.into_iter().next());
        match first.and_then(|protocol| u8::try_from(protocol.len()).ok()) {
            Some(length) => {
                out.set(theirs.get(1..).unwrap_or_default().as_ptr());
                out_length.set(length);
            }
            None => {
                out.set(std::ptr::null());
                out_length.set(0);
            }
        }
        NO_OVERLAP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_order_decides() {
        assert_eq!(common(b"\x02h2\x08http/1.1", b"\x08http/1.1\x02h2"), Some((1, 2)));
        assert_eq!(common(b"\x02h2\x08http/1.1", b"\x08http/1.1"), Some((4, 8)));
        assert_eq!(common(b"\x02h2", b"\x08http/1.1"), None);
        assert_eq!(common(b"\x09h2", b"\x02h2"), None);
    }
}
