//! Our client: rustls with a `StatusVerifier`, over a plain socket.

use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use certstatus::Policy;
use certstatus_lab::Lab;
use certstatus_rustls::StatusVerifier;
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, RootCertStore};

use super::pki::{Case, NAME, Version, provider};
use super::process::PATIENCE;

/// How a handshake with a server came out.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// What rustls says.
    pub(crate) result: Result<(), Error>,
    /// What the policy decided, as a sentence; empty when it was not asked.
    pub(crate) decision: String,
}

impl Handshake {
    /// Asserts that it came out as the case demands, when a staple is always required.
    #[track_caller]
    pub(crate) fn is_as_told(&self, case: Case) {
        let refused = |error| Err(Error::InvalidCertificate(error));
        let (result, words) = match case {
            Case::Good => (Ok(()), "the stapled response says the certificate is good"),
            Case::Revoked => (refused(CertificateError::Revoked), "the certificate was revoked at"),
            Case::Expired => (
                refused(CertificateError::InvalidOcspResponse),
                "the stapled response is not to be trusted: the response expired at",
            ),
            Case::Missing => (
                refused(CertificateError::InvalidOcspResponse),
                "nothing is stapled, and the policy requires a staple",
            ),
        };
        assert_eq!(self.result, result, "{case:?}: {self:?}");
        assert!(self.decision.contains(words), "{case:?}: {self:?}");
    }
}

/// Shakes hands with the server at that port of 127.0.0.1, and requires that it staples.
pub(crate) fn connect(lab: &Lab, port: u16, version: Version) -> Handshake {
    let mut roots = RootCertStore::empty();
    roots.add(lab.root().clone()).expect("the lab's root is a trust anchor");
    let decision = Arc::new(Mutex::new(String::new()));
    let observed = Arc::clone(&decision);
    let verifier = StatusVerifier::builder(Arc::new(roots), provider())
        .policy(Policy::default().require_always())
        .on_decision(move |_, _, decision| *observed.lock().unwrap() = decision.to_string())
        .build()
        .expect("one root and no CRLs");
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version.of_rustls()])
        .expect("the provider knows both versions")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let result = shake_hands(Arc::new(config), port);
    let decision = decision.lock().unwrap().clone();
    Handshake { result, decision }
}

fn shake_hands(config: Arc<ClientConfig>, port: u16) -> Result<(), Error> {
    let name = NAME.try_into().expect("a DNS name");
    let mut connection = ClientConnection::new(config, name)?;
    let mut socket =
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a server that is ready");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out that is not zero");
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut socket) {
            leave(socket);
            return Err(match error.downcast::<Error>() {
                Ok(error) => error,
                Err(error) => panic!("the connection broke in the handshake: {error}"),
            });
        }
    }
    connection.send_close_notify();
    while connection.wants_write() {
        connection.write_tls(&mut socket).expect("a goodbye");
    }
    leave(socket);
    Ok(())
}

/// Ends a connection without losing what was sent last: a socket that is closed before all is read
/// is reset, and then the peer may never see our alert.
fn leave(mut socket: TcpStream) {
    // A peer that has gone already has nothing more to read.
    let _ = socket.shutdown(Shutdown::Write);
    let _ = std::io::copy(&mut socket, &mut std::io::sink());
}
