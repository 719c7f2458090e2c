//! `certstatus check --starttls`: nine protocols, each to its TLS, refused, not offered, and with
//! something put in after the go-ahead.

use std::net::TcpStream;

use crate::net::{Ended, World, read_bytes, read_line, say};

/// What a server does when it is asked for TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Goes on to TLS.
    Accepts,
    /// Says no.
    Refuses,
    /// Does not say that it could.
    OffersNothing,
    /// Goes on to TLS, and sends something in the clear before it.
    Injects,
    /// Speaks something else.
    Babbles,
}

type Speak = fn(&mut TcpStream, Does) -> bool;

/// Checks a good server that speaks a protocol before TLS.
fn check(protocol: &str, speak: Speak, does: Does) -> Ended {
    let world = World::new();
    let staple = world.lab.respond(&world.leaf);
    let server = world.server().staple(staple).prelude(move |stream| speak(stream, does)).start();
    world.check(&server, &["--starttls", protocol, "--timeout", "5s"])
}

/// The outcomes that every protocol has.
fn all(protocol: &str, name: &str, speak: Speak) {
    let in_the_clear = format!("in the clear {name}");
    check(protocol, speak, Does::Accepts).says(0, &["GOOD", "TLS 1.3", &in_the_clear]);
    let injected = check(protocol, speak, Does::Injects);
    injected.says(1, &["FAILED", "follow the server's go-ahead in the clear"]);
    let babbled = check(protocol, speak, Does::Babbles);
    babbled.says(1, &[&format!("does not speak {name}"), "--starttls names the protocol"]);
}

fn smtp(stream: &mut TcpStream, does: Does) -> bool {
    if does == Does::Babbles {
        say(stream, "* OK IMAP4rev2\r\n");
        return false;
    }
    say(stream, "220-mail.example\r\n220 ESMTP\r\n");
    assert_eq!(read_line(stream), "EHLO [127.0.0.1]");
    let offer = if does == Does::OffersNothing { "" } else { "250-STARTTLS\r\n" };
    say(stream, format!("250-mail.example\r\n250-SIZE 1000\r\n{offer}250 HELP\r\n"));
    if read_line(stream) != "STARTTLS" {
        return false;
    }
    match does {
        Does::Refuses => say(stream, "454 4.7.0 TLS not available\r\n"),
        Does::Injects => say(stream, "220 Go ahead\r\n250 injected\r\n"),
        _ => say(stream, "220 Go ahead\r\n"),
    }
    does != Does::Refuses
}

#[test]
fn smtp_comes_to_tls_or_is_told_why_not() {
    all("smtp", "SMTP", smtp);
    check("smtp", smtp, Does::Refuses).says(1, &["refuses TLS: \"454 4.7.0 TLS not available\""]);
    check("smtp", smtp, Does::OffersNothing).says(1, &["does not list STARTTLS"]);
}

fn imap(stream: &mut TcpStream, does: Does) -> bool {
    if does == Does::Babbles {
        say(stream, "+OK POP3\r\n");
        return false;
    }
    say(stream, "* OK ready\r\n");
    assert_eq!(read_line(stream), "a1 CAPABILITY");
    let offer = if does == Does::OffersNothing { "" } else { " STARTTLS" };
    say(stream, format!("* CAPABILITY IMAP4rev1{offer} LOGINDISABLED\r\na1 OK done\r\n"));
    if read_line(stream) != "a2 STARTTLS" {
        return false;
    }
    match does {
        Does::Refuses => say(stream, "a2 BAD no certificate\r\n"),
        Does::Injects => say(stream, "a2 OK begin\r\n* CAPABILITY injected\r\n"),
        _ => say(stream, "a2 OK begin\r\n"),
    }
    does != Does::Refuses
}

#[test]
fn imap_comes_to_tls_or_is_told_why_not() {
    all("imap", "IMAP", imap);
    check("imap", imap, Does::Refuses).says(1, &["refuses TLS: \"a2 BAD no certificate\""]);
    check("imap", imap, Does::OffersNothing).says(1, &["capabilities do not list STARTTLS"]);
}

fn pop3(stream: &mut TcpStream, does: Does) -> bool {
    if does == Does::Babbles {
        say(stream, "220 SMTP\r\n");
        return false;
    }
    say(stream, "+OK ready\r\n");
    assert_eq!(read_line(stream), "STLS");
    match does {
        Does::Refuses => say(stream, "-ERR unknown command\r\n"),
        Does::Injects => say(stream, "+OK begin\r\n+OK injected\r\n"),
        _ => say(stream, "+OK begin\r\n"),
    }
    does != Does::Refuses
}

#[test]
fn pop3_comes_to_tls_or_is_told_why_not() {
    all("pop3", "POP3", pop3);
    check("pop3", pop3, Does::Refuses).says(1, &["refuses TLS: \"-ERR unknown command\""]);
}

fn ldap(stream: &mut TcpStream, does: Does) -> bool {
    let request = read_bytes(stream, 31);
    assert!(request.ends_with(b"1.3.6.1.4.1.1466.20037"), "{request:?}");
    match does {
        // The long form of the length, as Active Directory writes it.
        Does::Accepts => {
            say(stream, b"0\x84\0\0\0\x10\x02\x01\x01\x78\x84\0\0\0\x07\x0a\x01\0\x04\0\x04\0");
        }
        Does::Refuses | Does::OffersNothing => {
            say(stream, b"0\x13\x02\x01\x01\x78\x0e\x0a\x01\x34\x04\0\x04\x07no keys");
        }
        Does::Injects => say(stream, b"0\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\x000\x0c"),
        Does::Babbles => say(stream, "HTTP/1.1 400 Bad Request\r\n\r\n"),
    }
    matches!(does, Does::Accepts | Does::Injects)
}

#[test]
fn ldap_comes_to_tls_or_is_told_why_not() {
    all("ldap", "LDAP", ldap);
    let refused = check("ldap", ldap, Does::Refuses);
    refused.says(1, &["refuses TLS: result code 52 (unavailable) \"no keys\""]);
}

fn postgres(stream: &mut TcpStream, does: Does) -> bool {
    assert_eq!(read_bytes(stream, 8), [0, 0, 0, 8, 4, 210, 22, 47]);
    match does {
        Does::Accepts => say(stream, "S"),
        Does::Refuses | Does::OffersNothing => say(stream, "N"),
        Does::Injects => say(stream, "SR\0\0\0\x08\0\0\0\0"),
        Does::Babbles => say(stream, "H"),
    }
    matches!(does, Does::Accepts | Does::Injects)
}

#[test]
fn postgres_comes_to_tls_or_is_told_why_not() {
    all("postgres", "PostgreSQL", postgres);
    check("postgres", postgres, Does::Refuses).says(1, &["its answer to SSLRequest is N"]);
}

fn mysql(stream: &mut TcpStream, does: Does) -> bool {
    if does == Does::Babbles {
        say(stream, b"\x05\0\0\0HELLO");
        return false;
    }
    if does == Does::Refuses {
        say(stream, b"\x12\0\0\0\xff\x15\x04Host is blocked");
        return false;
    }
    let capabilities: u16 = if does == Does::OffersNothing { 0xf7ff } else { 0xffff };
    let mut greeting = vec![10];
    greeting.extend(b"8.4.0\0\x01\0\0\0scramble\0");
    greeting.extend(capabilities.to_le_bytes());
    greeting.extend(
        b"\x2d\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0more scramble\0mysql_native_password\0",
    );
    let mut packet = vec![greeting.len() as u8, 0, 0, 0];
    packet.extend(greeting);
    if does == Does::Injects {
        packet.extend(b"\x01\0\0\x02\xff");
    }
    say(stream, packet);
    if matches!(does, Does::OffersNothing | Does::Injects) {
        return false;
    }
    let request = read_bytes(stream, 36);
    assert_eq!(request[..4], [32, 0, 0, 1]);
    assert_eq!(u32::from_le_bytes(request[4..8].try_into().unwrap()) & 0x800, 0x800);
    true
}

#[test]
fn mysql_comes_to_tls_or_is_told_why_not() {
    all("mysql", "MySQL", mysql);
    check("mysql", mysql, Does::Refuses).says(1, &["refuses TLS: \"Host is blocked\""]);
    check("mysql", mysql, Does::OffersNothing).says(1, &["lacks the capability CLIENT_SSL"]);
}

fn ftp(stream: &mut TcpStream, does: Does) -> bool {
    if does == Does::Babbles {
        say(stream, "* OK IMAP4rev2\r\n");
        return false;
    }
    say(stream, "220-Welcome\r\n to this server\r\n220 ready\r\n");
    assert_eq!(read_line(stream), "AUTH TLS");
    match does {
        Does::Refuses => say(stream, "534 not by policy\r\n"),
        Does::OffersNothing => say(stream, "502 not implemented\r\n"),
        Does::Injects => say(stream, "234 go\r\n230 injected\r\n"),
        _ => say(stream, "234 go\r\n"),
    }
    matches!(does, Does::Accepts | Does::Injects)
}

#[test]
fn ftp_comes_to_tls_or_is_told_why_not() {
    all("ftp", "FTP", ftp);
    check("ftp", ftp, Does::Refuses).says(1, &["refuses TLS: \"534 not by policy\""]);
    check("ftp", ftp, Does::OffersNothing).says(1, &["does not know the command AUTH TLS"]);
}

fn sieve(stream: &mut TcpStream, does: Does) -> bool {
    if does == Does::Babbles {
        say(stream, "220 SMTP\r\n");
        return false;
    }
    let offer = if does == Does::OffersNothing { "" } else { "\"STARTTLS\"\r\n" };
    say(stream, format!("\"IMPLEMENTATION\" \"x\"\r\n{offer}OK \"ready\"\r\n"));
    if does == Does::OffersNothing {
        return false;
    }
    assert_eq!(read_line(stream), "STARTTLS");
    match does {
        Does::Refuses => say(stream, "NO \"not now\"\r\n"),
        Does::Injects => say(stream, "OK \"begin\"\r\n\"SASL\" \"injected\"\r\n"),
        _ => say(stream, "OK \"begin\"\r\n"),
    }
    does != Does::Refuses
}

#[test]
fn sieve_comes_to_tls_or_is_told_why_not() {
    all("sieve", "ManageSieve", sieve);
    check("sieve", sieve, Does::Refuses).says(1, &["refuses TLS: \"NO"]);
    check("sieve", sieve, Does::OffersNothing).says(1, &["capabilities do not list STARTTLS"]);
}

fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        text.push(char::from(read_bytes(stream, 1)[0]));
    }
    text
}

fn xmpp(stream: &mut TcpStream, does: Does) -> bool {
    if does == Does::Babbles {
        say(stream, "<html><body>Bad Request</body></html>");
        return false;
    }
    assert!(read_to(stream, "/streams'>").contains("to='127.0.0.1'"));
    let offer = match does {
        Does::OffersNothing => "",
        _ => "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>",
    };
    say(
        stream,
        format!(
            "<?xml version='1.0'?><stream:stream from='127.0.0.1' version='1.0'>\
             <stream:features>{offer}<mechanisms/></stream:features>"
        ),
    );
    if does == Does::OffersNothing {
        return false;
    }
    read_to(stream, "-tls'/>");
    match does {
        Does::Refuses => say(stream, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        Does::Injects => say(stream, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><a/>"),
        _ => say(stream, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'></proceed>"),
    }
    does != Does::Refuses
}

#[test]
fn xmpp_comes_to_tls_or_is_told_why_not() {
    all("xmpp", "XMPP", xmpp);
    check("xmpp", xmpp, Does::Refuses).says(1, &["refuses TLS: \"<failure"]);
    check("xmpp", xmpp, Does::OffersNothing).says(1, &["do not list starttls"]);
}

#[test]
fn a_server_that_never_ends_its_greeting_is_cut_off() {
    let endless: Speak = |stream, _| {
        use std::io::Write;
        // Until the client has had enough and goes.
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
        false
    };
    check("smtp", endless, Does::Accepts).says(1, &["more than 65536 bytes before TLS"]);
}
