//! `SingleResponse` (RFC 6960, 4.2.1): what a responder says of one certificate.

use std::fmt;

use asn1::{
    Enumerated, Explicit, Implicit, ParseResult, SimpleAsn1Readable, SimpleAsn1Writable, WriteError,
};
use rustls_pki_types::UnixTime;

use super::{
    CertId, Extension, extension::read_extensions, extension::write_extensions, invalid, read_time,
    write_time,
};
use crate::time::Rfc3339;

/// ```asn1
/// SingleResponse ::= SEQUENCE {
///     certID            CertID,
///     certStatus        CertStatus,
///     thisUpdate        GeneralizedTime,
///     nextUpdate        [0] EXPLICIT GeneralizedTime OPTIONAL,
///     singleExtensions  [1] EXPLICIT Extensions OPTIONAL }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleResponse<'a> {
    /// The certificate that is meant.
    pub cert_id: CertId<'a>,
    /// Its status.
    pub cert_status: CertStatus,
    /// The latest time at which the responder knew the status to be right.
    pub this_update: UnixTime,
    /// The time before which newer information will be available; `None` says that it is available
    /// at any time.
    pub next_update: Option<UnixTime>,
    /// `singleExtensions`; empty when absent.
    pub extensions: Vec<Extension<'a>>,
}

/// ```asn1
/// CertStatus ::= CHOICE {
///     good     [0] IMPLICIT NULL,
///     revoked  [1] IMPLICIT RevokedInfo,
///     unknown  [2] IMPLICIT NULL }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertStatus {
    /// Not revoked, as far as the responder knows.
    Good,
    /// Revoked, for good or on hold.
    Revoked(RevokedInfo),
    /// The responder does not know the certificate.
    Unknown,
}

impl CertStatus {
    /// How strict a status is: of several, the strictest counts.
    pub(crate) fn strictness(&self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Unknown => 1,
            Self::Revoked(_) => 2,
        }
    }
}

impl fmt::Display for CertStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::Revoked(info) => write!(f, "revoked {info}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// ```asn1
/// RevokedInfo ::= SEQUENCE {
///     revocationTime    GeneralizedTime,
///     revocationReason  [0] EXPLICIT CRLReason OPTIONAL }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedInfo {
    /// When the certificate was revoked.
    pub revocation_time: UnixTime,
    /// Why, if the responder says so.
    pub revocation_reason: Option<CrlReason>,
}

impl fmt::Display for RevokedInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}", Rfc3339(self.revocation_time))?;
        self.revocation_reason.map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

/// `CRLReason` (RFC 5280, 5.3.1). The discriminants are the encoded values; 7 is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "RFC 5280 lists the reasons by name alone")]
pub enum CrlReason {
    Unspecified = 0,
    KeyCompromise = 1,
    CaCompromise = 2,
    AffiliationChanged = 3,
    Superseded = 4,
    CessationOfOperation = 5,
    CertificateHold = 6,
    RemoveFromCrl = 8,
    PrivilegeWithdrawn = 9,
    AaCompromise = 10,
}

impl CrlReason {
    /// Every reason, in the order of their values.
    pub const ALL: [Self; 10] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::RemoveFromCrl,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    fn from_value(value: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as u32 == value)
    }
}

/// The RFC's name of the reason: `keyCompromise`.
impl fmt::Display for CrlReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        })
    }
}

impl<'a> SimpleAsn1Readable<'a> for RevokedInfo {
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        asn1::parse(contents, |p| {
            let revocation_time = read_time(&p.read_element()?)?;
            let revocation_reason = p
                .read_element::<Option<Explicit<Enumerated, 0>>>()?
                .map(|value| CrlReason::from_value(value.as_inner().value()).ok_or_else(invalid))
                .transpose()?;
            Ok(Self { revocation_time, revocation_reason })
        })
    }
}

impl SimpleAsn1Writable for RevokedInfo {
    type Error = WriteError;
    const TAG: asn1::Tag = <Self as SimpleAsn1Readable<'_>>::TAG;

    fn write_data(&self, dest: &mut asn1::WriteBuf) -> asn1::WriteResult {
        let mut w = asn1::Writer::new(dest);
        w.write_element(&write_time(self.revocation_time)?)?;
        self.revocation_reason
            .map_or(Ok(()), |reason| w.write_explicit_element(&Enumerated::new(reason as u32), 0))
    }

    fn data_length(&self) -> Option<usize> {
        None
    }
}

fn read_status(p: &mut asn1::Parser<'_>) -> ParseResult<CertStatus> {
    if p.read_element::<Option<Implicit<asn1::Null, 0>>>()?.is_some() {
        return Ok(CertStatus::Good);
    }
    if p.read_element::<Option<Implicit<asn1::Null, 2>>>()?.is_some() {
        return Ok(CertStatus::Unknown);
    }
    Ok(CertStatus::Revoked(p.read_element::<Implicit<RevokedInfo, 1>>()?.into_inner()))
}

impl<'a> SimpleAsn1Readable<'a> for SingleResponse<'a> {
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        asn1::parse(contents, |p| {
            let cert_id = p.read_element()?;
            let cert_status = read_status(p)?;
            let this_update = read_time(&p.read_element()?)?;
            let next_update = p
                .read_element::<Option<Explicit<asn1::X509GeneralizedTime, 0>>>()?
                .map(|time| read_time(time.as_inner()))
                .transpose()?;
            let extensions = p.read_element::<Option<Explicit<asn1::Sequence<'a>, 1>>>()?;
            let extensions = read_extensions(extensions.map(Explicit::into_inner))?;
            Ok(Self { cert_id, cert_status, this_update, next_update, extensions })
        })
    }
}

impl SimpleAsn1Writable for SingleResponse<'_> {
    type Error = WriteError;
    const TAG: asn1::Tag = <Self as SimpleAsn1Readable<'_>>::TAG;

    fn write_data(&self, dest: &mut asn1::WriteBuf) -> asn1::WriteResult {
        let mut w = asn1::Writer::new(dest);
        w.write_element(&self.cert_id)?;
        match self.cert_status {
            CertStatus::Good => w.write_implicit_element(&(), 0)?,
            CertStatus::Revoked(info) => w.write_implicit_element(&info, 1)?,
            CertStatus::Unknown => w.write_implicit_element(&(), 2)?,
        }
        w.write_element(&write_time(self.this_update)?)?;
        if let Some(next_update) = self.next_update {
            w.write_explicit_element(&write_time(next_update)?, 0)?;
        }
        write_extensions(&mut w, 1, &self.extensions)
    }

    fn data_length(&self) -> Option<usize> {
        None
    }
}
