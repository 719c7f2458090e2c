//! Why a chain does not verify, for people: rustls's errors as sentences, each with what to do.

use std::sync::Arc;

use certstatus::Certificate;
use certstatus::time::{Relative, Rfc3339};
use rustls::{CertificateError, Error};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::trust::Trust;

/// What keeps a chain from being verified: the end of a sentence that begins with "the certificate".
pub(super) fn explain(error: &Error, trust: &Trust) -> String {
    use CertificateError::*;
    let Error::InvalidCertificate(error) = error else { return format!("is refused: {error}") };
    match error {
        ExpiredContext { time, not_after } => {
            format!("or one above it expired {}", at(*not_after, *time))
        }
        NotValidYetContext { time, not_before } => {
            format!("or one above it is not valid before {}", at(*not_before, *time))
        }
        NotValidForNameContext { expected, presented } => {
            let names: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            match names.is_empty() {
                true => format!("is not for {}: it has no name at all", expected.to_str()),
                false => format!("is for {}, and not for {}", names.join(", "), expected.to_str()),
            }
        }
        UnknownIssuer => format!("does not lead to a trust anchor in {}", trust.source),
        BadSignature => "or one above it has a signature that does not verify".to_owned(),
        BadEncoding => "cannot be read".to_owned(),
        InvalidPurposeContext { .. } | InvalidPurpose => {
            "is not for TLS servers, by its extended key usage".to_owned()
        }
        UnhandledCriticalExtension => {
            "or one above it has a critical extension that is not understood".to_owned()
        }
        UnsupportedSignatureAlgorithmContext { .. }
        | UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "or one above it is signed with an algorithm that is not supported".to_owned()
        }
        Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(error) => explain_webpki(error),
            None => format!("is refused: {}", other.0),
        },
        other => format!("is refused: {other}"),
    }
}

/// What rustls has no error of its own for.
fn explain_webpki(error: &webpki::Error) -> String {
    use webpki::Error::*;
    match error {
        CaUsedAsEndEntity => {
            "is that of a CA, by its basic constraints, and not of a server".to_owned()
        }
        EndEntityUsedAsCa => "is issued by a certificate that is not that of a CA".to_owned(),
        UnsupportedCertVersion => "or one above it is not of X.509 version 3".to_owned(),
        NameConstraintViolation => "has a name that a CA above it may not give".to_owned(),
        PathLenConstraintViolated => "has more CAs above it than one of them allows".to_owned(),
        other => format!("is refused: {other:?}"),
    }
}

/// What to do about it.
pub(super) fn advise(error: &Error, chain: &[CertificateDer<'_>]) -> Vec<String> {
    use CertificateError::*;
    let Error::InvalidCertificate(error) = error else { return Vec::new() };
    let advice: &str = match error {
        ExpiredContext { .. } => "Renew the certificate that expired.",
        NotValidYetContext { .. } => "Compare the clock of this machine with that of the CA.",
        NotValidForNameContext { .. } => {
            "See that the name is the right one, and that the server has a certificate for it; \
             --servername asks for another name than that of the host."
        }
        UnknownIssuer if is_alone(chain) => {
            "The server sends its own certificate only: see that it sends the intermediate \
             certificates too. For a CA of your own, give its root with --ca-file."
        }
        UnknownIssuer => "For a CA of your own, give its root certificate with --ca-file.",
        Other(other) if is_ca_as_server(&other.0) => {
            "Give the server a certificate of its own, issued by a CA; the CA is given with --ca-file."
        }
        _ => return Vec::new(),
    };
    vec![advice.to_owned()]
}

fn is_ca_as_server(error: &Arc<dyn std::error::Error + Send + Sync>) -> bool {
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Whether a server sends nothing but a certificate that somebody else issued.
fn is_alone(chain: &[CertificateDer<'_>]) -> bool {
    let [only] = chain else { return false };
    Certificate::parse(only).is_ok_and(|only| only.issuer() != only.subject())
}

fn at(time: UnixTime, now: UnixTime) -> String {
    format!("{} ({})", Rfc3339(time), Relative { time, now })
}

/// webpki shows a name as `DnsName("example.com")`.
fn bare(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rustls_has_no_error_for_is_a_sentence_too() {
        let trust =
            Trust { roots: Arc::new(rustls::RootCertStore::empty()), source: "ca.pem".to_owned() };
        let explained = |error: webpki::Error| {
            let other = rustls::OtherError(Arc::new(error));
            explain(&CertificateError::Other(other).into(), &trust)
        };
        assert_eq!(
            explained(webpki::Error::CaUsedAsEndEntity),
            "is that of a CA, by its basic constraints, and not of a server"
        );
        assert_eq!(
            explained(webpki::Error::UnsupportedCertVersion),
            "or one above it is not of X.509 version 3"
        );
    }

    #[test]
    fn names_are_shown_without_their_kind() {
        assert_eq!(bare("DnsName(\"example.com\")"), "example.com");
        assert_eq!(bare("IpAddress(192.0.2.1)"), "192.0.2.1");
        assert_eq!(bare("example.com"), "example.com");
    }
}
