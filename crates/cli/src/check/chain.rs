//! Why a chain does not verify, for people: rustls's errors as sentences, each with what to do.

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
        other => format!("is refused: {other}"),
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
        _ => return Vec::new(),
    };
    vec![advice.to_owned()]
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
    fn names_are_shown_without_their_kind() {
        assert_eq!(bare("DnsName(\"example.com\")"), "example.com");
        assert_eq!(bare("IpAddress(192.0.2.1)"), "192.0.2.1");
        assert_eq!(bare("example.com"), "example.com");
    }
}
