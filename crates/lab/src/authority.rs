//! The private CA: root, intermediate and delegate, the status of every leaf, and its answers.
//!
//! The chain is root → intermediate → leaf, and the delegated responder stands under the
//! intermediate, as RFC 6960, 4.2.2.2 wants it. How an answer is put together, signed and spoiled
//! is `draft.rs` and `faults.rs`; that it goes over HTTP is `responder.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use certstatus::message::{
    CertId, CertStatus, CrlReason, HashAlgorithm, OcspRequest, OcspResponse, OcspResponseStatus,
    RevokedInfo, SingleResponse,
};
use certstatus::{Certificate, Issuer, Limits};
use rcgen::{CertificateRevocationListParams, RevocationReason, RevokedCertParams, SerialNumber};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use crate::LabError;
use crate::certificate::{Ca, DAY, Responder, after, before};
use crate::draft::{Draft, Signatory};
use crate::faults::Fault;
use crate::key::{Key, KeyKind, RsaScheme};
use crate::leaf::{Leaf, LeafRequest, Urls};
use crate::spoil::Spoiler;

/// The common name of the CA that issues the leaves.
pub(crate) const INTERMEDIATE: &str = "certstatus lab intermediate";

/// What the lab's own CA is set up with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) ca_key: KeyKind,
    pub(crate) leaf_key: KeyKind,
    pub(crate) delegate: Option<KeyKind>,
    pub(crate) validity: Duration,
    pub(crate) now: Option<UnixTime>,
    pub(crate) rsa_scheme: RsaScheme,
    pub(crate) responder_id_by_name: bool,
}

/// A certificate authority and its status database.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) settings: Settings,
    pub(crate) root: Ca,
    pub(crate) intermediate: Ca,
    pub(crate) delegate: Option<Responder>,
    pub(crate) urls: Urls,
    clock: Mutex<Option<UnixTime>>,
    statuses: Mutex<BTreeMap<Vec<u8>, Entry>>,
    spoilers: Mutex<BTreeMap<Fault, Arc<Spoiler>>>,
}

/// What the database has of one certificate.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) status: CertStatus,
    pub(crate) name: String,
    pub(crate) not_after: UnixTime,
}

impl Authority {
    pub(crate) fn new(settings: Settings, urls: Urls) -> Result<Self, LabError> {
        let now = settings.now.unwrap_or_else(UnixTime::now);
        let validity = before(now, DAY)..=after(now, 3650 * DAY);
        let root = Ca::root("certstatus lab root", settings.ca_key, validity.clone())?;
        let intermediate = root.subordinate(INTERMEDIATE, settings.ca_key, validity)?;
        let delegate = settings
            .delegate
            .map(|kind| intermediate.delegate(kind, before(now, DAY)..=after(now, 30 * DAY), true))
            .transpose()?;
        Ok(Self {
            clock: Mutex::new(settings.now),
            statuses: Mutex::default(),
            spoilers: Mutex::default(),
            settings,
            root,
            intermediate,
            delegate,
            urls,
        })
    }

    /// The lab's time: the fixed one, or the system's.
    pub(crate) fn now(&self) -> UnixTime {
        lock(&self.clock).unwrap_or_else(UnixTime::now)
    }

    pub(crate) fn set_now(&self, now: UnixTime) {
        *lock(&self.clock) = Some(now);
        // Those whose certificates were made for another time are wrong in another way now.
        lock(&self.spoilers).clear();
    }

    pub(crate) fn issue(&self, request: LeafRequest) -> Result<Leaf, LabError> {
        let key = Key::generate(request.key_kind().unwrap_or(self.settings.leaf_key))?;
        let leaf = request.issue(&self.intermediate, &key, &self.urls, self.now())?;
        let entry = Entry {
            status: CertStatus::Good,
            name: leaf.name().to_owned(),
            not_after: Certificate::parse(leaf.certificate())?.not_after(),
        };
        self.statuses().insert(leaf.serial().to_vec(), entry);
        Ok(leaf)
    }

    /// Sets the status of a certificate that this authority issued; any other is left alone.
    pub(crate) fn set_status(&self, leaf: &Leaf, status: CertStatus) {
        if let Some(entry) = self.statuses().get_mut(leaf.serial()) {
            entry.status = status;
        }
    }

    pub(crate) fn statuses(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Entry>> {
        lock(&self.statuses)
    }

    /// Who signs when nothing is wrong: the delegate, if there is one, or the intermediate.
    pub(crate) fn signatory(&self) -> Signatory<'_> {
        match &self.delegate {
            Some(delegate) => Signatory::delegate(delegate),
            None => Signatory::issuer(&self.intermediate),
        }
    }

    /// The `CertID` of a leaf under the intermediate.
    pub(crate) fn cert_id(
        &self,
        leaf: &CertificateDer<'_>,
        hash: HashAlgorithm,
    ) -> Result<CertId<'static>, LabError> {
        cert_id(leaf, &self.intermediate.certificate, hash)
    }

    /// Answers an encoded request, as RFC 6960, 2.3 and RFC 5019, 2.2.3 say: an error status for
    /// what cannot be read or is not about this authority's certificates.
    pub(crate) fn answer(&self, request: &[u8], fault: Option<Fault>) -> Answer {
        self.answer_with(request, fault)
            .unwrap_or_else(|_| Answer::error(OcspResponseStatus::InternalError))
    }

    /// The same, with an error of the lab kept apart from an error status.
    pub(crate) fn answer_with(
        &self,
        request: &[u8],
        fault: Option<Fault>,
    ) -> Result<Answer, LabError> {
        let Ok(request) = OcspRequest::parse(request, &Limits::default()) else {
            return Ok(Answer::error(OcspResponseStatus::MalformedRequest));
        };
        let nonce = request.nonce().map(<[u8]>::to_vec);
        let now = self.now();
        let singles: Option<Vec<_>> =
            request.requests.into_iter().map(|r| self.single(r.cert_id, now)).collect();
        match singles {
            Some(singles) => self.sign(Draft::new(singles, nonce, self.signatory(), now), fault),
            None => Ok(Answer::error(OcspResponseStatus::Unauthorized)),
        }
    }

    /// Signs a draft, spoiled by the fault.
    fn sign(&self, draft: Draft<'_>, fault: Option<Fault>) -> Result<Answer, LabError> {
        if let Some(status) = fault.and_then(Fault::status) {
            return Ok(Answer::error(status));
        }
        let spoiler = fault.map(|fault| self.spoiler(fault)).transpose()?;
        let mut draft = draft;
        if let Some(spoiler) = &spoiler {
            spoiler.edit(&mut draft, self)?;
        }
        let times = draft.times(self.now());
        let der = draft.sign(self.settings.rsa_scheme, self.settings.responder_id_by_name)?;
        let der = match spoiler {
            Some(spoiler) => spoiler.damage(der),
            None => der,
        };
        Ok(Answer { der, times })
    }

    /// The makings of a fault, made once: keys take their time.
    fn spoiler(&self, fault: Fault) -> Result<Arc<Spoiler>, LabError> {
        if let Some(made) = lock(&self.spoilers).get(&fault) {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(Spoiler::new(fault, self)?);
        lock(&self.spoilers).insert(fault, Arc::clone(&made));
        Ok(made)
    }

    /// What is known of the certificate with that `CertID`; `None` if it is not one of ours.
    fn single(&self, cert_id: CertId<'_>, now: UnixTime) -> Option<SingleResponse<'static>> {
        let ours = self.cert_id(&self.intermediate.certificate, cert_id.hash()?).ok()?;
        if cert_id.issuer_name_hash != ours.issuer_name_hash
            || cert_id.issuer_key_hash != ours.issuer_key_hash
        {
            return None;
        }
        let cert_status = self.statuses().get(cert_id.serial_number.as_ref())?.status;
        Some(SingleResponse {
            cert_id: cert_id.into_owned()?,
            cert_status,
            this_update: now,
            next_update: Some(after(now, self.settings.validity)),
            extensions: Vec::new(),
        })
    }

    /// A revocation list with what is revoked now.
    pub(crate) fn crl(&self) -> Result<CertificateRevocationListDer<'static>, LabError> {
        let at =
            |time: UnixTime| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(time.as_secs());
        let now = self.now();
        let revoked = |(serial, entry): (&Vec<u8>, &Entry)| {
            let CertStatus::Revoked(info) = entry.status else { return None };
            Some(RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: at(info.revocation_time),
                reason_code: info.revocation_reason.map(crl_reason),
                invalidity_date: None,
            })
        };
        let params = CertificateRevocationListParams {
            this_update: at(now),
            next_update: at(after(now, self.settings.validity)),
            crl_number: SerialNumber::from(now.as_secs()),
            issuing_distribution_point: None,
            revoked_certs: self.statuses().iter().filter_map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let crl = params
            .signed_by(&self.intermediate.issuer())
            .map_err(LabError::certificate("certificate revocation list"))?;
        Ok(crl.der().clone())
    }

    /// `revoked` since now.
    pub(crate) fn revoked(&self, reason: Option<CrlReason>) -> CertStatus {
        CertStatus::Revoked(RevokedInfo { revocation_time: self.now(), revocation_reason: reason })
    }
}

/// An answer, and the times by which HTTP may cache it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) der: Vec<u8>,
    /// `None` when it must not be cached: an error, or an answer with a nonce.
    pub(crate) times: Option<Times>,
}

/// The times of an answer that may be cached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) this_update: UnixTime,
    pub(crate) next_update: UnixTime,
    /// The lab's time, from which ages are counted.
    pub(crate) now: UnixTime,
}

impl Answer {
    pub(crate) fn error(status: OcspResponseStatus) -> Self {
        Self { der: OcspResponse::Unsuccessful(status).to_der(), times: None }
    }
}

/// The `CertID` of a certificate under an issuer.
pub(crate) fn cert_id(
    certificate: &CertificateDer<'_>,
    issuer: &CertificateDer<'_>,
    hash: HashAlgorithm,
) -> Result<CertId<'static>, LabError> {
    let certificate = Certificate::parse(certificate)?;
    let issuer = Certificate::parse(issuer)?;
    let id = CertId::new(&certificate, &Issuer::from_certificate(&issuer), hash);
    Ok(CertId {
        hash_algorithm: hash.identifier(),
        issuer_name_hash: id.issuer_name_hash.into_owned().into(),
        issuer_key_hash: id.issuer_key_hash.into_owned().into(),
        serial_number: id.serial_number.into_owned().into(),
    })
}

fn crl_reason(reason: CrlReason) -> RevocationReason {
    match reason {
        CrlReason::Unspecified => RevocationReason::Unspecified,
        CrlReason::KeyCompromise => RevocationReason::KeyCompromise,
        CrlReason::CaCompromise => RevocationReason::CaCompromise,
        CrlReason::AffiliationChanged => RevocationReason::AffiliationChanged,
        CrlReason::Superseded => RevocationReason::Superseded,
        CrlReason::CessationOfOperation => RevocationReason::CessationOfOperation,
        CrlReason::CertificateHold => RevocationReason::CertificateHold,
        CrlReason::RemoveFromCrl => RevocationReason::RemoveFromCrl,
        CrlReason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        CrlReason::AaCompromise => RevocationReason::AaCompromise,
    }
}

/// A lock that a panic elsewhere does not spoil: what it guards is replaced whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
