//! The engine against itself, in memory: both versions, status, resumption, refusals.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::TicketProducer;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};
use rustls_aws_lc_rs::{DEFAULT_KEY_PROVIDER, DEFAULT_PROVIDER};

use super::connection::{Connection, Presented, Request, Step};
use super::credentials::Credential;
use super::failure::{Failure, alert};
use super::server::Choice;
use super::sessions::ClientSession;
use super::settings::{Settings, TLS1_2, TLS1_3, VERIFY_PEER};
use super::status::{OCSP, client_verdict};
use super::traffic::Received;
use crate::sys::reasons;
use certstatus::handshake::ClientDecision;

const STAPLE: &[u8] = b"what the server staples";

fn credential() -> Arc<Credential> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = Arc::from(DEFAULT_KEY_PROVIDER.load_private_key(der).unwrap());
    Arc::new(Credential::new(certificate.der().to_vec(), Vec::new(), key, 0))
}

fn settings(version: i32, change: impl FnOnce(&mut Settings)) -> Arc<Settings> {
    let mut settings = Arc::new(Settings::default());
    Settings::change(&mut settings, |settings| {
        settings.min_version = version;
        settings.max_version = version;
        change(settings);
    });
    settings
}

/// What the two programs do in the callbacks, and what they saw.
struct Pair {
    client: Connection,
    server: Connection,
    server_settings: Arc<Settings>,
    sessions: Arc<dyn StoresServerSessions>,
    ticketer: Option<Arc<dyn TicketProducer>>,
    /// Whether the server tries to resume.
    attempts: bool,
    /// Whether it has tried in vain.
    declined: bool,
    staple: Option<Arc<[u8]>>,
    /// What the client answers about the staple.
    decision: ClientDecision,
    seen_staple: Option<Vec<u8>>,
    verified: usize,
    credentials_asked: usize,
    /// What the client shows when it is asked, and how often it was.
    shown: Option<Arc<Credential>>,
    asked: usize,
    /// How many hellos the server was shown, and what it chooses for a second one.
    hellos: usize,
    later_settings: Option<Arc<Settings>>,
}

impl Pair {
    fn new(client: &Settings, server: Arc<Settings>, session: Option<ClientSession>) -> Self {
        let mut pair = Self {
            client: Connection::default(),
            server: Connection::default(),
            server_settings: server,
            sessions: ServerSessionMemoryCache::new(8),
            ticketer: None,
            attempts: true,
            declined: false,
            staple: Some(STAPLE.into()),
            decision: ClientDecision::Accept,
            seen_staple: None,
            verified: 0,
            credentials_asked: 0,
            shown: None,
            asked: 0,
            hellos: 0,
            later_settings: None,
        };
        pair.client.start_client(client, Some("localhost"), session, None).unwrap();
        pair.server.start_server();
        pair
    }

    fn answer_client(&mut self, request: Request) -> Step {
        let Request::Verify(Presented { chain, staple, asks }) = request else {
            panic!("a client is asked to verify: {request:?}");
        };
        assert_eq!(chain.len(), 1);
        self.verified += 1;
        self.seen_staple = staple;
        let shown = self.shown.clone().filter(|_| asks);
        self.asked += usize::from(asks);
        self.client.verified(client_verdict(self.decision), shown)
    }

    fn answer_server(&mut self, request: Request) -> Step {
        match request {
            Request::Hello => {
                self.hellos += 1;
                if self.hellos == 2
                    && let Some(later) = self.later_settings.take()
                {
                    self.server_settings = later;
                }
                assert_eq!(self.server.hello().unwrap().server_name(), Some(&b"localhost"[..]));
                let choice = Choice {
                    settings: self.server_settings.clone(),
                    alpn: None,
                    sessions: Some(self.sessions.clone()),
                    ticketer: self.ticketer.clone(),
                    resumes: self.attempts,
                    key_log: None,
                };
                self.server.choose(choice)
            }
            Request::Credentials => {
                self.credentials_asked += 1;
                self.declined = self.server.has_declined();
                let asked = self.server.hello().unwrap().status_request().unwrap();
                let staple = self.staple.clone().filter(|_| asked.is_some());
                self.server.authenticate(self.server_settings.clone(), None, staple, true)
            }
            Request::Verify(presented) => {
                assert_eq!(presented.chain.len(), 1);
                self.verified += 1;
                self.server.verified(Ok(()), None)
            }
        }
    }

    /// Lets the bytes flow, `size` at a time to the server, until both sides rest.
    fn run(&mut self, size: usize) -> (Result<(), Failure>, Result<(), Failure>) {
        let (mut of_client, mut of_server) = (Ok(()), Ok(()));
        for _ in 0..2000 {
            let mut step = self.client.advance();
            while let Step::Call(request) = step {
                step = self.answer_client(request);
            }
            if let Step::Failed(failure) = step {
                of_client = Err(failure);
            }
            let count = self.client.output.len().min(size);
            let sent: Vec<u8> = self.client.output.drain(..count).collect();
            self.server.input.extend(&sent);
            let mut step = self.server.advance();
            while let Step::Call(request) = step {
                step = self.answer_server(request);
            }
            if let Step::Failed(failure) = step {
                of_server = Err(failure);
            }
            let answer = std::mem::take(&mut self.server.output);
            self.client.input.extend(&answer);
            if count == 0 && answer.is_empty() && self.client.output.is_empty() {
                break;
            }
        }
        (of_client, of_server)
    }

    /// Sends a line each way.
    fn talk(&mut self) {
        self.server.send(b"from the server").unwrap();
        let bytes = std::mem::take(&mut self.server.output);
        self.client.input.extend(&bytes);
        // A reader that takes its data piece by piece.
        let mut read = Vec::new();
        let mut five = |data: &[u8]| {
            let count = data.len().min(5);
            read.extend_from_slice(&data[..count]);
            count
        };
        for _ in 0..3 {
            assert_eq!(self.client.receive(&mut five), Ok(Received::Data));
        }
        assert_eq!(read, b"from the server");
        assert_eq!(self.client.pending(), b"");
        self.client.send(b"from the client").unwrap();
        self.client.close().unwrap();
        let bytes = std::mem::take(&mut self.client.output);
        self.server.input.extend(&bytes);
        assert_eq!(self.server.receive(&mut |_| 0), Ok(Received::Data));
        assert_eq!(self.server.pending(), b"from the client");
        assert_eq!(self.server.receive(&mut <[u8]>::len), Ok(Received::Data));
        assert_eq!(self.server.receive(&mut |_| 0), Ok(Received::Closed));
    }

    fn session(&self) -> Option<ClientSession> {
        self.client.sessions().unwrap().take_received().pop()
    }
}

fn server_settings(version: i32) -> Arc<Settings> {
    settings(version, |settings| settings.credentials = Arc::new([credential()]))
}

#[test]
fn a_staple_is_sent_when_it_is_asked_for_and_only_then() {
    for version in [TLS1_2, TLS1_3] {
        for asked in [true, false] {
            let client = settings(version, |s| s.status_type = if asked { OCSP } else { -1 });
            let mut pair = Pair::new(&client, server_settings(version), None);
            assert_eq!(pair.run(usize::MAX), (Ok(()), Ok(())));
            assert_eq!(pair.seen_staple.as_deref(), asked.then_some(STAPLE));
            assert_eq!(pair.client.version(), Some(version));
            assert_eq!((pair.verified, pair.credentials_asked), (1, 1));
            pair.talk();
        }
    }
}

/// rustls takes the staple; a client that has not asked refuses it before it verifies.
#[test]
fn unasked_staple_is_refused_in_tls13() {
    let client = settings(TLS1_3, |settings| settings.status_type = OCSP);
    let mut pair = Pair::new(&client, server_settings(TLS1_3), None);
    // The hello asks, so that the server staples.
    pair.client.asks_status = false;
    let (of_client, of_server) = pair.run(usize::MAX);
    assert_eq!(of_client.unwrap_err().reason, reasons::UNSOLICITED_EXTENSION);
    assert_eq!(of_server.unwrap_err().reason, 1110);
    assert_eq!(pair.verified, 0);
}

#[test]
fn bytes_arrive_one_by_one() {
    for version in [TLS1_2, TLS1_3] {
        let client = settings(version, |settings| settings.status_type = OCSP);
        let mut pair = Pair::new(&client, server_settings(version), None);
        assert_eq!(pair.run(1), (Ok(()), Ok(())));
        assert_eq!(pair.seen_staple.as_deref(), Some(STAPLE));
    }
}

#[test]
fn a_rejected_staple_is_told_with_its_alert() {
    for version in [TLS1_2, TLS1_3] {
        let client = settings(version, |settings| settings.status_type = OCSP);
        let mut pair = Pair::new(&client, server_settings(version), None);
        pair.decision = ClientDecision::Reject;
        let (of_client, of_server) = pair.run(usize::MAX);
        assert_eq!(of_client.unwrap_err().reason, reasons::INVALID_STATUS_RESPONSE);
        let of_server = of_server.unwrap_err();
        assert_eq!(of_server.reason, reasons::TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE);
    }
}

#[test]
fn a_failed_status_callback_is_an_internal_error_where_no_keys_exist() {
    for (version, told) in [
        (TLS1_2, reasons::TLSV1_ALERT_INTERNAL_ERROR),
        (TLS1_3, reasons::TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE),
    ] {
        let client = settings(version, |settings| settings.status_type = OCSP);
        let mut pair = Pair::new(&client, server_settings(version), None);
        pair.decision = ClientDecision::Error;
        let (of_client, of_server) = pair.run(usize::MAX);
        assert_eq!(of_client.unwrap_err().reason, reasons::OCSP_CALLBACK_FAILURE);
        assert_eq!(of_server.unwrap_err().reason, told);
    }
}

#[test]
fn a_resumption_asks_for_nothing() {
    for version in [TLS1_2, TLS1_3] {
        for tickets in [true, false] {
            let client = settings(version, |settings| settings.status_type = OCSP);
            let server = server_settings(version);
            let mut first = Pair::new(&client, server.clone(), None);
            first.ticketer = tickets.then(|| DEFAULT_PROVIDER.ticketer_factory.ticketer().unwrap());
            assert_eq!(first.run(usize::MAX), (Ok(()), Ok(())));
            first.talk();
            let session = first.session();
            assert!(session.is_some(), "{version:x} {tickets}");

            let mut second = Pair::new(&client, server, session);
            second.sessions = first.sessions.clone();
            second.ticketer = first.ticketer.clone();
            assert_eq!(second.run(usize::MAX), (Ok(()), Ok(())));
            assert!(second.client.is_resumed() && second.server.is_resumed());
            assert_eq!((second.verified, second.credentials_asked), (0, 0));
            assert_eq!(second.seen_staple, None);
            second.talk();
        }
    }
}

#[test]
fn unknown_session_costs_no_attempt() {
    for (version, attempts) in [(TLS1_2, true), (TLS1_2, false), (TLS1_3, true), (TLS1_3, false)] {
        let client = settings(version, |_| {});
        let server = server_settings(version);
        let mut first = Pair::new(&client, server.clone(), None);
        assert_eq!(first.run(usize::MAX), (Ok(()), Ok(())));
        first.talk();
        // The second server has other sessions.
        let mut second = Pair::new(&client, server, first.session());
        second.attempts = attempts;
        assert_eq!(second.run(usize::MAX), (Ok(()), Ok(())));
        assert_eq!((second.credentials_asked, second.declined), (1, attempts));
        second.talk();
    }
}

#[test]
fn a_session_that_is_not_resumed_makes_a_full_handshake() {
    for version in [TLS1_2, TLS1_3] {
        let client = settings(version, |settings| settings.status_type = OCSP);
        let server = server_settings(version);
        let mut first = Pair::new(&client, server.clone(), None);
        assert_eq!(first.run(usize::MAX), (Ok(()), Ok(())));
        first.talk();
        // The second server has other sessions.
        let mut second = Pair::new(&client, server, first.session());
        assert_eq!(second.run(3), (Ok(()), Ok(())));
        assert!(!second.client.is_resumed());
        assert_eq!((second.verified, second.credentials_asked), (1, 1));
        assert_eq!(second.seen_staple.as_deref(), Some(STAPLE));
        second.talk();
    }
}

#[test]
fn after_a_hello_retry_request_the_staple_comes_all_the_same() {
    let client = settings(TLS1_3, |settings| settings.status_type = OCSP);
    let server = settings(TLS1_3, |settings| {
        settings.credentials = Arc::new([credential()]);
        settings.groups = Arc::new([rustls::crypto::kx::NamedGroup::secp384r1]);
    });
    let mut first = Pair::new(&client, server.clone(), None);
    assert_eq!(first.run(usize::MAX), (Ok(()), Ok(())));
    assert_eq!(first.seen_staple.as_deref(), Some(STAPLE));
    first.talk();
    for same_sessions in [true, false] {
        let mut again = Pair::new(&client, server.clone(), None);
        assert_eq!(again.run(usize::MAX), (Ok(()), Ok(())));
        again.talk();
        let mut second = Pair::new(&client, server.clone(), again.session());
        if same_sessions {
            second.sessions = again.sessions.clone();
        }
        assert_eq!(second.run(usize::MAX), (Ok(()), Ok(())));
        assert_eq!(second.client.is_resumed(), same_sessions);
        assert_eq!(second.credentials_asked, usize::from(!same_sessions));
        second.talk();
    }
}

#[test]
fn a_server_is_shown_both_hellos_and_may_not_change_its_mind_about_the_first() {
    use rustls::crypto::kx::NamedGroup;
    let with = |group| {
        settings(TLS1_3, |settings| {
            settings.credentials = Arc::new([credential()]);
            settings.groups = Arc::new([group]);
        })
    };
    let client = settings(TLS1_3, |_| {});
    for (later, size) in
        [(None, usize::MAX), (None, 1), (Some(with(NamedGroup::secp384r1)), usize::MAX)]
    {
        let mut pair = Pair::new(&client, with(NamedGroup::secp384r1), None);
        pair.later_settings = later;
        assert_eq!(pair.run(size), (Ok(()), Ok(())));
        assert_eq!((pair.hellos, pair.credentials_asked, pair.verified), (2, 2, 1));
        pair.talk();
    }
    let mut pair = Pair::new(&client, with(NamedGroup::secp384r1), None);
    pair.later_settings = Some(with(NamedGroup::X25519));
    let (of_client, of_server) = pair.run(usize::MAX);
    assert_eq!(of_server.unwrap_err().alert, Some(alert::INTERNAL_ERROR));
    assert_eq!(of_client.unwrap_err().reason, reasons::TLSV1_ALERT_INTERNAL_ERROR);
}

#[test]
fn what_follows_a_hello_retry_request_has_to_be_a_hello() {
    let server = settings(TLS1_3, |settings| {
        settings.credentials = Arc::new([credential()]);
        settings.groups = Arc::new([rustls::crypto::kx::NamedGroup::secp384r1]);
    });
    // A message of another type, another type of record, a hello that is none.
    for wrong in
        [&[22, 3, 3, 0, 4, 20, 0, 0, 0][..], &[23, 3, 3, 0, 1, 0], &[22, 3, 3, 0, 5, 1, 0, 0, 1, 9]]
    {
        let mut pair = Pair::new(&settings(TLS1_3, |_| {}), server.clone(), None);
        pair.client.advance();
        pair.server.input.extend(&std::mem::take(&mut pair.client.output));
        let mut step = pair.server.advance();
        while let Step::Call(request) = step {
            step = pair.answer_server(request);
        }
        assert!(pair.server.awaits_second_hello());
        pair.server.input.extend(wrong);
        assert!(matches!(pair.server.advance(), Step::Failed(_)), "{wrong:?}");
        assert_eq!(pair.hellos, 1);
    }
}

#[test]
fn a_client_shows_its_certificate_when_it_is_asked() {
    for version in [TLS1_2, TLS1_3] {
        let client = settings(version, |settings| settings.credentials = Arc::new([credential()]));
        let server = settings(version, |settings| {
            settings.credentials = Arc::new([credential()]);
            settings.verify_mode = VERIFY_PEER;
        });
        let mut pair = Pair::new(&client, server, None);
        assert_eq!(pair.run(usize::MAX), (Ok(()), Ok(())));
        assert_eq!(pair.verified, 2);
        pair.talk();
    }
}

#[test]
fn what_programs_write_most_is_one_record() {
    for version in [TLS1_2, TLS1_3] {
        let client = settings(version, |_| {});
        let mut pair = Pair::new(&client, server_settings(version), None);
        assert_eq!(pair.run(usize::MAX), (Ok(()), Ok(())));
        for (length, records) in [(16 * 1024, 1), (16 * 1024 + 1, 2)] {
            pair.server.send(&vec![7; length]).unwrap();
            let sent = std::mem::take(&mut pair.server.output);
            pair.client.input.extend(&sent);
            let mut read = Vec::new();
            let mut reads = 0;
            while !pair.client.awaits_more() {
                let mut all = |data: &[u8]| {
                    read.extend_from_slice(data);
                    data.len()
                };
                assert_eq!(pair.client.receive(&mut all), Ok(Received::Data));
                reads += 1;
            }
            assert_eq!((read, reads), (vec![7; length], records));
        }
    }
}

#[test]
fn a_client_that_wants_to_be_asked_chooses_after_it_has_verified() {
    for version in [TLS1_2, TLS1_3] {
        for (size, shows) in [(usize::MAX, true), (1, true), (usize::MAX, false)] {
            let client = settings(version, |settings| {
                settings.status_type = OCSP;
                settings.credentials = Arc::new([credential()]);
            });
            let server = settings(version, |settings| {
                settings.credentials = Arc::new([credential()]);
                settings.verify_mode = VERIFY_PEER;
            });
            let mut pair = Pair::new(&client, server, None);
            pair.client.asks = true;
            pair.shown = shows.then(credential);
            assert_eq!(pair.run(size), (Ok(()), Ok(())));
            assert_eq!(pair.seen_staple.as_deref(), Some(STAPLE));
            // The server verifies what it is shown.
            assert_eq!((pair.asked, pair.verified), (1, 1 + usize::from(shows)));
            let request = pair.client.signatures.request().unwrap();
            assert_eq!(request.types.is_empty(), version == TLS1_3);
            assert!(!request.schemes.is_empty());
            pair.talk();
        }
        // A server that asks for nothing.
        let mut pair = Pair::new(&settings(version, |_| {}), server_settings(version), None);
        pair.client.asks = true;
        assert_eq!(pair.run(usize::MAX), (Ok(()), Ok(())));
        assert_eq!((pair.asked, pair.verified), (0, 1));
    }
}

#[test]
fn a_malformed_status_request_is_a_decode_error() {
    // A hello of TLS 1.2 whose status_request ends early.
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xC0, 0x2B, 1, 0]);
    let extensions = [0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3, 0, 5, 0, 3, 1, 0, 9];
    body.extend([0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let mut record = vec![22, 3, 1, 0, u8::try_from(body.len() + 4).unwrap(), 1, 0, 0];
    record.push(u8::try_from(body.len()).unwrap());
    record.extend(body);

    let mut server = Connection::default();
    server.start_server();
    server.input.extend(&record);
    assert!(matches!(server.advance(), Step::Failed(_)));
    assert_eq!(server.output, [21, 3, 3, 0, 2, 2, alert::DECODE_ERROR]);
}
