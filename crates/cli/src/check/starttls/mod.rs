//! From a connection in the clear to the point where TLS begins, in the nine protocols that have
//! such a step.
//!
//! [`upgrade`] speaks the protocol up to the server's go-ahead and not one byte further; the TLS
//! handshake is `connect.rs`'s. Whatever comes in the clear after the go-ahead was not said under
//! TLS, and is refused: it may be somebody else's (RFC 3207, 6, and CVE-2011-0411, CVE-2021-23222).

mod binary;
mod text;
mod wire;
mod xmpp;

use std::fmt;
use std::io;

use tokio::net::TcpStream;

use wire::Wire;

/// A protocol that turns to TLS when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// STARTTLS of SMTP (RFC 3207)
    Smtp,
    /// STARTTLS of IMAP (RFC 9051, 6.2.1)
    Imap,
    /// STLS of POP3 (RFC 2595, 4)
    Pop3,
    /// the StartTLS operation of LDAP (RFC 4511, 4.14)
    Ldap,
    /// AUTH TLS of FTP (RFC 4217)
    Ftp,
    /// STARTTLS of XMPP, from client to server (RFC 6120, 5)
    Xmpp,
    /// STARTTLS of ManageSieve (RFC 5804, 2.2)
    Sieve,
    /// SSLRequest of PostgreSQL's protocol 3.0
    Postgres,
    /// SSLRequest of MySQL's and MariaDB's handshake v10
    Mysql,
}

impl Protocol {
    /// The port on which servers of the protocol wait for the step to TLS.
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Ldap => 389,
            Self::Ftp => 21,
            Self::Xmpp => 5222,
            Self::Sieve => 4190,
            Self::Postgres => 5432,
            Self::Mysql => 3306,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "SMTP",
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Ldap => "LDAP",
            Self::Ftp => "FTP",
            Self::Xmpp => "XMPP",
            Self::Sieve => "ManageSieve",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
        })
    }
}

/// Why a server does not come to TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartTlsError {
    /// Reading or writing failed.
    #[error("the connection failed before TLS: {0}")]
    Io(#[from] io::Error),
    /// The server closed the connection.
    #[error("the server closed the connection before TLS")]
    Closed,
    /// The server says more than the step to TLS needs.
    #[error("the server sent more than {limit} bytes before TLS")]
    TooLong {
        /// How many are read.
        limit: usize,
    },
    /// The server does not say that it can.
    #[error("the server does not offer TLS: {0}")]
    NotOffered(&'static str),
    /// The server was asked and will not.
    #[error("the server refuses TLS: {0}")]
    Refused(String),
    /// The server speaks something else.
    #[error("the server does not speak {protocol}: {expected} is due, and it sent {found}")]
    Unexpected {
        /// What was expected of it.
        protocol: Protocol,
        /// The message that is due.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// Something follows the go-ahead in the clear.
    #[error(
        "{0} bytes follow the server's go-ahead in the clear: somebody on the way may have put them \
         there, and nothing of this connection is used"
    )]
    Injected(usize),
}

/// Asks the server to turn to TLS; `domain` is the name that is asked for, which XMPP sends before TLS. When this returns, the next byte is the client's first of TLS.
///
/// # Errors
/// Every [`StartTlsError`].
pub(crate) async fn upgrade(
    protocol: Protocol,
    stream: &mut TcpStream,
    domain: &str,
) -> Result<(), StartTlsError> {
    let local = stream.local_addr()?.ip();
    let mut wire = Wire::new(stream);
    match protocol {
        Protocol::Smtp => text::smtp(&mut wire, local).await?,
        Protocol::Imap => text::imap(&mut wire).await?,
        Protocol::Pop3 => text::pop3(&mut wire).await?,
        Protocol::Ftp => text::ftp(&mut wire).await?,
        Protocol::Sieve => text::sieve(&mut wire).await?,
        Protocol::Xmpp => xmpp::start(&mut wire, domain).await?,
        Protocol::Ldap => binary::ldap(&mut wire).await?,
        Protocol::Postgres => binary::postgres(&mut wire).await?,
        Protocol::Mysql => return binary::mysql(&mut wire).await,
    }
    wire.nothing_left()
}

/// What a server said, for people: printable, and not longer than a line. It may be anybody's.
fn quoted(text: &str) -> String {
    let printable: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
    format!("\"{}\"", printable.trim())
}
