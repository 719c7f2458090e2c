//! Bytes that are zeroed before their memory is given back, as OpenSSL cleanses keys and sessions.

use std::fmt;
use std::ops::Deref;

use zeroize::Zeroizing;

/// Room for a session as rustls encodes it, with the chains that servers have, so that it is not
/// moved while it grows: what is moved leaves a copy behind.
pub(crate) const SESSION_ROOM: usize = 8 * 1024;

/// A buffer for `capacity` secret bytes. It is zeroed in the end, but not where it has been before
/// it grew beyond them.
pub(crate) fn buffer(capacity: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(capacity))
}

/// Secret bytes. Comparing them takes a time that depends on them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len())
    }
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<Zeroizing<Vec<u8>>> for Secret {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_not_shown() {
        let secret = Secret::from(&b"master"[..]);
        assert_eq!(format!("{secret:?}"), "Secret(6 bytes)");
        assert_eq!(&*secret, b"master");
    }
}
