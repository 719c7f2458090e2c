//! Where staples live when the process does not: the contract of every [`Store`].
//!
//! [`DiskStore`] keeps a file per certificate, [`MemoryStore`] keeps nothing beyond the process. A
//! store that a fleet shares implements the leases too: `RedisStore`, with the feature `redis`, which
//! stands best [before](Layered) a disk.

mod disk;
mod layered;
mod lease;
mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::fmt;
use std::time::Duration;

use certstatus::VerifiedResponse;
use futures_util::future::join_all;
use tokio::sync::mpsc;

use crate::{BoxFuture, Fingerprint, StoreError};

pub use disk::{DiskStore, write_atomically};
pub use layered::Layered;
pub use lease::{
    COURTESY, LEASE, failures_of_fleet, look_again, patience_with_others, pause_of_others,
};
pub use memory::MemoryStore;
pub(crate) use memory::NoStore;
#[cfg(feature = "redis")]
pub use redis::{RedisBuilder, RedisStore};

/// Keeps the newest response of each certificate.
///
/// # The contract
///
/// * A store keeps bytes and believes nothing: what [`load`](Self::load) gives is verified again
///   before it is stapled. What [`save`](Self::save) is given has been verified; that is what its
///   type says.
/// * [`save`](Self::save) replaces whole: whoever loads, in this process or another, before, during
///   or after a crash, finds the response before it or this one, and never a part of either. When it
///   returns, the response outlives the process, if the store is one that outlives processes.
/// * All methods may be called at the same time from many tasks, for the same certificate too; of
///   two `save`s at the same time either may win.
/// * An error is never fatal: the stapler reports it and goes on with what it has in memory. So a
///   store returns within seconds, and gives up rather than to block.
/// * A method does not block its thread: files go to [`tokio::task::spawn_blocking`].
///
/// # Leases
///
/// The members of a fleet that share a store would all ask the responder at about the same time. A
/// lease per certificate has one of them ask, and the others take over what it saves. A store of one
/// member has nothing to do: its leases are always granted.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// The response of that certificate, as it was saved, or `None` when there is none.
    fn load<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>>;

    /// The responses of these certificates: for each, in the same order, what [`load`](Self::load)
    /// gives. By default they are loaded one by one, all at the same time; a store where the way there
    /// costs more than what is brought back goes once. One that wraps another passes this on to it.
    fn load_each<'a>(
        &'a self,
        ids: &'a [Fingerprint],
    ) -> BoxFuture<'a, Vec<Result<Option<Vec<u8>>, StoreError>>> {
        Box::pin(join_all(ids.iter().map(|id| self.load(id))))
    }

    /// What else there is of that certificate, when what [`load`](Self::load) gave does not verify:
    /// for a store that keeps things in two places. By default there is nothing.
    fn load_older<'a>(
        &'a self,
        _id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Keeps a response in place of the one that was there.
    fn save<'a>(
        &'a self,
        id: &'a Fingerprint,
        response: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Learns that a response that came from here has verified, and is stapled: for a store that keeps
    /// things in two places, and had it in one. By default that is of no interest.
    fn adopt<'a>(
        &'a self,
        _id: &'a Fingerprint,
        _response: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Drops the response of that certificate, if there is one: it has expired, is not to be stapled
    /// any more, or the certificate has been removed. A store that others share may keep it for
    /// them.
    fn remove<'a>(&'a self, id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Puts aside what `load` gave and what turned out to be no response for that certificate, so
    /// that it is not loaded again and a person can look at it. Returns where it is now, for people;
    /// `None` when it was dropped.
    fn set_aside<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move { self.remove(id).await.map(|()| None) })
    }

    /// Whether other members save here too. Then the stapler looks here before it asks a responder,
    /// and asks only under a lease.
    fn is_shared(&self) -> bool {
        false
    }

    /// Takes the lease of that certificate for that long. One that this member holds already is
    /// granted again, for that long from now on.
    ///
    /// A lease ends by itself, so that the death of its holder costs the others no more than that
    /// time. Two members that hold one at the same time do no harm but a request too many.
    fn acquire<'a>(
        &'a self,
        _id: &'a Fingerprint,
        _ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(std::future::ready(Ok(Lease::Granted)))
    }

    /// Makes a lease that this member holds last for that long from now on; one that it holds no
    /// more is left alone. After a failure, or an answer that brought nothing newer, this is the
    /// pause before the next attempt, for all members.
    fn renew<'a>(
        &'a self,
        _id: &'a Fingerprint,
        _ttl: Duration,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Gives back a lease that this member holds; one that it holds no more is left alone.
    fn release<'a>(&'a self, _id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// A channel that names the certificates whose response another member has saved, as soon as
    /// it has. Asked for once, at the start. A notice may be lost: members look into the store when
    /// a refresh is due in any case.
    fn changes(&self) -> Option<mpsc::Receiver<Fingerprint>> {
        None
    }
}

/// Whether a lease was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// This member may ask.
    Granted,
    /// Another member holds it.
    Held {
        /// When to look again: when the lease ends at the latest, or when the holder may have
        /// saved.
        retry: Duration,
    },
}
