//! The configurations that rustls works by: one for all connections of a generation of settings.
//!
//! A connection takes a copy and adds what is its own: its protocols, its sessions, its log of keys.
//! rustls also asks the configuration for what to show, and tells it what was signed with; those
//! belong to the connection that the thread works for, and are passed on to it, see [`super::tap`].

use std::hash::Hasher;
use std::sync::Arc;

use rustls::client::{ClientCredentialResolver, CredentialRequest};
use rustls::crypto::SelectedCredential;
use rustls::enums::{ApplicationProtocol, CertificateType};
use rustls::error::Error;
use rustls::server::{ClientHello, InvalidSniPolicy, PreferServerOrder, ServerCredentialResolver};
use rustls::{ClientConfig, ServerConfig};

use super::credentials::ClientCredentials;
use super::settings::{
    OP_CIPHER_SERVER_PREFERENCE, Settings, VERIFY_FAIL_IF_NO_PEER_CERT, VERIFY_PEER,
};
use super::status;
use super::tap::hear;
use super::verify::{OfClient, OfServer, Signatures};

/// What a connection's handshake is asked for, by way of its tap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// Told of each signature, and of the request for a certificate.
    pub(crate) signatures: Arc<Signatures>,
    /// What a client shows.
    pub(crate) client: Option<Arc<ClientCredentials>>,
    /// What a server shows.
    pub(crate) server: Option<Arc<dyn ServerCredentialResolver>>,
}

impl Parts {
    /// Has the connection that the thread works for asked for these.
    pub(crate) fn play(self) {
        hear(|tap| tap.parts = self);
    }
}

/// The parts of the connection that the thread works for; none of anyone's when it works for none.
pub(crate) fn parts() -> Parts {
    let mut parts = Parts::default();
    hear(|tap| parts.clone_from(&tap.parts));
    parts
}

/// What all clients with these settings have in common.
pub(crate) fn client(settings: &Settings) -> Result<ClientConfig, Error> {
    let verifier = OfServer {
        request_ocsp: settings.status_type == status::OCSP,
        names: settings.client_ca.iter().map(|name| name.clone().into()).collect(),
        schemes: settings.accepted_schemes(false),
    };
    let mut config = ClientConfig::builder(settings.provider())
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_credential_resolver(Arc::new(OfConnection))?;
    config.alpn_protocols =
        settings.protocols().into_iter().map(ApplicationProtocol::from).collect();
    Ok(config)
}

/// What all servers with these settings have in common.
pub(crate) fn server(settings: &Settings) -> Result<ServerConfig, Error> {
    let verifier = OfClient {
        ask: settings.verify_mode & VERIFY_PEER != 0,
        mandatory: settings.verify_mode & VERIFY_FAIL_IF_NO_PEER_CERT != 0,
        names: settings.client_ca.iter().map(|name| name.clone().into()).collect(),
        schemes: settings.accepted_schemes(true),
    };
    let mut config = ServerConfig::builder(settings.provider())
        .with_client_cert_verifier(Arc::new(verifier))
        .with_server_credential_resolver(Arc::new(OfConnection))?;
    // OpenSSL takes any name; the callbacks get the name as the client has sent it.
    config.invalid_sni_policy = InvalidSniPolicy::IgnoreAll;
    if settings.has_option(OP_CIPHER_SERVER_PREFERENCE) {
        config.cipher_suite_selector = &PreferServerOrder;
    }
    Ok(config)
}

/// The credentials of the connection that the thread works for.
#[derive(Debug)]
struct OfConnection;

impl ClientCredentialResolver for OfConnection {
    fn resolve(&self, request: &CredentialRequest<'_>) -> Option<SelectedCredential> {
        parts().client?.resolve(request)
    }

    fn supported_certificate_types(&self) -> &'static [CertificateType] {
        &[CertificateType::X509]
    }

    fn hash_config(&self, _: &mut dyn Hasher) {}
}

impl ServerCredentialResolver for OfConnection {
    fn resolve(&self, hello: &ClientHello<'_>) -> Result<SelectedCredential, Error> {
        parts().server.ok_or(Error::NoSuitableCertificate)?.resolve(hello)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_of_settings_has_one_configuration() {
        let mut settings = Arc::new(Settings::default());
        let first = Arc::clone(settings.client_config().unwrap());
        assert!(Arc::ptr_eq(&first, settings.client_config().unwrap()));
        let connection = Arc::clone(&settings);
        Settings::change(&mut settings, |settings| settings.alpn = Arc::new(*b"\x02h2"));
        let second = settings.client_config().unwrap();
        assert!(!Arc::ptr_eq(&first, second));
        assert_eq!((first.alpn_protocols.len(), second.alpn_protocols.len()), (0, 1));
        assert!(Arc::ptr_eq(&first, connection.client_config().unwrap()));
        assert!(Arc::ptr_eq(
            connection.server_config().unwrap(),
            connection.server_config().unwrap()
        ));
    }

    #[test]
    fn names_that_are_no_dns_names_are_accepted() {
        let settings = Settings::default();
        let policy = &settings.server_config().unwrap().invalid_sni_policy;
        assert!(matches!(policy, InvalidSniPolicy::IgnoreAll));
    }

    #[test]
    fn without_a_connection_nothing_is_shown() {
        assert!(parts().client.is_none() && parts().server.is_none());
    }
}
