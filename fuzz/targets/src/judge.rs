//! The judgement of responses and the policy made of it, against a second reading of RFC 6960, 3.2,
//! that is as plain as it can be.
//!
//! The input makes a response of the [model](crate::model): who signs, who is named as responder,
//! what is said about whom, when. What must come out is known from how it was made.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use certstatus::message::{
    CertId, CertStatus, CrlReason, Extension, HashAlgorithm, ResponderId, ResponseData,
    RevokedInfo, SingleResponse, oid,
};
use certstatus::time::unix;
use certstatus::{
    Acceptance, Certificate, Decision, Error, Freshness, Invalid, Issuer, Nonce, Policy, Refusal,
    Require, Signer, Staple, Unknown, VerifiedResponse, Verifier,
};
use rustls_pki_types::UnixTime;
use sha1::{Digest, Sha1};

use crate::model::{Model, Party};
use crate::vectors::NOW;

const DAY: u64 = 86_400;

/// A response that anybody may have signed, and what must come of it.
struct Case {
    response: Vec<u8>,
    now: UnixTime,
    freshness: Freshness,
    sent: Option<Vec<u8>>,
    nonce_required: bool,
    expected: Expected,
}

/// What is known of a case.
struct Expected {
    /// The statements about the certificate.
    matching: Vec<SingleResponse<'static>>,
    produced_at: UnixTime,
    /// Whether a critical extension forbids to use the response.
    forbidden: bool,
    nonce: Option<Vec<u8>>,
    /// Who may have signed, and did; with the validity of a delegate's certificate.
    signer: Option<(Signer, Option<(u64, u64)>)>,
}

/// The judgement.
pub fn judge(data: &[u8]) {
    let Ok(case) = Case::make(&mut Unstructured::new(data)) else { return };
    let Case { expected, .. } = &case;
    let verified = case.verify(case.now);
    let statement = expected.statement(&case, case.now);
    let may = expected.signer.filter(|(_, validity)| {
        validity.is_none_or(|(from, to)| (from..=to).contains(&case.now.as_secs()))
    });
    let (Some(statement), Some((signer, _)), false, true) =
        (statement, may, expected.forbidden, expected.fits_nonce(&case))
    else {
        let error = verified.expect_err("a response is trusted that must not be");
        assert!(!error.to_string().is_empty());
        return;
    };
    let verified = verified.expect("a response is refused that has no fault");
    assert_eq!(verified.status(), statement.cert_status);
    assert_eq!(verified.this_update(), statement.this_update);
    assert_eq!(verified.signer(), signer);
    assert_eq!(verified.der(), case.response);
    assert!(verified.is_current(case.now));
    case.holds_while_it_is_current(&verified);
}

/// The policy: what no setting may change, and what each of them is for.
pub fn policy(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok((policy, require, unknown, invalid)) = any_policy(&mut input) else { return };
    let (Ok(must_staple), Ok(missing)) = (input.arbitrary::<bool>(), input.ratio(1, 8)) else {
        return;
    };
    let Ok(case) = Case::make(&mut input) else { return };
    let verified = case.verify(case.now);
    let staple = match &verified {
        _ if missing => Staple::Missing,
        Ok(verified) => Staple::Verified(verified),
        Err(error) => Staple::Invalid(error),
    };
    let decision = policy.decide(staple, must_staple);
    assert!(!decision.to_string().is_empty());
    let required = require == Require::Always || require == Require::MustStaple && must_staple;
    let accepted = matches!(decision, Decision::Accept(_));
    match staple {
        Staple::Missing => assert_eq!(accepted, !required),
        Staple::Invalid(_) => assert_eq!(accepted, !required && invalid == Invalid::AsMissing),
        Staple::Verified(verified) => match verified.status() {
            CertStatus::Good => assert_eq!(decision, Decision::Accept(Acceptance::Good)),
            CertStatus::Revoked(info) => {
                assert_eq!(decision, Decision::Refuse(Refusal::Revoked(info)));
            }
            CertStatus::Unknown => {
                assert_eq!(accepted, !required && unknown == Unknown::AsMissing);
            }
        },
    }
    assert!(required <= (!accepted || decision == Decision::Accept(Acceptance::Good)));
}

fn any_policy(input: &mut Unstructured<'_>) -> Result<(Policy, Require, Unknown, Invalid)> {
    let require = *input.choose(&[Require::Always, Require::MustStaple, Require::Never])?;
    let unknown = *input.choose(&[Unknown::Refuse, Unknown::AsMissing])?;
    let invalid = *input.choose(&[Invalid::Refuse, Invalid::AsMissing])?;
    let policy = Policy::default().require(require).treat_unknown(unknown).treat_invalid(invalid);
    Ok((policy, require, unknown, invalid))
}

impl Case {
    fn make(input: &mut Unstructured<'_>) -> Result<Self> {
        let model = Model::new();
        let now = any_time(input)?;
        let freshness = Freshness { skew: any_span(input)?, max_age: any_span(input)? };
        let produced_at = any_time(input)?;
        let mut expected = Expected {
            matching: Vec::new(),
            produced_at,
            forbidden: false,
            nonce: None,
            signer: None,
        };
        let mut responses = Vec::new();
        for _ in 0..input.int_in_range(0..=4)? {
            let (single, is_ours) = any_statement(input)?;
            if is_ours {
                expected.forbidden |= single.extensions.iter().any(forbids);
                expected.matching.push(single.clone());
            }
            responses.push(single);
        }
        let mut extensions = any_extensions(input)?;
        expected.forbidden |= extensions.iter().any(forbids);
        if input.ratio(1, 4)? {
            let nonce = vec![input.arbitrary()?; 8];
            extensions.push(Extension::nonce(&nonce));
            expected.nonce = Some(nonce);
        }
        let signer = input.choose(&model.parties)?;
        let named = if input.ratio(3, 4)? { signer } else { input.choose(&model.parties)? };
        let included = any_certificates(input, signer)?;
        let spoiled = input.ratio(1, 8)?;
        let responder_id = any_responder_id(input, named)?;
        expected.signer = who_signed(&responder_id, signer, &included, spoiled);
        let data = ResponseData { responder_id, produced_at, responses, extensions };
        let certs = included.iter().map(|party| party.certificate.clone()).collect();
        let response = model.sign(data, signer, certs, spoiled);
        let sent = if input.ratio(1, 4)? { Some(vec![input.arbitrary()?; 8]) } else { None };
        let nonce_required = input.arbitrary()?;
        Ok(Self { response, now, freshness, sent, nonce_required, expected })
    }

    fn verify(&self, now: UnixTime) -> std::result::Result<VerifiedResponse, Error> {
        let model = Model::new();
        let certificate = Certificate::parse(&model.leaf).expect("the model's certificate");
        let issuer = Certificate::parse(&model.parties[0].certificate).expect("its issuer");
        let nonce = match (&self.sent, self.nonce_required) {
            (None, _) => Nonce::NotSent,
            (Some(sent), true) => Nonce::Required(sent),
            (Some(sent), false) => Nonce::IfPresent(sent),
        };
        Verifier::new(Model::algorithms()).freshness(self.freshness).nonce(nonce).verify(
            &self.response,
            &certificate,
            &Issuer::from_certificate(&issuer),
            now,
        )
    }

    /// A cache asks no more than `is_current`: while that says yes, verifying anew says the same.
    fn holds_while_it_is_current(&self, verified: &VerifiedResponse) {
        let Freshness { skew, max_age } = self.freshness;
        let mut edges = vec![self.expected.produced_at.as_secs()];
        edges.extend(self.expected.matching.iter().flat_map(|single| {
            let this = single.this_update.as_secs();
            let next = single.next_update.map(|next| next.as_secs());
            [this, next.unwrap_or(this.saturating_add(max_age.as_secs()))]
        }));
        edges.extend(
            self.expected
                .signer
                .and_then(|(_, validity)| validity)
                .into_iter()
                .flat_map(|(from, to)| [from, to]),
        );
        edges.push(verified.expires().as_secs());
        for edge in edges {
            let skew = skew.as_secs();
            for time in [edge, edge.saturating_sub(skew), edge.saturating_add(skew)] {
                for time in [time.saturating_sub(1), time, time.saturating_add(1)] {
                    if !verified.is_current(unix(time)) {
                        continue;
                    }
                    let then = self.verify(unix(time)).expect("what is current verifies");
                    assert_eq!(then.status(), verified.status(), "at {time}");
                }
            }
        }
    }
}

impl Expected {
    /// The statement that counts at that time: of those in their window the strictest, then the
    /// newest.
    fn statement(&self, case: &Case, now: UnixTime) -> Option<&SingleResponse<'static>> {
        let strictness = |status: CertStatus| match status {
            CertStatus::Revoked(_) => 2,
            CertStatus::Unknown => 1,
            CertStatus::Good => 0,
        };
        // The first of those that are equal.
        self.matching
            .iter()
            .rev()
            .filter(|single| self.is_current(single, case, now))
            .max_by_key(|single| (strictness(single.cert_status), single.this_update))
    }

    fn is_current(&self, single: &SingleResponse<'_>, case: &Case, now: UnixTime) -> bool {
        let skew = u128::from(case.freshness.skew.as_secs());
        let seconds = |time: UnixTime| u128::from(time.as_secs());
        let begin = seconds(single.this_update);
        let age = u128::from(case.freshness.max_age.as_secs());
        let end = single.next_update.map_or(begin + age, seconds);
        let now = seconds(now);
        begin <= now + skew
            && seconds(self.produced_at) <= now + skew
            && now < end + skew
            && (single.next_update.is_none() || begin <= end)
    }

    fn fits_nonce(&self, case: &Case) -> bool {
        match (&case.sent, &self.nonce) {
            (None, _) => true,
            (Some(sent), Some(found)) => sent == found,
            (Some(_), None) => !case.nonce_required,
        }
    }
}

/// Who signed, if it may: the issuer when it is named, or a delegate that is named and included.
fn who_signed(
    named: &ResponderId<'_>,
    signer: &Party,
    included: &[&Party],
    spoiled: bool,
) -> Option<(Signer, Option<(u64, u64)>)> {
    if spoiled || !names(named, signer) {
        return None;
    }
    if std::ptr::eq(signer, &raw const Model::new().parties[0]) {
        return Some((Signer::Issuer, None));
    }
    let is_included = included.iter().any(|party| std::ptr::eq(*party, signer));
    (signer.is_delegate && is_included).then_some((Signer::Delegate, Some(signer.validity)))
}

fn names(id: &ResponderId<'_>, party: &Party) -> bool {
    let certificate = Certificate::parse(&party.certificate).expect("a party's certificate");
    match id {
        ResponderId::ByName(name) => name == certificate.subject(),
        ResponderId::ByKey(hash) => hash[..] == key_hash(&certificate)[..],
    }
}

fn key_hash(certificate: &Certificate<'_>) -> Vec<u8> {
    Sha1::digest(certificate.public_key().subject_public_key()).to_vec()
}

fn any_responder_id(
    input: &mut Unstructured<'_>,
    named: &'static Party,
) -> Result<ResponderId<'static>> {
    let certificate = Certificate::parse(&named.certificate).expect("a party's certificate");
    Ok(match input.arbitrary()? {
        true => ResponderId::ByName(certificate.subject().clone()),
        false => ResponderId::ByKey(key_hash(&certificate).into()),
    })
}

/// Up to three certificates; that of the signer is among them mostly.
fn any_certificates(
    input: &mut Unstructured<'_>,
    signer: &'static Party,
) -> Result<Vec<&'static Party>> {
    let mut included = Vec::new();
    for _ in 0..input.int_in_range(0..=2)? {
        included.push(input.choose(&Model::new().parties)?);
    }
    if input.ratio(3, 4)? {
        included.insert(0, signer);
    }
    Ok(included)
}

/// A statement, and whether it is about the certificate.
fn any_statement(input: &mut Unstructured<'_>) -> Result<(SingleResponse<'static>, bool)> {
    let model = Model::new();
    let certificate = Certificate::parse(&model.leaf).expect("the model's certificate");
    let issuer = Certificate::parse(&model.parties[0].certificate).expect("its issuer");
    let issuer = Issuer::from_certificate(&issuer);
    let hash = *input.choose(&HashAlgorithm::ALL)?;
    let mut cert_id = CertId::new(&certificate, &issuer, hash);
    let mut is_ours = true;
    match input.int_in_range(0..=9)? {
        0 => (cert_id.serial_number, is_ours) = (vec![5].into(), false),
        1 => (cert_id.issuer_key_hash, is_ours) = (vec![5; 20].into(), false),
        2 => (cert_id.issuer_name_hash, is_ours) = (vec![5; 20].into(), false),
        3 => {
            let other = *input.choose(&HashAlgorithm::ALL)?;
            (cert_id.hash_algorithm, is_ours) = (other.identifier(), other == hash);
        }
        _ => {}
    }
    let next_update = if input.ratio(3, 4)? { Some(any_time(input)?) } else { None };
    let single = SingleResponse {
        cert_id,
        cert_status: any_status(input)?,
        this_update: any_time(input)?,
        next_update,
        extensions: any_extensions(input)?,
    };
    Ok((single, is_ours))
}

fn any_status(input: &mut Unstructured<'_>) -> Result<CertStatus> {
    Ok(match input.int_in_range(0..=2)? {
        0 => CertStatus::Good,
        1 => CertStatus::Unknown,
        _ => CertStatus::Revoked(RevokedInfo {
            revocation_time: any_time(input)?,
            revocation_reason: match input.arbitrary()? {
                true => Some(*input.choose(&CrlReason::ALL)?),
                false => None,
            },
        }),
    })
}

/// Mostly none. One that may be critical, or one that may not.
fn any_extensions(input: &mut Unstructured<'_>) -> Result<Vec<Extension<'static>>> {
    if !input.ratio(1, 6)? {
        return Ok(Vec::new());
    }
    let id = input.choose(&[oid::ARCHIVE_CUTOFF, oid::CRL_REFERENCES, oid::SERVICE_LOCATOR])?;
    let critical = input.arbitrary()?;
    Ok(vec![Extension { id: id.clone(), critical, value: vec![5, 0].into() }])
}

fn forbids(extension: &Extension<'_>) -> bool {
    extension.critical && extension.id == oid::SERVICE_LOCATOR
}

/// Times that lie near each other, so that windows meet; and now and then any.
fn any_time(input: &mut Unstructured<'_>) -> Result<UnixTime> {
    const LAST: u64 = 253_402_300_799;
    Ok(unix(match input.int_in_range(0..=7)? {
        0 => input.int_in_range(0..=LAST)?,
        1..=3 => NOW - 2 + input.int_in_range(0..=4)?,
        _ => NOW - 40 * DAY + DAY * input.int_in_range(0..=80)?,
    }))
}

fn any_span(input: &mut Unstructured<'_>) -> Result<Duration> {
    Ok(Duration::from_secs(match input.int_in_range(0..=7)? {
        0 => input.arbitrary()?,
        1..=3 => input.int_in_range(0..=3)?,
        _ => DAY * input.int_in_range(0..=10)?,
    }))
}
