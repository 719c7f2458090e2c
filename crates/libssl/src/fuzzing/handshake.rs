//! The engine as server and as client, against a peer that sends whatever the input says.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls_aws_lc_rs::DEFAULT_KEY_PROVIDER;

use crate::core::client_hello::ClientHello;
use crate::core::connection::{Connection, Request, Step};
use crate::core::credentials::Credential;
use crate::core::server::Choice;
use crate::core::settings::{Settings, TLS1_2, TLS1_3, VERIFY_PEER};
use crate::core::status::OCSP;

/// What a server staples here: not to be found in anything else that it sends.
const STAPLE: &[u8] = b"<<this is the staple of the server>>";

/// More steps than any handshake takes; an engine that takes more does not come to an end.
const MOST_STEPS: usize = 64;

/// How a handshake has ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Waits,
    Done,
    Closed,
    Failed(std::ffi::c_int, Option<u8>),
}

impl End {
    /// Whether it is the same. Of garbage, one may say something else than the other, or wait to the
    /// end of a record that the other has refused for its beginning.
    fn agrees_with(&self, other: &Self) -> bool {
        let fails = |end: &Self| matches!(end, Self::Waits | Self::Failed(..));
        self == other || fails(self) && fails(other)
    }
}

/// A server. The first byte says which version it speaks and whether it asks for a certificate; the
/// rest is what the client sends. In whichever pieces it comes, it comes to the same; and nothing is
/// stapled but to a client that has asked.
pub fn server_handshake(input: &[u8]) {
    let Some((how, sent)) = input.split_first() else { return };
    let (whole, output) = serve(*how, sent, usize::MAX);
    let (pieces, _) = serve(*how, sent, 1 + usize::from(how >> 3));
    assert!(whole.agrees_with(&pieces), "{whole:?} and in pieces {pieces:?}");
    if output.windows(STAPLE.len()).any(|part| part == STAPLE) {
        let asked =
            ClientHello::from_records(sent).and_then(|hello| hello.status_request().ok()?);
        assert!(asked.is_some(), "a staple is sent to a client that has not asked");
    }
}

fn serve(how: u8, sent: &[u8], size: usize) -> (End, Vec<u8>) {
    let settings = settings(how);
    let mut server = Connection::default();
    server.watch(&settings, true, true);
    server.start_server();
    run(&mut server, sent, size, |server, request| match request {
        Request::Hello => {
            assert!(server.hello().is_some_and(|hello| hello.random.len() == 32));
            let settings = Arc::clone(&settings);
            let choice = Choice {
                settings,
                alpn: None,
                sessions: None,
                ticketer: None,
                resumes: false,
                key_log: None,
            };
            server.choose(choice)
        }
        Request::Credentials => {
            let asked = server.hello().map(ClientHello::status_request);
            let staple = matches!(asked, Some(Ok(Some(_)))).then(|| STAPLE.into());
            server.authenticate(Arc::clone(&settings), None, staple, true)
        }
        Request::Verify(_) => server.verified(Ok(()), None),
    })
}

/// A client. The first byte is as for [`server_handshake`]; the rest is what the server sends.
pub fn client_handshake(input: &[u8]) {
    let Some((how, sent)) = input.split_first() else { return };
    let (whole, _) = ask(*how, sent, usize::MAX);
    let (pieces, _) = ask(*how, sent, 1 + usize::from(how >> 3));
    assert!(whole.agrees_with(&pieces), "{whole:?} and in pieces {pieces:?}");
    assert_ne!(whole, End::Done, "a server without a key has completed a handshake");
}

fn ask(how: u8, sent: &[u8], size: usize) -> (End, Vec<u8>) {
    let settings = settings(how);
    let mut client = Connection::default();
    client.watch(&settings, false, true);
    client.asks = how & 4 != 0;
    if client.start_client(&settings, Some("server.test"), None, None).is_err() {
        return (End::Closed, Vec::new());
    }
    run(&mut client, sent, size, |client, request| match request {
        Request::Verify(presented) => {
            assert!(!presented.chain.is_empty());
            client.verified(Ok(()), presented.asks.then(credential))
        }
        other => panic_of(&other),
    })
}

/// A request that this side never makes.
fn panic_of(request: &Request) -> Step {
    assert!(matches!(request, Request::Verify(_)), "{request:?}");
    Step::WantRead
}

/// Lets what was sent arrive, so many bytes at a time.
fn run(
    connection: &mut Connection,
    sent: &[u8],
    size: usize,
    mut answer: impl FnMut(&mut Connection, Request) -> Step,
) -> (End, Vec<u8>) {
    let mut output = Vec::new();
    let mut pieces = sent.chunks(size.clamp(1, sent.len().max(1)));
    loop {
        let end = advance(connection, &mut answer);
        while connection.next_event().is_some() {}
        output.extend(connection.take_output());
        assert!(connection.output.is_empty());
        match (end, pieces.next()) {
            (End::Waits, Some(piece)) => {
                let mut lent = connection.input.lend(piece.len());
                lent.room().copy_from_slice(piece);
                lent.wrote(piece.len());
                connection.take_back(lent);
            }
            (end, _) => {
                assert_eq!(connection.failure().is_some(), matches!(end, End::Failed(..)));
                return (end, output);
            }
        }
    }
}

/// Up to the next stop.
fn advance(
    connection: &mut Connection,
    answer: &mut impl FnMut(&mut Connection, Request) -> Step,
) -> End {
    let mut step = connection.advance();
    for _ in 0..MOST_STEPS {
        step = match step {
            Step::Done => return End::Done,
            Step::WantRead => return End::Waits,
            Step::Closed => return End::Closed,
            Step::Failed(failure) => return End::Failed(failure.reason, failure.alert),
            Step::Warning(_) => connection.advance(),
            Step::Call(request) => answer(connection, request),
        };
    }
    assert!(matches!(step, Step::Done), "the handshake does not come to an end: {step:?}");
    End::Done
}

fn settings(how: u8) -> Arc<Settings> {
    static ALL: OnceLock<Vec<Arc<Settings>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let version = |version: i32, verify: bool| {
            let mut settings = Arc::new(Settings::default());
            Settings::change(&mut settings, |settings| {
                (settings.min_version, settings.max_version) = (version, version);
                settings.status_type = OCSP;
                settings.credentials = Arc::new([credential()]);
                settings.verify_mode = if verify { VERIFY_PEER } else { 0 };
            });
            settings
        };
        let of = |verify| [0, TLS1_2, TLS1_3, 0].map(|number| version(number, verify));
        [of(false), of(true)].concat()
    });
    all.get(usize::from(how & 7)).cloned().unwrap_or_default()
}

/// A key, and a certificate that nobody reads.
fn credential() -> Arc<Credential> {
    static KEY: OnceLock<Option<Arc<Credential>>> = OnceLock::new();
    let made = KEY.get_or_init(|| {
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).ok()?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.as_ref().to_vec()));
        let key = Arc::from(DEFAULT_KEY_PROVIDER.load_private_key(der).ok()?);
        Some(Arc::new(Credential::new(vec![0x30, 0], Vec::new(), key, 0)))
    });
    made.clone().unwrap_or_else(|| {
        assert!(made.is_some(), "a key can be made");
        credential()
    })
}
