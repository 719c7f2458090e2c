//! An answer on its way: what it will say and who will sign it (RFC 6960, 4.2.1).
//!
//! Faults change a draft before it is signed, so that a wrong answer is wrong in one point and
//! right in all others.

use aws_lc_rs::digest;
use certstatus::Certificate;
use certstatus::message::{
    BasicOcspResponse, Extension, OcspResponse, ResponderId, ResponseData, SingleResponse, oid,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::LabError;
use crate::authority::Times;
use crate::certificate::{Ca, Responder};
use crate::key::{Key, RsaScheme};

/// Who signs an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signatory<'a> {
    pub(crate) certificate: &'a CertificateDer<'static>,
    pub(crate) key: &'a Key,
    /// Whether the certificate goes into the answer.
    pub(crate) embedded: bool,
}

impl<'a> Signatory<'a> {
    /// The issuer of the certificates signs by itself.
    pub(crate) fn issuer(ca: &'a Ca) -> Self {
        Self { certificate: &ca.certificate, key: &ca.key, embedded: false }
    }

    /// A delegate signs, and brings its certificate.
    pub(crate) fn delegate(delegate: &'a Responder) -> Self {
        Self { certificate: &delegate.certificate, key: &delegate.key, embedded: true }
    }

    /// Signs and encodes an answer, whatever it says; `spoil` turns a bit of the signature.
    pub(crate) fn sign(
        self,
        data: ResponseData<'_>,
        scheme: RsaScheme,
        spoil: bool,
    ) -> Result<Vec<u8>, LabError> {
        let (algorithm, mut signature) = self.key.sign(&data.to_der(), scheme)?;
        if spoil && let Some(last) = signature.last_mut() {
            *last ^= 1;
        }
        let certs = if self.embedded { vec![self.certificate.to_vec()] } else { Vec::new() };
        let basic = BasicOcspResponse::new(data, algorithm, signature, certs);
        Ok(OcspResponse::Successful(basic).to_der())
    }

    /// Signs the DER of any element as `tbsResponseData`, also one that no type can hold.
    pub(crate) fn sign_encoded(self, tbs: &[u8], scheme: RsaScheme) -> Result<Vec<u8>, LabError> {
        let (algorithm, signature) = self.key.sign(tbs, scheme)?;
        let certs = if self.embedded { vec![self.certificate.as_ref()] } else { Vec::new() };
        let certs: Result<Vec<_>, _> =
            certs.into_iter().map(asn1::parse_single::<asn1::Tlv<'_>>).collect();
        let encoded = asn1::parse_single::<asn1::Tlv<'_>>(tbs).ok().zip(certs.ok()).and_then(
            |(tbs, certs)| {
                let basic = asn1::write(|w| {
                    w.write_element(&asn1::SequenceWriter::new(&|w| {
                        w.write_element(&tbs)?;
                        w.write_element(&algorithm)?;
                        w.write_element(&asn1::OwnedBitString::new(signature.clone(), 0))?;
                        match certs.as_slice() {
                            [] => Ok(()),
                            all => w.write_explicit_element(&asn1::SequenceOfWriter::new(all), 0),
                        }
                    }))
                });
                let basic = basic.ok()?;
                asn1::write(|w| {
                    w.write_element(&asn1::SequenceWriter::new(&|w| {
                        w.write_element(&asn1::Enumerated::new(0))?;
                        w.write_explicit_element(
                            &asn1::SequenceWriter::new(&|w| {
                                w.write_element(&oid::BASIC_RESPONSE)?;
                                w.write_element(&basic.as_slice())
                            }),
                            0,
                        )
                    }))
                })
                .ok()
            },
        );
        encoded.ok_or(LabError::Sign { kind: self.key.kind })
    }
}

/// An answer that is not signed yet.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) responses: Vec<SingleResponse<'static>>,
    pub(crate) produced_at: UnixTime,
    pub(crate) extensions: Vec<Extension<'static>>,
    pub(crate) signatory: Signatory<'a>,
    /// Whether a bit of the signature is turned.
    pub(crate) spoil_signature: bool,
}

impl<'a> Draft<'a> {
    /// An answer of now; a nonce is given back (RFC 9654, 2.1).
    pub(crate) fn new(
        responses: Vec<SingleResponse<'static>>,
        nonce: Option<Vec<u8>>,
        signatory: Signatory<'a>,
        now: UnixTime,
    ) -> Self {
        Self {
            responses,
            produced_at: now,
            extensions: nonce.iter().map(|nonce| Extension::nonce(nonce)).collect(),
            signatory,
            spoil_signature: false,
        }
    }

    /// When a cache may give this answer again: not at all when it has a nonce, or when a statement
    /// in it has no end.
    pub(crate) fn times(&self, now: UnixTime) -> Option<Times> {
        if self.extensions.iter().any(|extension| extension.as_nonce().is_some()) {
            return None;
        }
        let next_update = self.responses.iter().map(|single| single.next_update);
        Some(Times {
            this_update: self.responses.iter().map(|single| single.this_update).max()?,
            next_update: next_update.collect::<Option<Vec<_>>>()?.into_iter().min()?,
            now,
        })
    }

    /// Signs and encodes the answer.
    pub(crate) fn sign(self, scheme: RsaScheme, by_name: bool) -> Result<Vec<u8>, LabError> {
        let signatory = self.signatory;
        let data = ResponseData {
            responder_id: responder_id(&Certificate::parse(signatory.certificate)?, by_name),
            produced_at: self.produced_at,
            responses: self.responses,
            extensions: self.extensions,
        };
        signatory.sign(data, scheme, self.spoil_signature)
    }
}

fn responder_id(signer: &Certificate<'_>, by_name: bool) -> ResponderId<'static> {
    if by_name {
        return ResponderId::ByName(signer.subject().clone().into_owned());
    }
    let key = signer.public_key().subject_public_key();
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, key);
    ResponderId::ByKey(hash.as_ref().to_vec().into())
}
