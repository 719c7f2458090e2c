//! Keys with their staples, remembered from one handshake to the next.
//!
//! rustls wants the staple inside the `CertifiedKey`, beside the chain. A resolver that wraps another
//! would have to copy the chain in every handshake; so what was made for a key and a response is
//! kept until the response for that key is another one.

use std::sync::Arc;

use certstatus::VerifiedResponse;
use quick_cache::sync::Cache;
use rustls::sign::CertifiedKey;

/// Keys that are remembered. More certificates than that in one server work as well: some handshakes
/// then copy a few kilobytes.
const KEYS: usize = 1024;

/// What was made for a key, found by its address. The entry holds the key, so that no other can come
/// to live at that address while the entry lives.
#[derive(Clone)]
struct Entry {
    key: Arc<CertifiedKey>,
    response: Arc<[u8]>,
    /// The statement in the response, where one was verified. The same bytes may have statements about
    /// several certificates, and only one of them is about this key's.
    statement: Option<VerifiedResponse>,
    made: Arc<CertifiedKey>,
}

pub(super) struct Memo {
    entries: Cache<usize, Entry>,
}

impl Memo {
    pub(super) fn new() -> Self {
        Self { entries: Cache::new(KEYS) }
    }

    /// Returns the key that was made for this key, these bytes and that statement in them, or the key
    /// that `make` makes now.
    pub(super) fn made(
        &self,
        key: &Arc<CertifiedKey>,
        response: &Arc<[u8]>,
        statement: Option<&VerifiedResponse>,
        make: impl FnOnce() -> Arc<CertifiedKey>,
    ) -> Arc<CertifiedKey> {
        let address = Arc::as_ptr(key).addr();
        if let Some(entry) = self.entries.get(&address)
            && Arc::ptr_eq(&entry.key, key)
            && (Arc::ptr_eq(&entry.response, response) || entry.response == *response)
            && entry.statement.as_ref() == statement
        {
            return entry.made;
        }
        let made = make();
        let entry = Entry {
            key: Arc::clone(key),
            response: Arc::clone(response),
            statement: statement.cloned(),
            made: Arc::clone(&made),
        };
        self.entries.insert(address, entry);
        made
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
