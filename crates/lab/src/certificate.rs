//! The certificates of authorities and delegated responders (RFC 5280; RFC 6960, 4.2.2.2).
//!
//! rcgen writes them; `id-pkix-ocsp-nocheck` (RFC 6960, 4.2.2.2.1), for which it has no field, is
//! added here. Leaves are `leaf.rs`; which certificates are made, and when, is `authority.rs`.

use std::ops::RangeInclusive;
use std::time::Duration;

use certstatus::time::unix;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SerialNumber,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::LabError;
use crate::key::{Key, KeyKind};

const OCSP_NO_CHECK: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1, 5];

/// The DER of NULL.
const NULL: &[u8] = &[5, 0];

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// `time + duration`, saturating.
pub(crate) fn after(time: UnixTime, duration: Duration) -> UnixTime {
    unix(time.as_secs().saturating_add(duration.as_secs()))
}

/// `time - duration`, not before 1970.
pub(crate) fn before(time: UnixTime, duration: Duration) -> UnixTime {
    unix(time.as_secs().saturating_sub(duration.as_secs()))
}

/// The first and the last second of a certificate's validity (RFC 5280, 4.1.2.5).
pub(crate) type Validity = RangeInclusive<UnixTime>;

/// A certificate authority: its certificate, and the key that signs.
#[derive(Debug)]
pub(crate) struct Ca {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: Key,
    params: CertificateParams,
}

impl Ca {
    /// A self-signed authority.
    pub(crate) fn root(name: &str, kind: KeyKind, validity: Validity) -> Result<Self, LabError> {
        let key = Key::generate(kind)?;
        let params = ca_params(name, validity)?;
        let certificate = params
            .self_signed(key.pair())
            .map_err(LabError::certificate("root certificate"))?
            .der()
            .clone();
        Ok(Self { certificate, key, params })
    }

    /// An authority under this one.
    pub(crate) fn subordinate(
        &self,
        name: &str,
        kind: KeyKind,
        validity: Validity,
    ) -> Result<Self, LabError> {
        let key = Key::generate(kind)?;
        let mut params = ca_params(name, validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let certificate = self.sign(&params, &key, "intermediate certificate")?;
        Ok(Self { certificate, key, params })
    }

    /// This authority as rcgen takes it, for certificates and revocation lists.
    pub(crate) fn issuer(&self) -> rcgen::Issuer<'_, &rcgen::KeyPair> {
        rcgen::Issuer::from_params(&self.params, self.key.pair())
    }

    /// A delegated responder under this authority (RFC 6960, 4.2.2.2); without the extended key
    /// usage it is an ordinary certificate that may not sign.
    pub(crate) fn delegate(
        &self,
        kind: KeyKind,
        validity: Validity,
        ocsp_signing: bool,
    ) -> Result<Responder, LabError> {
        let key = Key::generate(kind)?;
        let mut params = end_entity_params("certstatus lab responder", validity)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![if ocsp_signing {
            ExtendedKeyUsagePurpose::OcspSigning
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        }];
        params.custom_extensions =
            vec![CustomExtension::from_oid_content(OCSP_NO_CHECK, NULL.to_vec())];
        let certificate = self.sign(&params, &key, "delegate's certificate")?;
        Ok(Responder { certificate, key })
    }

    pub(crate) fn sign(
        &self,
        params: &CertificateParams,
        key: &Key,
        what: &'static str,
    ) -> Result<CertificateDer<'static>, LabError> {
        params
            .signed_by(key.pair(), &self.issuer())
            .map(|certificate| certificate.der().clone())
            .map_err(LabError::certificate(what))
    }
}

/// A delegated responder: its certificate and key.
#[derive(Debug)]
pub(crate) struct Responder {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: Key,
}

fn ca_params(name: &str, validity: Validity) -> Result<CertificateParams, LabError> {
    let mut params = end_entity_params(name, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    Ok(params)
}

/// What every certificate has: name, validity, serial number.
pub(crate) fn end_entity_params(
    name: &str,
    validity: Validity,
) -> Result<CertificateParams, LabError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "certstatus lab");
    params.distinguished_name.push(DnType::CommonName, name);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(validity.start().as_secs());
    params.not_after = epoch + Duration::from_secs(validity.end().as_secs());
    params.serial_number = Some(random_serial()?);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// 16 random bytes (RFC 5280, 4.1.2.2 allows 20), positive, and without a leading zero.
fn random_serial() -> Result<SerialNumber, LabError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| rcgen::Error::RingUnspecified)
        .map_err(LabError::certificate("serial number"))?;
    let [first, ..] = &mut bytes;
    *first = *first & 0x3f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
