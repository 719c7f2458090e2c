//! Why a chain does not verify, for people: rustls's errors as sentences, each with what to do.

use std::sync::Arc;

use certstatus::time::{Relative, Rfc3339};
use certstatus::{Certificate, unsupported_critical_extensions};
use rustls::{CertificateError, Error};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::trust::Trust;

/// What keeps a chain from being verified: the end of a sentence that begins with "the certificate".
pub(super) fn explain(error: &Error, trust: &Trust, chain: &[CertificateDer<'_>]) -> String {
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
        UnknownIssuer => match top(chain) {
            Some(top) => format!(
                "does not lead to a trust anchor in {}: the server sends no certificate of {}, which \
                 issued {}. Either an intermediate certificate is missing, or that issuer is a root \
                 that is not trusted here",
                trust.source, top.issuer, top.subject
            ),
            None => format!("does not lead to a trust anchor in {}", trust.source),
        },
        BadSignature => "or one above it has a signature that does not verify".to_owned(),
        BadEncoding => "cannot be read".to_owned(),
        InvalidPurposeContext { .. } | InvalidPurpose => {
            "is not for TLS servers, by its extended key usage".to_owned()
        }
        UnhandledCriticalExtension => explain_critical(chain),
        UnsupportedSignatureAlgorithmContext { .. }
        | UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "or one above it is signed with an algorithm that is not supported".to_owned()
        }
        Other(other) => match other.0.downcast_ref::<webpki::Error>() {
            Some(webpki::Error::UnsupportedCriticalExtension) => explain_critical(chain),
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
        UnknownIssuer if top(chain).is_some() => return advise_missing(chain),
        error if is_critical(error) => {
            "Ask the CA to mark the extension as not critical, where a standard allows that. This \
             checker, as rustls, processes no certificate policies; OpenSSL ignores them by default."
        }
        UnknownIssuer => "For a CA of your own, give its root certificate with --ca-file.",
        Other(other) if is_ca_as_server(&other.0) => {
            "Give the server a certificate of its own, issued by a CA; the CA is given with --ca-file."
        }
        _ => return Vec::new(),
    };
    vec![advice.to_owned()]
}

fn explain_critical(chain: &[CertificateDer<'_>]) -> String {
    match critical(chain).as_slice() {
        [] => "or one above it has a critical extension that is not supported".to_owned(),
        found => {
            let found = found.join("; ");
            format!("or one above it has critical extensions that are not supported: {found}")
        }
    }
}

fn is_critical(error: &CertificateError) -> bool {
    let CertificateError::Other(other) = error else {
        return matches!(error, CertificateError::UnhandledCriticalExtension);
    };
    matches!(other.0.downcast_ref(), Some(webpki::Error::UnsupportedCriticalExtension))
}

fn is_ca_as_server(error: &Arc<dyn std::error::Error + Send + Sync>) -> bool {
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// The end of what a server sends: who has issued it.
struct Top {
    subject: String,
    issuer: String,
    /// Where its issuer's certificate is, as it says itself.
    ca_issuers: Option<String>,
    /// Whether it is the server's own certificate.
    is_leaf: bool,
}

/// The last certificate upwards whose issuer the server does not send; `None` when that is a root, or
/// cannot be read.
fn top(chain: &[CertificateDer<'_>]) -> Option<Top> {
    let sent: Vec<_> = chain.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let mut at = sent.first()?;
    // Each step leads to another certificate; a loop of names ends with their number.
    for _ in 0..sent.len() {
        if at.issuer() == at.subject() {
            return None;
        }
        match sent.iter().find(|one| one.subject() == at.issuer()) {
            Some(next) => at = next,
            None => {
                let urls = at.ca_issuers_urls().unwrap_or_default();
                return Some(Top {
                    subject: at.subject().to_string(),
                    issuer: at.issuer().to_string(),
                    ca_issuers: urls.first().map(|url| (*url).to_owned()),
                    is_leaf: Some(at.serial_number())
                        == sent.first().map(|one| one.serial_number()),
                });
            }
        }
    }
    None
}

fn advise_missing(chain: &[CertificateDer<'_>]) -> Vec<String> {
    let Some(top) = top(chain) else { return Vec::new() };
    let file = match top.is_leaf {
        true => "The server sends its own certificate only. Configure",
        false => "The chain that the server sends ends too early. Configure",
    };
    let place = match &top.ca_issuers {
        Some(url) => format!("; the intermediate certificate is at {url}"),
        None => String::new(),
    };
    vec![
        format!(
            "{file} the server with the whole chain, that is its certificate and the intermediate \
             certificates after it (nginx: a fullchain file in ssl_certificate){place}."
        ),
        format!("If {} is a root of your own CA, give its certificate with --ca-file.", top.issuer),
    ]
}

/// The critical extensions that keep a path from being verified, with the certificate that has them.
fn critical(chain: &[CertificateDer<'_>]) -> Vec<String> {
    let of = |der: &CertificateDer<'_>| {
        let certificate = Certificate::parse(der).ok()?;
        let found = unsupported_critical_extensions(&certificate);
        let found = Some(found).filter(|found| !found.is_empty())?.join(", ");
        Some(format!("{found}, in that of {}", certificate.subject()))
    };
    chain.iter().filter_map(of).collect()
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
            explain(&CertificateError::Other(other).into(), &trust, &[])
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
