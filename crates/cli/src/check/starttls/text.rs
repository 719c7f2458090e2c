//! The step to TLS in the protocols that speak in lines: SMTP (RFC 3207), IMAP (RFC 9051, 6.2.1),
//! POP3 (RFC 2595, 4), FTP (RFC 4217) and ManageSieve (RFC 5804).

use std::net::IpAddr;

use super::wire::Wire;
use super::{Protocol, StartTlsError, quoted};

/// EHLO, and STARTTLS when the server lists it.
pub(super) async fn smtp(wire: &mut Wire<'_>, local: IpAddr) -> Result<(), StartTlsError> {
    let (code, text) = reply(wire, Protocol::Smtp).await?;
    match code.as_str() {
        "220" => {}
        _ => return Err(StartTlsError::Refused(said(&code, &text))),
    }
    // A client without a name of its own gives its address (RFC 5321, 4.1.3).
    let literal = match local {
        IpAddr::V4(address) => format!("[{address}]"),
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    };
    wire.send(format!("EHLO {literal}\r\n").as_bytes()).await?;
    let (code, text) = reply(wire, Protocol::Smtp).await?;
    if code != "250" {
        return Err(StartTlsError::Refused(said(&code, &text)));
    }
    if !text.iter().skip(1).any(|line| has_word(line, "STARTTLS")) {
        return Err(StartTlsError::NotOffered("its answer to EHLO does not list STARTTLS"));
    }
    wire.send(b"STARTTLS\r\n").await?;
    let (code, text) = reply(wire, Protocol::Smtp).await?;
    if code != "220" {
        return Err(StartTlsError::Refused(said(&code, &text)));
    }
    Ok(())
}

/// A reply of one or more lines (RFC 5321, 4.2.1; RFC 959, 4.2): its code, and the text of each line. In
/// FTP lines between the first and the last may be without a code.
async fn reply(
    wire: &mut Wire<'_>,
    protocol: Protocol,
) -> Result<(String, Vec<String>), StartTlsError> {
    let mut texts = Vec::new();
    let mut expected: Option<String> = None;
    loop {
        let line = wire.line().await?;
        let code = line.get(..3).filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
        let same = |code: &&str| expected.as_deref().is_none_or(|expected| expected == *code);
        let Some(code) = code.filter(same).map(str::to_owned) else {
            if protocol == Protocol::Ftp && expected.is_some() {
                texts.push(line);
                continue;
            }
            return Err(unexpected(protocol, "a reply code", &line));
        };
        texts.push(line.get(4..).unwrap_or_default().to_owned());
        match line.as_bytes().get(3) {
            Some(b'-') => expected = Some(code),
            Some(b' ') | None => return Ok((code, texts)),
            Some(_) => return Err(unexpected(protocol, "a reply code", &line)),
        }
    }
}

/// The greeting, and AUTH TLS. Its answer says whether the server can; FEAT need not be asked first.
pub(super) async fn ftp(wire: &mut Wire<'_>) -> Result<(), StartTlsError> {
    let (code, text) = reply(wire, Protocol::Ftp).await?;
    // 120: the service will be ready soon, and says 220 then.
    let (code, text) = match code.as_str() {
        "120" => reply(wire, Protocol::Ftp).await?,
        _ => (code, text),
    };
    if code != "220" {
        return Err(StartTlsError::Refused(said(&code, &text)));
    }
    wire.send(b"AUTH TLS\r\n").await?;
    let (code, text) = reply(wire, Protocol::Ftp).await?;
    match code.as_str() {
        "234" => Ok(()),
        "500" | "502" | "504" => {
            Err(StartTlsError::NotOffered("it does not know the command AUTH TLS"))
        }
        _ => Err(StartTlsError::Refused(said(&code, &text))),
    }
}

/// The capabilities, which ManageSieve sends as its greeting, and STARTTLS when the server lists it.
pub(super) async fn sieve(wire: &mut Wire<'_>) -> Result<(), StartTlsError> {
    if !sieve_answer(wire).await?.iter().any(|line| has_word(line, "\"STARTTLS\"")) {
        return Err(StartTlsError::NotOffered("its capabilities do not list STARTTLS"));
    }
    wire.send(b"STARTTLS\r\n").await?;
    sieve_answer(wire).await.map(drop)
}

/// The lines of an answer up to its OK (RFC 5804, 1.2).
async fn sieve_answer(wire: &mut Wire<'_>) -> Result<Vec<String>, StartTlsError> {
    let mut lines = Vec::new();
    loop {
        let line = wire.line().await?;
        let first = line.split([' ', '(']).next().unwrap_or_default().to_ascii_uppercase();
        match first.as_str() {
            "OK" => return Ok(lines),
            "NO" | "BYE" => return Err(StartTlsError::Refused(quoted(&line))),
            _ if line.starts_with('"') => lines.push(line),
            _ => return Err(unexpected(Protocol::Sieve, "its capabilities", &line)),
        }
    }
}

/// The greeting, CAPABILITY, and STARTTLS when the server lists it.
pub(super) async fn imap(wire: &mut Wire<'_>) -> Result<(), StartTlsError> {
    let greeting = wire.line().await?;
    if !starts_with_words(&greeting, &["*", "OK"]) {
        // After PREAUTH there is no STARTTLS any more, and BYE says why nothing works.
        let refused = starts_with_words(&greeting, &["*", "BYE"])
            || starts_with_words(&greeting, &["*", "PREAUTH"]);
        return Err(match refused {
            true => StartTlsError::Refused(quoted(&greeting)),
            false => unexpected(Protocol::Imap, "a greeting", &greeting),
        });
    }
    wire.send(b"a1 CAPABILITY\r\n").await?;
    if !imap_command(wire, "a1").await?.iter().any(|line| has_word(line, "STARTTLS")) {
        return Err(StartTlsError::NotOffered("its capabilities do not list STARTTLS"));
    }
    wire.send(b"a2 STARTTLS\r\n").await?;
    imap_command(wire, "a2").await.map(drop)
}

/// What the server says untagged until it says OK to the command with that tag.
async fn imap_command(wire: &mut Wire<'_>, tag: &str) -> Result<Vec<String>, StartTlsError> {
    let mut untagged = Vec::new();
    loop {
        let line = wire.line().await?;
        if starts_with_words(&line, &[tag, "OK"]) {
            return Ok(untagged);
        }
        if starts_with_words(&line, &[tag]) {
            return Err(StartTlsError::Refused(quoted(&line)));
        }
        if !starts_with_words(&line, &["*"]) {
            return Err(unexpected(Protocol::Imap, "an answer to its command", &line));
        }
        untagged.push(line);
    }
}

/// The greeting, and STLS. Its answer says whether the server can; CAPA need not be asked first.
pub(super) async fn pop3(wire: &mut Wire<'_>) -> Result<(), StartTlsError> {
    pop3_ok(wire).await?;
    wire.send(b"STLS\r\n").await?;
    pop3_ok(wire).await
}

async fn pop3_ok(wire: &mut Wire<'_>) -> Result<(), StartTlsError> {
    let line = wire.line().await?;
    if starts_with_words(&line, &["+OK"]) {
        return Ok(());
    }
    if starts_with_words(&line, &["-ERR"]) {
        return Err(StartTlsError::Refused(quoted(&line)));
    }
    Err(unexpected(Protocol::Pop3, "+OK", &line))
}

fn starts_with_words(line: &str, words: &[&str]) -> bool {
    let mut found = line.split_ascii_whitespace();
    words.iter().all(|word| found.next().is_some_and(|found| found.eq_ignore_ascii_case(word)))
}

fn has_word(line: &str, word: &str) -> bool {
    line.split_ascii_whitespace().any(|found| found.eq_ignore_ascii_case(word))
}

fn said(code: &str, text: &[String]) -> String {
    quoted(&format!("{code} {}", text.join(" ")))
}

fn unexpected(protocol: Protocol, expected: &'static str, line: &str) -> StartTlsError {
    StartTlsError::Unexpected { protocol, expected, found: quoted(line) }
}
