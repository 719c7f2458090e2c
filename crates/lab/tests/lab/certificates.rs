//! Certificates and revocation lists, as webpki and the files see them.

use std::time::Duration;

use certstatus::message::CrlReason;
use certstatus::time::unix;
use certstatus_lab::{KeyKind, Lab, LeafRequest};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::support::algorithms;

#[test]
fn every_kind_of_key_makes_a_chain_that_webpki_builds() {
    for kind in KeyKind::ALL {
        let lab = Lab::builder().key(kind).build().unwrap();
        let request = LeafRequest::new("localhost").san_ip([127, 0, 0, 1]);
        let leaf = lab.issue(request).unwrap();
        let end_entity = webpki::EndEntityCert::try_from(leaf.certificate()).unwrap();
        end_entity
            .verify_for_usage(
                algorithms(),
                &[webpki::anchor_from_trusted_cert(lab.root()).unwrap()],
                &leaf.chain()[1..],
                lab.now(),
                webpki::KeyUsage::server_auth(),
                None,
                None,
            )
            .unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        for name in ["localhost", "127.0.0.1"] {
            let name = ServerName::try_from(name).unwrap();
            end_entity.verify_is_valid_for_subject_name(&name).unwrap();
        }
    }
}

#[test]
fn the_revocation_list_has_what_is_revoked() {
    let now = unix(1_772_366_400);
    let lab = Lab::builder().now(now).validity(Duration::from_secs(3600)).build().unwrap();
    let (revoked, good) = (lab.leaf("a.example").unwrap(), lab.leaf("b.example").unwrap());
    lab.revoke(&revoked, Some(CrlReason::Superseded));
    let der = lab.crl().unwrap();
    let crl = webpki::BorrowedCertRevocationList::from_der(&der).unwrap().to_owned().unwrap();
    let crl = webpki::CertRevocationList::Owned(crl);
    let verify = |leaf: &certstatus_lab::Leaf| {
        let lists = [&crl];
        let options = webpki::RevocationOptionsBuilder::new(&lists)
            .unwrap()
            .with_depth(webpki::RevocationCheckDepth::EndEntity)
            .build();
        webpki::EndEntityCert::try_from(leaf.certificate())
            .unwrap()
            .verify_for_usage(
                algorithms(),
                &[webpki::anchor_from_trusted_cert(lab.root()).unwrap()],
                &leaf.chain()[1..],
                now,
                webpki::KeyUsage::server_auth(),
                Some(options),
                None,
            )
            .map(|_| ())
    };
    assert_eq!(verify(&revoked), Err(webpki::Error::CertRevoked));
    assert_eq!(verify(&good), Ok(()));
}

#[test]
fn files_hold_what_their_names_say() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::builder().delegate(true).build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let files = lab.write_files(directory.path().join("new"), &leaf).unwrap();
    let certificates = |path| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(certificates(&files.cert_pem), [leaf.certificate().clone()]);
    assert_eq!(certificates(&files.chain_pem), leaf.chain());
    assert_eq!(certificates(&files.issuer_pem), [lab.intermediate().clone()]);
    assert_eq!(certificates(&files.root_pem), [lab.root().clone()]);
    assert_eq!(certificates(&files.ca_pem), [lab.intermediate().clone(), lab.root().clone()]);
    assert_eq!(certificates(&files.signer_pem), [lab.delegate().unwrap().clone()]);
    let key = PrivateKeyDer::from_pem_file(&files.key_pem).unwrap();
    assert_eq!(key.secret_der(), leaf.key().secret_der());
    let staple = std::fs::read(&files.staple_der).unwrap();
    crate::support::status(&lab, &leaf, &staple);
    let request = std::fs::read(&files.request_der).unwrap();
    crate::support::status(&lab, &leaf, &lab.answer(&request));
    let index = std::fs::read_to_string(&files.index_txt).unwrap();
    assert!(index.starts_with("V\t") && index.lines().count() == 1, "{index}");
    lab.revoke(&leaf, None);
    lab.write_files(directory.path().join("new"), &leaf).unwrap();
    assert!(std::fs::read_to_string(&files.index_txt).unwrap().starts_with("R\t"));
    let not_a_directory = files.cert_pem.join("below");
    let error = lab.write_files(not_a_directory, &leaf).unwrap_err();
    assert!(error.to_string().contains("cert.pem"), "{error}");
}
