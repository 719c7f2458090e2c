//! The step to TLS of XMPP (RFC 6120, 5.4): a stream in each direction, its features, and `starttls`.
//!
//! Elements are found by their tags, without a reader of XML: whatever else a server sends is skipped,
//! and nothing of it is used. Bytes after the go-ahead are rejected as in every protocol.

use super::wire::Wire;
use super::{Protocol, StartTlsError, quoted};

/// The namespace of STARTTLS.
const NAMESPACE: &str = "urn:ietf:params:xml:ns:xmpp-tls";

/// Opens a stream to the domain, and asks for TLS when the server's features list it.
pub(super) async fn start(wire: &mut Wire<'_>, domain: &str) -> Result<(), StartTlsError> {
    let domain: String =
        domain.chars().filter(|c| !matches!(c, '<' | '>' | '&' | '\'' | '"')).collect();
    let stream = format!(
        "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xml:lang='en' \
         xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    wire.send(stream.as_bytes()).await?;
    let mut is_stream = false;
    let mut is_offered = false;
    loop {
        let tag = wire.tag().await?;
        match name(&tag) {
            "stream:stream" => is_stream = true,
            "starttls" => is_offered |= tag.contains(NAMESPACE),
            // Without any feature it is one element.
            "/stream:features" => break,
            "stream:features" if tag.ends_with("/>") => break,
            "stream:error" | "/stream:stream" => {
                return Err(StartTlsError::Refused(quoted(&wire.tag().await.unwrap_or(tag))));
            }
            _ if is_stream || tag.starts_with("<?") => {}
            _ => {
                let (protocol, expected) = (Protocol::Xmpp, "a stream");
                return Err(StartTlsError::Unexpected { protocol, expected, found: quoted(&tag) });
            }
        }
    }
    if !is_offered {
        return Err(StartTlsError::NotOffered("the features of its stream do not list starttls"));
    }
    wire.send(format!("<starttls xmlns='{NAMESPACE}'/>").as_bytes()).await?;
    let tag = wire.tag().await?;
    if name(&tag) != "proceed" {
        return Err(StartTlsError::Refused(quoted(&tag)));
    }
    // An empty element may be written as two tags.
    if !tag.ends_with("/>") {
        wire.tag().await?;
    }
    Ok(())
}

/// The name in a tag, with the slash of an end.
fn name(tag: &str) -> &str {
    let inside = tag.trim_start_matches('<').trim_end_matches('>');
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    inside.split_ascii_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_names() {
        assert_eq!(name("<stream:features>"), "stream:features");
        assert_eq!(name("<proceed xmlns='x'/>"), "proceed");
        assert_eq!(name("</stream:features>"), "/stream:features");
        assert_eq!(name("<a/>"), "a");
    }
}
