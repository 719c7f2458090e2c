//! What the stapler is told of a certificate.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;

/// A certificate that is to be kept stapled.
///
/// ```
/// # fn targets(chain: &[rustls_pki_types::CertificateDer<'static>]) {
/// use certstatus_stapler::Target;
///
/// // All that is needed, from the chain that the server sends:
/// let target = Target::from_chain(chain);
/// // and more that may be said:
/// let target = Target::from_chain(chain)
///     .label("www.example.org")
///     .responders(["http://ocsp.internal.example/"]);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Target {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) issuer: Option<CertificateDer<'static>>,
    pub(crate) responders: Option<Vec<String>>,
    pub(crate) label: Option<Arc<str>>,
}

impl Target {
    /// The first certificate of a chain. The issuer is looked for among the others, by name and by
    /// its signature over the certificate; if it is not there, it is fetched from where the
    /// certificate says it is (`caIssuers`).
    pub fn from_chain(chain: &[CertificateDer<'_>]) -> Self {
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Self { chain, ..Self::default() }
    }

    /// Gives the certificate of the issuer, in place of looking for it.
    pub fn issuer(mut self, issuer: CertificateDer<'_>) -> Self {
        self.issuer = Some(issuer.into_owned());
        self
    }

    /// Asks these responders, in this order, in place of those that the certificate names.
    pub fn responders(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.responders = Some(urls.into_iter().map(Into::into).collect());
        self
    }

    /// Gives the certificate a name for people: a path, or a host. Events and snapshots
    /// share it.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }
}
