//! Leases as scripts, each of which Redis runs whole: what a member holds, no other can take from it,
//! and what it holds no more it does not touch.
//!
//! Taking is `SET NX PX` that also knows its own token again. A key of that name that is no lease, or
//! would never end, is taken: it can only be a mistake, and would stop the fleet for ever.

use std::time::Duration;

use redis::{RedisResult, Script};

use super::Connection;
use crate::store::{Lease, look_again};

/// Answers -1 when the lease is the caller's now, or the milliseconds for which another has it.
const ACQUIRE: &str = "
local holder = redis.pcall('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if type(holder) == 'string' and holder ~= ARGV[1] and left >= 0 then
  return left
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return -1
";

const RENEW: &str = "
if redis.pcall('GET', KEYS[1]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
";

const RELEASE: &str = "
if redis.pcall('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 0
";

/// Drops the staple, `KEYS[1]`, if the caller holds the lease, `KEYS[2]`.
const DROP: &str = "
if redis.pcall('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 0
";

/// The scripts; Redis knows them by their digests after the first time.
#[derive(Debug)]
pub(super) struct Scripts {
    acquire: Script,
    renew: Script,
    release: Script,
    drop: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            acquire: Script::new(ACQUIRE),
            renew: Script::new(RENEW),
            release: Script::new(RELEASE),
            drop: Script::new(DROP),
        }
    }

    pub(super) async fn acquire(
        &self,
        redis: &mut Connection,
        key: &str,
        token: &str,
        ttl: Duration,
        seed: u64,
    ) -> RedisResult<Lease> {
        let left: i64 =
            self.acquire.key(key).arg(token).arg(milliseconds(ttl)).invoke_async(redis).await?;
        Ok(match u64::try_from(left) {
            Ok(left) => Lease::Held { retry: look_again(Duration::from_millis(left), seed) },
            Err(_) => Lease::Granted,
        })
    }

    pub(super) async fn renew(
        &self,
        redis: &mut Connection,
        key: &str,
        token: &str,
        ttl: Duration,
    ) -> RedisResult<()> {
        self.renew.key(key).arg(token).arg(milliseconds(ttl)).invoke_async(redis).await
    }

    pub(super) async fn release(
        &self,
        redis: &mut Connection,
        key: &str,
        token: &str,
    ) -> RedisResult<()> {
        self.release.key(key).arg(token).invoke_async(redis).await
    }

    /// Drops the key `staple`, if the member holds the lease `key`.
    pub(super) async fn drop(
        &self,
        redis: &mut Connection,
        staple: &str,
        key: &str,
        token: &str,
    ) -> RedisResult<()> {
        self.drop.key(staple).key(key).arg(token).invoke_async(redis).await
    }
}

/// As Redis takes it: at least one, and no more than a year.
fn milliseconds(ttl: Duration) -> u64 {
    const YEAR: u64 = 366 * 86_400 * 1000;
    u64::try_from(ttl.as_millis()).unwrap_or(YEAR).clamp(1, YEAR)
}
