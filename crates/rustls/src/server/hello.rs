//! What a status callback may know of the ClientHello.

use rustls::SignatureScheme;
use rustls::server::ClientHello;

/// What a server's status callback is told of the ClientHello.
///
/// It is a copy: the callback needs the certificate that was chosen, and in rustls 0.23 choosing it
/// uses up the [`ClientHello`], which cannot be cloned.
#[derive(Clone, Debug)]
pub struct Hello<'a> {
    server_name: Option<Box<str>>,
    signature_schemes: Box<[SignatureScheme]>,
    alpn: Box<[&'a [u8]]>,
}

impl<'a> Hello<'a> {
    pub(super) fn copy(hello: &ClientHello<'a>) -> Self {
        Self {
            server_name: hello.server_name().map(Into::into),
            signature_schemes: hello.signature_schemes().into(),
            alpn: hello.alpn().into_iter().flatten().collect(),
        }
    }

    /// The name by which the client calls the server, if it says (RFC 6066, 3).
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The signature schemes that the client accepts and that fit its cipher suites (RFC 8446,
    /// 4.2.3).
    pub fn signature_schemes(&self) -> &[SignatureScheme] {
        &self.signature_schemes
    }

    /// The protocols that the client speaks (RFC 7301), in its order; none when it does not say.
    pub fn alpn(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + '_ {
        self.alpn.iter().copied()
    }
}
