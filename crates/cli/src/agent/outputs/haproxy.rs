//! A staple for a running HAProxy, over its stats socket: `set ssl ocsp-response`.
//!
//! HAProxy finds the certificate by the `CertID` in the response, and takes one only for a
//! certificate that it has a staple of already, from `CERTIFICATE.ocsp` when it started. So the file
//! is needed as well; this spares the reload. A HAProxy that does not run yet will read it.

use std::io::ErrorKind;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certstatus::message::{CertStatus, HashAlgorithm, OcspResponse};
use certstatus::{Limits, VerifiedResponse};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::Refusal;
use crate::agent::config::Socket;
use crate::report::sanitize;

/// How long HAProxy may take. It answers at once, from one of its event loops.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much of an answer is read: it is one line.
const MAX_ANSWER: u64 = 4096;

/// What became of telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// HAProxy staples it from now on.
    Taken,
    /// Nobody listens at the socket: HAProxy does not run.
    NobodyThere,
}

/// Why HAProxy ignores that response, as a sentence; `None` when it takes it. HAProxy wants one
/// statement, which says good, under a `CertID` by SHA-1, and with a `nextUpdate`
/// (`ssl_ocsp_response_load` of HAProxy 2.6 to 3.2).
pub(super) fn ignored(staple: &VerifiedResponse) -> Option<String> {
    let mut limits = Limits::default();
    limits.response = staple.der().len();
    let Ok(OcspResponse::Successful(basic)) = OcspResponse::parse(staple.der(), &limits) else {
        return None;
    };
    let why = match basic.data().responses.as_slice() {
        [one] if one.next_update.is_none() => "it has no nextUpdate".to_owned(),
        [one] => match one.cert_id.hash() {
            Some(HashAlgorithm::Sha1) if one.cert_status == CertStatus::Good => return None,
            Some(HashAlgorithm::Sha1) => "it does not say good".to_owned(),
            Some(other) => format!("its CertID is by {other}, and HAProxy compares it by SHA-1"),
            None => "its CertID is by a hash that is not known".to_owned(),
        },
        several => format!("it has {} statements, and HAProxy takes only one", several.len()),
    };
    Some(format!(
        "HAProxy does not staple this response: {why}. Ask the CA for another form of it."
    ))
}

/// Tells HAProxy of a staple, and sees that it took it.
pub(super) async fn update(socket: &Socket, staple: &[u8]) -> Result<Told, Refusal> {
    let answer = tokio::time::timeout(PATIENCE, talk(socket, staple)).await;
    let answer = match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(e)) if is_nobody(&e) => return Ok(Told::NobodyThere),
        Ok(Err(e)) => {
            return Err(Refusal::new(&e, format_args!("HAProxy cannot be told at {socket}")));
        }
        Err(_) => {
            let why = format!("HAProxy did not answer at {socket} within {PATIENCE:?}");
            return Err(Refusal { why, lasting: false });
        }
    };
    let answer = answer.trim();
    if answer.starts_with("OCSP Response updated") {
        return Ok(Told::Taken);
    }
    let advice = match answer {
        "" => "it closed the connection without a word; does the socket have `level admin`?",
        // Of a level that is too low, and of a version that does not know the command.
        _ if answer.starts_with("Permission denied") => "give the socket `level admin`",
        _ if answer.contains("does not match any certificate") => {
            "HAProxy takes a staple only for a certificate that had one when it was started or \
             reloaded: write it to \"{path}.ocsp\" as well, and reload HAProxy now"
        }
        _ => "see HAProxy's manual, `set ssl ocsp-response`",
    };
    let why =
        format!("HAProxy at {socket} did not take the staple ({}): {advice}", sanitize(answer));
    Err(Refusal { why, lasting: answer.starts_with("Permission denied") })
}

/// Whether this is how it looks when nobody listens.
fn is_nobody(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

async fn talk(socket: &Socket, staple: &[u8]) -> std::io::Result<String> {
    match socket {
        Socket::Unix(path) => ask(UnixStream::connect(path).await?, staple).await,
        Socket::Tcp(address) => ask(TcpStream::connect(address).await?, staple).await,
    }
}

async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    staple: &[u8],
) -> std::io::Result<String> {
    // As a payload, which ends with an empty line: an argument may not be as long.
    let command = format!("set ssl ocsp-response <<\n{}\n\n", STANDARD.encode(staple));
    stream.write_all(command.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixListener;

    /// Plays an HAProxy that gives that answer, and gives what it was asked.
    async fn played(answer: &'static str) -> (Result<Told, Refusal>, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let haproxy = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\n\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                asked.extend(byte);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        };
        let socket = Socket::Unix(path);
        tokio::join!(update(&socket, &[1, 2, 3]), haproxy)
    }

    #[tokio::test]
    async fn the_answer_is_what_counts() {
        let (result, asked) = played("OCSP Response updated!\n\n").await;
        assert_eq!(
            (result, asked.as_str()),
            (Ok(Told::Taken), "set ssl ocsp-response <<\nAQID\n\n")
        );
        for (answer, advice) in [
            ("", "level admin"),
            ("Permission denied\n", "level admin"),
            (
                "OCSP single response: Certificate ID does not match any certificate or issuer.\n",
                "{path}.ocsp",
            ),
            ("OCSP response: \u{1b}[31m error.\n", "\\u{1b}"),
        ] {
            let Refusal { why, lasting } = played(answer).await.0.unwrap_err();
            assert!(why.contains(advice), "{answer}: {why}");
            assert_eq!(lasting, answer.starts_with("Permission"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_haproxy_that_does_not_run_is_told_from_one_that_does_not_listen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let told = || async { update(&Socket::Unix(path.clone()), &[1]).await };
        assert_eq!(told().await, Ok(Told::NobodyThere), "there is no socket");
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(told().await, Ok(Told::NobodyThere), "it was left behind");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        let below = Socket::Unix(path.join("admin.sock"));
        let Refusal { why, lasting } = update(&below, &[1]).await.unwrap_err();
        assert!(lasting && why.contains("admin.sock: Not a directory"), "{why}");
    }
}
