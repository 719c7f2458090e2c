//! The way to Redis, kept open by a task: it connects, watches, and connects again.
//!
//! Who has a command finds a connection or an error at once. Only while the first attempt to connect
//! is under way is it waited for: a fleet that starts with its Redis there must not start without it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::SendError;
use redis::{Msg, PushInfo, PushKind, RedisError, RedisResult};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::Connection;
use super::settings::Server;
use crate::Fingerprint;

/// The pause after the first attempt to connect that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause between attempts, before jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A connection on which nothing happens is tried this often.
const PING: Duration = Duration::from_secs(10);

/// Why a command was not run.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("Redis at {address} is away ({reason}); the store connects again by itself")]
    Away { address: String, reason: String },
    #[error("Redis at {address} has not answered within {patience:?}")]
    Slow { address: String, patience: Duration },
    #[error("Redis at {address} says: {source}")]
    Redis { address: String, source: RedisError },
}

/// How it stands with the connection.
#[derive(Clone)]
enum State {
    /// The first attempt is under way.
    Connecting,
    Up(Connection),
    Away(Arc<str>),
}

/// The way to Redis.
pub(super) struct Link {
    address: String,
    cluster: bool,
    patience: Duration,
    state: watch::Receiver<State>,
    /// Told when a command finds that the connection is lost.
    lost: Arc<Notify>,
    task: AbortHandle,
}

impl Link {
    /// Begins to connect. Certificates that others tell of on `channel` go to `saved`.
    pub(super) fn start(
        runtime: &Handle,
        server: Server,
        patience: Duration,
        channel: String,
        token: String,
        saved: mpsc::Sender<Fingerprint>,
    ) -> Self {
        let (address, cluster) = (server.address(), server.is_cluster());
        let lost = Arc::new(Notify::new());
        let (states, state) = watch::channel(State::Connecting);
        let listener = Listener { channel, token, saved, lost: Arc::clone(&lost) };
        let task = Keeper { server, patience, listener, states }.run();
        let task = runtime.spawn(task).abort_handle();
        Self { address, cluster, patience, state, lost, task }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.cluster
    }

    /// Redis has answered with an error.
    pub(super) fn refused(&self, source: RedisError) -> Trouble {
        Trouble::Redis { address: self.address.clone(), source }
    }

    /// Runs commands on the connection, if there is one.
    pub(super) async fn run<T, F>(
        &self,
        commands: impl FnOnce(Connection) -> F + Send,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        let connection = self.connection().await?;
        let address = || self.address.clone();
        match timeout(self.patience, commands(connection)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(source)) if source.is_io_error() || source.is_connection_dropped() => {
                self.lost.notify_one();
                Err(Trouble::Away { address: address(), reason: source.to_string() })
            }
            Ok(Err(source)) => Err(self.refused(source)),
            Err(_) => {
                self.lost.notify_one();
                Err(Trouble::Slow { address: address(), patience: self.patience })
            }
        }
    }

    async fn connection(&self) -> Result<Connection, Trouble> {
        let mut state = self.state.clone();
        let known = state.wait_for(|state| !matches!(state, State::Connecting));
        let reason = match timeout(self.patience, known).await {
            Ok(Ok(state)) => match &*state {
                State::Up(connection) => return Ok(connection.clone()),
                State::Away(reason) => reason.to_string(),
                State::Connecting => "it is being connected to".to_owned(),
            },
            Ok(Err(_)) => "the runtime of the store has ended".to_owned(),
            Err(_) => "it is being connected to".to_owned(),
        };
        Err(Trouble::Away { address: self.address.clone(), reason })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What is done with what Redis sends by itself.
#[derive(Clone)]
struct Listener {
    channel: String,
    token: String,
    saved: mpsc::Sender<Fingerprint>,
    lost: Arc<Notify>,
}

impl Listener {
    fn hear(&self, push: PushInfo, cluster: bool) {
        if push.kind == PushKind::Disconnection {
            // One node of a cluster is not the cluster.
            if !cluster {
                self.lost.notify_one();
            }
            return;
        }
        let notice = Msg::from_push_info(push);
        let notice = notice.as_ref().filter(|m| m.get_channel_name() == self.channel);
        let Some(id) = notice.and_then(|m| self.saved_by_another(m.get_payload_bytes())) else {
            return;
        };
        if self.saved.try_send(id).is_err() {
            tracing::debug!(certificate = %id, "a notice finds no room, and is lost");
        }
    }

    /// The certificate that another member tells of. Anybody may publish anything.
    fn saved_by_another(&self, notice: &[u8]) -> Option<Fingerprint> {
        let (member, id) = std::str::from_utf8(notice).ok()?.split_once(' ')?;
        if member == self.token { None } else { id.parse().ok() }
    }
}

/// The task that keeps the connection.
struct Keeper {
    server: Server,
    patience: Duration,
    listener: Listener,
    states: watch::Sender<State>,
}

impl Keeper {
    async fn run(self) {
        let address = self.server.address();
        let mut failures = 0u32;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    tracing::info!(address, "the fleet's Redis is there");
                    self.states.send_replace(State::Up(connection.clone()));
                    failures = 0;
                    let reason = self.watch(connection).await;
                    tracing::warn!(address, reason, "the fleet's Redis is away");
                    self.states.send_replace(State::Away(reason.into()));
                }
                Err(reason) => {
                    if failures == 0 {
                        tracing::warn!(address, reason, "the fleet's Redis cannot be connected to");
                    }
                    self.states.send_replace(State::Away(reason.into()));
                }
            }
            sleep(pause(failures)).await;
            failures = failures.saturating_add(1);
        }
    }

    async fn connect(&self) -> Result<Connection, String> {
        let (listener, cluster) = (self.listener.clone(), self.server.is_cluster());
        let hear = move |push| {
            listener.hear(push, cluster);
            Ok::<(), SendError>(())
        };
        let connected = async {
            let mut connection = self.server.connect(hear).await?;
            connection.subscribe(&self.listener.channel).await?;
            Ok::<_, RedisError>(connection)
        };
        match timeout(2 * self.patience, connected).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no connection within {:?}", 2 * self.patience)),
        }
    }

    /// Returns when the connection is lost, and says how that was noticed.
    async fn watch(&self, mut connection: Connection) -> String {
        loop {
            tokio::select! {
                () = self.listener.lost.notified() => return "the connection is lost".to_owned(),
                () = sleep(PING) => {}
            }
            if self.server.is_cluster() {
                // Its connections watch themselves, and a ping would need every node to answer.
                continue;
            }
            match timeout(self.patience, connection.ping()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return format!("a ping was not answered within {:?}", self.patience),
            }
        }
    }
}

/// Doubles, with jitter of a quarter both ways: a fleet does not come back in step.
fn pause(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1u32.checked_shl(failures).unwrap_or(u32::MAX));
    let jitter = RandomState::new().hash_one(failures) % 1024;
    doubled.min(LONGEST_PAUSE).mul_f64(0.75 + jitter as f64 / 2048.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_half_a_minute() {
        for (failures, seconds) in [(0, 0.5), (1, 1.0), (4, 8.0), (6, 30.0), (40, 30.0)] {
            let pause = pause(failures).as_secs_f64();
            assert!((0.75 * seconds..=1.25 * seconds).contains(&pause), "{failures}: {pause}");
        }
    }

    #[test]
    fn notices_of_others_are_heard_and_nothing_else_is() {
        let (saved, mut heard) = mpsc::channel(1);
        let lost = Arc::new(Notify::new());
        let listener = Listener { channel: "x:saved".into(), token: "me".into(), saved, lost };
        let push = |channel: &str, payload: &[u8]| PushInfo {
            kind: PushKind::Message,
            data: vec![
                redis::Value::BulkString(channel.into()),
                redis::Value::BulkString(payload.into()),
            ],
        };
        let id = Fingerprint::of(b"certificate");
        listener.hear(push("x:saved", format!("me {id}").as_bytes()), false);
        listener.hear(push("y:saved", format!("you {id}").as_bytes()), false);
        for noise in [&b""[..], b"you", b"you ", b"you abc", b"\xff \xff", &[b'a'; 100_000]] {
            listener.hear(push("x:saved", noise), false);
        }
        listener.hear(PushInfo { kind: PushKind::Message, data: vec![] }, false);
        assert!(heard.try_recv().is_err());
        // The second finds no room, and is lost.
        listener.hear(push("x:saved", format!("you {id}").as_bytes()), false);
        listener.hear(push("x:saved", format!("you {id}").as_bytes()), false);
        assert_eq!(heard.try_recv(), Ok(id));
        assert!(heard.try_recv().is_err());
    }
}
