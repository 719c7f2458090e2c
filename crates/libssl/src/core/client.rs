//! A client's handshake.
//!
//! The engine stops by itself where the server's certificates are to be verified. Where the server asks
//! for one in turn it does not, so its first flight is read ahead, in [`super::flight`]: one that
//! asks is held back, the program verifies and chooses, and the engine then goes through it with the
//! answers.

use std::sync::Arc;

use rustls::client::{ClientHandshake, ClientSide, Resumption, Tls12Resumption};
use rustls::crypto::{Identity, VerifiedIdentity};
use rustls::error::Error;
use rustls::pki_types::{DnsName, IpAddr, ServerName};
use rustls::split::SplitConnection;
use rustls::{ClientConfig, NeedsInput, Tcp, TlsInputBuffer, VerifyPeerIdentity};

use super::buffer::Input;
use super::client_hello::{Agreed, server_agrees, server_alpn, server_random, server_speaks_tls13};
use super::configs::Parts;
use super::connection::Presented;
use super::credentials::{ClientCredentials, Credential, Shown};
use super::failure::{Failure, alert};
use super::flight::{Flight, HandshakeSecret, Look};
use super::key_log::CollectedKeys;
use super::sessions::{ClientSession, ConnectionSessions};
use super::settings::{OP_NO_TICKET, Settings};
use super::verify::Signatures;
use crate::sys::reasons;

/// A handshake under way.
pub(crate) struct Client {
    state: State,
    sessions: Arc<ConnectionSessions>,
    /// The server's random, once its ServerHello is here.
    pub(crate) random: Option<[u8; 32]>,
    /// What its ServerHello agrees to.
    pub(crate) agreed: Agreed,
    /// The protocol that a server of TLS 1.2 has selected.
    pub(crate) alpn: Option<Vec<u8>>,
    tls13: Option<bool>,
    /// Whether the server's certificates were judged.
    answered: bool,
    /// The server's first flight, until it is known whether it asks for a certificate.
    ahead: Option<Ahead>,
    credentials: Arc<ClientCredentials>,
    /// What is shown when the program is not asked.
    own: Option<Shown>,
}

/// A flight that is read before the engine reads it.
struct Ahead {
    flight: Flight,
    secret: Arc<HandshakeSecret>,
    /// What the engine may read.
    passed: Input,
    /// What it may read when the program has decided.
    held: Vec<u8>,
}

enum State {
    NeedsInput(NeedsInput<ClientSide>),
    /// The program decides about what was read ahead.
    Asked(NeedsInput<ClientSide>, Presented),
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
        let credentials = Arc::new(ClientCredentials::new(Arc::clone(&signatures)));
        let own = Shown {
            credentials: Arc::clone(&settings.credentials),
            schemes: settings.signing_schemes(false),
        };
        Parts { signatures, client: Some(Arc::clone(&credentials)), server: None }.play();
        let mut config = ClientConfig::clone(settings.client_config()?);
        // TLS 1.3 resumes by tickets only, and SSL_OP_NO_TICKET does not touch a client's.
        let tls12 = match settings.has_option(OP_NO_TICKET) {
            true => Tls12Resumption::SessionIdOnly,
            false => Tls12Resumption::SessionIdOrTickets,
        };
        config.resumption = Resumption::store(sessions.clone()).tls12_resumption(tls12);
        let secret = Arc::new(HandshakeSecret::new(key_log));
        config.key_log = secret.clone();
        let needs = Arc::new(config).connect(server_name(name)).start_handshake(output)?;
        Ok(Self {
            state: State::NeedsInput(needs),
            sessions,
            random: None,
            agreed: Agreed::default(),
            alpn: None,
            tls13: None,
            answered: false,
            ahead: Some(Ahead {
                flight: Flight::default(),
                secret,
                passed: Input::default(),
                held: Vec::new(),
            }),
            credentials,
            own: Some(own),
        })
    }

    /// Goes on with what is in `input`. With `asks` the program chooses the certificate to show when
    /// the server wants one; without, it has done so before the handshake.
    pub(crate) fn advance(
        &mut self,
        asks: bool,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        if self.random.is_none() {
            self.random = server_random(input.unread());
            self.alpn = server_alpn(input.unread());
            self.agreed = server_agrees(input.unread());
        }
        if self.tls13.is_none() {
            self.tls13 = server_speaks_tls13(input.unread());
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::NeedsInput(needs) => match self.ahead.take() {
                Some(ahead) => self.look_ahead(needs, ahead, asks, input, output),
                None => self.process(needs, input, output),
            },
            State::Asked(needs, presented) => {
                self.state = State::Asked(needs, presented.clone());
                Ok(Progress::Verify(presented))
            }
            State::Verify(verify) => {
                let presented = presented(&verify)?;
                self.state = State::Verify(verify);
                Ok(Progress::Verify(presented))
            }
            State::Over => Err(over()),
        }
    }

    fn process(
        &mut self,
        needs: NeedsInput<ClientSide>,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let next = needs.process(input, output)?;
        self.enter(next)
    }

    /// Reads the server's flight ahead, record by record, and gives the engine what it may read.
    fn look_ahead(
        &mut self,
        mut needs: NeedsInput<ClientSide>,
        mut ahead: Ahead,
        asks: bool,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        while let Some(record) = input.take_record() {
            let secret = ahead.secret.secret().filter(|_| asks);
            let look = ahead.flight.look(&record, secret);
            match look {
                Look::Pass => ahead.passed.extend(&record),
                Look::Hold | Look::Ask | Look::Over => ahead.held.extend(record),
            }
            if look == Look::Pass {
                match needs.process(&mut ahead.passed, output)? {
                    ClientHandshake::NeedsInput(next) => needs = next,
                    other => {
                        ahead.hand_over(input);
                        return self.enter(other);
                    }
                }
            }
            if let Some(request) = ahead.flight.request() {
                self.credentials.signatures().is_asked(|| request.clone());
            }
            if look == Look::Ask && asks {
                let presented = ahead.flight.presented();
                let presented = Presented { asks: true, ..presented.clone() };
                ahead.hand_over(input);
                self.state = State::Asked(needs, presented.clone());
                return Ok(Progress::Verify(presented));
            }
            if matches!(look, Look::Ask | Look::Over) {
                // Who wants to be asked, and could not be, shows nothing.
                if let Some(own) = self.own.take().filter(|_| !asks) {
                    self.credentials.show(own);
                }
                ahead.hand_over(input);
                return self.process(needs, input, output);
            }
        }
        self.ahead = Some(ahead);
        self.state = State::NeedsInput(needs);
        Ok(Progress::NeedsInput)
    }

    /// Goes on after the server's certificates were verified, or not. For a server that asks, `shown`
    /// is what the program has chosen to show.
    pub(crate) fn verified(
        &mut self,
        mut outcome: Result<(), Failure>,
        shown: Option<Arc<Credential>>,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let verify = match std::mem::replace(&mut self.state, State::Over) {
            State::Verify(verify) => verify,
            State::Asked(needs, judged) => {
                if let (Some(own), Some(shown)) = (self.own.take(), shown) {
                    self.credentials.show(Shown { credentials: Arc::new([shown]), ..own });
                }
                let ClientHandshake::VerifyServerIdentity(verify) = needs.process(input, output)?
                else {
                    return Err(over());
                };
                if !presented(&verify)?.is_same(&judged) {
                    outcome = Err(Failure::new(
                        alert::INTERNAL_ERROR,
                        reasons::LIBRARY_BUG,
                        "the certificates that were verified are not those of the handshake",
                    ));
                }
                verify
            }
            _ => return Err(over()),
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
        asks: false,
    })
}

impl Ahead {
    /// Gives back to `input`, where the engine reads from now on, what it has not read.
    fn hand_over(self, input: &mut Input) {
        let rest = input.unread().to_vec();
        let count = rest.len();
        input.discard(count);
        input.extend(self.passed.unread());
        input.extend(&self.held);
        input.extend(&rest);
    }
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
