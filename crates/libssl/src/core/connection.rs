//! One connection of the engine: bytes in, bytes out, and a stop where the program decides.
//!
//! [`Connection::advance`] works on what was received and says what comes next. It never calls
//! out: a [`Request`] is answered by a call to the method that it names, then `advance` goes on.

mod facts;
mod watched;

use std::sync::Arc;

use rustls::HandshakeKind;

use super::buffer::Input;
use super::client::{self, Client};
use super::client_hello::{Agreed, ClientHello};
use super::configs::Parts;
use super::credentials::Credential;
use super::failure::{Failure, alert};
use super::first_records::{FirstRecords, Seen};
use super::key_log::CollectedKeys;
use super::server::{self, Choice, Server};
use super::sessions::{ClientSession, ConnectionSessions};
use super::settings::{MODE_RELEASE_BUFFERS, OP_CLEANSE_PLAINTEXT, Settings};
use super::status::{self, OCSP};
use super::tap::Tap;
use super::traffic::{Received, Traffic};
use super::verify::Signatures;
use super::wire::Wire;
use crate::sys::reasons;

/// The certificates that the peer has shown, in DER, its own first; and what it stapled to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presented {
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) staple: Option<Vec<u8>>,
    /// Whether a server asks for a certificate, and the program is to choose it.
    pub(crate) asks: bool,
}

impl Presented {
    /// The length of the Certificate message that the certificates came in, without its header (RFC
    /// 8446, 4.4.2; RFC 5246, 7.4.2), in bytes.
    pub(crate) fn message_length(&self, tls13: bool) -> usize {
        /// Lengths of the list, and of each certificate.
        const LENGTH: usize = 3;
        /// In TLS 1.3, the length of the context.
        const CONTEXT: usize = 1;
        /// In TLS 1.3, the length of the extensions of each certificate. A staple is not counted.
        const EXTENSIONS: usize = 2;
        let certificates: usize = self.chain.iter().map(|der| LENGTH + der.len()).sum();
        match tls13 {
            true => CONTEXT + LENGTH + certificates + EXTENSIONS * self.chain.len(),
            false => LENGTH + certificates,
        }
    }

    /// Whether both are the same certificates and the same staple.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.chain == other.chain && self.staple == other.staple
    }
}

/// A decision that the program has to take.
#[derive(Debug)]
pub(crate) enum Request {
    /// Verify the peer's certificates, and choose one when a server asks for it; answered with
    /// [`Connection::verified`].
    Verify(Presented),
    /// A server has the ClientHello, in [`Connection::hello`]; answered with
    /// [`Connection::choose`].
    Hello,
    /// A server's handshake is a full one; answered with [`Connection::authenticate`].
    Credentials,
}

/// What comes next in a handshake.
#[derive(Debug)]
pub(crate) enum Step {
    /// The handshake is complete.
    Done,
    /// More bytes from the peer are needed.
    WantRead,
    Call(Request),
    /// The peer closes instead of beginning a handshake.
    Closed,
    /// The peer has sent a warning; go on.
    Warning(u8),
    /// The connection is over. What it still has to say is in the output.
    Failed(Failure),
}

/// One TLS connection.
#[derive(Default)]
pub(crate) struct Connection {
    /// Bytes from the peer.
    pub(crate) input: Input,
    /// Bytes for the peer.
    pub(crate) output: Vec<u8>,
    /// Whether the program wants to choose a client's certificate when the server asks for it.
    pub(crate) asks: bool,
    state: State,
    first_records: FirstRecords,
    tls13: Option<bool>,
    randoms: Randoms,
    resumed: bool,
    /// Whether a client's hello asks for certificate status.
    pub(super) asks_status: bool,
    /// What the handshake was signed with.
    pub(crate) signatures: Arc<Signatures>,
    /// The protocol of ALPN, when the handshake has ended.
    alpn: Option<Vec<u8>>,
    sessions: Option<Arc<ConnectionSessions>>,
    /// The ClientHello of a server whose handshake is complete.
    offered: Option<ClientHello>,
    agreed: Agreed,
    /// What the engine does not tell.
    tap: Tap,
    /// What passes, when someone watches.
    wire: Option<Box<Wire>>,
    /// How much of `output` has been shown to who watches.
    shown: usize,
}

/// The randoms of both hellos (RFC 8446, 4.1.2 and 4.1.3); zeros until they are there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Randoms {
    pub(crate) client: [u8; 32],
    pub(crate) server: [u8; 32],
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Client(Box<Client>),
    Server(Box<Server>),
    Traffic(Box<Traffic>),
    Failed(Failure),
}

impl Connection {
    /// Starts as a client.
    pub(crate) fn start_client(
        &mut self,
        settings: &Settings,
        name: Option<&str>,
        session: Option<ClientSession>,
        key_log: Option<Arc<CollectedKeys>>,
    ) -> Result<(), Failure> {
        let signatures = Arc::clone(&self.signatures);
        let output = &mut self.output;
        let client = self
            .tap
            .listen(|| Client::start(settings, name, session, key_log, signatures, output))?;
        self.asks_status = settings.status_type == OCSP;
        self.sessions = Some(client.sessions());
        let hello = ClientHello::from_records(&self.output);
        self.note_client_random(hello.as_ref());
        self.state = State::Client(Box::new(client));
        Ok(())
    }

    /// Starts as a server.
    pub(crate) fn start_server(&mut self) {
        self.state = State::Server(Box::new(Server::start(Arc::clone(&self.signatures))));
    }

    /// Whether a handshake has been started.
    pub(crate) fn is_started(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Whether a handshake has been completed.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, State::Traffic(_))
    }

    /// Whether the connection is over by a failure.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match &self.state {
            State::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Works on what was received, up to the next stop.
    pub(crate) fn advance(&mut self) -> Step {
        if let Some(server) = self.awaits_hello() {
            match self.first_records.check(&mut self.input, server) {
                Ok(Seen::Whole) => {}
                Ok(Seen::Partial) => return Step::WantRead,
                Ok(Seen::Closed) => return Step::Closed,
                Ok(Seen::Warning(description)) => return Step::Warning(description),
                Err(failure) => return self.refuse(failure),
            }
        }
        let (input, output) = (&mut self.input, &mut self.output);
        match &mut self.state {
            State::Idle => Step::Failed(Failure::local(
                reasons::CONNECTION_TYPE_NOT_SET,
                "neither the client's nor the server's side was chosen",
            )),
            State::Client(client) => {
                let asks = self.asks;
                let progress = self.tap.listen(|| client.advance(asks, input, output));
                self.tls13 = client.tls13();
                self.client_at(progress)
            }
            State::Server(server) => {
                let progress = self.tap.listen(|| server.advance(input, output));
                self.server_at(progress)
            }
            State::Traffic(_) => Step::Done,
            State::Failed(failure) => Step::Failed(failure.clone()),
        }
    }

    /// Whether nothing but the peer's first records is awaited: on a server, or on a client.
    fn awaits_hello(&self) -> Option<bool> {
        match &self.state {
            State::Client(client) if client.tls13().is_none() => Some(false),
            State::Server(server) if server.awaits_hello() => Some(true),
            _ => None,
        }
    }

    /// Answers [`Request::Verify`]; `shown` is what the program shows to a server that asks.
    pub(crate) fn verified(
        &mut self,
        outcome: Result<(), Failure>,
        shown: Option<Arc<Credential>>,
    ) -> Step {
        match &mut self.state {
            State::Client(client) => {
                let (input, output) = (&mut self.input, &mut self.output);
                let progress = self.tap.listen(|| client.verified(outcome, shown, input, output));
                // What came with the certificates is still here, and may be all there is.
                match self.client_at(progress) {
                    Step::WantRead => self.advance(),
                    step => step,
                }
            }
            State::Server(server) => {
                let output = &mut self.output;
                let progress = self.tap.listen(|| server.verified(outcome, output));
                match self.server_at(progress) {
                    Step::WantRead => self.advance(),
                    step => step,
                }
            }
            _ => self.out_of_order(),
        }
    }

    /// Answers [`Request::Hello`].
    pub(crate) fn choose(&mut self, choice: Choice) -> Step {
        let tls13 = |server: &Server| server.tls13(&choice.settings);
        match &mut self.state {
            State::Server(server) => {
                let tls13 = tls13(server);
                self.tls13 = Some(tls13);
                if let Some(wire) = &mut self.wire {
                    wire.choose(tls13);
                }
                let (input, output) = (&mut self.input, &mut self.output);
                let progress = self.tap.listen(|| server.choose(choice, input, output));
                match self.server_at(progress) {
                    Step::WantRead => self.advance(),
                    step => step,
                }
            }
            _ => self.out_of_order(),
        }
    }

    /// Answers [`Request::Credentials`]. A session that is not `resumable` gets no ticket.
    pub(crate) fn authenticate(
        &mut self,
        settings: Arc<Settings>,
        alpn: Option<Vec<u8>>,
        staple: Option<Arc<[u8]>>,
        resumable: bool,
    ) -> Step {
        match &mut self.state {
            State::Server(server) => {
                let (input, output) = (&mut self.input, &mut self.output);
                let progress = self.tap.listen(|| {
                    server.authenticate(settings, alpn, staple, resumable, input, output)
                });
                match self.server_at(progress) {
                    Step::WantRead => self.advance(),
                    step => step,
                }
            }
            _ => self.out_of_order(),
        }
    }

    /// Sends an alert of level warning, before keys exist.
    pub(crate) fn warn(&mut self, description: u8) {
        self.output.extend([21, 3, 3, 0, 2, 1, description]);
    }

    /// Ends a server's handshake from a callback, before keys exist.
    pub(crate) fn refuse(&mut self, mut failure: Failure) -> Step {
        if failure.alert == Some(alert::PROTOCOL_VERSION)
            && let (Some(wire), State::Server(server)) = (&mut self.wire, &self.state)
        {
            wire.answer_in(server.hello().legacy_version);
        }
        self.output.extend(failure.write_plain_alert());
        self.fail(failure)
    }

    /// Ends the connection with a failure of the transport. As long as no keys exist the peer is
    /// told; rustls has no way to encrypt an alert of this kind.
    pub(crate) fn end(&mut self, mut failure: Failure) -> Failure {
        let plain = match &self.state {
            State::Client(client) => client.speaks_plainly(),
            State::Server(server) => server.speaks_plainly(),
            _ => false,
        };
        if plain {
            self.output.extend(failure.write_plain_alert());
        }
        self.fail(failure.clone());
        failure
    }

    fn out_of_order(&mut self) -> Step {
        self.fail(client::over())
    }

    fn note_client_random(&mut self, hello: Option<&ClientHello>) {
        if let Some(random) = hello.and_then(|hello| hello.random.as_slice().try_into().ok()) {
            self.randoms.client = random;
        }
    }

    /// Keeps what a server was offered, and the randoms, when the handshake ends.
    fn keep_hello(&mut self) {
        self.randoms = self.randoms();
        self.agreed = self.agreed();
        self.alpn = self.alpn().map(<[u8]>::to_vec);
        if let State::Server(server) = &mut self.state {
            // Moved, since programs may have been given pointers into it.
            self.offered = Some(server.take_hello());
        }
    }

    fn fail(&mut self, failure: Failure) -> Step {
        self.keep_hello();
        self.state = State::Failed(failure.clone());
        Step::Failed(failure)
    }

    fn client_at(&mut self, progress: Result<client::Progress, Failure>) -> Step {
        match progress {
            Ok(client::Progress::NeedsInput) => Step::WantRead,
            // rustls takes such a staple in TLS 1.3.
            Ok(client::Progress::Verify(presented))
                if presented.staple.is_some() && !self.asks_status =>
            {
                self.disregard_received();
                self.verified(Err(status::unsolicited()), None)
            }
            Ok(client::Progress::Verify(presented)) => Step::Call(Request::Verify(presented)),
            Ok(client::Progress::Complete(split)) => self.complete(Traffic::client(split)),
            Err(failure) => self.fail(failure),
        }
    }

    fn server_at(&mut self, progress: Result<server::Progress, Failure>) -> Step {
        match progress {
            Ok(server::Progress::NeedsInput) => Step::WantRead,
            Ok(server::Progress::Hello) => Step::Call(Request::Hello),
            Ok(server::Progress::Credentials) => {
                // Nothing of an attempt to resume a session is sent but a HelloRetryRequest.
                if let Some(wire) = &mut self.wire {
                    wire.start_over();
                }
                Step::Call(Request::Credentials)
            }
            Ok(server::Progress::Verify(presented)) => Step::Call(Request::Verify(presented)),
            Ok(server::Progress::Complete(split)) => self.complete(Traffic::server(split)),
            Err(failure) => self.fail(failure),
        }
    }

    fn complete(&mut self, traffic: Traffic) -> Step {
        self.resumed = matches!(
            traffic.outputs.handshake_kind(),
            Some(HandshakeKind::Resumed | HandshakeKind::ResumedWithHelloRetryRequest)
        );
        self.tls13 = Some(
            traffic.outputs.protocol_version() == Some(rustls::enums::ProtocolVersion::TLSv1_3),
        );
        self.keep_hello();
        self.tap.parts = Parts::default();
        self.state = State::Traffic(Box::new(traffic));
        Step::Done
    }

    /// Whether a server has asked for a second ClientHello, and it is still to come.
    pub(crate) fn awaits_second_hello(&self) -> bool {
        matches!(&self.state, State::Server(server) if server.awaits_second_hello())
    }

    /// The ClientHello that a server has received, while it is in its handshake.
    pub(crate) fn hello(&self) -> Option<&ClientHello> {
        match &self.state {
            State::Server(server) => Some(server.hello()),
            _ => None,
        }
    }

    /// Sessions that a client has received.
    pub(crate) fn sessions(&self) -> Option<&Arc<ConnectionSessions>> {
        self.sessions.as_ref()
    }

    /// The completed connection's keys and facts.
    pub(crate) fn traffic(&self) -> Option<&Traffic> {
        match &self.state {
            State::Traffic(traffic) => Some(traffic),
            _ => None,
        }
    }

    /// Data decrypted and not yet read.
    pub(crate) fn pending(&self) -> &[u8] {
        self.traffic().map(Traffic::pending).unwrap_or_default()
    }

    /// Whether [`receive`](Self::receive) has nothing to do before more comes from the peer.
    pub(crate) fn awaits_more(&self) -> bool {
        self.traffic().is_some_and(|traffic| traffic.awaits_more(&self.input))
    }

    /// Decrypts what was received. Its data goes to `reader`, which says how much of it it takes.
    pub(crate) fn receive(
        &mut self,
        reader: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Result<Received, Failure> {
        match &mut self.state {
            State::Traffic(traffic) => {
                let (input, output) = (&mut self.input, &mut self.output);
                match &self.wire {
                    // New keys are to be watched too.
                    Some(_) => self.tap.listen(|| traffic.receive(input, output, reader)),
                    None => traffic.receive(input, output, reader),
                }
            }
            State::Failed(failure) => Err(failure.clone()),
            _ => Err(Failure::local(reasons::UNINITIALIZED, "no handshake has been completed")),
        }
    }

    /// Leaves nothing of what was read in memory that is kept, and gives memory back, as the
    /// settings say.
    pub(crate) fn clean_up(&mut self, settings: &Settings) {
        let cleanse = settings.has_option(OP_CLEANSE_PLAINTEXT);
        let release = settings.mode & MODE_RELEASE_BUFFERS != 0;
        if release {
            self.input.release();
        }
        if let State::Traffic(traffic) = &mut self.state
            && (cleanse || release)
        {
            traffic.clean_up(release);
        }
    }

    /// Encrypts `data` for the peer.
    pub(crate) fn send(&mut self, data: &[u8]) -> Result<(), Failure> {
        match &mut self.state {
            State::Traffic(traffic) => match &self.wire {
                Some(_) => self.tap.listen(|| traffic.send(data, &mut self.output)),
                None => traffic.send(data, &mut self.output),
            },
            State::Failed(failure) => Err(failure.clone()),
            _ => Err(Failure::local(reasons::UNINITIALIZED, "no handshake has been completed")),
        }
    }

    /// Renews the keys (RFC 8446, 4.6.3).
    pub(crate) fn update_keys(&mut self) -> Result<(), Failure> {
        match &mut self.state {
            State::Traffic(traffic) => self.tap.listen(|| traffic.update_keys(&mut self.output)),
            _ => Err(Failure::local(reasons::STILL_IN_INIT, "no handshake has been completed")),
        }
    }

    /// Sends close_notify.
    pub(crate) fn close(&mut self) -> Result<(), Failure> {
        match &mut self.state {
            State::Traffic(traffic) => traffic.close(&mut self.output),
            _ => Ok(()),
        }
    }
}
