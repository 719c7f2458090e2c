//! How a lab is set up.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use rustls_pki_types::UnixTime;

use crate::authority::{Authority, Settings};
use crate::certificate::DAY;
use crate::key::{KeyKind, RsaScheme};
use crate::leaf::Urls;
use crate::responder::Server;
use crate::{Lab, LabError};

/// Sets a [`Lab`] up.
#[derive(Clone, Debug)]
#[must_use]
pub struct LabBuilder {
    settings: Settings,
    delegate: bool,
    delegate_key: Option<KeyKind>,
    responder_url: String,
    hold: Duration,
}

impl Default for LabBuilder {
    fn default() -> Self {
        Self {
            settings: Settings {
                ca_key: KeyKind::default(),
                leaf_key: KeyKind::default(),
                delegate: None,
                validity: 4 * DAY,
                now: None,
                rsa_scheme: RsaScheme::default(),
                responder_id_by_name: true,
            },
            delegate: false,
            delegate_key: None,
            responder_url: "http://ocsp.lab.example/ocsp".to_owned(),
            hold: Duration::from_secs(10),
        }
    }
}

impl LabBuilder {
    /// Sets the kind of key of all certificates. The default is ECDSA P-256.
    pub fn key(self, kind: KeyKind) -> Self {
        self.ca_key(kind).leaf_key(kind)
    }

    /// Sets the kind of key of root and intermediate, and of a delegate that is given none.
    pub fn ca_key(mut self, kind: KeyKind) -> Self {
        self.settings.ca_key = kind;
        self
    }

    /// Sets the kind of key of leaves that ask for none.
    pub fn leaf_key(mut self, kind: KeyKind) -> Self {
        self.settings.leaf_key = kind;
        self
    }

    /// Sets whether a delegated responder signs, with the kind of key of the CA. By default the
    /// intermediate itself signs.
    pub fn delegate(mut self, delegate: bool) -> Self {
        self.delegate = delegate;
        self
    }

    /// Has a delegated responder sign, with that kind of key.
    pub fn delegated(mut self, kind: KeyKind) -> Self {
        self.delegate_key = Some(kind);
        self.delegate(true)
    }

    /// Sets how long a response holds: `nextUpdate - thisUpdate`, to the second. The default is
    /// four days.
    pub fn validity(mut self, validity: Duration) -> Self {
        self.settings.validity = validity;
        self
    }

    /// Stops the clock at that time. By default the system's clock is read whenever the time is
    /// needed.
    pub fn now(mut self, now: UnixTime) -> Self {
        self.settings.now = Some(now);
        self
    }

    /// Sets how RSA keys sign responses.
    pub fn rsa_scheme(mut self, scheme: RsaScheme) -> Self {
        self.settings.rsa_scheme = scheme;
        self
    }

    /// Sets whether RSA keys sign responses with PSS, and SHA-256 either way.
    pub fn rsa_pss(self, pss: bool) -> Self {
        self.rsa_scheme(if pss { RsaScheme::PssSha256 } else { RsaScheme::Pkcs1Sha256 })
    }

    /// Has `ResponderID` name the signer. This is the default.
    pub fn responder_id_by_name(mut self) -> Self {
        self.settings.responder_id_by_name = true;
        self
    }

    /// Has `ResponderID` be the hash of the signer's key.
    pub fn responder_id_by_key(mut self) -> Self {
        self.settings.responder_id_by_name = false;
        self
    }

    /// Sets how long the faults timeout and slow drip hold a connection. The default is ten
    /// seconds; they end with the lab in any case.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// Sets the responder's address in certificates of a lab without a responder. The default is
    /// one where nothing is.
    pub fn responder_url(mut self, url: impl Into<String>) -> Self {
        self.responder_url = url.into();
        self
    }

    /// Makes the lab without a responder: nothing touches the network.
    ///
    /// # Errors
    /// [`LabError`] when keys or certificates cannot be made.
    pub fn build(self) -> Result<Lab, LabError> {
        let ca_issuers = format!("{}/ca.der", self.responder_url.trim_end_matches("/ocsp"));
        let urls = Urls { responder: self.responder_url.clone(), ca_issuers };
        Ok(Lab::new(Authority::new(self.settings(), urls)?.into(), None))
    }

    /// Makes the lab, and starts its responder on a free port of 127.0.0.1, in a thread of its own.
    /// It stops when the last clone of the lab is dropped.
    ///
    /// # Errors
    /// [`LabError`] when keys or certificates cannot be made, [`LabError::Start`] when there is no
    /// port or thread to be had.
    pub fn start(self) -> Result<Lab, LabError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LabError::Start)?;
        let address = listener.local_addr().map_err(LabError::Start)?;
        let urls = Urls {
            responder: format!("http://{address}/ocsp"),
            ca_issuers: format!("http://{address}/ca.der"),
        };
        let authority = Authority::new(self.settings(), urls)?.into();
        let server = Server::start(listener, &authority, self.hold).map_err(LabError::Start)?;
        Ok(Lab::new(authority, Some(server)))
    }

    fn settings(&self) -> Settings {
        let mut settings = self.settings.clone();
        let kind = self.delegate_key.unwrap_or(settings.ca_key);
        settings.delegate = self.delegate.then_some(kind);
        settings
    }
}
