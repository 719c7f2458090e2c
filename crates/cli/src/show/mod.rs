//! `certstatus show`: what is in a request, a response or a certificate. Nothing is hidden and
//! nothing is verified.
//!
//! Each kind has a file with its serde structure, which is the JSON, and the lines for people.

mod certificate;
mod extension;
mod request;
mod response;

use std::path::{Path, PathBuf};

use asn1::{ParseResult, Tlv};
use certstatus::{Certificate, Error, Limits};
use serde::Serialize;

use crate::args::examples;
use crate::failure::Failure;
use crate::input::{self, Block};
use crate::issuer;
use crate::outcome::Outcome;
use crate::report::facts::Time;
use crate::report::{Output, Page, Report, Verdict};
use crate::shell;

use certificate::CertificateShown;
use request::RequestShown;
use response::ResponseShown;

/// Show what is in an OCSP response, an OCSP request or a certificate.
///
/// Shows every field and every extension; what is not understood is shown as hexadecimal. Nothing
/// is verified: anybody can have made it. What it is, and whether it is PEM or DER, is told by its
/// content.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(EXAMPLES))]
pub(crate) struct Args {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    ("Read a response", "certstatus show staple.der"),
    ("Where does a certificate's status come from?", "certstatus show server.pem"),
    ("For a program", "certstatus show --json - < request.der"),
];

pub(crate) fn run(args: &Args, output: &Output) -> Result<Outcome, Failure> {
    let name = input::name(&args.file);
    let blocks = input::each_certificate(input::blocks(&input::read(&args.file)?, &name)?);
    let contents = blocks.iter().map(|block| read(block, &name)).collect::<Result<Vec<_>, _>>()?;
    let kinds: Vec<&str> = contents.iter().map(Content::kind).collect();
    let summary = match kinds.as_slice() {
        [only] => format!("{name} is {only}. This is what it says; nothing of it is verified."),
        all => format!(
            "{name} has {} parts. This is what they say; nothing of it is verified.",
            all.len()
        ),
    };
    output.print(&ShowReport {
        command: "show",
        verdict: Verdict::new(Outcome::Done, summary).labelled("NOT VERIFIED"),
        checked_at: Time(output.now()),
        next: advice(&contents, &blocks, &args.file).into_iter().collect(),
        contents,
    })?;
    Ok(Outcome::Done)
}

#[derive(Serialize)]
struct ShowReport {
    command: &'static str,
    verdict: Verdict,
    checked_at: Time,
    /// The parts of the file, in order; each has a `kind`.
    contents: Vec<Content>,
    next: Vec<String>,
}

impl Report for ShowReport {
    fn render(&self, page: &mut Page) {
        page.verdict(&self.verdict);
        for content in &self.contents {
            content.render(page, self.checked_at.0);
        }
        page.next(&self.next);
    }
}

/// One part of a file.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Content {
    Request(RequestShown),
    Response(ResponseShown),
    Certificate(Box<CertificateShown>),
    /// Something in PEM that has nothing to do with status, such as a private key.
    Other {
        label: String,
        length: usize,
    },
}

impl Content {
    fn kind(&self) -> &'static str {
        match self {
            Self::Request(_) => "an OCSP request",
            Self::Response(_) => "an OCSP response",
            Self::Certificate(_) => "a certificate",
            Self::Other { .. } => "something else",
        }
    }

    fn render(&self, page: &mut Page, now: rustls_pki_types::UnixTime) {
        match self {
            Self::Request(request) => request.render(page, now),
            Self::Response(response) => response.render(page, now),
            Self::Certificate(certificate) => {
                page.section("Certificate");
                certificate.render(page, now);
            }
            Self::Other { label, length } => {
                page.section(label);
                page.field("not shown", format!("{length} bytes"));
            }
        }
    }
}

/// What to do with the first part of the file.
fn advice(contents: &[Content], blocks: &[Block], file: &Path) -> Option<String> {
    let file = shell::path(file);
    let advice = match contents.first()? {
        Content::Response(_) => {
            format!("Verify it: certstatus verify --cert CERTIFICATE --issuer ISSUER {file}")
        }
        Content::Request(_) => "Nothing. A request says only what is asked.".to_owned(),
        Content::Certificate(shown) if !shown.has_responder() => {
            "Nothing. The certificate names no responder, so its status is told by CRLs, if at all."
                .to_owned()
        }
        Content::Certificate(shown) if shown.names_issuer() || has_issuer(contents, blocks) => {
            format!("Ask for its status: certstatus fetch {file}")
        }
        Content::Certificate(_) => format!(
            "Get its issuer's certificate from the CA, for this one does not say where that is; \
             then ask for its status: certstatus fetch {file} --issuer ISSUER"
        ),
        Content::Other { .. } => "Give a response, a request or a certificate.".to_owned(),
    };
    Some(advice)
}

/// Whether the first certificate's issuer is among the others, where `fetch` looks for it.
fn has_issuer(contents: &[Content], blocks: &[Block]) -> bool {
    let is_certificate = |content: &Content| matches!(content, Content::Certificate(_));
    let mut certificates = contents
        .iter()
        .zip(blocks)
        .filter(|(content, _)| is_certificate(content))
        .map(|(_, block)| block.der.clone());
    let Some(first) = certificates.next() else { return false };
    let others: Vec<_> = certificates.collect();
    Certificate::parse(&first).is_ok_and(|first| issuer::among(&first, &others, "").is_ok())
}

/// What a value is, by its outermost structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
    Certificate,
}

/// Reads one part of a file.
fn read(block: &Block, name: &str) -> Result<Content, Failure> {
    let der = block.der.as_slice();
    let kind = match block.label.as_deref() {
        Some("OCSP RESPONSE") => Kind::Response,
        Some("OCSP REQUEST") => Kind::Request,
        Some(label) if label.ends_with("CERTIFICATE") => Kind::Certificate,
        Some(label) => {
            return Ok(Content::Other { label: label.to_owned(), length: der.len() });
        }
        None => kind(der).map_err(|_| unknown(der, name))?,
    };
    let limits = limits(der.len());
    let read = match kind {
        Kind::Request => RequestShown::read(der, &limits).map(Content::Request),
        Kind::Response => ResponseShown::read(der, &limits).map(Content::Response),
        Kind::Certificate => Certificate::parse(der)
            .and_then(|certificate| CertificateShown::new(&certificate))
            .map(|shown| Content::Certificate(Box::new(shown))),
    };
    read.map_err(|error| malformed(&error, name))
}

/// A response begins with its status, which is an ENUMERATED; in a request and in a certificate a
/// SEQUENCE comes first, and after it only a certificate has another.
fn kind(der: &[u8]) -> ParseResult<Kind> {
    asn1::parse_single::<asn1::Sequence<'_>>(der)?.parse(|p| {
        let first: Tlv<'_> = p.read_element()?;
        let mut kind = if p.is_empty() { Kind::Request } else { Kind::Response };
        while !p.is_empty() {
            let next: Tlv<'_> = p.read_element()?;
            if first.tag() == next.tag() {
                kind = Kind::Certificate;
            } else if kind == Kind::Response && first.tag().as_u8() == Some(0x30) {
                kind = Kind::Request;
            }
        }
        let is_status = first.tag().as_u8() == Some(0x0a);
        ParseResult::Ok(if is_status { Kind::Response } else { kind })
    })
}

/// What is only shown may be longer than what is believed; it is in memory already.
fn limits(length: usize) -> Limits {
    let mut limits = Limits::default();
    limits.response = length;
    limits.certificates = 64;
    limits.single_responses = 4096;
    limits
}

fn unknown(der: &[u8], name: &str) -> Failure {
    let begin = certstatus::hex(der.get(..8).unwrap_or(der));
    Failure::failed(
        "parse",
        format!(
            "{name} is neither an OCSP response nor a request nor a certificate, in PEM or DER: it \
             has {} bytes, and begins with {begin}.",
            der.len()
        ),
    )
    .advise("Give the message itself, without HTTP headers around it.")
}

fn malformed(error: &Error, name: &str) -> Failure {
    Failure::failed(error.stage().name(), format!("{name} cannot be read: {error}."))
        .advise("Get it again from its source; a file that was cut off or edited looks like this.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use certstatus::message::{
        CertId, HashAlgorithm, OcspRequest, OcspResponse, OcspResponseStatus,
    };
    use proptest::prelude::*;

    fn show(der: &[u8]) -> Result<String, Failure> {
        let content = read(&Block { label: None, der: der.to_vec() }, "x")?;
        let mut page = Page::new(80, true);
        content.render(&mut page, certstatus::time::unix(1_000_000_000));
        serde_json::to_string(&content).unwrap();
        Ok(page.as_str().to_owned())
    }

    fn request() -> Vec<u8> {
        let cert_id = CertId {
            hash_algorithm: HashAlgorithm::Sha1.identifier(),
            issuer_name_hash: vec![1; 20].into(),
            issuer_key_hash: vec![2; 20].into(),
            serial_number: vec![3; 8].into(),
        };
        OcspRequest::new(cert_id).with_nonce(&[7; 32]).to_der()
    }

    #[test]
    fn kinds_are_told_apart() {
        assert_eq!(kind(&request()).unwrap(), Kind::Request);
        let response = OcspResponse::Unsuccessful(OcspResponseStatus::TryLater).to_der();
        assert_eq!(kind(&response).unwrap(), Kind::Response);
        assert!(show(&response).unwrap().contains("tryLater"));
        let shown = show(&request()).unwrap();
        assert!(shown.contains("0303030303030303") && shown.contains(&"07".repeat(32)), "{shown}");
    }

    #[test]
    fn what_is_nothing_is_named() {
        let failure = show(b"hello, world").unwrap_err();
        assert_eq!(failure.outcome(), Outcome::Failed);
        assert!(failure.to_string().contains("68656c6c6f2c2077"), "{failure}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn random_bytes_are_refused_and_never_panic(bytes: Vec<u8>) {
            prop_assert!(show(&bytes).is_err());
        }

        #[test]
        fn damaged_messages_never_panic(at in 0usize..100, byte: u8) {
            let mut der = request();
            let at = at % der.len();
            der[at] = byte;
            let _ = show(&der);
        }
    }
}
