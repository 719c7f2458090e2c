//! A server's handshake.
//!
//! It stops at the ClientHello, for the callbacks that see it and may change the context. Then it
//! has to know whether a session is resumed, because a resumption calls neither the certificate
//! nor the status callback: it lets the handshake run with credentials that refuse to sign. Who
//! gets through has resumed; otherwise the callbacks run and the same bytes are processed again.
//!
//! After a HelloRetryRequest the client sends a second hello, and OpenSSL calls the callbacks for it
//! as for the first. So it stops at that one too, and then processes both with what was chosen last.

mod failures;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::crypto::{TicketProducer, VerifiedIdentity};
use rustls::enums::ApplicationProtocol;
use rustls::error::Error;
use rustls::server::{
    Accepted, NoServerSessionStorage, ServerCredentialResolver, ServerHandshake, ServerSide,
    StoresServerSessions, Tls13Tickets,
};
use rustls::split::SplitConnection;
use rustls::{NeedsInput, ServerConfig, Tcp, VerifyPeerIdentity};

use self::failures::{plainly, refused, told, unexpected};
use super::buffer::Input;
use super::client::{chain_of, over};
use super::client_hello::{ClientHello, is_hello_retry_request, server_random};
use super::configs::Parts;
use super::connection::Presented;
use super::credentials::{self, RefuseToSign, ServerCredentials};
use super::failure::{Failure, alert};
use super::hello_reader::HelloReader;
use super::key_log::CollectedKeys;
use super::settings::{OP_NO_TICKET, Settings, TLS1_2, TLS1_3};
use super::verify::Signatures;
use crate::sys::reasons;

/// A handshake under way.
pub(crate) struct Server {
    state: State,
    /// The hello, until it is whole.
    reader: HelloReader,
    /// What was received until the handshake is decided, kept for processing it again.
    seen: Vec<u8>,
    /// `seen`, as far as rustls has not processed it.
    pending: Input,
    hello: ClientHello,
    choice: Option<Choice>,
    signatures: Arc<Signatures>,
    /// The HelloRetryRequest, once it was sent.
    sent: Vec<u8>,
    /// The random of the ServerHello, once it is written.
    pub(crate) random: Option<[u8; 32]>,
    /// Whether it is a full handshake of TLS 1.2.
    full_tls12: bool,
    /// Whether the session that the client offers is being resumed.
    pub(crate) resumes: bool,
    /// Whether a session was offered and the engine has passed it over.
    pub(crate) declined: bool,
}

enum State {
    Hello(NeedsInput<ServerSide>),
    Accepted(Accepted<Tcp>),
    /// The second hello is awaited.
    Retry(NeedsInput<ServerSide>),
    /// The second hello is there.
    Retried,
    /// A full handshake waits for its credentials and its staple.
    Credentials(Option<Accepted<Tcp>>),
    Running(NeedsInput<ServerSide>),
    Verify(VerifyPeerIdentity<ServerSide, Tcp>),
    Over,
}

/// Where a server's handshake stands.
// A value that lives for one step.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Progress {
    NeedsInput,
    /// The ClientHello is there: [`Server::choose`] goes on.
    Hello,
    /// It is a full handshake: [`Server::authenticate`] goes on.
    Credentials,
    Verify(Presented),
    Complete(SplitConnection<ServerSide>),
}

/// A hello as far as it was read.
enum Read {
    Partial,
    Hello(ClientHello),
    /// Something else has begun; it is pending for rustls, to say what is wrong with it.
    Malformed,
}

/// What the ClientHello's callbacks have chosen.
#[derive(Clone)]
pub(crate) struct Choice {
    pub(crate) settings: Arc<Settings>,
    /// The protocol of ALPN that was selected.
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) sessions: Option<Arc<dyn StoresServerSessions>>,
    pub(crate) ticketer: Option<Arc<dyn TicketProducer>>,
    /// Whether these may know a session that the client offers; otherwise the handshake is a full
    /// one, without an attempt.
    pub(crate) resumes: bool,
    pub(crate) key_log: Option<Arc<CollectedKeys>>,
}

impl Server {
    pub(crate) fn start(signatures: Arc<Signatures>) -> Self {
        Self {
            signatures,
            state: State::Hello(ServerHandshake::start()),
            reader: HelloReader::default(),
            seen: Vec::new(),
            pending: Input::default(),
            hello: ClientHello::default(),
            choice: None,
            sent: Vec::new(),
            random: None,
            full_tls12: false,
            resumes: false,
            declined: false,
        }
    }

    /// The ClientHello, once [`Progress::Hello`] was there.
    pub(crate) fn hello(&self) -> &ClientHello {
        &self.hello
    }

    /// The ClientHello, when the handshake is over.
    pub(crate) fn take_hello(&mut self) -> ClientHello {
        std::mem::take(&mut self.hello)
    }

    /// Whether a ClientHello is still to come.
    pub(crate) fn awaits_hello(&self) -> bool {
        matches!(self.state, State::Hello(_) | State::Retry(_))
    }

    /// Whether a second ClientHello is still to come.
    pub(crate) fn awaits_second_hello(&self) -> bool {
        matches!(self.state, State::Retry(_))
    }

    /// Whether what is sent now is not encrypted: before the answer, and in a full handshake of
    /// TLS 1.2 up to its end.
    pub(crate) fn speaks_plainly(&self) -> bool {
        match self.state {
            State::Hello(_) | State::Accepted(_) | State::Credentials(_) => true,
            State::Retry(_) | State::Retried => true,
            _ => self.full_tls12,
        }
    }

    /// Whether this handshake speaks TLS 1.3 under `settings`.
    pub(crate) fn tls13(&self, settings: &Settings) -> bool {
        self.hello.offers_tls13() && settings.speaks_tls13()
    }

    /// Goes on with what is in `input`.
    pub(crate) fn advance(
        &mut self,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Hello(needs) => {
                match self.read(input) {
                    Read::Partial => {
                        self.state = State::Hello(needs);
                        return Ok(Progress::NeedsInput);
                    }
                    Read::Hello(hello) => self.keep_hello(hello, output)?,
                    // rustls says what is wrong with it.
                    Read::Malformed => {
                        needs.process(&mut self.pending, output)?;
                        return Err(plainly(unexpected(), output));
                    }
                }
                match needs.process(&mut self.pending, output)? {
                    ServerHandshake::Accepted(accepted) => self.accepted(accepted),
                    _ => Err(plainly(unexpected(), output)),
                }
            }
            State::Accepted(accepted) => {
                self.state = State::Accepted(accepted);
                Ok(Progress::Hello)
            }
            State::Retry(needs) => match self.read(input) {
                Read::Hello(hello) => {
                    self.keep_hello(hello, output)?;
                    self.state = State::Retried;
                    Ok(Progress::Hello)
                }
                Read::Partial => {
                    self.state = State::Retry(needs);
                    Ok(Progress::NeedsInput)
                }
                Read::Malformed => {
                    needs.process(&mut self.pending, output)?;
                    Err(over())
                }
            },
            State::Retried => {
                self.state = State::Retried;
                Ok(Progress::Hello)
            }
            State::Credentials(accepted) => {
                self.state = State::Credentials(accepted);
                Ok(Progress::Credentials)
            }
            State::Running(needs) => {
                let next = needs.process(input, output).map_err(|error| told(error, output))?;
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

    /// Reads a hello before rustls does: what is wrong with `status_request` is told as OpenSSL tells
    /// it. Once it is whole, moves the bytes to where they can be processed twice.
    fn read(&mut self, input: &mut Input) -> Read {
        use rustls::TlsInputBuffer;
        let unread = input.unread();
        let count = unread.len();
        let arrived = self.reader.extend(unread);
        input.discard(count);
        let (records, hello) = match arrived {
            Ok(None) => return Read::Partial,
            Ok(Some(arrived)) => (arrived.records, ClientHello::parse(&arrived.body)),
            Err(_) => (self.reader.take_received(), None),
        };
        self.seen.extend_from_slice(&records);
        self.pending.extend(&records);
        hello.map_or(Read::Malformed, Read::Hello)
    }

    /// Gives the bytes after the hello back: they are processed once.
    fn hand_over(&mut self, input: &mut Input) {
        input.extend(self.pending.unread());
        self.pending = Input::default();
        self.seen = Vec::new();
    }

    fn keep_hello(&mut self, hello: ClientHello, output: &mut Vec<u8>) -> Result<(), Failure> {
        let checked = hello.status_request();
        self.hello = hello;
        if checked.is_err() {
            let text = "the client's status_request is malformed";
            let failure = Failure::new(alert::DECODE_ERROR, reasons::BAD_EXTENSION, text);
            return Err(plainly(failure, output));
        }
        Ok(())
    }

    fn accepted(&mut self, accepted: Accepted<Tcp>) -> Result<Progress, Failure> {
        self.state = State::Accepted(accepted);
        Ok(Progress::Hello)
    }

    /// Goes on with what the callbacks of the ClientHello have chosen: resumes the session that
    /// the client offers, or stops for the credentials.
    pub(crate) fn choose(
        &mut self,
        choice: Choice,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let accepted = match std::mem::replace(&mut self.state, State::Over) {
            State::Accepted(accepted) => Some(accepted),
            State::Retried => None,
            _ => return Err(over()),
        };
        let settings = Arc::clone(&choice.settings);
        let resumes = choice.resumes;
        let tls13 = self.tls13(&settings);
        self.full_tls12 = !tls13;
        self.choice = Some(choice);
        if !(resumes && self.hello.offers_session(tls13)) {
            self.state = State::Credentials(accepted);
            return Ok(Progress::Credentials);
        }
        let asked = Arc::new(AtomicBool::new(false));
        let resolver = RefuseToSign {
            credentials: Arc::clone(&settings.credentials),
            schemes: credentials::schemes_for_client(&settings, &self.hello, tls13),
            asked: Arc::clone(&asked),
        };
        // A client that resumes has used up one ticket, and gets one.
        let tickets = settings.tickets.min(1);
        let config = self.config(Arc::new(resolver), tickets)?;
        let (next, answer) = self.answer(accepted, config).map_err(|f| plainly(f, output))?;
        match next {
            Ok(next) => {
                self.resumes = !is_hello_retry_request(&answer);
                self.answered(next, answer, input, output)
            }
            // Without a signature the offer itself may be wrong, and is to be refused again.
            Err(_) => {
                self.declined = asked.load(Ordering::Relaxed);
                self.again()
            }
        }
    }

    /// Answers the hello; after a HelloRetryRequest both hellos, from the first on. Gives what was
    /// not sent before.
    fn answer(
        &mut self,
        accepted: Option<Accepted<Tcp>>,
        config: Arc<ServerConfig>,
    ) -> Result<(Result<ServerHandshake, Error>, Vec<u8>), Failure> {
        let mut answer = Vec::new();
        let accepted = match accepted {
            Some(accepted) => accepted,
            None => self.accept_again(&mut answer)?,
        };
        let mut next = accepted.choose_config(config, &mut answer);
        if self.sent.is_empty() {
            return Ok((next, answer));
        }
        // The second hello rests on what was sent, and is in `pending`.
        if answer != self.sent {
            let text = "the callbacks have changed what a HelloRetryRequest was sent for";
            return Err(Failure::new(alert::INTERNAL_ERROR, reasons::CALLBACK_FAILED, text));
        }
        answer.clear();
        if let Ok(ServerHandshake::NeedsInput(needs)) = next {
            next = needs.process(&mut self.pending, &mut answer);
        }
        Ok((next, answer))
    }

    /// Goes on after an answer: with a HelloRetryRequest to the second hello.
    fn answered(
        &mut self,
        next: ServerHandshake,
        answer: Vec<u8>,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        output.extend_from_slice(&answer);
        match next {
            ServerHandshake::NeedsInput(needs) if is_hello_retry_request(&answer) => {
                self.reader = HelloReader::second();
                self.sent = answer;
                self.state = State::Retry(needs);
                Ok(Progress::NeedsInput)
            }
            next => {
                self.random = server_random(&answer);
                self.hand_over(input);
                self.enter(next)
            }
        }
    }

    /// No session is resumed: what was received will be processed again, with credentials.
    fn again(&mut self) -> Result<Progress, Failure> {
        if let Some(key_log) = self.choice.as_ref().and_then(|choice| choice.key_log.as_ref()) {
            key_log.forget();
        }
        self.state = State::Credentials(None);
        Ok(Progress::Credentials)
    }

    /// Goes on with a full handshake: the credentials, and the response to staple.
    pub(crate) fn authenticate(
        &mut self,
        settings: Arc<Settings>,
        alpn: Option<Vec<u8>>,
        staple: Option<Arc<[u8]>>,
        resumable: bool,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let State::Credentials(accepted) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(over());
        };
        let tls13 = self.tls13(&settings);
        let credentials = match credentials::for_client(&settings, &self.hello, tls13) {
            Some(chosen) => Arc::new([Arc::clone(chosen)]) as Arc<[_]>,
            None => Arc::clone(&settings.credentials),
        };
        let schemes = credentials::schemes_for_client(&settings, &self.hello, tls13);
        let tickets = if resumable { settings.tickets } else { 0 };
        let signatures = Arc::clone(&self.signatures);
        if let Some(choice) = &mut self.choice {
            choice.settings = settings;
            choice.alpn = alpn;
            choice.ticketer = choice.ticketer.take().filter(|_| resumable);
        }
        let resolver = ServerCredentials { credentials, schemes, signatures, staple };
        let config = self.config(Arc::new(resolver), tickets)?;
        match self.answer(accepted, config).map_err(|f| plainly(f, output))? {
            (Ok(next), answer) => self.answered(next, answer, input, output),
            (Err(error), answer) => {
                output.extend(answer);
                Err(refused(error, tls13))
            }
        }
    }

    /// Processes the first hello once more, up to where it was accepted.
    fn accept_again(&mut self, output: &mut Vec<u8>) -> Result<Accepted<Tcp>, Failure> {
        self.pending = Input::default();
        self.pending.extend(&self.seen);
        match ServerHandshake::start().process(&mut self.pending, output)? {
            ServerHandshake::Accepted(accepted) => Ok(accepted),
            _ => Err(over()),
        }
    }

    fn enter(&mut self, next: ServerHandshake) -> Result<Progress, Failure> {
        match next {
            ServerHandshake::NeedsInput(needs) => {
                self.state = State::Running(needs);
                Ok(Progress::NeedsInput)
            }
            ServerHandshake::VerifyClientIdentity(verify) => {
                let presented = presented(&verify)?;
                self.state = State::Verify(verify);
                Ok(Progress::Verify(presented))
            }
            ServerHandshake::Complete(split) => Ok(Progress::Complete(split)),
            _ => Err(over()),
        }
    }

    /// Goes on after the client's certificates were verified, or not.
    pub(crate) fn verified(
        &mut self,
        outcome: Result<(), Failure>,
        output: &mut Vec<u8>,
    ) -> Result<Progress, Failure> {
        let State::Verify(verify) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(over());
        };
        let next = match outcome {
            Ok(()) => {
                let identity = verify.presented_identity()?.identity.clone().into_owned();
                verify.continue_with(Ok(VerifiedIdentity::assertion(identity)), output)?
            }
            Err(mut failure) => {
                let error = failure.as_rustls();
                failure.sent = Failure::from(error.clone()).sent;
                let _ = verify.continue_with(Err(error), output);
                return Err(failure);
            }
        };
        self.enter(next)
    }

    fn config(
        &self,
        resolver: Arc<dyn ServerCredentialResolver>,
        tickets: usize,
    ) -> Result<Arc<ServerConfig>, Failure> {
        let choice = self.choice.as_ref().ok_or_else(over)?;
        let settings = &choice.settings;
        if !settings.speaks(TLS1_2) && !settings.speaks(TLS1_3) {
            return Err(Failure::new(
                alert::PROTOCOL_VERSION,
                reasons::NO_PROTOCOLS_AVAILABLE,
                "no version of TLS is enabled",
            ));
        }
        let signatures = Arc::clone(&self.signatures);
        Parts { signatures, client: None, server: Some(resolver) }.play();
        let mut config = ServerConfig::clone(settings.server_config()?);
        config.alpn_protocols =
            choice.alpn.iter().map(|alpn| ApplicationProtocol::from(alpn.clone())).collect();
        config.session_storage =
            choice.sessions.clone().unwrap_or_else(|| Arc::new(NoServerSessionStorage {}));
        // In TLS 1.3 tickets may be ids of sessions, which the option does not concern.
        let takes = self.tls13(settings) || !settings.has_option(OP_NO_TICKET);
        config.ticketer = choice.ticketer.clone().filter(|_| takes);
        config.send_tls13_tickets = Tls13Tickets { default: tickets, max: tickets };
        if let Some(key_log) = &choice.key_log {
            config.key_log = key_log.clone();
        }
        Ok(Arc::new(config))
    }
}

fn presented(verify: &VerifyPeerIdentity<ServerSide, Tcp>) -> Result<Presented, Failure> {
    let chain = chain_of(verify.presented_identity()?.identity)?;
    Ok(Presented { chain, ..Presented::default() })
}
