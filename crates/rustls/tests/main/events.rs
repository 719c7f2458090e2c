//! The events that go to `tracing`: the fields that are promised, and never a whole response.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use certstatus_lab::{Fault, Lab};
use rustls::pki_types::UnixTime;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::pki::ask;
use crate::wire::builder;

type Fields = BTreeMap<&'static str, String>;

/// Keeps the events of this crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, Fields)>>>);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("certstatus_rustls")
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Collect(&mut fields));
        self.0.lock().unwrap().push((*event.metadata().level(), fields));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Collect<'a>(&'a mut Fields);

impl Visit for Collect<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

#[test]
fn a_decision_is_an_event_with_serial_issuer_outcome_and_time_left() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let verifier = builder(lab.root()).build().unwrap();
    let (good, forged) = (lab.respond(&leaf), lab.respond_with(&leaf, Fault::BadSignature));
    lab.revoke(&leaf, None);
    let revoked = lab.respond(&leaf);
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        for staple in [good, forged.unwrap().unwrap(), revoked, Vec::new()] {
            let _ = ask(&verifier, leaf.chain(), &staple, UnixTime::now());
        }
    });

    let events = log.0.lock().unwrap();
    let levels: Vec<_> = events.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::DEBUG, Level::WARN, Level::WARN, Level::DEBUG]);
    let outcomes: Vec<_> = events.iter().map(|(_, fields)| fields["outcome"].as_str()).collect();
    assert!(outcomes[0].contains("good"), "{outcomes:?}");
    assert!(outcomes[1].contains("signature"), "{outcomes:?}");
    assert!(outcomes[2].contains("revoked"), "{outcomes:?}");
    assert!(outcomes[3].contains("nothing is stapled"), "{outcomes:?}");
    for (at, (_, fields)) in events.iter().enumerate() {
        assert_eq!(fields["serial"], certstatus::hex(leaf.serial()));
        assert!(fields["issuer"].contains("certstatus lab intermediate"), "{fields:?}");
        // Four days, by the lab's default; one second may have passed.
        let left = fields.get("time_left").map(String::as_str);
        let expected = if at % 2 == 0 { &[Some("4d"), Some("3d 23h")][..] } else { &[None] };
        assert!(expected.contains(&left), "{left:?}");
        assert!(fields.values().all(|value| value.len() < 300), "{fields:?}");
    }
}
