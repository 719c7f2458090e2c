//! The facts behind the status page, and the page's listener.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use certstatus_stapler::Stapler;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use rustls_pki_types::UnixTime;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::agent::board::{ConfigFacts, Health, Query, Snapshot};
use crate::agent::config::Listen;
use crate::agent::http::{self, Source};
use crate::agent::keeper::View;
use crate::failure::{Failure, reason};
use crate::report::facts::Time;

/// The times that responders take, in seconds: from a cache nearby to the time-out.
const LATENCIES: [f64; 9] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 5.0, 10.0, 30.0];

/// What the page is made of.
pub(super) struct Facts {
    view: View,
    recorder: PrometheusHandle,
    started_at: Time,
    host: String,
    changing: Mutex<Changing>,
}

/// What a reload changes.
struct Changing {
    config: ConfigFacts,
    alarm: Duration,
    stapler: Stapler,
}

/// Has what the stapler counts collected, for the life of the process.
///
/// # Errors
/// When somebody else collects it.
pub(super) fn recorder() -> Result<PrometheusHandle, Failure> {
    let latency = Matcher::Full("certstatus_fetch_duration_seconds".to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(latency, &LATENCIES)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|e| Failure::failed("metrics", format!("Metrics cannot be collected: {e}.")))
}

impl Facts {
    pub(super) fn new(
        path: &Path,
        view: View,
        recorder: PrometheusHandle,
        stapler: Stapler,
        alarm: Duration,
    ) -> Self {
        let now = Time(UnixTime::now());
        let config = ConfigFacts { path: path.display().to_string(), loaded_at: now, error: None };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let changing = Mutex::new(Changing { config, alarm, stapler });
        Self { view, recorder, started_at: now, host, changing }
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Lets go of measurements that nobody asked for.
    pub(super) fn upkeep(&self) {
        self.recorder.run_upkeep();
    }

    /// How it stands, in a sentence.
    pub(super) fn summary(&self) -> String {
        self.health().summary
    }

    /// Another stapler does the work.
    pub(super) fn follow(&self, stapler: Stapler) {
        self.changing().stapler = stapler;
    }

    /// Another configuration holds.
    pub(super) fn config_taken(&self, alarm: Duration) {
        let mut changing = self.changing();
        changing.alarm = alarm;
        changing.config.loaded_at = Time(UnixTime::now());
        changing.config.error = None;
    }

    /// Another configuration was refused.
    pub(super) fn config_refused(&self, error: String) {
        self.changing().config.error = Some(error);
    }

    fn config(&self) -> (ConfigFacts, Duration) {
        let changing = self.changing();
        (changing.config.clone(), changing.alarm)
    }

    /// Nothing that holds this lock can panic.
    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Facts {
    fn snapshot(&self, query: &Query) -> Snapshot {
        let now = UnixTime::now();
        let (config, alarm) = self.config();
        let hooks = self.view.hooks();
        let (tally, part) = self.view.part(query, now, alarm);
        Snapshot {
            now: Time(now),
            started_at: self.started_at,
            host: self.host.clone(),
            version: env!("CARGO_PKG_VERSION"),
            health: Health::new(&tally, &hooks, config.error.is_some()),
            config,
            hooks,
            total: tally.total,
            soonest: tally.soonest.map(Time),
            states: tally.states,
            matching: part.matching,
            offset: query.offset,
            next: part.next,
            staples: part.staples,
        }
    }

    fn health(&self) -> Health {
        let (config, alarm) = self.config();
        let tally = self.view.tally(UnixTime::now(), alarm);
        Health::new(&tally, &self.view.hooks(), config.error.is_some())
    }

    fn metrics(&self) -> String {
        let stapler = self.changing().stapler.clone();
        stapler.observe();
        self.recorder.render()
    }
}

/// The page, served for as long as this value lives.
pub(super) struct Page {
    /// The page closes when this goes.
    _open: oneshot::Sender<()>,
}

impl Page {
    /// Serves the page there, if anywhere.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub(super) async fn open(listen: Listen, facts: &Arc<Facts>) -> Result<Option<Self>, Failure> {
        let Listen::At(address) = listen else { return Ok(None) };
        let failed = |e: std::io::Error| {
            Failure::failed(
                "http",
                format!("The status page cannot be served at {address}: {}.", reason(&e)),
            )
            .advise("Give another address under [http], or \"off\". Is there another agent?")
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        tracing::info!("status page at http://{address}/");
        let (page, closed) = oneshot::channel();
        let stop = async move {
            // Either way the page is to be closed.
            let _ = closed.await;
        };
        let facts: Arc<Facts> = Arc::clone(facts);
        tokio::spawn(http::serve(listener, facts, stop));
        Ok(Some(Self { _open: page }))
    }
}
