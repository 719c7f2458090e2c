//! From a host to a finished handshake: TCP, the protocol's step to TLS, TLS; each within what is
//! left of the time.
//!
//! Nothing is judged here but what TLS itself needs: the handshake is taken to its end also when
//! the chain or the staple is bad, so that all of it can be reported. No byte of application data
//! is sent over it or read from it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use certstatus::time::Span;
use certstatus_rustls::BuildError;
use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, SupportedProtocolVersion};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::judge::Terms;
use super::key_type::KeyType;
use super::recorder::{Presented, Recorder};
use super::starttls::{self, Protocol, StartTlsError};
use super::target::{Target, TargetError};

/// How to get to a server.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Where to connect to.
    pub(crate) address: Target,
    /// The port where `address` has none.
    pub(crate) default_port: u16,
    /// The name that is sent, and for which the certificate must be.
    pub(crate) server_name: ServerName<'static>,
    /// What to speak first.
    pub(crate) starttls: Option<Protocol>,
    /// The kind of certificate to ask for; `None` for any.
    pub(crate) key_type: Option<KeyType>,
    /// The versions of TLS to offer.
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    /// The time for all of it, as it was given.
    pub(crate) timeout: Duration,
}

/// What was seen of a server.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The address that was connected to.
    pub(crate) peer: SocketAddr,
    /// What the server presented, if it came that far.
    pub(crate) presented: Option<Presented>,
    /// What was agreed on, or why the handshake failed.
    pub(crate) agreed: Result<Agreed, ConnectError>,
}

/// What client and server agreed on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreed {
    pub(crate) version: ProtocolVersion,
    pub(crate) cipher_suite: CipherSuite,
}

/// Why there is no finished handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The host cannot be named in a handshake.
    #[error(transparent)]
    Name(#[from] TargetError),
    /// The verifier cannot be built.
    #[error(transparent)]
    Verifier(#[from] BuildError),
    /// The name has no address.
    #[error("the name {host} cannot be looked up: {}", plain(.reason))]
    Lookup {
        /// The name.
        host: String,
        /// What the resolver says.
        reason: io::Error,
    },
    /// No address takes the connection.
    #[error("{address} does not accept the connection: {}", plain(.reason))]
    Connect {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// The server does not come to TLS.
    #[error(transparent)]
    StartTls(#[from] StartTlsError),
    /// The handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(#[source] rustls::Error),
    /// The connection broke in the handshake.
    #[error("the connection broke in the TLS handshake: {}", plain(.0))]
    Broken(#[source] io::Error),
    /// A handshake of a kind in which the server shows no certificate.
    #[error("the server sent no certificate")]
    NoCertificate,
    /// The time is over.
    #[error("nothing came of {step} within {}", Span(*.timeout))]
    TimedOut {
        /// What was going on.
        step: &'static str,
        /// The time for all of it.
        timeout: Duration,
    },
}

/// Connects, and takes the handshake to its end.
///
/// # Errors
/// [`ConnectError`] as long as no connection stands; from there on it is in [`Seen`]. `deadline` ends
/// it all.
pub(crate) async fn connect(
    route: &Route,
    terms: &Terms,
    provider: &Arc<CryptoProvider>,
    deadline: Instant,
) -> Result<Seen, ConnectError> {
    let clock = Clock { deadline, timeout: route.timeout };
    let mut stream = clock.dial(route).await?;
    let peer = stream
        .peer_addr()
        .map_err(|reason| ConnectError::Connect { address: ([0, 0, 0, 0], 0).into(), reason })?;
    if let Some(protocol) = route.starttls {
        let domain = route.server_name.to_str();
        let upgraded = clock
            .within("the step to TLS", starttls::upgrade(protocol, &mut stream, &domain))
            .await;
        if let Err(error) = upgraded.and_then(|upgraded| Ok(upgraded?)) {
            return Ok(Seen { peer, presented: None, agreed: Err(error) });
        }
    }
    let recorder =
        Arc::new(Recorder::new(&terms.trust, terms.policy, provider, terms.now, route.key_type)?);
    let agreed = clock.handshake(route, &recorder, provider, stream).await;
    Ok(Seen { peer, presented: recorder.take(), agreed })
}

/// The time that is left for a server.
#[derive(Clone, Copy)]
struct Clock {
    deadline: Instant,
    timeout: Duration,
}

impl Clock {
    async fn within<T>(
        &self,
        step: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, ConnectError> {
        let timed_out = |_| ConnectError::TimedOut { step, timeout: self.timeout };
        timeout_at(self.deadline, work).await.map_err(timed_out)
    }

    /// A connection to the first address that takes one. The time that is left is shared among the
    /// addresses that are left, so that one that is silent does not cost the others theirs.
    async fn dial(&self, route: &Route) -> Result<TcpStream, ConnectError> {
        let (host, port) = (route.address.host(), route.address.port_or(route.default_port));
        let lookup = |reason| ConnectError::Lookup { host: host.clone(), reason };
        let addresses: Vec<_> = self
            .within("looking up the name", tokio::net::lookup_host((host.as_str(), port)))
            .await?
            .map_err(lookup)?
            .collect();
        let mut failed = lookup(io::Error::other("it has no address"));
        for (index, address) in addresses.iter().copied().enumerate() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
            let share = Instant::now() + left / others;
            match timeout_at(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(reason)) => failed = ConnectError::Connect { address, reason },
                Err(_) => {
                    let step = "connecting";
                    failed = ConnectError::TimedOut { step, timeout: self.timeout };
                }
            }
        }
        Err(failed)
    }

    async fn handshake(
        &self,
        route: &Route,
        recorder: &Arc<Recorder>,
        provider: &Arc<CryptoProvider>,
        stream: TcpStream,
    ) -> Result<Agreed, ConnectError> {
        let config = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(route.versions)
            .map_err(ConnectError::Tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(recorder) as _)
            .with_no_client_auth();
        let connecting =
            TlsConnector::from(Arc::new(config)).connect(route.server_name.clone(), stream);
        let stream = self.within("the TLS handshake", connecting).await?.map_err(tls_error)?;
        let (_, connection) = stream.get_ref();
        let not_done = || ConnectError::Tls(rustls::Error::HandshakeNotComplete);
        Ok(Agreed {
            version: connection.protocol_version().ok_or_else(not_done)?,
            cipher_suite: connection.negotiated_cipher_suite().ok_or_else(not_done)?.suite(),
        })
    }
}

/// What the system says, without what it says about itself: the call and the number of the error.
fn plain(error: &io::Error) -> String {
    let said = error.to_string();
    let said = said.split(" (os error").next().unwrap_or_default();
    said.rsplit(": ").next().unwrap_or_default().to_owned()
}

/// What rustls says is inside of what tokio-rustls says.
fn tls_error(error: io::Error) -> ConnectError {
    match error.downcast::<rustls::Error>() {
        Ok(error) => ConnectError::Tls(error),
        Err(error) => ConnectError::Broken(error),
    }
}

impl ConnectError {
    /// What to do about it.
    pub(super) fn advise(&self) -> Vec<String> {
        let advice: &str = match self {
            Self::Lookup { .. } => {
                "See that the name is the right one; --connect goes to an address instead."
            }
            Self::Connect { .. } => "See that the server runs, and that the port is the right one.",
            Self::StartTls(StartTlsError::NotOffered(_) | StartTlsError::Refused(_)) => {
                "See that the server has a certificate and offers TLS on this port."
            }
            Self::StartTls(StartTlsError::Unexpected { .. }) => {
                "See that --starttls names the protocol of this port."
            }
            Self::Tls(rustls::Error::InvalidMessage(_)) => {
                "What came is not TLS. For a server that begins in the clear, name its protocol \
                 with --starttls."
            }
            Self::Tls(rustls::Error::AlertReceived(_)) => {
                "The server refused. --tls offers one version alone, and --servername another name."
            }
            Self::TimedOut { .. } => "--timeout gives it more time.",
            _ => return Vec::new(),
        };
        vec![advice.to_owned()]
    }
}
