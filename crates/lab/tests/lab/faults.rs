//! Every fault of the catalogue does what its [`Effect`] says, and nothing more.

use certstatus::message::CertStatus;
use certstatus::message::HashAlgorithm;
use certstatus::{Error, ExtensionError, MatchError, Nonce, SignerError, TimeError};
use certstatus_lab::{Effect, Fault, KeyKind, Lab, Leaf};

use crate::support::verify;

const NONCE: [u8; 32] = [0x5a; 32];

fn answer(lab: &Lab, leaf: &Leaf, fault: Fault) -> Option<Vec<u8>> {
    let request = lab.request(leaf, HashAlgorithm::Sha256).unwrap().with_nonce(&NONCE);
    lab.answer_with(&request.to_der(), fault).unwrap()
}

fn assert_effects(lab: &Lab) {
    let leaf = lab.leaf("localhost").unwrap();
    for fault in Fault::ALL {
        let Some(response) = answer(lab, &leaf, fault) else {
            assert!(fault.is_transport(), "{fault}");
            continue;
        };
        let outcome = verify(lab, &leaf, &response, Nonce::Required(&NONCE));
        match (fault.effect(), outcome) {
            (Effect::Refused(stage), Err(error)) => {
                assert_eq!(error.stage(), stage, "{fault}: {error}");
            }
            (Effect::Trusted, Ok(verified)) => assert_eq!(verified.status(), CertStatus::Good),
            (Effect::Revoked, Ok(verified)) => {
                assert!(matches!(verified.status(), CertStatus::Revoked(_)), "{fault}");
            }
            (effect, outcome) => panic!("{fault}: {effect:?}, but {outcome:?}"),
        }
    }
}

#[test]
fn every_fault_has_its_effect_when_the_issuer_signs() {
    assert_effects(&Lab::builder().build().unwrap());
}

#[test]
fn every_fault_has_its_effect_when_a_delegate_signs() {
    let lab = Lab::builder().delegated(KeyKind::EcdsaP384).responder_id_by_key().build().unwrap();
    assert_effects(&lab);
}

/// Beyond the stage: the error is the one that the fault's name promises.
#[test]
fn faults_are_wrong_in_the_point_they_name() {
    use Error::{Extension, Malformed, Match, ResponseType, Signer, Time, TooLarge, Unsuccessful};
    let lab = Lab::builder().delegate(true).build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    for fault in Fault::ALL {
        let Some(response) = answer(&lab, &leaf, fault) else { continue };
        let Err(error) = verify(&lab, &leaf, &response, Nonce::Required(&NONCE)) else { continue };
        let told = error.to_string();
        let named = match fault {
            Fault::MalformedRequest
            | Fault::InternalError
            | Fault::TryLater
            | Fault::SigRequired
            | Fault::Unauthorized => matches!(error, Unsuccessful(_)),
            Fault::MalformedDer | Fault::Ber | Fault::Truncated | Fault::TrailingData => {
                matches!(error, Malformed { structure: "OCSPResponse", .. })
            }
            Fault::Oversize => matches!(error, TooLarge { length: 70_000.., .. }),
            Fault::WrongResponseType => matches!(error, ResponseType(_)),
            Fault::NoSingleResponse => told.contains("nothing at all"),
            Fault::WrongSerial => matches!(error, Match(MatchError::NoMatch { .. })),
            Fault::WrongIssuer => told.contains("that serial of another issuer"),
            Fault::Expired => matches!(error, Time(TimeError::Expired { .. })),
            Fault::NotYetValid => matches!(error, Time(TimeError::NotYetValid { .. })),
            Fault::VeryOld => matches!(error, Time(TimeError::TooOld { .. })),
            Fault::InvertedTimes => matches!(error, Time(TimeError::Inverted { .. })),
            Fault::ProducedInFuture => matches!(error, Time(TimeError::ProducedInFuture { .. })),
            Fault::BadSignature => matches!(error, Signer(SignerError::BadSignature { .. })),
            Fault::DelegateWithoutEku => told.contains("lacks the extended key usage"),
            Fault::DelegateOfAnotherCa => told.contains("not issued by that issuer directly"),
            Fault::DelegateOfNamesake => told.contains("not the issuer's signature"),
            Fault::ExpiredDelegate => told.contains("its certificate expired at"),
            Fault::NotYetValidDelegate => told.contains("is not valid before"),
            Fault::MissingSigner => matches!(error, Signer(SignerError::NoCandidate { .. })),
            Fault::SignedByRoot => told.contains("that of a certificate authority"),
            Fault::UnknownCriticalExtension | Fault::UnknownCriticalSingleExtension => {
                matches!(error, Extension(ExtensionError::UnknownCritical(_)))
            }
            Fault::NonceMismatch => {
                matches!(error, Extension(ExtensionError::NonceMismatch { .. }))
            }
            Fault::NonceMissing => matches!(error, Extension(ExtensionError::NonceMissing { .. })),
            other => panic!("{other} is not refused by its effect"),
        };
        assert!(named, "{fault}: {told}");
    }
}

#[test]
fn faults_follow_the_clock() {
    let lab = Lab::builder().now(certstatus::time::unix(1_772_366_400)).build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let expired = answer(&lab, &leaf, Fault::ExpiredDelegate).unwrap();
    lab.set_now(certstatus::time::unix(1_772_366_400 - 2 * 86_400));
    // The delegate of the old answer was valid two days before; only its answer is too young.
    let error = verify(&lab, &leaf, &expired, Nonce::Required(&NONCE)).unwrap_err();
    assert!(matches!(error, Error::Time(_)), "{error}");
    let expired = answer(&lab, &leaf, Fault::ExpiredDelegate).unwrap();
    let error = verify(&lab, &leaf, &expired, Nonce::Required(&NONCE)).unwrap_err();
    assert!(matches!(error, Error::Signer(_)), "{error}");
}
