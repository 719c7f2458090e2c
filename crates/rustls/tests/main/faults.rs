//! Every fault of the lab's catalogue, stapled.

use std::sync::{Arc, Mutex};

use certstatus::{Invalid, Policy, Stage, Staple};
use certstatus_lab::{Effect, Fault, Lab};
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error};

use crate::pki::ask;
use crate::wire::builder;

/// What a client makes of the fault that sent no nonce, as no client that is stapled to can.
fn expected(fault: Fault) -> Effect {
    match fault {
        Fault::NonceMismatch | Fault::NonceMissing => Effect::Trusted,
        other => other.effect(),
    }
}

#[test]
fn every_faulty_message_is_refused_in_the_stage_that_the_catalogue_names() {
    let lab = Lab::builder().delegate(true).build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let stage = Arc::new(Mutex::new(None::<Stage>));
    let found = Arc::clone(&stage);
    let verifier = builder(lab.root())
        .cache(64)
        .on_decision(move |_, staple, _| {
            *found.lock().unwrap() = match staple {
                Staple::Invalid(error) => Some(error.stage()),
                _ => None,
            }
        })
        .build()
        .unwrap();
    let soft = builder(lab.root())
        .policy(Policy::default().treat_invalid(Invalid::AsMissing))
        .build()
        .unwrap();
    let mut messages = 0;
    for fault in Fault::ALL {
        let Some(staple) = lab.respond_with(&leaf, fault).unwrap() else {
            assert_eq!(fault.effect(), Effect::NoAnswer);
            continue;
        };
        messages += 1;
        // Twice, since nothing that was refused may be remembered as verified.
        for _ in 0..2 {
            let outcome = ask(&verifier, leaf.chain(), &staple, UnixTime::now());
            let (error, at) = match expected(fault) {
                Effect::Trusted => (Ok(()), None),
                Effect::Revoked => (Err(CertificateError::Revoked), None),
                Effect::Refused(at) => (Err(CertificateError::InvalidOcspResponse), Some(at)),
                other => panic!("{fault} gave a message, and has the effect {other:?}"),
            };
            assert_eq!(outcome, error.map_err(Error::from), "{fault}");
            assert_eq!(*stage.lock().unwrap(), at, "{fault}");
        }
        let outcome = ask(&soft, leaf.chain(), &staple, UnixTime::now());
        assert_eq!(outcome.is_ok(), expected(fault) != Effect::Revoked, "{fault}, softly");
    }
    assert!(messages > 25, "{messages}");
}
