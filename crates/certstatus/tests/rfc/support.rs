//! What the modules share: a lab at a fixed time, and responses made by hand.

use std::time::Duration;

use certstatus::message::{
    CertId, CertStatus, HashAlgorithm, OcspResponse, ResponseData, SingleResponse,
};
use certstatus::{Certificate, Error, Issuer, Limits, VerifiedResponse, Verifier};
use certstatus_lab::{Lab, Leaf};
use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};

/// 2026-03-01T12:00:00Z.
pub(crate) const NOW: u64 = 1_772_366_400;

/// The lives of a lab's responses, unless a test says otherwise.
pub(crate) const LIFE: u64 = 4 * 86_400;

pub(crate) fn at(seconds: i64) -> UnixTime {
    certstatus::time::unix(NOW.checked_add_signed(seconds).unwrap())
}

pub(crate) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all
}

/// A lab whose clock stands at [`NOW`], and a certificate of it.
pub(crate) struct Fixture {
    pub(crate) lab: Lab,
    pub(crate) leaf: Leaf,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::of(Lab::builder().now(at(0)).validity(Duration::from_secs(LIFE)).build().unwrap())
    }

    pub(crate) fn of(lab: Lab) -> Self {
        let leaf = lab.leaf("www.example.org").unwrap();
        Self { lab, leaf }
    }

    pub(crate) fn verify_with(
        &self,
        verifier: Verifier<'_>,
        response: &[u8],
        now: UnixTime,
    ) -> Result<VerifiedResponse, Error> {
        let issuer = Certificate::parse(self.lab.intermediate()).unwrap();
        let certificate = Certificate::parse(self.leaf.certificate()).unwrap();
        verifier.verify(response, &certificate, &Issuer::from_certificate(&issuer), now)
    }

    pub(crate) fn verify(&self, response: &[u8], now: UnixTime) -> Result<VerifiedResponse, Error> {
        self.verify_with(Verifier::new(algorithms()), response, now)
    }

    pub(crate) fn cert_id(&self) -> CertId<'static> {
        let request = self.lab.request(&self.leaf, HashAlgorithm::Sha1).unwrap();
        request.requests.into_iter().next().unwrap().cert_id
    }

    /// A statement about the leaf, from and until so many seconds from [`NOW`].
    pub(crate) fn statement(
        &self,
        cert_status: CertStatus,
        this_update: i64,
        next_update: Option<i64>,
    ) -> SingleResponse<'static> {
        SingleResponse {
            cert_id: self.cert_id(),
            cert_status,
            this_update: at(this_update),
            next_update: next_update.map(at),
            extensions: Vec::new(),
        }
    }

    /// A response with these statements, signed as the lab signs.
    pub(crate) fn response(&self, statements: Vec<SingleResponse<'static>>) -> Vec<u8> {
        self.response_with(statements, |_| ())
    }

    /// The same, changed before it is signed.
    pub(crate) fn response_with(
        &self,
        statements: Vec<SingleResponse<'static>>,
        change: impl FnOnce(&mut ResponseData<'static>),
    ) -> Vec<u8> {
        let plain = self.lab.respond(&self.leaf);
        let parsed = OcspResponse::parse(&plain, &Limits::default()).unwrap();
        let OcspResponse::Successful(basic) = parsed else { panic!("the lab answers") };
        let mut data = ResponseData {
            responder_id: basic.data().responder_id.clone().into_owned(),
            produced_at: at(0),
            responses: statements,
            extensions: Vec::new(),
        };
        change(&mut data);
        self.lab.sign(data).unwrap()
    }
}
