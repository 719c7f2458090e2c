//! The configuration in the words of the stapler.

use std::sync::Arc;

use certstatus::Freshness;
use certstatus_stapler::fetch::Http;
use certstatus_stapler::store::{Layered, RedisStore};
use certstatus_stapler::{DiskStore, Fingerprint, ResponderLimits, Stapler, Target};
use rustls_pki_types::CertificateDer;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::agent::certificates::{Loaded, Location};
use crate::agent::config::{Config, Fetch, Rule, Store};
use crate::anchors::anchors;
use crate::failure::Failure;
use crate::input;

/// Starts a stapler with that configuration, and gives it with a channel that names the certificates
/// of which there is news. The news itself the stapler has logged.
///
/// # Errors
/// When the store or the HTTP client cannot be had.
pub(super) fn start_stapler(
    config: &Config,
) -> Result<(Stapler, UnboundedReceiver<Fingerprint>), Failure> {
    let Fetch { concurrent, per_second, .. } = config.fetch;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let failed = |stage: &'static str| {
        move |e: certstatus_stapler::Error| {
            Failure::failed(stage, format!("The agent cannot start: {e}."))
        }
    };
    let mut http = Http::builder(Arc::clone(&provider))
        .timeout(config.fetch.timeout)
        .connect_timeout(config.fetch.connect_timeout);
    if let Some(proxy) = &config.fetch.proxy {
        http = http.proxy(&proxy.0);
    }
    if let Some(authorities) = &config.fetch.ca {
        http = http.roots(anchors(authorities)?);
    }
    let (tell, news) = unbounded_channel();
    let mut builder = Stapler::builder(provider)
        .transport(http.build().map_err(failed("http"))?)
        .responder_limits(ResponderLimits::new(concurrent as usize, per_second))
        .nonce(config.fetch.nonce)
        .freshness(Freshness { max_age: config.fetch.max_age, ..Freshness::default() })
        .refresh_max(config.fetch.refresh_max)
        .hash(config.fetch.hash)
        .on_event(move |event| {
            // It fails only when nobody listens any more.
            let _ = tell.send(event.certificate);
        });
    for (from, to) in &config.fetch.responders {
        builder = builder.map_responder(&from.0, &to.0);
    }
    for file in &config.fetch.trusted_responder.0 {
        for certificate in input::certificates(file)? {
            builder = builder.trust_responder(certificate).map_err(failed("certificate"))?;
        }
    }
    if config.fetch.post {
        builder = builder.always_post();
    }
    if config.fetch.staple_revoked {
        builder = builder.staple_any_status();
    }
    builder = match (redis(&config.store)?, disk(&config.store)?) {
        (Some(redis), Some(disk)) => builder.store(Layered::new(redis, disk)),
        (Some(redis), None) => builder.store(redis),
        (None, Some(disk)) => builder.store(disk),
        (None, None) => builder,
    };
    Ok((builder.start().map_err(failed("stapler"))?, news))
}

/// The store of this member alone, if there is one.
fn disk(store: &Store) -> Result<Option<DiskStore>, Failure> {
    let Some(path) = &store.path else { return Ok(None) };
    DiskStore::open(path).map(Some).map_err(|e| {
        Failure::failed("store", format!("The store at {} cannot be opened: {e}.", path.display()))
            .advise("Give a directory under [store] in which the agent may write.")
    })
}

/// The store that the fleet shares, if there is one. It need not be there now.
fn redis(store: &Store) -> Result<Option<RedisStore>, Failure> {
    let mut redis = match store.redis.0.as_slice() {
        [] => return Ok(None),
        [one] => RedisStore::at(&one.0),
        nodes => RedisStore::cluster(nodes.iter().map(|node| node.0.as_str())),
    };
    if let Some(prefix) = &store.redis_prefix {
        redis = redis.prefix(prefix);
    }
    if let Some(authorities) = &store.redis_ca {
        redis = redis.certificate_authorities(input::read(authorities)?);
    }
    redis.start().map(Some).map_err(|e| {
        Failure::failed("store", format!("The agent cannot start: {e}."))
            .advise("Check what is under [store].")
    })
}

/// A certificate as the stapler is told of it.
pub(super) fn target(at: &Location, rule: &Rule, loaded: &Loaded) -> Target {
    let chain: Vec<_> =
        loaded.chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let mut target = Target::from_chain(&chain).label(at.label());
    if !rule.responder.0.is_empty() {
        target = target.responders(rule.responder.0.iter().map(|url| url.0.clone()));
    }
    target
}
