//! Leaf certificates: what is asked for, and what a server is given.
//!
//! rcgen writes them; what it has no field for is added here: authority information access
//! (RFC 5280, 4.2.2.1) and the TLS feature extension (RFC 7633).

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::LabError;
use crate::certificate::{Ca, DAY, Validity, after, before, end_entity_params};
use crate::key::{Key, KeyKind};

const AUTHORITY_INFO_ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
const TLS_FEATURE: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 24];
const AD_OCSP: asn1::ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1);
const AD_CA_ISSUERS: asn1::ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 2);

/// `SEQUENCE { INTEGER 5 }`: the TLS extension `status_request` (RFC 7633, 4).
const FEATURE_STATUS_REQUEST: &[u8] = &[0x30, 3, 2, 1, 5];

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

/// Where the lab's certificates point to.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub(crate) responder: String,
    pub(crate) ca_issuers: String,
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
