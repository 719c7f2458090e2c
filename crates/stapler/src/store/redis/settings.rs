//! How Redis is reached: addresses, TLS, names, patience.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::{AsyncPushSender, SendError};
use redis::cluster::ClusterClient;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo,
    IntoConnectionInfo, ProtocolVersion, RedisResult, TlsCertificates,
};
use rustls::crypto::CryptoProvider;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::lease::Scripts;
use super::link::Link;
use super::{Connection, Inner, RedisStore};
use crate::clock::{Clock, SystemClock};
use crate::{Error, StoreError};

/// What the names of keys begin with, if nothing else is said.
const PREFIX: &str = "certstatus";

/// How long Redis may take to answer. It stands beside the servers and answers within milliseconds;
/// what takes longer is a Redis that is away, and a refresh has hours of time.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Notices that wait for the stapler; one that finds no room is lost, which notices may be.
const NOTICES: usize = 4096;

/// Sets a [`RedisStore`] up.
#[must_use]
pub struct RedisBuilder {
    urls: Vec<String>,
    cluster: bool,
    prefix: String,
    timeout: Duration,
    authorities: Option<Vec<u8>>,
    client: Option<ClientTlsConfig>,
    clock: Arc<dyn Clock>,
}

impl RedisBuilder {
    pub(super) fn new(urls: Vec<String>, cluster: bool) -> Self {
        Self {
            urls,
            cluster,
            prefix: PREFIX.to_owned(),
            timeout: TIMEOUT,
            authorities: None,
            client: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Has the names of keys begin with this and a colon, in place of `certstatus`. Members with
    /// different prefixes do not know of each other.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long Redis may take to answer, and to connect; 3 s by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With `rediss`: trusts these certificates, in PEM, in place of the system's.
    pub fn certificate_authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
        self
    }

    /// With `rediss`: shows the server this certificate with its chain, both in PEM.
    pub fn client_certificate(
        mut self,
        chain: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.client = Some(ClientTlsConfig { client_cert: chain.into(), client_key: key.into() });
        self
    }

    /// Takes the time from that clock; if nothing is said, from the system's. It tells for how long a
    /// response is worth keeping.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Begins to connect, in the tokio runtime in which this is called, and does not wait for it:
    /// whether Redis is there now or comes later, the store does its best. See
    /// [`RedisStore::ping`].
    ///
    /// With `rediss`, if the process has no default [`CryptoProvider`] yet, aws-lc-rs becomes it.
    ///
    /// # Errors
    /// [`Error::NoRuntime`] outside of one, [`Error::Store`] when an address cannot be read or the
    /// certificates cannot.
    pub fn start(self) -> Result<RedisStore, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let (prefix, clock, timeout) = (self.prefix.clone(), Arc::clone(&self.clock), self.timeout);
        let server = self
            .server()
            .map_err(|e| StoreError::new("Redis cannot be used as it is configured", e))?;
        let token = token();
        let (saved, changes) = mpsc::channel(NOTICES);
        let link = Link::start(&runtime, server, timeout, channel(&prefix), token.clone(), saved);
        let changes = Mutex::new(Some(changes));
        let scripts = Scripts::new();
        let inner = Inner { link, prefix, token, scripts, clock, changes };
        Ok(RedisStore { inner: Arc::new(inner) })
    }

    fn server(self) -> RedisResult<Server> {
        let mut nodes = Vec::new();
        for url in self.urls {
            let node = url.into_connection_info()?;
            let settings = node.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            nodes.push(node.set_redis_settings(settings));
        }
        let tls = nodes.iter().any(|node| matches!(node.addr(), ConnectionAddr::TcpTls { .. }));
        if tls && CryptoProvider::get_default().is_none() {
            // If somebody else is quicker, theirs is as good.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let certificates = (self.authorities.is_some() || self.client.is_some())
            .then_some(TlsCertificates { client_tls: self.client, root_cert: self.authorities });
        let server = Server { nodes, cluster: self.cluster, certificates, timeout: self.timeout };
        // What is wrong with the configuration shows here, without a connection.
        match server.cluster {
            true => server.cluster_client(|_| Ok::<(), SendError>(())).map(drop)?,
            false => server.client().map(drop)?,
        }
        Ok(server)
    }
}

/// Without the addresses, which may hold a password, and without keys.
impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBuilder")
            .field("cluster", &self.cluster)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A server or a cluster, as it was configured.
pub(super) struct Server {
    nodes: Vec<ConnectionInfo>,
    cluster: bool,
    certificates: Option<TlsCertificates>,
    timeout: Duration,
}

impl Server {
    /// Its address, for people.
    pub(super) fn address(&self) -> String {
        self.nodes.iter().map(|node| node.addr().to_string()).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.cluster
    }

    /// Connects; what is pushed goes to `pushes`.
    pub(super) async fn connect(&self, pushes: impl AsyncPushSender) -> RedisResult<Connection> {
        if self.cluster {
            let client = self.cluster_client(pushes)?;
            return client.get_async_connection().await.map(Connection::Cluster);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_push_sender(pushes);
        let client = self.client()?;
        client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::One)
    }

    fn client(&self) -> RedisResult<Client> {
        let Some(node) = self.nodes.first() else {
            return Err((redis::ErrorKind::InvalidClientConfig, "no address is given").into());
        };
        match &self.certificates {
            Some(certificates) => Client::build_with_tls(node.clone(), certificates.clone()),
            None => Client::open(node.clone()),
        }
    }

    fn cluster_client(&self, pushes: impl AsyncPushSender) -> RedisResult<ClusterClient> {
        let builder = ClusterClient::builder(self.nodes.iter().cloned())
            .connection_timeout(self.timeout)
            .response_timeout(self.timeout)
            .retries(2)
            .use_protocol(ProtocolVersion::RESP3)
            .push_sender(pushes);
        match &self.certificates {
            Some(certificates) => builder.certs(certificates.clone()).build(),
            None => builder.build(),
        }
    }
}

/// The channel on which members tell each other what they have saved.
pub(super) fn channel(prefix: &str) -> String {
    format!("{prefix}:saved")
}

/// 128 bits that no other member has.
fn token() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}
