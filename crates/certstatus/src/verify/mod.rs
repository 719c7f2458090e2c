//! From a response to a [`VerifiedResponse`]: what it says about one certificate, at one time, by
//! somebody who may say it (RFC 6960, 3.2 and 4.2.2.2).
//!
//! What costs little comes first: reading, the match, extensions and times; then the signatures,
//! in `signer.rs`. Whatever is wrong is an [`Error`] that names the stage and the facts.

mod issuer_hashes;
mod signer;
mod verified;

use std::fmt;
use std::time::Duration;

use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};

use crate::message::{
    BasicOcspResponse, CertId, CertStatus, Extension, OcspResponse, SingleResponse, oid,
};
use crate::time::{after, before};
use crate::{
    Certificate, Error, ExtensionError, Irregularity, Issuer, Limits, MatchError, TimeError,
    describe,
};

use issuer_hashes::IssuerHashes;
pub use signer::Signer;
pub(crate) use signer::find_algorithm;
pub use verified::VerifiedResponse;

/// How old a response may be.
///
/// A response is accepted while `thisUpdate - skew <= now < nextUpdate + skew`, and while
/// `producedAt - skew <= now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// How far the clocks of responder and reader may be apart. 300 s by default, as in OpenSSL's
    /// and curl's checks.
    pub skew: Duration,
    /// How long after `thisUpdate` a response without `nextUpdate` is accepted. One day by default,
    /// as in NSS: such a responder says that it always has newer information.
    pub max_age: Duration,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { skew: Duration::from_secs(300), max_age: Duration::from_secs(86_400) }
    }
}

/// What is expected of the response's nonce (RFC 9654).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nonce<'a> {
    /// No nonce was sent, as for everything that is stapled. One that comes is ignored.
    #[default]
    NotSent,
    /// This nonce was sent, and must come back.
    Required(&'a [u8]),
    /// This nonce was sent, and none or the same must come back: responders that give out
    /// responses signed in advance leave it out (RFC 5019, 4).
    IfPresent(&'a [u8]),
}

/// Verifies responses, by the signature algorithms of a rustls `CryptoProvider`.
///
/// ```
/// # fn check(response: &[u8], leaf: &[u8], issuer: &[u8], now: rustls_pki_types::UnixTime,
/// #          algorithms: &'static [&'static dyn rustls_pki_types::SignatureVerificationAlgorithm])
/// #     -> Result<(), certstatus::Error> {
/// use certstatus::{Certificate, Issuer, Verifier};
/// use certstatus::message::CertStatus;
///
/// let certificate = Certificate::parse(leaf)?;
/// let issuer = Issuer::from_certificate(&Certificate::parse(issuer)?);
/// // algorithms: provider.signature_verification_algorithms.all
/// let verified = Verifier::new(algorithms).verify(response, &certificate, &issuer, now)?;
/// assert_eq!(verified.status(), CertStatus::Good);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy)]
pub struct Verifier<'a> {
    algorithms: &'a [&'a dyn SignatureVerificationAlgorithm],
    freshness: Freshness,
    limits: Limits,
    nonce: Nonce<'a>,
    responders: &'a [Certificate<'a>],
}

impl fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("algorithms", &self.algorithms.len())
            .field("freshness", &self.freshness)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<'a> Verifier<'a> {
    /// A verifier with default freshness and limits, for responses to requests without a nonce.
    pub fn new(algorithms: &'a [&'a dyn SignatureVerificationAlgorithm]) -> Self {
        Self {
            algorithms,
            freshness: Freshness::default(),
            limits: Limits::default(),
            nonce: Nonce::default(),
            responders: &[],
        }
    }

    /// Sets how old a response may be.
    #[must_use]
    pub fn freshness(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    /// Sets how much of a response is read.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what is expected of the nonce.
    #[must_use]
    pub fn nonce(mut self, nonce: Nonce<'a>) -> Self {
        self.nonce = nonce;
        self
    }

    /// Trusts responses that are signed by the keys of these certificates, as the issuer's own: the
    /// local configuration of RFC 6960, 4.2.2.2, for a validation authority of several CAs. The
    /// certificates are trusted as they are, within their validity. None by default.
    #[must_use]
    pub fn trust_responders(mut self, responders: &'a [Certificate<'a>]) -> Self {
        self.responders = responders;
        self
    }

    /// Verifies that `response` says something about `certificate`, under `issuer`, that is to be
    /// trusted at `now`. Whether that is good news is for [`VerifiedResponse::status`].
    ///
    /// `issuer` must come from a verified path; see [`Issuer`].
    ///
    /// # Errors
    /// Every [`Error`]; see there.
    pub fn verify(
        &self,
        response: &[u8],
        certificate: &Certificate<'_>,
        issuer: &Issuer<'_>,
        now: UnixTime,
    ) -> Result<VerifiedResponse, Error> {
        let (basic, odd) = self.successful(response)?;
        if certificate.issuer() != issuer.subject() {
            return Err(MatchError::NotIssuedBy {
                named: crate::brief(certificate.issuer()),
                given: crate::brief(issuer.subject()),
                difference: describe::string_types(certificate.issuer(), issuer.subject()),
            }
            .into());
        }
        self.judge(&basic, &odd, response, certificate.serial_number(), issuer, now)
    }

    /// Verifies as [`verify`](Self::verify) does, for those who keep of a certificate no more than
    /// its serial number: that `issuer` is the one that it names is theirs to know.
    ///
    /// # Errors
    /// Every [`Error`] but [`MatchError::NotIssuedBy`].
    pub fn verify_serial(
        &self,
        response: &[u8],
        serial_number: &[u8],
        issuer: &Issuer<'_>,
        now: UnixTime,
    ) -> Result<VerifiedResponse, Error> {
        let (basic, odd) = self.successful(response)?;
        self.judge(&basic, &odd, response, serial_number, issuer, now)
    }

    /// The response that the responder gave, if it gave one.
    fn successful<'r>(
        &self,
        response: &'r [u8],
    ) -> Result<(BasicOcspResponse<'r>, Vec<Irregularity>), Error> {
        match OcspResponse::parse_lenient(response, &self.limits)? {
            (OcspResponse::Successful(basic), odd) => Ok((basic, odd)),
            (OcspResponse::Unsuccessful(status), _) => Err(Error::Unsuccessful(status)),
        }
    }

    /// Strictness is asymmetric: an irregularity, an extension that is not understood or another
    /// nonce refuses every status but *revoked*, which a response must not hide in that way.
    fn judge(
        &self,
        basic: &BasicOcspResponse<'_>,
        odd: &[Irregularity],
        response: &[u8],
        serial_number: &[u8],
        issuer: &Issuer<'_>,
        now: UnixTime,
    ) -> Result<VerifiedResponse, Error> {
        let irregular = || odd.first().map_or(Ok(()), |first| Err(Error::from(*first)));
        let matching = match find_matching(basic, serial_number, issuer) {
            Ok(matching) => matching,
            Err(error) => return Err(irregular().err().unwrap_or(error)),
        };
        let is_revoked =
            |single: &SingleResponse<'_>| matches!(single.cert_status, CertStatus::Revoked(_));
        let extensions = self.check_extensions(basic, &matching);
        if !matching.iter().any(|single| is_revoked(single)) {
            irregular()?;
            extensions.as_ref().map_err(Clone::clone)?;
        }
        let (single, window) = self.choose(basic, !odd.is_empty(), &matching, now)?;
        if !is_revoked(single) {
            irregular()?;
            extensions.as_ref().map_err(Clone::clone)?;
        }
        let (signer, delegation) = signer::find(
            basic,
            issuer,
            signer::Trust { algorithms: self.algorithms, responders: self.responders },
            &self.limits,
            now,
        )?;
        let mut singles = basic.data().responses.iter();
        let refused = extensions.err().map(|error| error.to_string());
        // More than a few sentences would be the responder's way to fill a log.
        let odd = odd.iter().map(Irregularity::to_string).chain(refused).take(8);
        Ok(VerifiedResponse {
            position: singles.position(|one| std::ptr::eq(one, single)).unwrap_or(usize::MAX),
            status: single.cert_status,
            this_update: single.this_update,
            next_update: single.next_update,
            produced_at: basic.data().produced_at,
            window: window.within(delegation),
            signer,
            odd: odd.collect(),
            der: response.into(),
        })
    }

    /// The strictest statement among those that are valid now; of equally strict ones, the newest.
    /// What has expired says nothing; when all have, the first one's error stands for all. The window
    /// of the choice reaches from the end of what has expired to the beginning of what is still to
    /// come, since beyond them the choice may be another one.
    fn choose<'r>(
        &self,
        basic: &BasicOcspResponse<'_>,
        is_odd: bool,
        matching: &[&'r SingleResponse<'r>],
        now: UnixTime,
    ) -> Result<(&'r SingleResponse<'r>, Window), Error> {
        let mut chosen: Option<(&SingleResponse<'_>, Window)> = None;
        let mut first_error = None;
        let mut last_ended: Option<UnixTime> = None;
        let mut next_begins: Option<UnixTime> = None;
        for single in matching {
            let window = Window::of(single, basic.data().produced_at, &self.freshness, now);
            match window.or_else(|error| self.odd_revocation(single, is_odd, now).ok_or(error)) {
                Ok(window) => {
                    let rank = |s: &SingleResponse<'_>| (s.cert_status.strictness(), s.this_update);
                    if chosen.is_none_or(|(best, _)| rank(single) > rank(best)) {
                        chosen = Some((single, window));
                    }
                }
                Err(error) => {
                    let Freshness { skew, max_age } = self.freshness;
                    let ended = match error {
                        TimeError::Expired { next_update, .. } => Some(after(next_update, skew)),
                        TimeError::TooOld { this_update, .. } => {
                            Some(after(after(this_update, max_age), skew))
                        }
                        _ => None,
                    };
                    last_ended = last_ended.max(ended);
                    if let TimeError::NotYetValid { this_update, .. } = error {
                        let begins = before(this_update, skew);
                        next_begins = Some(next_begins.map_or(begins, |next| begins.min(next)));
                    }
                    first_error = first_error.or(Some(error));
                }
            }
        }
        match (chosen, first_error) {
            (Some((single, window)), _) => {
                let window = last_ended.map_or(window, |ended| window.beginning(ended));
                Ok((single, next_begins.map_or(window, |begins| window.ending(begins))))
            }
            (None, Some(error)) => Err(error.into()),
            (None, None) => Err(no_match(basic, &[])),
        }
    }

    /// The window of a revocation in an irregular response whose times do not contain `now`: those
    /// may be the times that cannot be read. It holds for the time of a response without `nextUpdate`.
    fn odd_revocation(
        &self,
        single: &SingleResponse<'_>,
        is_odd: bool,
        now: UnixTime,
    ) -> Option<Window> {
        let unread = single.this_update.as_secs() == 0
            || single.next_update.is_some_and(|next| next.as_secs() == 0);
        if !is_odd || !unread || !matches!(single.cert_status, CertStatus::Revoked(_)) {
            return None;
        }
        let expires = after(now, self.freshness.max_age);
        let from = before(now, self.freshness.skew);
        Some(Window { from, until: after(expires, self.freshness.skew), expires })
    }

    /// Refuses critical extensions that are not understood, and a nonce that is not ours.
    fn check_extensions(
        &self,
        basic: &BasicOcspResponse<'_>,
        matching: &[&SingleResponse<'_>],
    ) -> Result<(), ExtensionError> {
        let of_response = basic.data().extensions.iter();
        let of_singles = matching.iter().flat_map(|single| single.extensions.iter());
        if let Some(unknown) = of_response.chain(of_singles).find(|e| e.critical && !understood(e))
        {
            return Err(ExtensionError::UnknownCritical(unknown.id.clone()));
        }
        let (sent, required) = match self.nonce {
            Nonce::NotSent => return Ok(()),
            Nonce::Required(sent) => (sent, true),
            Nonce::IfPresent(sent) => (sent, false),
        };
        match basic.data().nonce() {
            Some(found) if found != sent => Err(ExtensionError::NonceMismatch {
                sent: crate::hex(sent),
                found: crate::hex(found),
            }),
            None if required => Err(ExtensionError::NonceMissing { sent: crate::hex(sent) }),
            _ => Ok(()),
        }
    }
}

/// Extensions that may be critical: the nonce, which is compared, and those that only inform
/// (RFC 6960, 4.4.2, 4.4.4, 4.4.8) and change nothing in what a status means.
fn understood(extension: &Extension<'_>) -> bool {
    [oid::NONCE, oid::CRL_REFERENCES, oid::ARCHIVE_CUTOFF, oid::EXTENDED_REVOKE]
        .contains(&extension.id)
}

fn find_matching<'r>(
    basic: &'r BasicOcspResponse<'_>,
    serial_number: &[u8],
    issuer: &Issuer<'_>,
) -> Result<Vec<&'r SingleResponse<'r>>, Error> {
    let mut hashes = IssuerHashes::new(issuer);
    let matching: Vec<_> = basic
        .data()
        .responses
        .iter()
        .filter(|single| {
            single.cert_id.serial_number.as_ref() == serial_number && hashes.are_of(&single.cert_id)
        })
        .collect();
    if matching.is_empty() {
        return Err(no_match(basic, serial_number));
    }
    Ok(matching)
}

fn no_match(basic: &BasicOcspResponse<'_>, serial_number: &[u8]) -> Error {
    let cert_ids = basic.data().responses.iter().map(|single| &single.cert_id);
    let same_serial = |id: &&CertId<'_>| id.serial_number.as_ref() == serial_number;
    let found = match (cert_ids.clone().find(same_serial), cert_ids.clone().next()) {
        (Some(id), _) if id.hash().is_none() => crate::brief(id),
        (Some(_), _) => "that serial of another issuer".to_owned(),
        (None, Some(id)) if cert_ids.len() == 1 => crate::brief(id),
        (None, Some(id)) => format!("{} and {} others", crate::brief(id), cert_ids.len() - 1),
        (None, None) => "nothing at all".to_owned(),
    };
    MatchError::NoMatch { wanted: crate::hex(serial_number), found }.into()
}

/// When a statement may be used. Skew is in `from` and `until`, and not in `expires`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    from: UnixTime,
    until: UnixTime,
    expires: UnixTime,
}

impl Window {
    /// The window of a statement, if `now` is in it.
    fn of(
        single: &SingleResponse<'_>,
        produced_at: UnixTime,
        freshness: &Freshness,
        now: UnixTime,
    ) -> Result<Self, TimeError> {
        let this_update = single.this_update;
        if let Some(next_update) = single.next_update.filter(|next| *next < this_update) {
            return Err(TimeError::Inverted { this_update, next_update });
        }
        if now < before(this_update, freshness.skew) {
            return Err(TimeError::NotYetValid { this_update, now });
        }
        if now < before(produced_at, freshness.skew) {
            return Err(TimeError::ProducedInFuture { produced_at, now });
        }
        let expires = single.next_update.unwrap_or_else(|| after(this_update, freshness.max_age));
        let until = after(expires, freshness.skew);
        if now >= until {
            return Err(match single.next_update {
                Some(next_update) => TimeError::Expired { next_update, now },
                None => TimeError::TooOld { this_update, max_age: freshness.max_age, now },
            });
        }
        let from = before(this_update.max(produced_at), freshness.skew);
        Ok(Self { from, until, expires })
    }

    /// The window cut to the validity of the delegate's certificate.
    fn within(self, delegation: Option<signer::Delegation>) -> Self {
        let Some(delegation) = delegation else { return self };
        self.ending(after(delegation.not_after, Duration::from_secs(1)))
            .beginning(delegation.not_before)
    }

    /// The window, begun at that time at the earliest.
    fn beginning(self, begin: UnixTime) -> Self {
        Self { from: self.from.max(begin), ..self }
    }

    /// The window, ended before that time.
    fn ending(self, end: UnixTime) -> Self {
        Self { until: self.until.min(end), expires: self.expires.min(end), ..self }
    }
}
