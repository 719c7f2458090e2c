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
    Up(Up),
    Away(Arc<str>),
}

/// A connection, and who is told when a command, or Redis itself, finds that this one is lost: not the
/// next one, of which who comes late knows nothing.
#[derive(Clone)]
struct Up {
    connection: Connection,
    lost: Arc<Notify>,
}

/// The way to Redis.
pub(super) struct Link {
    address: String,
    cluster: bool,
    patience: Duration,
    state: watch::Receiver<State>,
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
        let (states, state) = watch::channel(State::Connecting);
        let listener = Listener { channel, token, saved };
        let task = Keeper { server, patience, listener, states }.run();
        let task = runtime.spawn(task).abort_handle();
        Self { address, cluster, patience, state, task }
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
        let Up { connection, lost } = self.up().await?;
        let address = || self.address.clone();
        match timeout(self.patience, commands(connection)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(source)) if source.is_io_error() || source.is_connection_dropped() => {
                lost.notify_one();
                Err(Trouble::Away { address: address(), reason: source.to_string() })
            }
            Ok(Err(source)) => Err(self.refused(source)),
            Err(_) => {
                lost.notify_one();
                Err(Trouble::Slow { address: address(), patience: self.patience })
            }
        }
    }

    async fn up(&self) -> Result<Up, Trouble> {
        let mut state = self.state.clone();
        let known = state.wait_for(|state| !matches!(state, State::Connecting));
        let reason = match timeout(self.patience, known).await {
            Ok(Ok(state)) => match &*state {
                State::Up(up) => return Ok(up.clone()),
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
}

impl Listener {
    fn hear(&self, push: PushInfo) {
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
                Ok(up) => {
                    tracing::info!(address, "the fleet's Redis is there");
                    self.states.send_replace(State::Up(up.clone()));
                    failures = 0;
                    let reason = self.watch(up).await;
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

    async fn connect(&self) -> Result<Up, String> {
        let (listener, cluster) = (self.listener.clone(), self.server.is_cluster());
        let lost = Arc::new(Notify::new());
        let disconnected = Arc::clone(&lost);
        let hear = move |push: PushInfo| {
            match push.kind {
                // One node of a cluster is not the cluster.
                PushKind::Disconnection if cluster => {}
                PushKind::Disconnection => disconnected.notify_one(),
                _ => listener.hear(push),
            }
            Ok::<(), SendError>(())
        };
        let connected = async {
            let mut connection = self.server.connect(hear).await?;
            connection.subscribe(&self.listener.channel).await?;
            Ok::<_, RedisError>(connection)
        };
        match timeout(2 * self.patience, connected).await {
            Ok(Ok(connection)) => Ok(Up { connection, lost }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no connection within {:?}", 2 * self.patience)),
        }
    }

    /// Returns when the connection is lost, and says how that was noticed.
    async fn watch(&self, Up { mut connection, lost }: Up) -> String {
        loop {
            tokio::select! {
                () = lost.notified() => return "the connection is lost".to_owned(),
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
    use futures_util::future::join_all;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn pauses_double_to_half_a_minute() {
        for (failures, seconds) in [(0, 0.5), (1, 1.0), (4, 8.0), (6, 30.0), (40, 30.0)] {
            let pause = pause(failures).as_secs_f64();
            assert!((0.75 * seconds..=1.25 * seconds).contains(&pause), "{failures}: {pause}");
        }
    }

    /// A server that answers what is needed to connect, and on its first connection hangs up at the
    /// first question. Gives its address, and counts its connections.
    fn hanging_up_once() -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let first = count.fetch_add(1, Ordering::SeqCst) == 0;
                std::thread::spawn(move || converse(&stream, first));
            }
        });
        (url, connections)
    }

    /// Answers commands, each an array of strings, one line for the length and one for the contents.
    fn converse(mut stream: &TcpStream, hang_up: bool) {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        while let Some(line) = lines.next() {
            let Some(count) = line.strip_prefix('*').and_then(|n| n.parse::<usize>().ok()) else {
                return;
            };
            let words: Vec<_> = lines.by_ref().take(2 * count).skip(1).step_by(2).collect();
            let answer = match words[0].as_str() {
                "HELLO" => "%1\r\n+proto\r\n:3\r\n",
                "CLIENT" => "+OK\r\n",
                "SUBSCRIBE" => ">3\r\n+subscribe\r\n+x:saved\r\n:1\r\n",
                "PING" => "+PONG\r\n",
                _ if hang_up => return,
                _ => "$0\r\n\r\n",
            };
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// Many find at the same time that the connection is lost. It is made anew once, and not again
    /// because of those who were told late.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_that_many_lose_is_made_anew_once() {
        let (url, connections) = hanging_up_once();
        let store = crate::store::RedisStore::at(url).start().unwrap();
        store.ping().await.unwrap();
        let ids: Vec<_> = (0..50u8).map(|number| Fingerprint::of(&[number])).collect();
        let lost = join_all(ids.iter().map(|id| crate::Store::load(&store, id))).await;
        assert!(lost.iter().all(Result::is_err));
        for _ in 0..100 {
            sleep(Duration::from_millis(30)).await;
            if connections.load(Ordering::SeqCst) == 2 && store.ping().await.is_ok() {
                break;
            }
        }
        for _ in 0..10 {
            assert!(crate::Store::load(&store, &ids[0]).await.is_ok());
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(connections.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn notices_of_others_are_heard_and_nothing_else_is() {
        let (saved, mut heard) = mpsc::channel(1);
        let listener = Listener { channel: "x:saved".into(), token: "me".into(), saved };
        let push = |channel: &str, payload: &[u8]| PushInfo {
            kind: PushKind::Message,
            data: vec![
                redis::Value::BulkString(channel.into()),
                redis::Value::BulkString(payload.into()),
            ],
        };
        let id = Fingerprint::of(b"certificate");
        listener.hear(push("x:saved", format!("me {id}").as_bytes()));
        listener.hear(push("y:saved", format!("you {id}").as_bytes()));
        for noise in [&b""[..], b"you", b"you ", b"you abc", b"\xff \xff", &[b'a'; 100_000]] {
            listener.hear(push("x:saved", noise));
        }
        listener.hear(PushInfo { kind: PushKind::Message, data: vec![] });
        assert!(heard.try_recv().is_err());
        // The second finds no room, and is lost.
        listener.hear(push("x:saved", format!("you {id}").as_bytes()));
        listener.hear(push("x:saved", format!("you {id}").as_bytes()));
        assert_eq!(heard.try_recv(), Ok(id));
        assert!(heard.try_recv().is_err());
    }
}
