//! What is counted, as a recorder sees it.

use certstatus_lab::Fault;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshot, Snapshotter};

use crate::support::{DAY, HOUR, Net, add, seconds};

/// Runs `test` on paused time, with a view of what it counts.
pub(crate) fn counted<F: Future<Output = ()>>(test: impl FnOnce(Snapshotter) -> F) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(test(snapshotter));
    });
}

/// The values of all metrics at one moment.
pub(crate) struct Seen(Vec<Metric>);

struct Metric {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Seen {
    pub(crate) fn of(snapshot: Snapshot) -> Self {
        let read = |value| match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(values) => values.len() as f64,
        };
        let all = snapshot.into_vec().into_iter().map(|(key, _, _, value)| {
            let labels = key.key().labels().map(|l| (l.key().to_owned(), l.value().to_owned()));
            let labels = labels.collect();
            Metric { name: key.key().name().to_owned(), labels, value: read(value) }
        });
        Self(all.collect())
    }

    /// The value of a metric with these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |metric: &Metric, (name, value): &(&str, &str)| {
            metric.labels.iter().any(|(n, v)| (n.as_str(), v.as_str()) == (*name, *value))
        };
        let is = |metric: &&Metric| metric.name == name && labels.iter().all(|l| has(metric, l));
        self.0.iter().find(is).unwrap_or_else(|| panic!("{name} {labels:?} is missing")).value
    }
}

#[test]
fn states_times_and_fetches_are_counted() {
    counted(|snapshotter| async move {
        let seen = || Seen::of(snapshotter.snapshot());
        let net = Net::new(4 * DAY);
        let url = net.lab.responder_url();
        let stapler = net.stapler().start().unwrap();
        add(&stapler, &net.leaf("one.example")).await;
        tokio::time::sleep(seconds(HOUR)).await;
        add(&stapler, &net.leaf("two.example")).await;
        stapler.observe();
        let first = seen();
        assert_eq!(first.value("certstatus_staples", &[("state", "good")]), 2.0);
        assert_eq!(first.value("certstatus_staples", &[("state", "missing")]), 0.0);
        let age = first.value("certstatus_staple_age_seconds_max", &[]);
        assert!((3600.0..3605.0).contains(&age), "{age}");
        let good = [("responder", url), ("outcome", "good")];
        assert_eq!(first.value("certstatus_fetches_total", &good), 2.0);
        assert_eq!(first.value("certstatus_fetch_duration_seconds", &[("responder", url)]), 2.0);

        net.set_fault(Some(Fault::ConnectionReset));
        tokio::time::sleep(seconds(3 * DAY - HOUR / 2)).await;
        stapler.observe();
        let second = seen();
        let left = second.value("certstatus_staple_time_left_seconds_min", &[]);
        assert!((left - (DAY - HOUR / 2) as f64).abs() < 10.0, "{left}");
        let at_risk = |must| second.value("certstatus_staples_at_risk", &[("must_staple", must)]);
        assert_eq!((at_risk("no"), at_risk("yes")), (1.0, 0.0), "the older one");
        let failed = [("responder", url), ("outcome", "unreachable")];
        let failed = second.value("certstatus_fetches_total", &failed);
        assert_eq!(failed, net.asked() as f64 - 2.0);
    });
}
