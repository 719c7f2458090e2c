//! `SingleResponse` (RFC 6960, 4.2.1): what a responder says of one certificate.

use std::fmt;

use asn1::{Enumerated, SimpleAsn1Readable, SimpleAsn1Writable, WriteError};
use rustls_pki_types::UnixTime;

use super::extension::{read_extensions, write_extensions};
use super::reader::{Element, Irregularities, Reader};
use super::time::read_time;
use super::{CertId, Extension, write_time};
use crate::Error;
use crate::time::{Rfc3339, unix};

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
    /// When the certificate was revoked; 1970-01-01 for an irregular time that cannot be represented.
    pub revocation_time: UnixTime,
    /// Why, if the responder names a reason of RFC 5280.
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

impl SimpleAsn1Writable for RevokedInfo {
    type Error = WriteError;
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

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

impl RevokedInfo {
    /// Reads the contents of the tag *revoked*. Whatever they are, the status is *revoked*.
    fn read(status: Element<'_>, odd: &mut Irregularities) -> Self {
        let mut info = Self { revocation_time: unix(0), revocation_reason: None };
        if status.has_tag(REVOKED).is_err() {
            odd.push(status.irregular("the status revoked is not a SEQUENCE"));
        }
        let mut fields = status.inside("RevokedInfo");
        if let Err(error) = info.read_fields(&mut fields, odd) {
            odd.push(error.irregularity().unwrap_or_else(|| status.irregular("it cannot be read")));
        }
        odd.extend(fields.trailing());
        info
    }

    fn read_fields(
        &mut self,
        fields: &mut Reader<'_>,
        odd: &mut Irregularities,
    ) -> Result<(), Error> {
        self.revocation_time = read_time(fields.element("revocationTime")?, odd)?;
        if let Some(reason) = fields.optional("revocationReason", 0xa0)? {
            let reason = reason.only()?;
            let value = reason.parse::<Enumerated>()?.value();
            self.revocation_reason = CrlReason::from_value(value);
            if self.revocation_reason.is_none() {
                odd.push(reason.irregular("the reason is none of RFC 5280"));
            }
        }
        Ok(())
    }
}

const GOOD: u8 = 0x80;
const REVOKED: u8 = 0xa1;
const UNKNOWN: u8 = 0x82;

fn read_status(status: Element<'_>, odd: &mut Irregularities) -> Result<CertStatus, Error> {
    let tlv = status.tlv();
    let empty = |tag, odd: &mut Irregularities| {
        if tlv.tag().as_u8() != Some(tag) || !tlv.data().is_empty() {
            odd.push(status.irregular("the status is not an empty NULL"));
        }
    };
    // The number of the tag decides, primitive or constructed.
    match tlv.tag().as_u8() {
        Some(0x80 | 0xa0) => {
            empty(GOOD, odd);
            Ok(CertStatus::Good)
        }
        Some(0x81 | REVOKED) => Ok(CertStatus::Revoked(RevokedInfo::read(status, odd))),
        Some(0x82 | 0xa2) => {
            empty(UNKNOWN, odd);
            Ok(CertStatus::Unknown)
        }
        _ => {
            status.has_tag(REVOKED)?;
            Err(status.irregular("the status is none of RFC 6960").into())
        }
    }
}

impl<'a> SingleResponse<'a> {
    /// Reads a statement. What follows the tag *revoked* cannot take the revocation back: it is
    /// irregular where it cannot be read.
    pub(super) fn read(statement: Element<'a>, odd: &mut Irregularities) -> Result<Self, Error> {
        statement.has_tag(0x30)?;
        let mut fields = statement.inside("SingleResponse");
        let cert_id = fields.element("certID")?.parse()?;
        let cert_status = read_status(fields.element("certStatus")?, odd)?;
        let (this_update, next_update, extensions) = (unix(0), None, Vec::new());
        let mut single = Self { cert_id, cert_status, this_update, next_update, extensions };
        match single.read_rest(&mut fields, odd) {
            Err(error) if matches!(cert_status, CertStatus::Revoked(_)) => {
                odd.push(error.irregularity().unwrap_or_else(|| statement.irregular("unreadable")));
            }
            rest => rest?,
        }
        odd.extend(fields.trailing());
        Ok(single)
    }

    fn read_rest(
        &mut self,
        fields: &mut Reader<'a>,
        odd: &mut Irregularities,
    ) -> Result<(), Error> {
        self.this_update = read_time(fields.element("thisUpdate")?, odd)?;
        self.next_update = fields
            .optional("nextUpdate", 0xa0)?
            .map(|tagged| read_time(tagged.only()?, odd))
            .transpose()?;
        self.extensions = read_extensions(fields.optional("singleExtensions", 0xa1)?, odd)?;
        Ok(())
    }
}

impl SimpleAsn1Writable for SingleResponse<'_> {
    type Error = WriteError;
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

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
