//! A client's handshake.

use std::sync::Arc;

use rustls::client::{ClientHandshake, ClientSide, Resumption};
use rustls::crypto::{Identity, VerifiedIdentity};
use rustls::enums::ApplicationProtocol;
use rustls::error::Error;
use rustls::pki_types::{DnsName, IpAddr, ServerName};
use rustls::split::SplitConnection;
use rustls::{ClientConfig, NeedsInput, Tcp, VerifyPeerIdentity};

use super::buffer::Input;
use super::client_hello::{server_random, server_speaks_tls13};
use super::connection::Presented;
use super::credentials::ClientCredentials;
use super::failure::Failure;
use super::key_log::CollectedKeys;
use super::sessions::{ClientSession, ConnectionSessions};
use super::settings::Settings;
use super::status;
use super::verify::{OfServer, Signatures};
use crate::sys::reasons;

/// A handshake under way.
pub(crate) struct Client {
    state: State,
    sessions: Arc<ConnectionSessions>,
    /// The server's random, once its ServerHello is here.
    pub(crate) random: Option<[u8; 32]>,
    tls13: Option<bool>,
    /// Whether the server's certificates were judged.
    answered: bool,
}

enum State {
    NeedsInput(NeedsInput<ClientSide>),
    Verify(VerifyPeerIdentity<ClientSide, Tcp>),
    Over,
}

/// Where a client's handshake stands.
// A value that lives for one step.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Progress {
    NeedsInput,
    Verify(Presented),
    Complete(SplitConnection<ClientSide>),
}

impl Client {
    /// Starts a handshake; the ClientHello goes to `output`.
    ///
    /// `name` is the host name to send, if any.
    pub(crate) fn start(
        settings: &Settings,
        name: Option<&str>,
        session: Option<ClientSession>,
        key_log: Option<Arc<CollectedKeys>>,
        signatures: Arc<Signatures>,
        output: &mut Vec<u8>,
    ) -> Result<Self, Failure> {
        let provider = settings.provider();
        if provider.tls12_cipher_suites.is_empty() && provider.tls13_cipher_suites.is_empty() {
            return Err(Failure::local(
                reasons::NO_PROTOCOLS_AVAILABLE,
                "no version of TLS with a cipher suite is enabled",
            ));
        }
        let sessions = Arc::new(ConnectionSessions::offering(session));
        let credentials = Arc::new(ClientCredentials::new(
            Arc::clone(&settings.credentials),
            settings.signing_schemes(false),
            Arc::clone(&signatures),
        ));
        let verifier = OfServer {
            request_ocsp: settings.status_type == status::OCSP,
            names: settings.client_ca.iter().map(|name| name.clone().into()).collect(),
            schemes: settings.accepted_schemes(false),
            signatures,
        };
        let mut config = ClientConfig::builder(provider)
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_credential_resolver(credentials)?;
        config.alpn_protocols =
            settings.protocols().into_iter().map(ApplicationProtocol::from).collect();
        config.resumption = Resumption::store(sessions.clone());
        if let Some(key_log) = key_log {
            config.key_log = key_log;
        }
        let needs = Arc::new(config).connect(server_name(name)).start_handshake(output)?;
        Ok(Self {
            state: State::NeedsInput(needs),
            sessions,
            random: None,
            tls13: None,
            answered: false,
        })
    }

    /// Goes on with what is in `input`.
    pub(crate) fn advance(
        &mut self,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        if self.random.is_none() {
            self.random = server_random(input.unread());
        }
        if self.tls13.is_none() {
            self.tls13 = server_speaks_tls13(input.unread());
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::NeedsInput(needs) => {
                let next = needs.process(input, output)?;
                self.enter(next)
            }
            State::Verify(verify) => {
                let presented = presented(&verify)?;
                self.state = State::Verify(verify);
                Ok(Progress::Verify(presented))
            }
            State::Over => Err(over()),
        }
    }

    /// Goes on after the server's certificates were verified, or not.
    pub(crate) fn verified(
        &mut self,
        outcome: Result<(), Failure>,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let State::Verify(verify) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(over());
        };
        self.answered = true;
        let next = match outcome {
            Ok(()) => {
                let identity = verify.presented_identity()?.identity.clone().into_owned();
                verify.continue_with(Ok(VerifiedIdentity::assertion(identity)), output)?
            }
            Err(mut failure) => {
                // Without keys the alert is plain, and any alert can be said.
                if self.tls13 == Some(false) {
                    output.extend(failure.write_plain_alert());
                } else {
                    let error = failure.as_rustls();
                    failure.sent = Failure::from(error.clone()).sent;
                    let _ = verify.continue_with(Err(error), output);
                }
                return Err(failure);
            }
        };
        self.enter(next)
    }

    fn enter(&mut self, next: ClientHandshake) -> Result<Progress, Failure> {
        match next {
            ClientHandshake::NeedsInput(needs) => {
                self.state = State::NeedsInput(needs);
                Ok(Progress::NeedsInput)
            }
            ClientHandshake::VerifyServerIdentity(verify) => {
                let presented = presented(&verify)?;
                self.state = State::Verify(verify);
                Ok(Progress::Verify(presented))
            }
            ClientHandshake::Complete(split) => Ok(Progress::Complete(split)),
            _ => Err(over()),
        }
    }

    /// The sessions that this connection has received, now and later.
    pub(crate) fn sessions(&self) -> Arc<ConnectionSessions> {
        Arc::clone(&self.sessions)
    }

    /// Whether what is sent now is not encrypted: in TLS 1.2 up to the answer to the server's
    /// certificates.
    pub(crate) fn speaks_plainly(&self) -> bool {
        self.tls13 != Some(true) && !self.answered
    }

    /// Whether the server has chosen TLS 1.3, once it has chosen.
    pub(crate) fn tls13(&self) -> Option<bool> {
        self.tls13
    }
}

fn presented(verify: &VerifyPeerIdentity<ClientSide, Tcp>) -> Result<Presented, Failure> {
    let identity = verify.presented_identity()?;
    let staple = identity.ocsp_response;
    Ok(Presented {
        chain: chain_of(identity.identity)?,
        staple: (!staple.is_empty()).then(|| staple.to_vec()),
    })
}

/// The certificates of an identity in DER, the peer's own first.
pub(crate) fn chain_of(identity: &Identity<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let Identity::X509(certificates) = identity else {
        return Err(Failure::from(Error::UnsupportedNameType));
    };
    let chain = std::iter::once(&certificates.end_entity).chain(&certificates.intermediates);
    Ok(chain.map(|certificate| certificate.as_ref().to_vec()).collect())
}

/// rustls needs a name to connect to, and sends it when it is a host name; an address is not sent.
fn server_name(name: Option<&str>) -> ServerName<'static> {
    name.and_then(|name| DnsName::try_from(name.to_owned()).ok())
        .map(ServerName::DnsName)
        .unwrap_or(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::from([0, 0, 0, 0]))))
}

pub(crate) fn over() -> Failure {
    Failure::local(reasons::UNINITIALIZED, "the handshake is over")
}
