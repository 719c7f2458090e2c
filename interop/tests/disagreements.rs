//! Staples about which clients disagree: curl (on OpenSSL), GnuTLS and we meet the same server with
//! the same bytes.
//!
//! Whoever is stricter has the RFC on their side in all of these but one, the skew, which no RFC
//! sets. Where a test tells what a peer accepts, that is its documented behaviour. Beyond those,
//! OpenSSL 3.0 accepts BER, trailing data, unknown critical extensions and `producedAt` in the
//! future, and GnuTLS 3.7 the last two, error statuses, `thisUpdate` in the future and a response
//! that the root signed in place of the issuer. Nothing here asserts those: they may be mended.

use std::time::Duration;

use certstatus_lab::{Effect, Fault, Lab, Leaf};
use rustls_pki_types::UnixTime;

use crate::curl::curl;
use crate::gnutls::gnutls_cli;
use crate::harness::client::connect;
use crate::harness::files::Files;
use crate::harness::pki::{NAME, Version};
use crate::harness::server::Server;

/// Who goes on with the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Accepted {
    by_us: bool,
    by_curl: bool,
    by_gnutls: bool,
}

/// Who accepts a server that staples these bytes.
fn accepted(lab: &Lab, leaf: &Leaf, staple: &[u8]) -> Accepted {
    const VERSION: Version = Version::Tls13;
    let files = Files::of(lab, leaf);
    let server = Server::with_any_staple(leaf, staple, VERSION);
    Accepted {
        by_us: connect(lab, server.port(), VERSION).result.is_ok(),
        by_curl: curl(&server, &files, VERSION, &["--cert-status"]).code() == 0,
        by_gnutls: gnutls_cli(&server, &files, VERSION, &[]).code() == 0,
    }
}

fn accepted_with(fault: Fault) -> Accepted {
    let lab = Lab::builder().delegate(true).build().unwrap();
    let leaf = lab.leaf(NAME).unwrap();
    let staple = lab.respond_with(&leaf, fault).unwrap().expect("a fault with bytes");
    accepted(&lab, &leaf, &staple)
}

#[test]
fn what_we_accept_everybody_accepts() {
    let lab = Lab::builder().delegate(true).build().unwrap();
    let leaf = lab.leaf(NAME).unwrap();
    for fault in Fault::ALL {
        // Nobody sends a nonce in a handshake, and what is longer than a handshake can hold our
        // server does not staple.
        let ours = match fault {
            Fault::Oversize => continue,
            Fault::NonceMismatch | Fault::NonceMissing => true,
            _ => fault.effect() == Effect::Trusted,
        };
        let Some(staple) = lab.respond_with(&leaf, fault).unwrap() else { continue };
        let accepted = accepted(&lab, &leaf, &staple);
        assert_eq!(accepted.by_us, ours, "{fault}: {accepted:?}");
        assert!(!ours || accepted.by_curl && accepted.by_gnutls, "{fault}: {accepted:?}");
    }
}

/// RFC 6960, 4.2.2.1 leaves clocks to local policy. 300 s are OpenSSL's, and ours; GnuTLS allows
/// nothing.
#[test]
fn two_minutes_after_the_end_gnutls_alone_refuses() {
    let validity = Duration::from_secs(86_400);
    let made = UnixTime::now().as_secs() - validity.as_secs() - 120;
    let made = UnixTime::since_unix_epoch(Duration::from_secs(made));
    let lab = Lab::builder().now(made).validity(validity).build().unwrap();
    let leaf = lab.leaf(NAME).unwrap();
    let accepted = accepted(&lab, &leaf, &lab.respond(&leaf));
    assert_eq!(accepted, Accepted { by_us: true, by_curl: true, by_gnutls: false });
}

/// RFC 6960, 4.2.2.1: without `nextUpdate` newer information is available all the time, so that 30
/// days are too long. GnuTLS allows 15 days and we one; OpenSSL allows any age.
#[test]
fn without_next_update_curl_believes_for_ever() {
    let accepted = accepted_with(Fault::VeryOld);
    assert_eq!(accepted, Accepted { by_us: false, by_curl: true, by_gnutls: false });
}

/// RFC 6960 does not say what two statements about one certificate mean; one of them says that it is
/// revoked. OpenSSL and GnuTLS look at the first alone.
#[test]
fn of_two_statements_only_we_hear_the_stricter() {
    let accepted = accepted_with(Fault::DuplicateResponses);
    assert_eq!(accepted, Accepted { by_us: false, by_curl: true, by_gnutls: true });
}
