//! A hit of the cache of verified staples, beside the verification that it saves.

use certstatus::{Certificate, Issuer, Verifier};
use certstatus_lab::{KeyKind, Lab};
use certstatus_rustls::CachedVerifier;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::UnixTime;

use crate::side_by_side::{Contestant, Effort, measure};

/// Measures and prints the table.
pub(crate) fn run(effort: Effort) {
    println!("The cache of verified staples, µs per call\n");
    println!("{:<20}{:>12}{:>12}   {:>7}", "", "verify", "hit", "allocs");
    for delegated in [false, true] {
        row(effort, delegated);
    }
    println!();
}

fn row(effort: Effort, delegated: bool) {
    let key = KeyKind::EcdsaP256;
    let lab = Lab::builder().key(key);
    let lab = if delegated { lab.delegated(key) } else { lab };
    let lab = lab.build().expect("the lab");
    let leaf = lab.leaf("bench.example").expect("a certificate");
    let response = lab.respond(&leaf);
    let issuer = Certificate::parse(lab.intermediate()).expect("the issuer");
    let issuer = Issuer::from_certificate(&issuer);
    let certificate = Certificate::parse(leaf.certificate()).expect("the certificate");
    let verifier =
        Verifier::new(aws_lc_rs::default_provider().signature_verification_algorithms.all);
    let now = UnixTime::now();

    let cached = CachedVerifier::new(verifier, 1024);
    let hit = || cached.verify(&response, &certificate, &issuer, now).expect("a known response");
    hit();
    let results = measure(
        effort,
        vec![
            Contestant::new("verify", || verifier.verify(&response, &certificate, &issuer, now)),
            Contestant::new("hit", hit),
        ],
    );
    let allocations = allocation_counter::measure(|| {
        std::hint::black_box(hit());
    });
    println!(
        "{:<20}{:>12.1}{:>12}   {:>7}",
        format!("{key} {}", if delegated { "delegate" } else { "issuer" }),
        results.nanoseconds("verify") / 1000.0,
        crate::judged(results.nanoseconds("hit") / 1000.0, "≤", 2.0),
        allocations.count_total,
    );
}
