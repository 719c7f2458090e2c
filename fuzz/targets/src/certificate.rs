//! Certificates: what status needs of them, read as webpki reads it.

use certstatus::message::CertId;
use certstatus::{Certificate, Issuer};
use rustls_pki_types::CertificateDer;

use crate::bounded::bounded;
use crate::message::shown;

/// A certificate. It is read here for whom it is and by webpki for whether it may: where both read
/// it, they have to read the same.
pub fn certificate(data: &[u8]) {
    let Ok(certificate) = bounded(data, || Certificate::parse(data)) else { return };
    assert_eq!(certificate.der(), data);
    shown(&certificate.subject().to_string());
    shown(&certificate.issuer().to_string());
    for urls in [certificate.ocsp_urls(), certificate.ca_issuers_urls()].into_iter().flatten() {
        assert!(urls.iter().all(|url| url.is_ascii()));
    }
    if certificate.extensions().is_err() {
        let unread = [certificate.ocsp_urls(), certificate.ca_issuers_urls()];
        assert!(unread.iter().all(Result::is_err) && certificate.must_staple().is_err());
    }
    let issuer = Issuer::from_certificate(&certificate);
    let id = CertId::new(&certificate, &issuer, certstatus::message::HashAlgorithm::Sha256);
    assert_eq!(id.matches(&certificate, &issuer), certificate.issuer() == certificate.subject());
    as_webpki_reads_it(&certificate);
}

fn as_webpki_reads_it(certificate: &Certificate<'_>) {
    let der = CertificateDer::from(certificate.der());
    let Ok(theirs) = webpki::EndEntityCert::try_from(&der) else { return };
    let spki = theirs.subject_public_key_info();
    let spki = asn1::parse_single::<asn1::Tlv<'_>>(&spki).expect("webpki has read it");
    assert_eq!(certificate.public_key().contents(), spki.data());
    assert_eq!(certificate.serial_number(), theirs.serial());
    assert_eq!(certificate.subject().contents(), theirs.subject());
    assert_eq!(certificate.issuer().contents(), theirs.issuer());
}
