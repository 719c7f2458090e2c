//! Events on standard error: a line for people, or JSON.
//!
//! Under systemd the journal has the time already, and takes a line's priority from how the line
//! begins (`sd-daemon(3)`).
//!
//! Fields have text from outside: file names, subjects, errors of responders. The text log escapes
//! control characters in them, so that a field cannot begin a line or drive a terminal. The JSON log
//! escapes those that JSON leaves as they are.

use std::io::{self, IsTerminal, Write};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{DefaultFields, Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, Layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::{Log, LogFormat, LogLevel};
use crate::report::{sanitize, sanitize_json};

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
                let lines =
                    to_stderr().json().flatten_event(true).with_writer(|| JsonLines(io::stderr()));
                registry.with(lines).try_init()
            }
            (LogFormat::Text, true) => {
                let format = Format::default().without_time().with_level(false).with_target(false);
                let lines = to_stderr().with_ansi(false).event_format(Journal(format));
                registry.with(lines.fmt_fields(Escaped)).try_init()
            }
            (LogFormat::Text, false) => {
                let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                let lines = to_stderr().with_ansi(colours).with_target(false);
                registry.with(lines.fmt_fields(Escaped)).try_init()
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

fn to_stderr<S>() -> Layer<S, DefaultFields, Format, fn() -> io::Stderr> {
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

/// Fields in which control characters are escaped.
struct Escaped;

impl<'writer> FormatFields<'writer> for Escaped {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> std::fmt::Result {
        let mut text = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut text), fields)?;
        writer.write_str(&sanitize(&text))
    }
}

/// Lines of JSON in which characters that could drive a terminal are escaped.
struct JsonLines<W>(W);

impl<W: Write> Write for JsonLines<W> {
    /// Writes a whole event: the layer formats each into one buffer.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(sanitize_json(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A file name with a line end, a terminal escape, a C1 control and an override of direction.
    const HOSTILE: &str = "a\n2026 INFO forged\u{1b}[2J\u{9b}2J\u{202e}";

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn log_hostile_text() {
        tracing::info!(certificate = %HOSTILE, debug = ?HOSTILE, plain = HOSTILE, "read {HOSTILE}");
    }

    #[test]
    fn text_log_escapes_fields() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .fmt_fields(Escaped);
        let registry = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(registry, log_hostile_text);
        let text = buffer.text();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        let line = text.strip_suffix('\n').unwrap();
        assert_eq!(sanitize(line), line, "{line:?}");
        assert!(line.contains("forged"), "{line:?}");
    }

    #[test]
    fn json_log_escapes_fields() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(move || JsonLines(writer.clone()));
        let registry = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(registry, log_hostile_text);
        let text = buffer.text();
        let line = text.strip_suffix('\n').unwrap();
        assert_eq!(sanitize(line), line, "{line:?}");
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["certificate"], HOSTILE);
    }
}
