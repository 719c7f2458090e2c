//! Limits on what is read from outside, each with its reason.

use crate::Error;

/// How much of a message is read before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a response, or of a request; inclusive. 65,526 by default: what fits beside its
    /// framing into the 64 KiB that a TLS stack gives to a certificate message's extensions.
    /// Responses in the field have 300 to 3,000 bytes.
    pub response: usize,
    /// Certificates in a response; inclusive. 8 by default: a delegate and a whole chain above it.
    pub certificates: usize,
    /// Single responses in a response, or requests in a request; inclusive. 256 by default: what a
    /// responder that answers for a batch sends; each is read and compared once.
    pub single_responses: usize,
    /// Certificates of a response that may be tried as its signer; inclusive. 2 by default: each
    /// costs up to two signature verifications, and two delegates share a name only while the one
    /// takes over from the other.
    pub signer_candidates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { response: 65_526, certificates: 8, single_responses: 256, signer_candidates: 2 }
    }
}

impl Limits {
    /// Refuses a message of more than [`Limits::response`] bytes.
    pub(crate) fn check_response(&self, length: usize) -> Result<(), Error> {
        if length > self.response {
            return Err(Error::TooLarge { length, limit: self.response });
        }
        Ok(())
    }
}
