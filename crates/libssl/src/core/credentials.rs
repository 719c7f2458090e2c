//! Certificates and keys of this side, as rustls takes them, and who chooses among them.

use std::hash::Hasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::{ClientCredentialResolver, CredentialRequest};
use rustls::crypto::{
    CertificateIdentity, Credentials, Identity, SelectedCredential, SignatureScheme, Signer,
    SigningKey,
};
use rustls::enums::CertificateType;
use rustls::error::{Error, PeerIncompatible};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::server::{ClientHello, ServerCredentialResolver};

use super::ciphers;
use super::client_hello::ClientHello as Hello;
use super::flight::CertificateRequest;
use super::settings::{OP_CIPHER_SERVER_PREFERENCE, Settings};
use super::signatures;
use super::verify::Signatures;

/// One certificate with its chain and its key.
#[derive(Debug)]
pub(crate) struct Credential {
    identity: Arc<Identity<'static>>,
    key: Arc<dyn SigningKey>,
    /// Which of the program's certificates this is, for `SSL_get_certificate`.
    pub(crate) slot: usize,
}

impl Credential {
    /// A certificate (DER), the chain after it, and the key that fits it.
    pub(crate) fn new(
        certificate: Vec<u8>,
        chain: Vec<Vec<u8>>,
        key: Arc<dyn SigningKey>,
        slot: usize,
    ) -> Self {
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let identity = CertificateIdentity::new(CertificateDer::from(certificate), chain);
        Self { identity: Arc::new(Identity::X509(identity)), key, slot }
    }

    /// Whether there is a chain after the certificate.
    pub(crate) fn has_chain(&self) -> bool {
        matches!(&*self.identity, Identity::X509(identity) if !identity.intermediates.is_empty())
    }

    /// The same certificate and key with another chain (DER).
    pub(crate) fn with_chain(&self, chain: Vec<Vec<u8>>) -> Self {
        let mut identity = Arc::clone(&self.identity);
        if let Identity::X509(identity) = Arc::make_mut(&mut identity) {
            identity.intermediates = chain.into_iter().map(CertificateDer::from).collect();
        }
        Self { identity, key: Arc::clone(&self.key), slot: self.slot }
    }

    fn select(
        &self,
        schemes: &[SignatureScheme],
        staple: Option<&Arc<[u8]>>,
    ) -> Option<SelectedCredential> {
        // SelectedCredential has no constructor of its own; Credentials makes one.
        let mut credentials = Credentials::new_unchecked(
            Arc::clone(&self.identity),
            Box::new(Shared(self.key.clone())),
        );
        credentials.ocsp = staple.cloned();
        // By itself it takes the scheme that it likes best; OpenSSL takes the peer's first.
        schemes.iter().find_map(|scheme| credentials.signer(&[*scheme]))
    }

    fn signs(&self, schemes: &[SignatureScheme]) -> bool {
        self.key.choose_scheme(schemes).is_some()
    }
}

/// A key that several connections sign with.
#[derive(Debug)]
struct Shared(Arc<dyn SigningKey>);

impl SigningKey for Shared {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(offered)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }
}

/// The credential of a server for this client, as OpenSSL chooses it: in TLS 1.3 by the first of
/// the client's schemes that one of them signs with, in TLS 1.2 by the first suite.
pub(crate) fn for_client<'a>(
    settings: &'a Settings,
    hello: &Hello,
    tls13: bool,
) -> Option<&'a Arc<Credential>> {
    let schemes = hello.signature_schemes();
    if schemes.is_empty() {
        // Without the extension a client of TLS 1.2 leaves the choice to the engine.
        return settings.credentials.first();
    }
    let schemes = in_common(&schemes_for_client(settings, hello, tls13), &schemes);
    if tls13 {
        let mut schemes = schemes.iter().filter(|scheme| signatures::is_of_tls13(**scheme));
        return schemes.find_map(|scheme| choose(&settings.credentials, &[*scheme]));
    }
    let offered: Vec<u16> = hello.suites().collect();
    let (first, second) = match settings.has_option(OP_CIPHER_SERVER_PREFERENCE) {
        true => (&*settings.cipher_list, offered.as_slice()),
        false => (offered.as_slice(), &*settings.cipher_list),
    };
    first
        .iter()
        .filter(|suite| second.contains(suite))
        .filter_map(|suite| ciphers::by_id(*suite))
        .filter(|cipher| !cipher.tls13 && settings.usable(cipher))
        .find_map(|cipher| {
            let schemes: Vec<SignatureScheme> =
                schemes.iter().copied().filter(|s| signatures::fits(*s, cipher)).collect();
            choose(&settings.credentials, &schemes)
        })
}

/// The schemes that a server signs with for this client, in order of preference.
///
/// In TLS 1.2 the client's groups say also which curves it takes in certificates (RFC 8422, 5.1).
pub(crate) fn schemes_for_client(
    settings: &Settings,
    hello: &Hello,
    tls13: bool,
) -> Vec<SignatureScheme> {
    let mut schemes = settings.signing_schemes(true);
    let groups: Vec<u16> = hello.groups().collect();
    if !tls13 {
        schemes.retain(|scheme| signatures::is_of_tls12_servers(*scheme));
    }
    if !tls13 && !groups.is_empty() {
        schemes.retain(|scheme| signatures::curve(*scheme).is_none_or(|id| groups.contains(&id.0)));
    }
    schemes
}

/// The first credential that signs with one of `schemes`, which are in the peer's order.
fn choose<'a>(
    credentials: &'a [Arc<Credential>],
    schemes: &[SignatureScheme],
) -> Option<&'a Arc<Credential>> {
    credentials.iter().find(|credential| credential.signs(schemes))
}

/// Those of the peer's schemes that this side signs with, in the peer's order.
fn in_common(own: &[SignatureScheme], peers: &[SignatureScheme]) -> Vec<SignatureScheme> {
    peers.iter().copied().filter(|scheme| own.contains(scheme)).collect()
}

/// The credential of a client for a server that asks, as OpenSSL chooses it: in TLS 1.3 by the first
/// of the server's schemes that one of them signs with; in TLS 1.2 the one in `current`, if it fits.
pub(crate) fn for_server<'a>(
    settings: &'a Settings,
    request: &CertificateRequest,
    tls13: bool,
    current: usize,
) -> Option<&'a Arc<Credential>> {
    let schemes = in_common(&settings.signing_schemes(false), &request.schemes);
    if tls13 {
        let mut schemes = schemes.iter().filter(|scheme| signatures::is_of_tls13(**scheme));
        return schemes.find_map(|scheme| choose(&settings.credentials, &[*scheme]));
    }
    let mut credentials = settings.credentials.iter();
    credentials.find(|credential| credential.slot == current && credential.signs(&schemes))
}

/// What a client shows to a server that asks for a certificate.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The certificates to choose from.
    pub(crate) credentials: Arc<[Arc<Credential>]>,
    /// The schemes to sign with.
    pub(crate) schemes: Vec<SignatureScheme>,
}

/// The way by which rustls gets what a client shows: nothing, until that was decided.
#[derive(Debug, Default)]
pub(crate) struct ClientCredentials {
    shown: OnceLock<Shown>,
    signatures: Arc<Signatures>,
}

impl ClientCredentials {
    /// Tells `signatures` of what is signed.
    pub(crate) fn new(signatures: Arc<Signatures>) -> Self {
        Self { shown: OnceLock::new(), signatures }
    }

    /// Told of the server's request.
    pub(crate) fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    /// Decides what is shown, once.
    pub(crate) fn show(&self, shown: Shown) {
        self.shown.get_or_init(|| shown);
    }
}

impl ClientCredentialResolver for ClientCredentials {
    fn resolve(&self, request: &CredentialRequest<'_>) -> Option<SelectedCredential> {
        let names = request.root_hint_subjects().iter();
        self.signatures.is_asked(|| CertificateRequest {
            types: Vec::new(),
            schemes: request.signature_schemes().to_vec(),
            authorities: names.map(|name| name.as_ref().to_vec()).collect(),
        });
        let shown = self.shown.get()?;
        let schemes = in_common(&shown.schemes, request.signature_schemes());
        let selected = choose(&shown.credentials, &schemes)?.select(&schemes, None)?;
        self.signatures.signs(selected.signer.scheme());
        Some(selected)
    }

    fn supported_certificate_types(&self) -> &'static [CertificateType] {
        &[CertificateType::X509]
    }

    fn hash_config(&self, _: &mut dyn Hasher) {}
}

/// What a server shows in one handshake: its credentials, and the staple that was decided on.
#[derive(Debug)]
pub(crate) struct ServerCredentials {
    pub(crate) credentials: Arc<[Arc<Credential>]>,
    /// The schemes to sign with.
    pub(crate) schemes: Vec<SignatureScheme>,
    /// Told of the signature.
    pub(crate) signatures: Arc<Signatures>,
    pub(crate) staple: Option<Arc<[u8]>>,
}

impl ServerCredentialResolver for ServerCredentials {
    fn resolve(&self, hello: &ClientHello<'_>) -> Result<SelectedCredential, Error> {
        if self.credentials.is_empty() {
            return Err(Error::NoSuitableCertificate);
        }
        let schemes = in_common(&self.schemes, hello.signature_schemes());
        choose(&self.credentials, &schemes)
            .and_then(|credential| credential.select(&schemes, self.staple.as_ref()))
            .inspect(|selected| self.signatures.signs(selected.signer.scheme()))
            .ok_or_else(|| PeerIncompatible::NoSignatureSchemesInCommon.into())
    }
}

/// Credentials for finding out whether a handshake resumes a session: they never sign, and a
/// handshake that gets through without a signature is a resumption.
#[derive(Debug)]
pub(crate) struct RefuseToSign {
    pub(crate) credentials: Arc<[Arc<Credential>]>,
    /// The schemes to sign with.
    pub(crate) schemes: Vec<SignatureScheme>,
    /// Set when a signature is asked for.
    pub(crate) asked: Arc<AtomicBool>,
}

impl ServerCredentialResolver for RefuseToSign {
    fn resolve(&self, hello: &ClientHello<'_>) -> Result<SelectedCredential, Error> {
        let schemes = in_common(&self.schemes, hello.signature_schemes());
        let mut selected = choose(&self.credentials, &schemes)
            .and_then(|credential| credential.select(&schemes, None))
            .ok_or(Error::NoSuitableCertificate)?;
        let (scheme, asked) = (selected.signer.scheme(), Arc::clone(&self.asked));
        selected.signer = Box::new(NoSignature { scheme, asked });
        Ok(selected)
    }
}

#[derive(Debug)]
struct NoSignature {
    scheme: SignatureScheme,
    asked: Arc<AtomicBool>,
}

impl Signer for NoSignature {
    fn sign(self: Box<Self>, _: &[u8]) -> Result<Vec<u8>, Error> {
        self.asked.store(true, Ordering::Relaxed);
        Err(Error::NoSuitableCertificate)
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
