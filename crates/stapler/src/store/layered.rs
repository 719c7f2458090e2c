//! Two stores as one: the one that a fleet shares in front, this member's own behind.
//!
//! Everything is saved to both, and what is newer is loaded. While the one in front is away, the member
//! goes on with its own, and nobody is told twice a second.

use std::cmp::Reverse;
use std::time::Duration;

use certstatus::message::OcspResponse;
use certstatus::{Limits, VerifiedResponse};
use rustls_pki_types::UnixTime;
use tokio::sync::mpsc;

use super::{Lease, Store};
use crate::{BoxFuture, Fingerprint, StoreError};

/// A store in front of another.
///
/// [`load`](Store::load) gives the response that claims the later `thisUpdate`, and what is no response
/// at all only if there is nothing else; [`load_older`](Store::load_older) gives the other one. What was
/// taken over from the store in front is kept behind too. Leases and changes are those of the store in
/// front.
///
/// A fault of one store is no error as long as the other does what was asked, except that leases come
/// from the store in front alone.
#[derive(Clone, Debug)]
pub struct Layered<F, B> {
    front: F,
    behind: B,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Front,
    Behind,
}

impl<F: Store, B: Store> Layered<F, B> {
    /// `front`, which others share, before `behind`, which is this member's own.
    pub fn new(front: F, behind: B) -> Self {
        Self { front, behind }
    }

    /// What the two stores have, the newest first.
    async fn both(&self, id: &Fingerprint) -> Result<Vec<(Layer, Vec<u8>)>, StoreError> {
        let (front, behind) = tokio::join!(self.front.load(id), self.behind.load(id));
        newest_first(front, behind, id)
    }
}

/// What a store has of a certificate.
type Loaded = Result<Option<Vec<u8>>, StoreError>;

fn newest_first(
    front: Loaded,
    behind: Loaded,
    id: &Fingerprint,
) -> Result<Vec<(Layer, Vec<u8>)>, StoreError> {
    let (front, behind) = match (front, behind) {
        (Err(_), Err(error)) => return Err(error),
        (front, behind) => (either(front, id), either(behind, id)),
    };
    let front = front.map(|response| (Layer::Front, response));
    let behind = behind.map(|response| (Layer::Behind, response));
    let mut both: Vec<_> = front.into_iter().chain(behind).collect();
    // Of two that are as new, the fleet's comes first.
    both.sort_by_key(|(_, response)| Reverse(claimed(response)));
    Ok(both)
}

fn newest(both: Vec<(Layer, Vec<u8>)>) -> Option<Vec<u8>> {
    both.into_iter().next().map(|(_, response)| response)
}

/// What a store has, if it is not at fault.
fn either(loaded: Loaded, id: &Fingerprint) -> Option<Vec<u8>> {
    loaded.unwrap_or_else(|error| {
        tracing::debug!(certificate = %id, %error, "one of two stores is at fault");
        None
    })
}

/// The latest `thisUpdate` in a response, which nobody has verified yet; `None` if it is none.
fn claimed(response: &[u8]) -> Option<UnixTime> {
    match OcspResponse::parse_lenient(response, &Limits::default()) {
        Ok((OcspResponse::Successful(basic), _)) => {
            basic.data().responses.iter().map(|single| single.this_update).max()
        }
        _ => None,
    }
}

/// Done if one of two has done it.
fn one_of(
    front: Result<(), StoreError>,
    behind: Result<(), StoreError>,
    id: &Fingerprint,
) -> Result<(), StoreError> {
    match (front, behind) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(_), Err(error)) => Err(error),
        (Err(error), Ok(())) | (Ok(()), Err(error)) => {
            tracing::debug!(certificate = %id, %error, "one of two stores is at fault");
            Ok(())
        }
    }
}

impl<F: Store, B: Store> Store for Layered<F, B> {
    fn load<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(async move { self.both(id).await.map(newest) })
    }

    fn load_each<'a>(&'a self, ids: &'a [Fingerprint]) -> BoxFuture<'a, Vec<Loaded>> {
        Box::pin(async move {
            let (front, behind) =
                tokio::join!(self.front.load_each(ids), self.behind.load_each(ids));
            let both = front.into_iter().zip(behind).zip(ids);
            both.map(|((front, behind), id)| newest_first(front, behind, id).map(newest)).collect()
        })
    }

    fn load_older<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(async move { Ok(self.both(id).await?.pop().map(|(_, response)| response)) })
    }

    fn adopt<'a>(
        &'a self,
        id: &'a Fingerprint,
        response: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            // What came from there need not be written again.
            match self.behind.load(id).await {
                Ok(Some(kept)) if kept == response.der() => Ok(()),
                _ => self.behind.save(id, response).await,
            }
        })
    }

    fn save<'a>(
        &'a self,
        id: &'a Fingerprint,
        response: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let saves = (self.front.save(id, response), self.behind.save(id, response));
            let (front, behind) = tokio::join!(saves.0, saves.1);
            one_of(front, behind, id)
        })
    }

    fn remove<'a>(&'a self, id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let (front, behind) = tokio::join!(self.front.remove(id), self.behind.remove(id));
            one_of(front, behind, id)
        })
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            match self.both(id).await?.first() {
                Some((Layer::Front, _)) => self.front.set_aside(id).await,
                Some((Layer::Behind, _)) => self.behind.set_aside(id).await,
                None => Ok(None),
            }
        })
    }

    fn is_shared(&self) -> bool {
        self.front.is_shared() || self.behind.is_shared()
    }

    fn acquire<'a>(
        &'a self,
        id: &'a Fingerprint,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        self.front.acquire(id, ttl)
    }

    fn renew<'a>(
        &'a self,
        id: &'a Fingerprint,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.front.renew(id, ttl)
    }

    fn release<'a>(&'a self, id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        self.front.release(id)
    }

    fn changes(&self) -> Option<mpsc::Receiver<Fingerprint>> {
        self.front.changes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;
    use certstatus::{Certificate, Issuer, Verifier};
    use certstatus_lab::Lab;
    use rustls::crypto::aws_lc_rs;
    use std::sync::{Arc, Mutex};

    /// A store that is away.
    #[derive(Clone, Copy, Debug)]
    struct Away;

    fn away<T: Send + 'static>() -> BoxFuture<'static, Result<T, StoreError>> {
        Box::pin(std::future::ready(Err(StoreError::new("nothing can be had", "it is away"))))
    }

    impl Store for Away {
        fn load<'a>(
            &'a self,
            _: &'a Fingerprint,
        ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
            away()
        }

        fn save<'a>(
            &'a self,
            _: &'a Fingerprint,
            _: &'a VerifiedResponse,
        ) -> BoxFuture<'a, Result<(), StoreError>> {
            away()
        }

        fn remove<'a>(&'a self, _: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
            away()
        }

        fn acquire<'a>(
            &'a self,
            _: &'a Fingerprint,
            _: Duration,
        ) -> BoxFuture<'a, Result<Lease, StoreError>> {
            away()
        }
    }

    /// Two responses for one certificate, the second an hour newer.
    fn responses() -> (Fingerprint, VerifiedResponse, VerifiedResponse) {
        let lab = Lab::builder().build().expect("the lab");
        let leaf = lab.leaf("layers.example").expect("a certificate");
        let certificate = Certificate::parse(leaf.certificate()).unwrap();
        let issuer = Certificate::parse(lab.intermediate()).unwrap();
        let issuer = Issuer::from_certificate(&issuer);
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        let now = UnixTime::now();
        let earlier = certstatus::time::unix(now.as_secs() - 3600);
        let verified = |at| {
            lab.set_now(at);
            let der = lab.respond(&leaf);
            Verifier::new(algorithms).verify(&der, &certificate, &issuer, now).unwrap()
        };
        (Fingerprint::of(leaf.certificate()), verified(earlier), verified(now))
    }

    #[tokio::test]
    async fn what_is_newer_is_loaded_wherever_it_is() {
        let (id, old, new) = responses();
        for (of_front, of_behind) in [(&old, &new), (&new, &old)] {
            let (front, behind) = (MemoryStore::new(), MemoryStore::new());
            front.save(&id, of_front).await.unwrap();
            behind.save(&id, of_behind).await.unwrap();
            let layered = Layered::new(front.clone(), behind.clone());
            assert_eq!(layered.load(&id).await.unwrap().as_deref(), Some(new.der()));
            assert_eq!(layered.load_older(&id).await.unwrap().as_deref(), Some(old.der()));
            let found = layered.load_each(&[Fingerprint::of(b"another"), id]).await;
            let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
            assert_eq!(found, [None, Some(new.der().to_vec())], "in the order of the question");
            // What does not verify is put aside where it was, and the other one remains.
            layered.set_aside(&id).await.unwrap();
            assert_eq!(layered.load(&id).await.unwrap().as_deref(), Some(old.der()));
            layered.remove(&id).await.unwrap();
            assert_eq!(layered.load(&id).await.unwrap(), None);
        }
    }

    #[test]
    fn of_two_that_are_as_new_the_fleets_comes_first() {
        // Neither claims anything.
        let (front, behind) = (b"front".to_vec(), b"behind".to_vec());
        let loaded = (Ok(Some(front.clone())), Ok(Some(behind.clone())));
        let both = newest_first(loaded.0, loaded.1, &Fingerprint::of(b"x")).unwrap();
        assert_eq!(both, [(Layer::Front, front), (Layer::Behind, behind)]);
    }

    /// What came from the front is kept behind too, in place of what is older there.
    #[tokio::test]
    async fn what_is_taken_over_is_kept_behind() {
        let (id, old, new) = responses();
        let (front, behind) = (MemoryStore::new(), MemoryStore::new());
        behind.save(&id, &old).await.unwrap();
        Layered::new(front.clone(), behind.clone()).adopt(&id, &new).await.unwrap();
        assert_eq!(behind.load(&id).await.unwrap().as_deref(), Some(new.der()));
        assert_eq!(front.load(&id).await.unwrap(), None);
    }

    /// A store that notes what it is asked for as one that is shared.
    #[derive(Clone, Debug, Default)]
    struct Noting(Arc<Mutex<Vec<&'static str>>>);

    impl Noting {
        fn note<T: Send + 'static>(
            &self,
            what: &'static str,
            answer: T,
        ) -> BoxFuture<'static, Result<T, StoreError>> {
            self.0.lock().unwrap().push(what);
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    impl Store for Noting {
        fn load<'a>(
            &'a self,
            _: &'a Fingerprint,
        ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
            self.note("load", None)
        }

        fn save<'a>(
            &'a self,
            _: &'a Fingerprint,
            _: &'a VerifiedResponse,
        ) -> BoxFuture<'a, Result<(), StoreError>> {
            self.note("save", ())
        }

        fn remove<'a>(&'a self, _: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
            self.note("remove", ())
        }

        fn is_shared(&self) -> bool {
            true
        }

        fn acquire<'a>(
            &'a self,
            _: &'a Fingerprint,
            _: Duration,
        ) -> BoxFuture<'a, Result<Lease, StoreError>> {
            self.note("acquire", Lease::Granted)
        }

        fn renew<'a>(
            &'a self,
            _: &'a Fingerprint,
            _: Duration,
        ) -> BoxFuture<'a, Result<(), StoreError>> {
            self.note("renew", ())
        }

        fn release<'a>(&'a self, _: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
            self.note("release", ())
        }

        fn changes(&self) -> Option<mpsc::Receiver<Fingerprint>> {
            self.0.lock().unwrap().push("changes");
            Some(mpsc::channel(1).1)
        }
    }

    #[tokio::test]
    async fn leases_and_changes_are_those_of_the_store_in_front() {
        let (front, behind) = (Noting::default(), Noting::default());
        let layered = Layered::new(front.clone(), behind.clone());
        let (id, second) = (Fingerprint::of(b"x"), Duration::from_secs(1));
        assert!(layered.is_shared() && layered.changes().is_some());
        assert_eq!(layered.acquire(&id, second).await.unwrap(), Lease::Granted);
        layered.renew(&id, second).await.unwrap();
        layered.release(&id).await.unwrap();
        assert_eq!(*front.0.lock().unwrap(), ["changes", "acquire", "renew", "release"]);
        assert!(behind.0.lock().unwrap().is_empty());
        let alone = Layered::new(MemoryStore::new(), MemoryStore::new());
        assert!(!alone.is_shared() && alone.changes().is_none());
    }

    #[tokio::test]
    async fn one_store_is_enough_and_none_is_an_error() {
        let (id, _, new) = responses();
        let behind = MemoryStore::new();
        let layered = Layered::new(Away, behind.clone());
        layered.save(&id, &new).await.unwrap();
        assert_eq!(behind.load(&id).await.unwrap().as_deref(), Some(new.der()));
        assert_eq!(layered.load(&id).await.unwrap().as_deref(), Some(new.der()));
        assert!(layered.acquire(&id, Duration::from_secs(1)).await.is_err());
        layered.remove(&id).await.unwrap();
        assert_eq!(layered.load(&id).await.unwrap(), None);
        layered.adopt(&id, &new).await.unwrap();
        assert_eq!(behind.load(&id).await.unwrap().as_deref(), Some(new.der()));
        let nowhere = Layered::new(Away, Away);
        assert!(nowhere.load(&id).await.is_err() && nowhere.save(&id, &new).await.is_err());
    }
}
