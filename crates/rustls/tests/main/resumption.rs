//! Resumed sessions exchange no certificates: nothing is stapled, and no callback is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use certstatus_lab::Lab;
use certstatus_rustls::{ClientDecision, ServerDecision, StaplingResolver};
use rustls::HandshakeKind;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};

use crate::wire::{Fixed, builder, certified, client_config, handshake, server_config};

#[test]
fn the_client_callback_is_not_called_when_a_session_is_resumed() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    for (version, tickets) in [(&TLS12, true), (&TLS12, false), (&TLS13, true), (&TLS13, false)] {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let verifier = builder(lab.root())
            .on_status(move |_, response| {
                count.fetch_add(1, SeqCst);
                // What is strict does not break resumption.
                if response.is_some() { ClientDecision::Accept } else { ClientDecision::Reject }
            })
            .build()
            .unwrap();
        let key = certified(&leaf, Some(lab.respond(&leaf)));
        let mut server = server_config(Arc::new(Fixed(key)), version);
        if tickets {
            server.ticketer = aws_lc_rs::Ticketer::new().unwrap();
        }
        let (client, server) = (client_config(verifier, version), Arc::new(server));
        let full = handshake(&client, &server);
        assert_eq!((full.client, full.server), (Ok(HandshakeKind::Full), Ok(())));
        assert_eq!(calls.load(SeqCst), 1);
        let resumed = handshake(&client, &server);
        assert_eq!((resumed.client, resumed.server), (Ok(HandshakeKind::Resumed), Ok(())));
        assert_eq!(calls.load(SeqCst), 1);
    }
}

#[test]
fn the_server_callback_is_called_on_resumption_and_its_staple_is_not_sent() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    for version in [&TLS12, &TLS13] {
        let calls = Arc::new(AtomicUsize::new(0));
        let (count, staple) = (Arc::clone(&calls), Arc::<[u8]>::from(lab.respond(&leaf)));
        let inner = Arc::new(Fixed(certified(&leaf, None)));
        let resolver = StaplingResolver::on_status(inner, move |_, _| {
            count.fetch_add(1, SeqCst);
            ServerDecision::Staple(Arc::clone(&staple))
        });
        let server = Arc::new(server_config(Arc::new(resolver), version));
        let client = client_config(builder(lab.root()).build().unwrap(), version);
        assert_eq!(handshake(&client, &server).client, Ok(HandshakeKind::Full));
        assert_eq!(handshake(&client, &server).client, Ok(HandshakeKind::Resumed));
        assert_eq!(calls.load(SeqCst), 2);
    }
}
