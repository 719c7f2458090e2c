//! The step to TLS in the protocols that speak in bytes: LDAP (RFC 4511, 4.14), PostgreSQL
//! (Frontend/Backend Protocol 3.0, SSL Session Encryption) and MySQL (Connection Phase, protocol
//! version 10).

use super::wire::Wire;
use super::{Protocol, StartTlsError, quoted};

/// `LDAPMessage { 1, ExtendedRequest { requestName 1.3.6.1.4.1.1466.20037 } }`
const LDAP_START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// Sends the StartTLS request, and takes `success` for the go-ahead.
pub(super) async fn ldap(wire: &mut Wire<'_>) -> Result<(), StartTlsError> {
    wire.send(LDAP_START_TLS).await?;
    let unexpected = |found: &[u8]| unexpected(Protocol::Ldap, "an ExtendedResponse", found);
    let header = wire.exactly(2).await?;
    let &[0x30, length] = header.as_slice() else { return Err(unexpected(&header)) };
    // BER: the length may be in the long form even where the short one would do, and is with
    // Active Directory.
    let long = wire.exactly(if length < 0x80 { 0 } else { usize::from(length & 0x7f) }).await?;
    let length = if length < 0x80 { usize::from(length) } else { big_endian(&long) };
    let message = wire.exactly(length).await?;
    let response = ExtendedResponse::read(&message).ok_or_else(|| unexpected(&message))?;
    match response.result_code {
        0 => Ok(()),
        code => Err(StartTlsError::Refused(format!(
            "result code {code} ({}) {}",
            ldap_result(code),
            quoted(&String::from_utf8_lossy(response.diagnostic_message))
        ))),
    }
}

/// ```asn1
/// LDAPMessage ::= SEQUENCE { messageID INTEGER, extendedResp [APPLICATION 24] SEQUENCE {
///     resultCode         ENUMERATED,
///     matchedDN          OCTET STRING,
///     diagnosticMessage  OCTET STRING, ... } }
/// ```
struct ExtendedResponse<'a> {
    result_code: usize,
    diagnostic_message: &'a [u8],
}

impl<'a> ExtendedResponse<'a> {
    /// From the contents of the message; `None` when it is something else.
    fn read(message: &'a [u8]) -> Option<Self> {
        let (_, rest) = element(message, 0x02)?;
        let (response, _) = element(rest, 0x78)?;
        let (result_code, rest) = element(response, 0x0a)?;
        let (_, rest) = element(rest, 0x04)?;
        let (diagnostic_message, _) = element(rest, 0x04)?;
        Some(Self { result_code: big_endian(result_code), diagnostic_message })
    }
}

/// The contents of the BER element with that tag at the start of `bytes`, and what follows.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (big_endian(length), rest)
        }
    };
    rest.split_at_checked(length).filter(|_| found == tag)
}

/// Saturating: a length that does not fit is longer than any limit.
fn big_endian(bytes: &[u8]) -> usize {
    bytes.iter().fold(0_usize, |all, byte| all.saturating_mul(256).saturating_add((*byte).into()))
}

/// The names of the results that servers give to StartTLS (RFC 4511, 4.1.9 and 4.14.2).
fn ldap_result(code: usize) -> &'static str {
    match code {
        1 => "operationsError",
        2 => "protocolError",
        8 => "strongerAuthRequired",
        10 => "referral",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        _ => "other",
    }
}

/// Sends SSLRequest; the server answers with one letter.
pub(super) async fn postgres(wire: &mut Wire<'_>) -> Result<(), StartTlsError> {
    /// Length 8, and the code 1234 5679 in place of a protocol version.
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    wire.send(&SSL_REQUEST).await?;
    let answer = wire.exactly(1).await?;
    match answer.as_slice() {
        b"S" => Ok(()),
        b"N" => Err(StartTlsError::Refused("its answer to SSLRequest is N".to_owned())),
        // The text of the error is not shown: nothing says that it is the server's own.
        b"E" => Err(StartTlsError::Refused("its answer to SSLRequest is an error".to_owned())),
        other => Err(unexpected(Protocol::Postgres, "S or N", other)),
    }
}

/// Reads the greeting and sends SSLRequest, to which there is no answer but TLS. So nothing may
/// follow the greeting.
pub(super) async fn mysql(wire: &mut Wire<'_>) -> Result<(), StartTlsError> {
    const CLIENT_PROTOCOL_41: u32 = 0x0000_0200;
    const CLIENT_SSL: u32 = 0x0000_0800;
    const CLIENT_SECURE_CONNECTION: u32 = 0x0000_8000;
    const MAX_PACKET: u32 = 1 << 24;
    const UTF8MB4: u8 = 45;

    let header = wire.exactly(4).await?;
    let &[a, b, c, sequence] = header.as_slice() else {
        return Err(unexpected(Protocol::Mysql, "a packet", &header));
    };
    let packet = wire.exactly(big_endian(&[c, b, a])).await?;
    wire.nothing_left()?;
    if u32::from(mysql_capabilities(&packet)?) & CLIENT_SSL == 0 {
        return Err(StartTlsError::NotOffered("its greeting lacks the capability CLIENT_SSL"));
    }
    let capabilities = CLIENT_PROTOCOL_41 | CLIENT_SSL | CLIENT_SECURE_CONNECTION;
    let mut request = vec![32, 0, 0, sequence.wrapping_add(1)];
    request.extend(capabilities.to_le_bytes());
    request.extend(MAX_PACKET.to_le_bytes());
    request.push(UTF8MB4);
    request.extend([0; 23]);
    wire.send(&request).await
}

/// The lower half of the capabilities in a greeting: protocol version, server version up to its
/// NUL, thread (4 bytes), scramble (8), filler (1), capabilities (2).
fn mysql_capabilities(packet: &[u8]) -> Result<u16, StartTlsError> {
    const GREETING: &str = "a greeting of protocol version 10";
    match packet.split_first() {
        Some((10, rest)) => {
            let end = rest.iter().position(|byte| *byte == 0);
            end.and_then(|end| rest.get(end + 14..end + 16))
                .and_then(|bytes| bytes.try_into().ok())
                .map(u16::from_le_bytes)
                .ok_or_else(|| unexpected(Protocol::Mysql, GREETING, packet))
        }
        // ERR: a code in two bytes, and the text.
        Some((0xff, rest)) => {
            let text = rest.get(2..).unwrap_or_default();
            Err(StartTlsError::Refused(quoted(&String::from_utf8_lossy(text))))
        }
        _ => Err(unexpected(Protocol::Mysql, GREETING, packet)),
    }
}

fn unexpected(protocol: Protocol, expected: &'static str, found: &[u8]) -> StartTlsError {
    let start = found.get(..found.len().min(16)).unwrap_or_default();
    StartTlsError::Unexpected { protocol, expected, found: format!("0x{}", certstatus::hex(start)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldap_responses_read_in_both_forms_of_length() {
        let short = b"\x02\x01\x01\x78\x09\x0a\x01\x34\x04\x00\x04\x02no";
        let long = b"\x02\x01\x01\x78\x84\x00\x00\x00\x09\x0a\x01\x34\x04\x00\x04\x02no";
        for message in [&short[..], &long[..]] {
            let response = ExtendedResponse::read(message).unwrap();
            assert_eq!(response.result_code, 52);
            assert_eq!(response.diagnostic_message, b"no");
        }
        for end in 0..short.len() {
            assert!(ExtendedResponse::read(&short[..end]).is_none());
        }
        assert!(ExtendedResponse::read(b"\x02\xff\x01").is_none());
    }

    #[test]
    fn the_start_tls_request_has_the_lengths_it_says() {
        assert_eq!(usize::from(LDAP_START_TLS[1]), LDAP_START_TLS.len() - 2);
        assert_eq!(usize::from(LDAP_START_TLS[6]), LDAP_START_TLS.len() - 7);
        assert_eq!(usize::from(LDAP_START_TLS[8]), LDAP_START_TLS.len() - 9);
    }

    #[test]
    fn mysql_greetings_are_read_to_their_capabilities() {
        let mut greeting = vec![10];
        greeting.extend(b"8.4.0\0");
        greeting.extend([0; 13]);
        greeting.extend([0xff, 0x0a]);
        assert_eq!(mysql_capabilities(&greeting).unwrap(), 0x0aff);
        for end in 0..greeting.len() {
            assert!(mysql_capabilities(&greeting[..end]).is_err(), "{end}");
        }
        let refused = mysql_capabilities(b"\xff\x15\x04Host is blocked").unwrap_err();
        assert_eq!(refused.to_string(), "the server refuses TLS: \"Host is blocked\"");
    }
}
