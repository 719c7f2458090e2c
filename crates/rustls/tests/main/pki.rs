//! Certificates and responses that the lab does not make: of authorities that lie, directly under a
//! root, or not readable.

use std::sync::Arc;
use std::time::Duration;

use certstatus::message::{
    AlgorithmIdentifier, BasicOcspResponse, CertId, CertStatus, HashAlgorithm, OcspResponse,
    ResponderId, ResponseData, SingleResponse,
};
use certstatus::time::unix;
use certstatus::{Certificate, Issuer};
use certstatus_rustls::StatusVerifier;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SigningKey,
};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime, alg_id};
use rustls::sign::CertifiedKey;

use crate::wire::provider;

/// An authority with a P-256 key.
pub(crate) struct Ca {
    params: CertificateParams,
    key: KeyPair,
    pub(crate) certificate: CertificateDer<'static>,
}

/// A server's certificate under it, and its key.
pub(crate) struct Server {
    pub(crate) certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Ca {
    pub(crate) fn root(name: &str) -> Self {
        let (params, key) = (ca_params(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { params, key, certificate }
    }

    pub(crate) fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(name, None)
    }

    /// An authority below this one, with a TLS feature extension of those contents, if any.
    pub(crate) fn intermediate_with(&self, name: &str, tls_feature: Option<&[u8]>) -> Self {
        let (mut params, key) = (ca_params(name), KeyPair::generate().unwrap());
        params.custom_extensions = tls_feature_extension(tls_feature);
        let certificate = params.signed_by(&key, &self.issuer()).unwrap().der().clone();
        Self { params, key, certificate }
    }

    /// A certificate for `localhost`, with a TLS feature extension of those contents, if any.
    pub(crate) fn server(&self, tls_feature: Option<&[u8]>) -> Server {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.custom_extensions = tls_feature_extension(tls_feature);
        let certificate = params.signed_by(&key, &self.issuer()).unwrap().der().clone();
        Server { certificate, key }
    }

    fn issuer(&self) -> rcgen::Issuer<'_, &KeyPair> {
        rcgen::Issuer::from_params(&self.params, &self.key)
    }

    /// What this authority says about a certificate, whoever issued it.
    pub(crate) fn respond(&self, about: &CertificateDer<'_>, status: CertStatus) -> Vec<u8> {
        let now = UnixTime::now();
        self.respond_for(about, &[(status, now, hours(now, 1))])
    }

    /// Statements with their `thisUpdate` and `nextUpdate`.
    pub(crate) fn respond_for(
        &self,
        about: &CertificateDer<'_>,
        statements: &[(CertStatus, UnixTime, UnixTime)],
    ) -> Vec<u8> {
        let certificate = Certificate::parse(about).unwrap();
        let authority = Certificate::parse(&self.certificate).unwrap();
        let issuer = Issuer::from_certificate(&authority);
        let single = |&(cert_status, this_update, next_update)| SingleResponse {
            cert_id: CertId::new(&certificate, &issuer, HashAlgorithm::Sha1),
            cert_status,
            this_update,
            next_update: Some(next_update),
            extensions: Vec::new(),
        };
        let data = ResponseData {
            responder_id: ResponderId::ByName(authority.subject().clone()),
            produced_at: unix(UnixTime::now().as_secs()),
            responses: statements.iter().map(single).collect(),
            extensions: Vec::new(),
        };
        let signature = self.key.sign(&data.to_der()).unwrap();
        let algorithm = AlgorithmIdentifier::from_contents(&alg_id::ECDSA_SHA256).unwrap();
        OcspResponse::Successful(BasicOcspResponse::new(data, algorithm, signature, Vec::new()))
            .to_der()
    }
}

impl Server {
    /// The key with the certificates that it presents beside its own, and a staple.
    pub(crate) fn certified(&self, others: &[&Ca], staple: Option<Vec<u8>>) -> Arc<CertifiedKey> {
        let mut chain = vec![self.certificate.clone()];
        chain.extend(others.iter().map(|ca| ca.certificate.clone()));
        let key = PrivatePkcs8KeyDer::from(self.key.serialized_der().to_vec());
        let mut key = CertifiedKey::from_der(chain, key.into(), &provider()).unwrap();
        key.ocsp = staple;
        Arc::new(key)
    }
}

fn tls_feature_extension(contents: Option<&[u8]>) -> Vec<CustomExtension> {
    let id = [1, 3, 6, 1, 5, 5, 7, 1, 24];
    let extension = |value: &[u8]| CustomExtension::from_oid_content(&id, value.to_vec());
    contents.map(extension).into_iter().collect()
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(crate) fn hours(from: UnixTime, hours: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(from.as_secs() + hours * 3600))
}

/// What a verifier says to certificates and a staple without a handshake around them.
pub(crate) fn ask(
    verifier: &StatusVerifier,
    chain: &[CertificateDer<'_>],
    staple: &[u8],
    now: UnixTime,
) -> Result<(), rustls::Error> {
    let (end_entity, intermediates) = chain.split_first().unwrap();
    let name = "localhost".try_into().unwrap();
    verifier.verify_server_cert(end_entity, intermediates, &name, staple, now).map(|_| ())
}
