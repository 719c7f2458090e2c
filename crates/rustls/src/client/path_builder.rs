//! Building the path with webpki, as rustls's own verifier does, and keeping it.
//!
//! rustls verifies a path and throws it away; a status needs it, since its issuer must come from a
//! verified path. So the path is built here, with the same webpki, from the same roots, lists and
//! algorithms. Should that fail, rustls's verifier is asked the same question for its answer: the
//! error, and with it the alert, is the one that a program without certstatus would see.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use rustls::{CertificateError, OtherError, RootCertStore};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

/// What a server presents, and under which circumstances. Nothing of it is verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presented<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) server_name: &'a ServerName<'a>,
    pub(super) now: UnixTime,
}

/// Certificate revocation lists, and how they are used.
#[derive(Debug)]
pub(super) struct Revocation {
    pub(super) crls: Vec<CertRevocationList<'static>>,
    pub(super) depth: RevocationCheckDepth,
    pub(super) unknown: UnknownStatusPolicy,
    pub(super) expiration: ExpirationPolicy,
}

pub(super) struct PathBuilder {
    roots: Arc<RootCertStore>,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    revocation: Revocation,
    rustls: Arc<WebPkiServerVerifier>,
}

impl PathBuilder {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
        revocation: Revocation,
        rustls: Arc<WebPkiServerVerifier>,
    ) -> Self {
        Self { roots, algorithms, revocation, rustls }
    }

    /// rustls's own verifier, for everything in which status plays no part.
    pub(super) fn rustls(&self) -> &WebPkiServerVerifier {
        &self.rustls
    }

    pub(super) fn roots(&self) -> usize {
        self.roots.len()
    }

    pub(super) fn parse<'a>(
        &self,
        presented: &Presented<'a>,
    ) -> Result<EndEntityCert<'a>, rustls::Error> {
        EndEntityCert::try_from(presented.end_entity)
            .map_err(|error| self.error_of_rustls(presented, error))
    }

    /// Builds and verifies the path, for server authentication and that server's name.
    pub(super) fn build<'a>(
        &'a self,
        end_entity: &'a EndEntityCert<'a>,
        presented: &Presented<'a>,
    ) -> Result<webpki::VerifiedPath<'a>, rustls::Error> {
        let crls: Vec<_> = self.revocation.crls.iter().collect();
        // The builder refuses an empty list and nothing else: without CRLs there is none.
        let revocation = RevocationOptionsBuilder::new(&crls).ok().map(|options| {
            options
                .with_depth(self.revocation.depth)
                .with_status_policy(self.revocation.unknown)
                .with_expiration_policy(self.revocation.expiration)
                .build()
        });
        end_entity
            .verify_for_usage(
                self.algorithms,
                &self.roots.roots,
                presented.intermediates,
                presented.now,
                webpki::KeyUsage::server_auth(),
                revocation,
                None,
            )
            .and_then(|path| {
                end_entity.verify_is_valid_for_subject_name(presented.server_name)?;
                Ok(path)
            })
            .map_err(|error| self.error_of_rustls(presented, error))
    }

    /// What rustls says to what webpki refused. Whatever it says, the path stays refused.
    /// Errors that end a search for a path are translated here as rustls translates them, because
    /// a search may be long and a server that fails on purpose should not cost two.
    fn error_of_rustls(&self, presented: &Presented<'_>, found: webpki::Error) -> rustls::Error {
        match found {
            webpki::Error::UnknownIssuer => return CertificateError::UnknownIssuer.into(),
            webpki::Error::InvalidSignatureForPublicKey => {
                return CertificateError::BadSignature.into();
            }
            webpki::Error::MaximumSignatureChecksExceeded
            | webpki::Error::MaximumPathBuildCallsExceeded
            | webpki::Error::MaximumPathDepthExceeded
            | webpki::Error::MaximumNameConstraintComparisonsExceeded => {
                return CertificateError::Other(OtherError(Arc::new(found))).into();
            }
            _ => {}
        }
        let Presented { end_entity, intermediates, server_name, now } = *presented;
        match self.rustls.verify_server_cert(end_entity, intermediates, server_name, &[], now) {
            Err(error) => error,
            Ok(_) => CertificateError::Other(OtherError(Arc::new(found))).into(),
        }
    }
}
