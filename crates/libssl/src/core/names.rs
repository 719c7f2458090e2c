//! OpenSSL's words for what is a number on the wire or in the API: alerts, states of the handshake
//! and of reading, versions. Most come in two lengths.

use std::ffi::{CStr, c_int};

/// A short and a long text for the same thing.
pub(crate) type Names = (&'static CStr, &'static CStr);

/// The level of an alert, for `SSL_alert_type_string(3)`: it is in the second byte of the value
/// that an info callback gets.
pub(crate) const fn alert_type(value: c_int) -> Names {
    match value >> 8 {
        1 => (c"W", c"warning"),
        2 => (c"F", c"fatal"),
        _ => (c"U", c"unknown"),
    }
}

/// The description of an alert (RFC 8446, 6 and the RFCs before it), for
/// `SSL_alert_desc_string(3)`: it is in the first byte of the value.
pub(crate) const fn alert_description(value: c_int) -> Names {
    match value & 0xFF {
        0 => (c"CN", c"close notify"),
        10 => (c"UM", c"unexpected_message"),
        20 => (c"BM", c"bad record mac"),
        21 => (c"DC", c"decryption failed"),
        22 => (c"RO", c"record overflow"),
        30 => (c"DF", c"decompression failure"),
        40 => (c"HF", c"handshake failure"),
        41 => (c"NC", c"no certificate"),
        42 => (c"BC", c"bad certificate"),
        43 => (c"UC", c"unsupported certificate"),
        44 => (c"CR", c"certificate revoked"),
        45 => (c"CE", c"certificate expired"),
        46 => (c"CU", c"certificate unknown"),
        47 => (c"IP", c"illegal parameter"),
        48 => (c"CA", c"unknown CA"),
        49 => (c"AD", c"access denied"),
        50 => (c"DE", c"decode error"),
        51 => (c"CY", c"decrypt error"),
        60 => (c"ER", c"export restriction"),
        70 => (c"PV", c"protocol version"),
        71 => (c"IS", c"insufficient security"),
        80 => (c"IE", c"internal error"),
        90 => (c"US", c"user canceled"),
        100 => (c"NR", c"no renegotiation"),
        110 => (c"UE", c"unsupported extension"),
        111 => (c"CO", c"certificate unobtainable"),
        112 => (c"UN", c"unrecognized name"),
        113 => (c"BR", c"bad certificate status response"),
        114 => (c"BH", c"bad certificate hash value"),
        115 => (c"UP", c"unknown PSK identity"),
        120 => (c"UK", c"no application protocol"),
        _ => (c"UK", c"unknown"),
    }
}

/// A state of the handshake, an `OSSL_HANDSHAKE_STATE`, for `SSL_state_string(3)`.
pub(crate) fn state(state: c_int) -> Names {
    let known = usize::try_from(state).ok().and_then(|state| STATES.get(state));
    known.copied().unwrap_or((c"UNKWN", c"unknown state"))
}

/// What `SSL_state_string(3)` says, whatever the state, once the handshake has failed.
pub(crate) const STATE_ERROR: Names = (c"SSLERR", c"error");

/// The states of the handshake, by number: `openssl/ssl.h`.
static STATES: [Names; 50] = [
    (c"PINIT", c"before SSL initialization"),
    (c"SSLOK", c"SSL negotiation finished successfully"),
    (c"DRCHV", c"DTLS1 read hello verify request"),
    (c"TRSH", c"SSLv3/TLS read server hello"),
    (c"TRSC", c"SSLv3/TLS read server certificate"),
    (c"TRCS", c"SSLv3/TLS read certificate status"),
    (c"TRSKE", c"SSLv3/TLS read server key exchange"),
    (c"TRCR", c"SSLv3/TLS read server certificate request"),
    (c"TRSD", c"SSLv3/TLS read server done"),
    (c"TRST", c"SSLv3/TLS read server session ticket"),
    (c"TRCCS", c"SSLv3/TLS read change cipher spec"),
    (c"TRFIN", c"SSLv3/TLS read finished"),
    (c"TWCH", c"SSLv3/TLS write client hello"),
    (c"TWCC", c"SSLv3/TLS write client certificate"),
    (c"TWCKE", c"SSLv3/TLS write client key exchange"),
    (c"TWCV", c"SSLv3/TLS write certificate verify"),
    (c"TWCCS", c"SSLv3/TLS write change cipher spec"),
    (c"TWNP", c"SSLv3/TLS write next proto"),
    (c"TWFIN", c"SSLv3/TLS write finished"),
    (c"TWHR", c"SSLv3/TLS write hello request"),
    (c"TRCH", c"SSLv3/TLS read client hello"),
    (c"DWCHV", c"DTLS1 write hello verify request"),
    (c"TWSH", c"SSLv3/TLS write server hello"),
    (c"TWSC", c"SSLv3/TLS write certificate"),
    (c"TWSKE", c"SSLv3/TLS write key exchange"),
    (c"TWCR", c"SSLv3/TLS write certificate request"),
    (c"TWSD", c"SSLv3/TLS write server done"),
    (c"TRCC", c"SSLv3/TLS read client certificate"),
    (c"TRCKE", c"SSLv3/TLS read client key exchange"),
    (c"TRCV", c"SSLv3/TLS read certificate verify"),
    (c"TRNP", c"SSLv3/TLS read next proto"),
    (c"TRCCS", c"SSLv3/TLS read change cipher spec"),
    (c"TRFIN", c"SSLv3/TLS read finished"),
    (c"TWST", c"SSLv3/TLS write session ticket"),
    (c"TWCS", c"SSLv3/TLS write certificate status"),
    (c"TWCCS", c"SSLv3/TLS write change cipher spec"),
    (c"TWFIN", c"SSLv3/TLS write finished"),
    (c"TWEE", c"TLSv1.3 write encrypted extensions"),
    (c"TREE", c"TLSv1.3 read encrypted extensions"),
    (c"TRSCV", c"TLSv1.3 read server certificate verify"),
    (c"TWSCV", c"TLSv1.3 write server certificate verify"),
    (c"TRHR", c"SSLv3/TLS read hello request"),
    (c"TWSKU", c"TLSv1.3 write server key update"),
    (c"TWCKU", c"TLSv1.3 write client key update"),
    (c"TRCKU", c"TLSv1.3 read client key update"),
    (c"TRSKU", c"TLSv1.3 read server key update"),
    (c"TED", c"TLSv1.3 early data"),
    (c"TPEDE", c"TLSv1.3 pending early data end"),
    (c"TWEOED", c"TLSv1.3 write end of early data"),
    (c"TWEOED", c"TLSv1.3 read end of early data"),
];

/// A state of reading records, `SSL_ST_READ_HEADER` and so on, for `SSL_rstate_string(3)`.
pub(crate) const fn read_state(state: c_int) -> Names {
    match state {
        0xF0 => (c"RH", c"read header"),
        0xF1 => (c"RB", c"read body"),
        0xF2 => (c"RD", c"read done"),
        _ => (c"unknown", c"unknown"),
    }
}

/// A version of the protocol, for `SSL_get_version(3)`.
pub(crate) const fn version(version: c_int) -> &'static CStr {
    match version {
        0x0300 => c"SSLv3",
        0x0301 => c"TLSv1",
        0x0302 => c"TLSv1.1",
        0x0303 => c"TLSv1.2",
        0x0304 => c"TLSv1.3",
        0x0100 => c"DTLSv0.9",
        0xFEFF => c"DTLSv1",
        0xFEFD => c"DTLSv1.2",
        _ => c"unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts() {
        assert_eq!(alert_type(0x0228), (c"F", c"fatal"));
        assert_eq!(alert_type(0x0100), (c"W", c"warning"));
        assert_eq!(alert_type(2).0, c"U");
        assert_eq!(alert_description(0x0228), (c"HF", c"handshake failure"));
        assert_eq!(alert_description(10), (c"UM", c"unexpected_message"));
        assert_eq!(alert_description(113), (c"BR", c"bad certificate status response"));
        // OpenSSL 3.0 has no words for the alerts of TLS 1.3.
        assert_eq!(alert_description(116).0, c"UK");
        assert_eq!(alert_description(-1).0, c"UK");
        let known = (0..=255).filter(|value| alert_description(*value).0 != c"UK").count();
        assert_eq!(known, 30);
    }

    #[test]
    fn states() {
        assert_eq!(state(0), (c"PINIT", c"before SSL initialization"));
        assert_eq!(state(1), (c"SSLOK", c"SSL negotiation finished successfully"));
        assert_eq!(state(5), (c"TRCS", c"SSLv3/TLS read certificate status"));
        assert_eq!(state(34), (c"TWCS", c"SSLv3/TLS write certificate status"));
        assert_eq!(state(49), (c"TWEOED", c"TLSv1.3 read end of early data"));
        assert_eq!([-1, 50, c_int::MAX].map(|s| state(s).0), [c"UNKWN"; 3]);
        assert_eq!(read_state(0xF0), (c"RH", c"read header"));
        assert_eq!(read_state(0).0, c"unknown");
    }

    #[test]
    fn versions() {
        assert_eq!(version(0x0303), c"TLSv1.2");
        assert_eq!(version(0x0304), c"TLSv1.3");
        assert_eq!(version(0x0305), c"unknown");
    }
}
