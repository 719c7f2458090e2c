//! A small model of OCSP: who signs what about whom, in which a signature is a sum.
//!
//! With real signatures a fuzzer sees little behind them. Here anybody's signature can be made: it is
//! a sum over the key and the message, verified by [`Sum`] in place of a provider's algorithm. The
//! certificates are those of the vectors, whose own real signatures are looked up.

use std::sync::LazyLock;

use certstatus::message::{AlgorithmIdentifier, BasicOcspResponse, OcspResponse, ResponseData};
use certstatus::{Certificate, Limits};
use rustls_pki_types::{
    AlgorithmIdentifier as PkiIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

use crate::vectors::{Vectors, algorithms};

/// Whose key signs, or who is named.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) certificate: Vec<u8>,
    /// Whether the issuer has made it a delegate, at least for some time.
    pub(crate) is_delegate: bool,
    /// The first and the last second of its certificate.
    pub(crate) validity: (u64, u64),
}

/// The world of the model: that of the directory `faults`.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) leaf: Vec<u8>,
    /// The issuer first, then those whose certificates are in responses.
    pub(crate) parties: Vec<Party>,
    /// What has a real signature: key, message, signature.
    signed: Vec<[Vec<u8>; 3]>,
}

static MODEL: LazyLock<Model> = LazyLock::new(Model::read);

impl Model {
    pub(crate) fn new() -> &'static Self {
        &MODEL
    }

    /// The algorithms by which signatures of the model are verified.
    pub(crate) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        &[&Sum]
    }

    fn read() -> Self {
        let world = Vectors::all().world("faults");
        let mut model = Self { leaf: world.leaf.clone(), parties: Vec::new(), signed: Vec::new() };
        model.add(&world.issuer, false);
        for (file, der) in &world.responses {
            let Ok(OcspResponse::Successful(basic)) = OcspResponse::parse(der, &Limits::default())
            else {
                continue;
            };
            // These two are delegates at another time.
            let is_delegate =
                file == "expired-delegate.der" || file == "not-yet-valid-delegate.der";
            for cert in basic.certs() {
                model.add(cert, is_delegate);
            }
        }
        let delegates = model.parties.iter().filter(|party| party.is_delegate).count();
        assert!(delegates == 2 && model.parties.len() > 4, "the vectors have other delegates");
        model
    }

    fn add(&mut self, certificate: &[u8], is_delegate: bool) {
        let read = Certificate::parse(certificate).expect("a vector's certificate is one");
        let issuer = Certificate::parse(&Vectors::all().world("faults").issuer);
        let issuer = certstatus::Issuer::from_certificate(&issuer.expect("an issuer"));
        if read.verify_issued_by(&issuer, algorithms()).is_ok() {
            let key = issuer.public_key().subject_public_key();
            self.signed.push([key, read.tbs_der(), read.signature()].map(<[u8]>::to_vec));
        }
        self.parties.push(Party {
            certificate: certificate.to_vec(),
            is_delegate,
            validity: (read.not_before().as_secs(), read.not_after().as_secs()),
        });
    }

    /// An encoded response that a party signs.
    pub(crate) fn sign(
        &self,
        data: ResponseData<'_>,
        signer: &Party,
        certs: Vec<Vec<u8>>,
        spoiled: bool,
    ) -> Vec<u8> {
        let key = Certificate::parse(&signer.certificate).expect("a party's certificate");
        let mut signature = sum(key.public_key().subject_public_key(), &data.to_der());
        if spoiled {
            signature[0] ^= 1;
        }
        let identifier = AlgorithmIdentifier::from_contents(&SUM).expect("an identifier");
        let basic = BasicOcspResponse::new(data, identifier, signature.to_vec(), certs);
        OcspResponse::Successful(basic).to_der()
    }
}

/// The identifier of ECDSA with SHA-256, which the sum stands for.
static SUM: PkiIdentifier = alg_id::ECDSA_SHA256;

/// FNV-1a of the key and the message.
fn sum(key: &[u8], message: &[u8]) -> [u8; 8] {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    key.iter().chain(message).fold(0xcbf2_9ce4_8422_2325, step).to_be_bytes()
}

/// The algorithm of the model.
#[derive(Debug)]
struct Sum;

impl SignatureVerificationAlgorithm for Sum {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let real = [public_key, message, signature];
        let is_real = MODEL.signed.iter().any(|signed| signed.iter().eq(real));
        if is_real || signature == sum(public_key, message) {
            Ok(())
        } else {
            Err(InvalidSignature)
        }
    }

    fn public_key_alg_id(&self) -> PkiIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> PkiIdentifier {
        alg_id::ECDSA_SHA256
    }
}
