//! The path: errors as rustls's own verifier gives them, and the issuer from the verified path.

use std::sync::Arc;

use certstatus::message::CertStatus;
use certstatus::{Certificate, Issuer, Policy, Verifier};
use certstatus_lab::{Lab, LeafRequest};
use certstatus_rustls::StatusVerifier;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};

use crate::pki::{Ca, ask, hours};
use crate::wire::{builder, certified, connect, provider, roots};

/// How both verifiers use revocation lists.
#[derive(Default)]
struct Lists {
    crls: Vec<CertificateRevocationListDer<'static>>,
    end_entity_only: bool,
    allow_unknown: bool,
    enforce_expiration: bool,
}

/// This crate's verifier and rustls's own, set up alike.
fn verifiers(
    roots: &Arc<RootCertStore>,
    lists: &Lists,
) -> (Arc<StatusVerifier>, Arc<WebPkiServerVerifier>) {
    let ours = StatusVerifier::builder(roots.clone(), provider());
    let theirs = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider());
    let mut ours = ours.with_crls(lists.crls.clone());
    let mut theirs = theirs.with_crls(lists.crls.clone());
    if lists.end_entity_only {
        ours = ours.only_check_end_entity_revocation();
        theirs = theirs.only_check_end_entity_revocation();
    }
    if lists.allow_unknown {
        ours = ours.allow_unknown_revocation_status();
        theirs = theirs.allow_unknown_revocation_status();
    }
    if lists.enforce_expiration {
        ours = ours.enforce_revocation_expiration();
        theirs = theirs.enforce_revocation_expiration();
    }
    (ours.build().unwrap(), theirs.build().unwrap())
}

/// What both say to a path without a staple; fails when they differ.
#[track_caller]
fn agreed(
    roots: &Arc<RootCertStore>,
    lists: &Lists,
    chain: &[CertificateDer<'_>],
    name: &str,
    now: UnixTime,
) -> Result<(), Error> {
    let (ours, theirs) = verifiers(roots, lists);
    let (end_entity, intermediates) = chain.split_first().unwrap();
    let name = name.try_into().unwrap();
    let verdict = |verifier: &dyn ServerCertVerifier| {
        verifier.verify_server_cert(end_entity, intermediates, &name, &[], now).map(|_| ())
    };
    let (ours, theirs) = (verdict(&*ours), verdict(&*theirs));
    // By what is shown: a `CertificateError::Other` equals nothing, not even itself.
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    ours
}

#[test]
fn errors_of_the_path_are_those_of_rustls() {
    let lab = Lab::builder().build().unwrap();
    let other = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let expired = lab.issue(LeafRequest::new("localhost").expired()).unwrap();
    let (trust, distrust) = (roots(lab.root()), roots(other.root()));
    let (now, none) = (UnixTime::now(), Lists::default());
    let invalid = |outcome| match outcome {
        Err(Error::InvalidCertificate(error)) => error,
        unexpected => panic!("{unexpected:?}"),
    };

    assert_eq!(agreed(&trust, &none, leaf.chain(), "localhost", now), Ok(()));
    assert_eq!(
        invalid(agreed(&distrust, &none, leaf.chain(), "localhost", now)),
        CertificateError::BadSignature,
        "the other lab's authorities have the same names"
    );
    let unnamed = roots(&Ca::root("somebody else").certificate);
    assert_eq!(
        invalid(agreed(&unnamed, &none, leaf.chain(), "localhost", now)),
        CertificateError::UnknownIssuer
    );
    assert_eq!(
        invalid(agreed(&trust, &none, &leaf.chain()[..1], "localhost", now)),
        CertificateError::UnknownIssuer,
        "the intermediate is missing"
    );
    assert!(matches!(
        invalid(agreed(&trust, &none, leaf.chain(), "example.org", now)),
        CertificateError::NotValidForNameContext { .. }
    ));
    assert!(matches!(
        invalid(agreed(&trust, &none, leaf.chain(), "127.0.0.1", now)),
        CertificateError::NotValidForNameContext { .. }
    ));
    assert!(matches!(
        invalid(agreed(&trust, &none, expired.chain(), "localhost", now)),
        CertificateError::ExpiredContext { .. }
    ));
    let long_ago = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_000_000_000));
    assert!(matches!(
        invalid(agreed(&trust, &none, leaf.chain(), "localhost", long_ago)),
        CertificateError::NotValidYetContext { .. }
    ));
    assert_eq!(
        invalid(agreed(&trust, &none, &[b"junk".to_vec().into()], "localhost", now)),
        CertificateError::BadEncoding
    );
    // An authority is no server: webpki has an error for it that rustls has not.
    let authority = [lab.intermediate().clone()];
    assert!(matches!(
        invalid(agreed(&trust, &none, &authority, "localhost", now)),
        CertificateError::Other(_)
    ));
}

#[test]
fn revocation_lists_are_used_as_rustls_uses_them() {
    let lab = Lab::builder().build().unwrap();
    let (good, revoked) = (lab.leaf("localhost").unwrap(), lab.leaf("localhost").unwrap());
    lab.revoke(&revoked, None);
    let trust = roots(lab.root());
    let crls = || vec![lab.crl().unwrap()];
    let now = UnixTime::now();
    let say = |lists: &Lists, chain: &[CertificateDer<'_>], now| {
        agreed(&trust, lists, chain, "localhost", now).map_err(|error| match error {
            Error::InvalidCertificate(error) => error,
            unexpected => panic!("{unexpected:?}"),
        })
    };

    // The lab's list is the intermediate's; nothing is said about the intermediate itself.
    let chain = Lists { crls: crls(), ..Lists::default() };
    assert_eq!(say(&chain, good.chain(), now), Err(CertificateError::UnknownRevocationStatus));
    let unknown = Lists { crls: crls(), allow_unknown: true, ..Lists::default() };
    assert_eq!(say(&unknown, good.chain(), now), Ok(()));
    assert_eq!(say(&unknown, revoked.chain(), now), Err(CertificateError::Revoked));
    let leaf_only = Lists { crls: crls(), end_entity_only: true, ..Lists::default() };
    assert_eq!(say(&leaf_only, good.chain(), now), Ok(()));
    assert_eq!(say(&leaf_only, revoked.chain(), now), Err(CertificateError::Revoked));

    let later = hours(now, 24 * 10);
    assert_eq!(say(&leaf_only, good.chain(), later), Ok(()));
    let strict = Lists { enforce_expiration: true, ..leaf_only };
    assert!(matches!(
        say(&strict, good.chain(), later),
        Err(CertificateError::ExpiredRevocationListContext { .. })
    ));
}

#[test]
fn a_list_refuses_what_a_staple_calls_good() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let good = lab.respond(&leaf);
    lab.revoke(&leaf, None);
    let verifier = builder(lab.root())
        .with_crls([lab.crl().unwrap()])
        .only_check_end_entity_revocation()
        .build()
        .unwrap();
    connect(&verifier, certified(&leaf, Some(good))).into_iter().for_each(|o| o.revoked());
}

#[test]
fn an_issuer_that_is_only_presented_says_nothing() {
    let root = Ca::root("root");
    let issuer = root.intermediate("issuer");
    let impostor = root.intermediate("issuer");
    let server = issuer.server(None);
    let verifier =
        builder(&root.certificate).policy(Policy::default().require_always()).build().unwrap();
    let says_impostor = impostor.respond(&server.certificate, CertStatus::Good);
    let says_issuer = issuer.respond(&server.certificate, CertStatus::Good);

    // The impostor's response is flawless, for whoever takes the issuer from what is presented.
    let algorithms = provider().signature_verification_algorithms.all;
    let presented = Issuer::from_certificate(&Certificate::parse(&impostor.certificate).unwrap());
    let certificate = Certificate::parse(&server.certificate).unwrap();
    let fooled =
        Verifier::new(algorithms).verify(&says_impostor, &certificate, &presented, UnixTime::now());
    assert_eq!(fooled.unwrap().status(), CertStatus::Good);

    for presented in [[&impostor, &issuer], [&issuer, &impostor]] {
        let key = server.certified(&presented, Some(says_impostor.clone()));
        connect(&verifier, key).into_iter().for_each(|o| o.invalid_status());
        let key = server.certified(&presented, Some(says_issuer.clone()));
        connect(&verifier, key).into_iter().for_each(|o| o.accepted());
    }
}

#[test]
fn the_trust_anchor_is_the_issuer_of_what_stands_directly_under_it() {
    let root = Ca::root("root");
    let server = root.server(None);
    let verifier =
        builder(&root.certificate).policy(Policy::default().require_always()).build().unwrap();
    let staple = |status| Some(root.respond(&server.certificate, status));
    let good = server.certified(&[], staple(CertStatus::Good));
    connect(&verifier, good).into_iter().for_each(|o| o.accepted());
    let unknown = server.certified(&[], staple(CertStatus::Unknown));
    connect(&verifier, unknown).into_iter().for_each(|o| o.invalid_status());
    // The root is presented as well, and a namesake with it: neither changes anything.
    let namesake = Ca::root("root");
    let forged = Some(namesake.respond(&server.certificate, CertStatus::Good));
    let key = server.certified(&[&namesake, &root], forged);
    connect(&verifier, key).into_iter().for_each(|o| o.invalid_status());
}

#[test]
fn an_intermediate_that_is_a_trust_anchor_is_the_issuer_too() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let verifier =
        builder(lab.intermediate()).policy(Policy::default().require_always()).build().unwrap();
    let (now, staple) = (UnixTime::now(), lab.respond(&leaf));
    assert_eq!(ask(&verifier, leaf.chain(), &staple, now), Ok(()));
    assert_eq!(ask(&verifier, &leaf.chain()[..1], &staple, now), Ok(()));
}

#[test]
fn handshake_signatures_are_rustls_own() {
    let lab = Lab::builder().build().unwrap();
    let (ours, theirs) = verifiers(&roots(lab.root()), &Lists::default());
    assert_eq!(ours.supported_verify_schemes(), theirs.supported_verify_schemes());
    assert!(ours.root_hint_subjects().is_none() && theirs.root_hint_subjects().is_none());
}
