//! Events on standard error: a line for people, or JSON.
//!
//! Under systemd the journal has the time already, and takes a line's priority from how the line
//! begins (`sd-daemon(3)`).

use std::io::{self, IsTerminal};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, Layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::{Log, LogFormat, LogLevel};

/// The log, while the agent runs.
#[derive(Debug)]
pub(super) struct Logging {
    filter: reload::Handle<Targets, Registry>,
    format: LogFormat,
}

impl Logging {
    /// Has events written from now on. Only the first call in a process has an effect.
    pub(super) fn start(log: &Log) -> Self {
        let (filter, handle) = reload::Layer::new(filter(log.level));
        let registry = tracing_subscriber::registry().with(filter);
        // An error means that there is a log already.
        let _ = match (log.format, std::env::var_os("JOURNAL_STREAM").is_some()) {
            (LogFormat::Json, _) => {
                registry.with(to_stderr().json().flatten_event(true)).try_init()
            }
            (LogFormat::Text, true) => {
                let format = Format::default().without_time().with_level(false).with_target(false);
                registry.with(to_stderr().with_ansi(false).event_format(Journal(format))).try_init()
            }
            (LogFormat::Text, false) => {
                let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                registry.with(to_stderr().with_ansi(colours).with_target(false)).try_init()
            }
        };
        Self { filter: handle, format: log.format }
    }

    /// Takes another level. Another format takes a new start, and that is said.
    pub(super) fn change(&self, log: &Log) {
        if log.format != self.format {
            tracing::warn!("another format of the log takes a restart");
        }
        // It fails only when the log is gone.
        let _ = self.filter.modify(|now| *now = filter(log.level));
    }
}

fn to_stderr<S>()
-> Layer<S, tracing_subscriber::fmt::format::DefaultFields, Format, fn() -> io::Stderr> {
    tracing_subscriber::fmt::layer().with_writer(io::stderr as fn() -> io::Stderr)
}

/// What libraries say is for those who work on them, unless it is a warning.
fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("certstatus", level)
}

/// Lines with the journal's priorities.
struct Journal(Format<Full, ()>);

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}
