//! How the faults of a message are made.
//!
//! Most change the draft before it is signed, so that the signature is right and only the one point
//! is wrong; a few damage the encoded bytes.

use std::time::Duration;

use certstatus::message::{CertStatus, Extension, oid};
use rustls_pki_types::UnixTime;

use crate::LabError;
use crate::authority::{Authority, cert_id};
use crate::certificate::{Ca, DAY, Responder, after, before};
use crate::draft::{Draft, Signatory};
use crate::faults::Fault;

/// An extension that nobody knows, below the number that RFC 5612 keeps for documentation.
const UNKNOWN_EXTENSION: asn1::ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 4, 1, 32473, 1);

/// More than the 64 KiB that a TLS handshake could carry.
const OVERSIZE: usize = 70_000;

/// A fault, with the certificates and keys that it needs.
#[derive(Debug)]
pub(crate) struct Spoiler {
    fault: Fault,
    /// Who signs instead of who should.
    impostor: Option<Responder>,
    /// Another issuer.
    stranger: Option<Ca>,
}

impl Spoiler {
    pub(crate) fn new(fault: Fault, authority: &Authority) -> Result<Self, LabError> {
        let settings = &authority.settings;
        let now = authority.now();
        let validity = before(now, DAY)..=after(now, 30 * DAY);
        let stranger = match fault {
            Fault::DelegateOfAnotherCa | Fault::WrongIssuer => Some("certstatus lab stranger"),
            Fault::DelegateOfNamesake => Some(crate::authority::INTERMEDIATE),
            _ => None,
        };
        let stranger = stranger
            .map(|name| authority.root.subordinate(name, settings.ca_key, validity.clone()))
            .transpose()?;
        let kind = settings.delegate.unwrap_or(settings.ca_key);
        let intermediate = &authority.intermediate;
        let impostor = match (fault, &stranger) {
            (Fault::DelegateWithoutEku, _) => Some(intermediate.delegate(kind, validity, false)?),
            (Fault::DelegateOfAnotherCa | Fault::DelegateOfNamesake, Some(stranger)) => {
                Some(stranger.delegate(kind, validity, true)?)
            }
            (Fault::ExpiredDelegate, _) => {
                let past = before(now, 31 * DAY)..=before(now, DAY);
                Some(intermediate.delegate(kind, past, true)?)
            }
            (Fault::NotYetValidDelegate, _) => {
                let future = after(now, DAY)..=after(now, 31 * DAY);
                Some(intermediate.delegate(kind, future, true)?)
            }
            (Fault::MissingSigner, _) => Some(intermediate.delegate(kind, validity, true)?),
            _ => None,
        };
        Ok(Self { fault, impostor, stranger })
    }

    /// Changes what will be signed, and who signs.
    pub(crate) fn edit<'a>(
        &'a self,
        draft: &mut Draft<'a>,
        authority: &'a Authority,
    ) -> Result<(), LabError> {
        let now = draft.produced_at;
        if let Some(impostor) = &self.impostor {
            draft.signatory = Signatory::delegate(impostor);
        }
        match self.fault {
            Fault::NoSingleResponse => draft.responses.clear(),
            Fault::WrongSerial => name_another_serial(draft),
            Fault::WrongIssuer => self.name_another_issuer(draft)?,
            Fault::Expired => {
                draft.produced_at = before(now, 8 * DAY);
                set_times(draft, before(now, 8 * DAY), Some(before(now, DAY)));
            }
            Fault::NotYetValid => {
                let next_update = after(now, DAY + authority.settings.validity);
                set_times(draft, after(now, DAY), Some(next_update));
            }
            Fault::NoNextUpdate => set_times(draft, now, None),
            Fault::VeryOld => {
                draft.produced_at = before(now, 30 * DAY);
                set_times(draft, before(now, 30 * DAY), None);
            }
            Fault::InvertedTimes => {
                let an_hour_ago = before(now, Duration::from_secs(3600));
                set_times(draft, now, Some(an_hour_ago));
            }
            Fault::ProducedInFuture => draft.produced_at = after(now, DAY),
            Fault::BadSignature => draft.spoil_signature = true,
            Fault::MissingSigner => draft.signatory.embedded = false,
            Fault::SignedByRoot => {
                draft.signatory =
                    Signatory { embedded: true, ..Signatory::issuer(&authority.root) };
            }
            Fault::Oversize => draft.extensions.push(unknown_extension(false, OVERSIZE)),
            Fault::UnknownCriticalExtension => draft.extensions.push(unknown_extension(true, 2)),
            Fault::UnknownCriticalSingleExtension => draft
                .responses
                .iter_mut()
                .for_each(|single| single.extensions.push(unknown_extension(true, 2))),
            Fault::NonceMismatch => {
                draft.extensions.retain(|extension| extension.id != oid::NONCE);
                draft.extensions.push(Extension::nonce(b"this is not the nonce you sent!!"));
            }
            Fault::NonceMissing => draft.extensions.retain(|extension| extension.id != oid::NONCE),
            Fault::DuplicateResponses => contradict(draft, authority),
            _ => {}
        }
        Ok(())
    }

    /// Damages the encoded answer.
    pub(crate) fn damage(&self, mut der: Vec<u8>) -> Vec<u8> {
        match self.fault {
            Fault::MalformedDer => replace(&mut der, &[0x0a, 1, 0], &[0x02, 1, 0]),
            Fault::Ber => return with_indefinite_length(&der),
            Fault::Truncated => der.truncate(der.len() / 2),
            Fault::TrailingData => der.push(0),
            // The last arc of id-pkix-ocsp-basic becomes 127.
            Fault::WrongResponseType => {
                replace(&mut der, &[5, 5, 7, 0x30, 1, 1], &[5, 5, 7, 0x30, 1, 127]);
            }
            _ => {}
        }
        der
    }

    fn name_another_issuer(&self, draft: &mut Draft<'_>) -> Result<(), LabError> {
        let Some(stranger) = &self.stranger else { return Ok(()) };
        for single in &mut draft.responses {
            let hash = single.cert_id.hash().unwrap_or_default();
            let other = cert_id(&stranger.certificate, &stranger.certificate, hash)?;
            single.cert_id.issuer_name_hash = other.issuer_name_hash;
            single.cert_id.issuer_key_hash = other.issuer_key_hash;
        }
        Ok(())
    }
}

fn name_another_serial(draft: &mut Draft<'_>) {
    for single in &mut draft.responses {
        if let Some(last) = single.cert_id.serial_number.to_mut().last_mut() {
            *last ^= 1;
        }
    }
}

/// Says that each certificate is good, and that it is revoked.
fn contradict(draft: &mut Draft<'_>, authority: &Authority) {
    let mut revoked = draft.responses.clone();
    for single in &mut draft.responses {
        single.cert_status = CertStatus::Good;
    }
    for single in &mut revoked {
        single.cert_status = authority.revoked(None);
    }
    draft.responses.append(&mut revoked);
}

fn set_times(draft: &mut Draft<'_>, this_update: UnixTime, next_update: Option<UnixTime>) {
    for single in &mut draft.responses {
        single.this_update = this_update;
        single.next_update = next_update;
    }
}

fn unknown_extension(critical: bool, length: usize) -> Extension<'static> {
    let value = vec![0x05; length];
    Extension { id: UNKNOWN_EXTENSION, critical, value: value.into() }
}

/// Replaces the first occurrence of a pattern by another of the same length.
fn replace(bytes: &mut [u8], pattern: &[u8], by: &[u8]) {
    let found = bytes.windows(pattern.len()).position(|window| window == pattern);
    if let Some(found) = found.and_then(|at| bytes.get_mut(at..at + pattern.len())) {
        found.copy_from_slice(by);
    }
}

/// The same SEQUENCE with an indefinite length, ended by two zero bytes (X.690, 8.1.3.6).
fn with_indefinite_length(der: &[u8]) -> Vec<u8> {
    let header = match der.get(1) {
        Some(short) if *short < 0x80 => 2,
        Some(long) => 2 + usize::from(long & 0x7f),
        None => 0,
    };
    let contents = der.get(header..).unwrap_or_default();
    [&[0x30, 0x80], contents, &[0, 0]].concat()
}
