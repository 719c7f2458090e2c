//! The certificates of the lab (RFC 5280): authorities, delegated responders and leaves.
//!
//! rcgen writes them; what it has no field for is added here: authority information access
//! (RFC 5280, 4.2.2.1), the TLS feature extension (RFC 7633), and `id-pkix-ocsp-nocheck` (RFC 6960,
//! 4.2.2.2.1). Which of them are made, and when, is `authority.rs`.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use certstatus::time::unix;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::LabError;
use crate::key::{Key, KeyKind};

const AUTHORITY_INFO_ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
const TLS_FEATURE: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 24];
const OCSP_NO_CHECK: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1, 5];
const AD_OCSP: asn1::ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1);
const AD_CA_ISSUERS: asn1::ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 2);

/// `SEQUENCE { INTEGER 5 }`: the TLS extension `status_request` (RFC 7633, 4).
const FEATURE_STATUS_REQUEST: &[u8] = &[0x30, 3, 2, 1, 5];

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

    fn sign(
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

/// What a leaf certificate shall be.
#[derive(Clone, Debug)]
pub struct LeafRequest {
    name: String,
    addresses: Vec<IpAddr>,
    key: Option<KeyKind>,
    must_staple: bool,
    responder_urls: Option<Vec<String>>,
    ca_issuers: bool,
    validity: Option<Validity>,
    expired: bool,
}

impl LeafRequest {
    /// A certificate for a DNS name, or for an IP address written as text. It has the lab's kind of
    /// key, the lab's responder in its authority information access, and is valid from an hour ago
    /// for 90 days.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            addresses: Vec::new(),
            key: None,
            must_staple: false,
            responder_urls: None,
            ca_issuers: true,
            validity: None,
            expired: false,
        }
    }

    /// Adds an IP address to the names.
    #[must_use]
    pub fn san_ip(mut self, address: impl Into<IpAddr>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Sets the kind of key.
    #[must_use]
    pub fn key(mut self, kind: KeyKind) -> Self {
        self.key = Some(kind);
        self
    }

    /// Marks the certificate: its server must staple (RFC 7633).
    #[must_use]
    pub fn must_staple(mut self) -> Self {
        self.must_staple = true;
        self
    }

    /// Sets the addresses of responders in the certificate, in place of the lab's own.
    #[must_use]
    pub fn responder_urls(mut self, urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.responder_urls = Some(urls.into_iter().map(Into::into).collect());
        self
    }

    /// Leaves authority information access out.
    #[must_use]
    pub fn no_aia(mut self) -> Self {
        self.responder_urls = Some(Vec::new());
        self.ca_issuers = false;
        self
    }

    /// Sets the first and the last second of validity.
    #[must_use]
    pub fn validity(mut self, not_before: UnixTime, not_after: UnixTime) -> Self {
        self.validity = Some(not_before..=not_after);
        self
    }

    /// Makes the certificate one that expired a day ago.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.expired = true;
        self
    }

    pub(crate) fn key_kind(&self) -> Option<KeyKind> {
        self.key
    }

    /// Issues what is asked for. `urls` are those of the lab: the responder and the issuer's
    /// certificate.
    pub(crate) fn issue(
        self,
        issuer: &Ca,
        key: &Key,
        urls: &Urls,
        now: UnixTime,
    ) -> Result<Leaf, LabError> {
        let validity = match self.validity {
            Some(validity) => validity,
            None if self.expired => before(now, 91 * DAY)..=before(now, DAY),
            None => before(now, DAY / 24)..=after(now, 90 * DAY),
        };
        let mut params = end_entity_params(&self.name, validity)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = subject_alt_names(&self.name, &self.addresses)?;
        let responders = self.responder_urls.unwrap_or_else(|| vec![urls.responder.clone()]);
        let ca_issuers = self.ca_issuers.then_some(urls.ca_issuers.as_str());
        params.custom_extensions.extend(access_extension(&responders, ca_issuers));
        if self.must_staple {
            params.custom_extensions.push(CustomExtension::from_oid_content(
                TLS_FEATURE,
                FEATURE_STATUS_REQUEST.to_vec(),
            ));
        }
        let certificate = issuer.sign(&params, key, "leaf certificate")?;
        let serial = certstatus::Certificate::parse(&certificate)?.serial_number().into();
        Ok(Leaf {
            name: self.name.into(),
            serial,
            chain: Arc::new([certificate, issuer.certificate.clone()]),
            key: Arc::new(key.to_pkcs8()?),
        })
    }
}

/// Where the lab's certificates point to.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub(crate) responder: String,
    pub(crate) ca_issuers: String,
}

/// A leaf certificate with its chain and key. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Leaf {
    name: Arc<str>,
    serial: Arc<[u8]>,
    chain: Arc<[CertificateDer<'static>; 2]>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl Leaf {
    /// The name that it was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The serial number as the contents of its INTEGER: big-endian, two's complement.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The leaf certificate and the intermediate one, as a server sends them.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        self.chain.as_slice()
    }

    /// The leaf certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        let [leaf, _] = &*self.chain;
        leaf
    }

    /// The certificate of who issued the leaf.
    pub fn issuer(&self) -> &CertificateDer<'static> {
        let [_, issuer] = &*self.chain;
        issuer
    }

    /// A copy of the private key, as PKCS#8.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
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

fn end_entity_params(name: &str, validity: Validity) -> Result<CertificateParams, LabError> {
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

fn subject_alt_names(name: &str, addresses: &[IpAddr]) -> Result<Vec<SanType>, LabError> {
    let first = match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(
            name.try_into().map_err(LabError::certificate("name of the certificate"))?,
        ),
    };
    Ok(std::iter::once(first).chain(addresses.iter().copied().map(SanType::IpAddress)).collect())
}

/// ```asn1
/// AuthorityInfoAccessSyntax ::= SEQUENCE SIZE (1..MAX) OF AccessDescription
/// AccessDescription ::= SEQUENCE { accessMethod OBJECT IDENTIFIER, accessLocation GeneralName }
/// ```
fn access_extension(responders: &[String], ca_issuers: Option<&str>) -> Option<CustomExtension> {
    let descriptions: Vec<_> = responders
        .iter()
        .map(|url| (AD_OCSP, url.as_str()))
        .chain(ca_issuers.map(|url| (AD_CA_ISSUERS, url)))
        .collect();
    if descriptions.is_empty() {
        return None;
    }
    let written = asn1::write(|w| {
        w.write_element(&asn1::SequenceWriter::new(&|w| {
            descriptions.iter().try_for_each(|(method, url)| {
                w.write_element(&asn1::SequenceWriter::new(&|w| {
                    w.write_element(method)?;
                    // A GeneralName's uniformResourceIdentifier is [6] IMPLICIT IA5String.
                    w.write_implicit_element(&url.as_bytes(), 6)
                }))
            })
        }))
    });
    written
        .ok()
        .map(|content: Vec<u8>| CustomExtension::from_oid_content(AUTHORITY_INFO_ACCESS, content))
}
