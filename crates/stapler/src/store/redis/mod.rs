//! The store of a fleet: Redis, or Valkey, which its members share.
//!
//! One member takes the lease of a certificate, asks the responder and saves; the others are told and
//! take the response over. What comes from here is bytes and is verified again: whoever can write to
//! Redis can make members ask more often, and cannot make them staple anything.
//!
//! # What is kept there
//!
//! With the prefix `certstatus`, and FINGERPRINT the SHA-256 of the certificate's DER in lower-case
//! hexadecimal:
//!
//! | key | value | ends |
//! |---|---|---|
//! | `certstatus:staple:{FINGERPRINT}` | the response, in DER | with the response |
//! | `certstatus:lease:{FINGERPRINT}` | a token of the member that holds the lease | by itself, after a minute, or with the holder's pause |
//! | `certstatus:saved` (a channel) | the token of the member that has saved, a space, and the FINGERPRINT | |
//!
//! The braces keep the two keys of a certificate on one node of a cluster.
//!
//! There are no points in time among them, only times to live, so that the clocks of the members and
//! of Redis need not agree. Nothing has to be kept over a restart of Redis.
//!
//! The commands are `HELLO`, `GETRANGE`, `SET`, `DEL`, `PUBLISH`, `SUBSCRIBE`, `PING`, `EVALSHA`,
//! `SCRIPT LOAD`, and in the scripts `GET`, `SET`, `PTTL`, `PEXPIRE`, `DEL`; Redis 6 or later, or any
//! Valkey. The tests run Redis 7, alone and as a cluster; Valkey answers the same commands, and is not
//! among what they run.
//!
//! # When Redis is away
//!
//! Then every method fails at once, and each member goes on by itself, from what it has in memory and
//! behind a [`Layered`](super::Layered) store on its disk. A task of the store's own connects again,
//! with pauses that double up to half a minute. Going away and coming back is told to [`tracing`], once
//! each.

mod connection;
mod lease;
mod link;
mod settings;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use certstatus::{Limits, VerifiedResponse};
use futures_util::future::join_all;
use redis::{Cmd, RedisResult, cmd, pipe};
use tokio::sync::mpsc;

use super::{Lease, Store};
use crate::clock::Clock;
use crate::{BoxFuture, Fingerprint, StoreError};

use connection::Connection;
use lease::Scripts;
use link::Link;
pub use settings::RedisBuilder;

/// Keeps responses in Redis, where the members of a fleet share them. Cheap to clone; when the last
/// clone is dropped, the connection ends.
///
/// ```no_run
/// # async fn open() -> Result<(), certstatus_stapler::Error> {
/// use certstatus_stapler::{DiskStore, store::{Layered, RedisStore}};
///
/// let fleet = RedisStore::at("rediss://stapler:secret@redis.internal:6380/0").start()?;
/// let store = Layered::new(fleet, DiskStore::open("staples")?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    link: Link,
    prefix: String,
    /// Sets this member apart from all others.
    token: String,
    scripts: Scripts,
    clock: Arc<dyn Clock>,
    changes: Mutex<Option<mpsc::Receiver<Fingerprint>>>,
}

impl RedisStore {
    /// A store at one server: `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, with `rediss` for TLS,
    /// or `unix:PATH`.
    pub fn at(url: impl Into<String>) -> RedisBuilder {
        RedisBuilder::new(vec![url.into()], false)
    }

    /// A store at a cluster, of which some nodes are given, all with the same user and password.
    pub fn cluster(urls: impl IntoIterator<Item = impl Into<String>>) -> RedisBuilder {
        RedisBuilder::new(urls.into_iter().map(Into::into).collect(), true)
    }

    /// Asks Redis for a sign of life: for a program that wants to know at its start whether what it
    /// was configured with works. The store itself does not need it.
    ///
    /// # Errors
    /// [`StoreError`] when there is none, with the reason.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.run(
            "Redis cannot be reached".to_owned(),
            |mut redis| async move { redis.ping().await },
        )
        .await
    }

    fn key(&self, kind: &str, id: &Fingerprint) -> String {
        format!("{}:{kind}:{{{id}}}", self.inner.prefix)
    }

    /// Runs commands; `what` begins the sentence if they fail.
    async fn run<T, F>(
        &self,
        what: String,
        commands: impl FnOnce(Connection) -> F + Send,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = RedisResult<T>> + Send,
        T: Send,
    {
        self.inner.link.run(commands).await.map_err(|trouble| StoreError::new(what, trouble))
    }
}

/// Reads a response.
fn read(key: &str) -> Cmd {
    let mut read = cmd("GETRANGE");
    // One byte more tells that there is more; the verifier refuses it as too long.
    read.arg(key).arg(0).arg(Limits::default().response);
    read
}

/// What was read. To `GETRANGE` what is not there is empty, and nobody saves what is empty.
fn there(found: Vec<u8>) -> Option<Vec<u8>> {
    (!found.is_empty()).then_some(found)
}

/// How the sentence begins when that fails.
fn unread(key: &str) -> String {
    format!("{key} cannot be read from Redis")
}

impl Store for RedisStore {
    fn load<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        let key = self.key("staple", id);
        Box::pin(async move {
            let what = unread(&key);
            let found =
                self.run(what, |mut redis| async move { read(&key).query_async(&mut redis).await });
            found.await.map(there)
        })
    }

    /// One server is asked for them in one pipeline, which takes half of what as many commands take.
    /// `MGET` would take a little less still, but reads whole what others have put there, however long.
    /// A cluster has them on many nodes, and its client takes no pipeline for more than one: there they
    /// are asked for one by one, all at the same time.
    fn load_each<'a>(
        &'a self,
        ids: &'a [Fingerprint],
    ) -> BoxFuture<'a, Vec<Result<Option<Vec<u8>>, StoreError>>> {
        let link = &self.inner.link;
        if link.is_cluster() || ids.is_empty() {
            return Box::pin(join_all(ids.iter().map(|id| self.load(id))));
        }
        let keys: Vec<_> = ids.iter().map(|id| self.key("staple", id)).collect();
        let mut all = pipe();
        // What is wrong with one of them says nothing of the others.
        all.ignore_errors();
        for key in &keys {
            all.add_command(read(key));
        }
        Box::pin(async move {
            let found = link.run(|mut redis| async move { all.query_async(&mut redis).await });
            let found: Result<Vec<RedisResult<_>>, _> = found.await;
            let found: Vec<_> = match found {
                Ok(each) => each.into_iter().map(|one| one.map_err(|e| link.refused(e))).collect(),
                Err(trouble) => vec![Err(trouble); keys.len()],
            };
            let each = found.into_iter().zip(&keys);
            each.map(|(one, key)| one.map(there).map_err(|e| StoreError::new(unread(key), e)))
                .collect()
        })
    }

    fn save<'a>(
        &'a self,
        id: &'a Fingerprint,
        response: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let key = self.key("staple", id);
        let now = self.inner.clock.now().as_secs();
        let life = response.expires().as_secs().saturating_sub(now);
        let notice = format!("{} {id}", self.inner.token);
        let channel = self.inner.channel();
        let der = response.shared_der();
        Box::pin(async move {
            if life == 0 {
                return Ok(());
            }
            self.run(format!("{key} cannot be saved to Redis"), |mut redis| async move {
                let redis = &mut redis;
                let () =
                    cmd("SET").arg(key).arg(&*der).arg("EX").arg(life).query_async(redis).await?;
                // A notice that is lost costs the others some seconds.
                let _: RedisResult<i64> =
                    cmd("PUBLISH").arg(channel).arg(notice).query_async(redis).await;
                Ok(())
            })
            .await
        })
    }

    /// Only the holder of the lease drops what is there: it has just learnt that the certificate is
    /// not good. What has expired here, or is not wanted any more, goes by itself, and may serve the
    /// others until then.
    fn remove<'a>(&'a self, id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        let (key, lease) = (self.key("staple", id), self.key("lease", id));
        Box::pin(async move {
            let inner = &*self.inner;
            self.run(format!("{key} cannot be removed from Redis"), |mut redis| async move {
                inner.scripts.drop(&mut redis, &key, &lease, &inner.token).await
            })
            .await
        })
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        let key = self.key("staple", id);
        Box::pin(async move {
            self.run(format!("{key} cannot be removed from Redis"), |mut redis| async move {
                cmd("DEL").arg(key).query_async(&mut redis).await
            })
            .await
            .map(|()| None)
        })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn acquire<'a>(
        &'a self,
        id: &'a Fingerprint,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let key = self.key("lease", id);
        let seed = self.inner.seed(id);
        Box::pin(async move {
            let inner = &*self.inner;
            self.run(format!("{key} cannot be taken in Redis"), |mut redis| async move {
                inner.scripts.acquire(&mut redis, &key, &inner.token, ttl, seed).await
            })
            .await
        })
    }

    fn renew<'a>(
        &'a self,
        id: &'a Fingerprint,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let key = self.key("lease", id);
        Box::pin(async move {
            let inner = &*self.inner;
            self.run(format!("{key} cannot be renewed in Redis"), |mut redis| async move {
                inner.scripts.renew(&mut redis, &key, &inner.token, ttl).await
            })
            .await
        })
    }

    fn release<'a>(&'a self, id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        let key = self.key("lease", id);
        Box::pin(async move {
            let inner = &*self.inner;
            self.run(format!("{key} cannot be given back in Redis"), |mut redis| async move {
                inner.scripts.release(&mut redis, &key, &inner.token).await
            })
            .await
        })
    }

    fn changes(&self) -> Option<mpsc::Receiver<Fingerprint>> {
        self.inner.changes.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Inner {
    fn channel(&self) -> String {
        settings::channel(&self.prefix)
    }

    /// Another for each member and certificate.
    fn seed(&self, id: &Fingerprint) -> u64 {
        let bytes = id.as_bytes().iter().chain(self.token.as_bytes());
        // FNV-1a: it only has to differ.
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

/// Without the token, and without what the addresses may hold of users and passwords.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.inner.link.address())
            .field("prefix", &self.inner.prefix)
            .finish_non_exhaustive()
    }
}
