//! A store that ends with the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use certstatus::VerifiedResponse;

use super::Store;
use crate::{BoxFuture, Fingerprint, StoreError};

/// Keeps responses in memory: for tests, and for staplers of one process that share one.
///
/// A stapler that is given no store keeps nothing but what it staples, which this would only double.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    responses: Arc<Mutex<HashMap<Fingerprint, Arc<[u8]>>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Fingerprint, Arc<[u8]>>) -> T) -> T {
        act(&mut self.responses.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn load<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        let found = self.with(|responses| responses.get(id).map(|der| der.to_vec()));
        Box::pin(std::future::ready(Ok(found)))
    }

    fn save<'a>(
        &'a self,
        id: &'a Fingerprint,
        response: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.with(|responses| responses.insert(*id, response.shared_der()));
        Box::pin(std::future::ready(Ok(())))
    }

    fn remove<'a>(&'a self, id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        self.with(|responses| responses.remove(id));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The store of a stapler that was given none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoStore;

impl Store for NoStore {
    fn load<'a>(
        &'a self,
        _: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn save<'a>(
        &'a self,
        _: &'a Fingerprint,
        _: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn remove<'a>(&'a self, _: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
