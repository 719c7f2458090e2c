//! The process that is measured: a stapler with so many certificates, and nothing else in it.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use certstatus::message::OcspRequest;
use certstatus::{Certificate, Issuer, Limits, VerifiedResponse, Verifier};
use certstatus_stapler::fetch::{Answer, Caching, Content, HttpError, Method, Question, Transport};
use certstatus_stapler::{
    BoxFuture, DiskStore, Fingerprint, ResponderLimits, StapleState, Stapler, Store, StoreError,
    Target,
};
use rustix::time::{ClockId, clock_gettime};
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::population::{REFRESHED, read};
use crate::side_by_side::median;

/// Certificates that are refreshed in a round, and as many beside it that are verified and written.
const ROUND: usize = 20;

/// How many certificates are there before memory is counted.
pub(super) const FIRST: usize = 512;

/// Certificates that are added without a look at how far the others are.
const PORTION: usize = 64;

/// A responder without a network: it has the newer responses, by serial number.
#[derive(Clone, Debug, Default)]
struct Prepared(Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>);

impl Transport for Prepared {
    fn ask<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        let request = OcspRequest::parse(question.request, &Limits::default()).expect("a request");
        let serial = &request.requests[0].cert_id.serial_number;
        let body = self.0.lock().expect("no panic").remove(serial.as_ref()).expect("asked once");
        let answer = Answer {
            content: Content::Response(body),
            method: Method::Get,
            caching: Caching::default(),
        };
        Box::pin(std::future::ready(Ok(answer)))
    }

    fn certificates<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>> {
        Box::pin(std::future::ready(Err(HttpError::NoCertificate { url: url.to_owned() })))
    }
}

/// A disk store that counts what it has saved.
#[derive(Clone, Debug)]
struct Counting(DiskStore, Arc<AtomicUsize>);

impl Store for Counting {
    fn load<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        self.0.load(id)
    }

    fn load_each<'a>(
        &'a self,
        ids: &'a [Fingerprint],
    ) -> BoxFuture<'a, Vec<Result<Option<Vec<u8>>, StoreError>>> {
        self.0.load_each(ids)
    }

    fn save<'a>(
        &'a self,
        id: &'a Fingerprint,
        response: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.0.save(id, response).await?;
            self.1.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    }

    fn remove<'a>(&'a self, id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.remove(id)
    }
}

/// Measures and prints a line per figure, for the parent.
pub(crate) fn run(size: usize, idle: Duration, directory: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(measure(size, idle, directory));
}

async fn measure(size: usize, idle: Duration, directory: &Path) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let store = DiskStore::open(directory.join("store")).expect("the store");
    let (prepared, saved) = (Prepared::default(), Arc::new(AtomicUsize::new(0)));
    let (cpu, begun) = (cpu_time(), Instant::now());
    let stapler = Stapler::builder(provider)
        .store(Counting(store.clone(), Arc::clone(&saved)))
        .transport(prepared.clone())
        .responder_limits(ResponderLimits::new(1, 1_000_000))
        .start()
        .expect("a stapler");
    // The first ones pay for what is there once: threads, their stacks, the heap.
    let first = (size / 2).min(FIRST);
    add_all(&stapler, 0..first, directory).await;
    stapler.ready().await;
    let before = resident_bytes();
    add_all(&stapler, first..size, directory).await;
    stapler.ready().await;
    println!("start_s {}", begun.elapsed().as_secs_f64());
    let start_cpu = cpu_time() - cpu;
    println!("start_cpu_s {start_cpu}");
    let staples = read(directory, "staples").take(size).skip(first);
    let staples: usize = staples.map(|staple| staple.len()).sum();
    let kept = resident_bytes().saturating_sub(before).saturating_sub(staples);
    println!("kib_each {}", kept as f64 / 1024.0 / (size - first) as f64);
    let good = stapler.snapshot().iter().filter(|one| one.state == StapleState::Good).count();
    assert_eq!(good, size, "every staple comes from the store");

    let (cpu, begun) = (cpu_time(), Instant::now());
    tokio::time::sleep(idle).await;
    println!("idle_share {}", (cpu_time() - cpu) / begun.elapsed().as_secs_f64());

    let refreshed = size.min(REFRESHED);
    let leaves: Vec<_> = read(directory, "leaves").take(refreshed).collect();
    let newer: Vec<_> = read(directory, "newer").take(refreshed).collect();
    let issuer = std::fs::read(directory.join("issuer")).expect("the issuer");
    let issuer = Certificate::parse(&issuer).expect("a certificate");
    let issuer = Issuer::from_certificate(&issuer);
    // Each staple has to be verified once: the least that a start can take.
    let least = size as f64 * verification(&issuer, &leaves, &newer);
    println!("start_ratio {}", start_cpu / least);
    let (mut ours, mut theirs, mut ratios, mut cpu) = (vec![], vec![], vec![], 0.0);
    let rounds = leaves.chunks(2 * ROUND).zip(newer.chunks(2 * ROUND));
    for (leaves, newer) in rounds.filter(|(leaves, _)| leaves.len() == 2 * ROUND) {
        let (our_leaves, their_leaves) = leaves.split_at(ROUND);
        let (our_newer, their_newer) = newer.split_at(ROUND);
        for (leaf, response) in our_leaves.iter().zip(our_newer) {
            let serial = Certificate::parse(leaf).expect("a leaf").serial_number().to_vec();
            prepared.0.lock().expect("no panic").insert(serial, response.clone());
        }
        let (cpu_before, begun) = (cpu_time(), Instant::now());
        let wanted = saved.load(Ordering::SeqCst) + ROUND;
        for leaf in our_leaves {
            assert!(stapler.refresh(&Fingerprint::of(leaf)));
        }
        while saved.load(Ordering::SeqCst) < wanted {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        let our_time = begun.elapsed().as_secs_f64();
        cpu += cpu_time() - cpu_before;
        let begun = Instant::now();
        for (leaf, response) in their_leaves.iter().zip(their_newer) {
            verify_and_write(&store, &issuer, leaf, response).await;
        }
        let their_time = begun.elapsed().as_secs_f64();
        ours.push(our_time / ROUND as f64);
        theirs.push(their_time / ROUND as f64);
        ratios.push(our_time / their_time);
    }
    println!("refresh_cpu_s {}", cpu / (ours.len() * ROUND) as f64);
    println!("refresh_s {}", median(ours));
    println!("verify_write_s {}", median(theirs));
    println!("ratio {}", median(ratios));
}

/// Adds these certificates, as a program does that has many.
async fn add_all(stapler: &Stapler, numbers: Range<usize>, directory: &Path) {
    let issuer = std::fs::read(directory.join("issuer")).expect("the issuer");
    let issuer = CertificateDer::from(issuer);
    let leaves = read(directory, "leaves").take(numbers.end).skip(numbers.start);
    for (number, leaf) in leaves.enumerate() {
        if number % PORTION == 0 {
            stapler.keep_pace().await;
        }
        let chain = [CertificateDer::from(leaf), issuer.clone()];
        stapler.add(Target::from_chain(&chain)).expect("a certificate");
    }
}

/// Seconds of a core that one verification takes.
fn verification(issuer: &Issuer<'_>, leaves: &[Vec<u8>], responses: &[Vec<u8>]) -> f64 {
    let portions = leaves.chunks(ROUND).zip(responses.chunks(ROUND)).map(|(leaves, responses)| {
        let cpu = cpu_time();
        for (leaf, response) in leaves.iter().zip(responses) {
            std::hint::black_box(verify(issuer, leaf, response));
        }
        (cpu_time() - cpu) / leaves.len() as f64
    });
    median(portions.collect())
}

fn verify(issuer: &Issuer<'_>, leaf: &[u8], response: &[u8]) -> VerifiedResponse {
    let certificate = Certificate::parse(leaf).expect("a certificate");
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
    let verifier = Verifier::new(algorithms);
    let verified = verifier.verify(response, &certificate, issuer, UnixTime::now());
    verified.expect("a good response")
}

/// The least that a refresh can be.
async fn verify_and_write(store: &DiskStore, issuer: &Issuer<'_>, leaf: &[u8], response: &[u8]) {
    let verified = verify(issuer, leaf, response);
    store.save(&Fingerprint::of(leaf), &verified).await.expect("written");
}

/// Seconds that this process has used of all cores.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Counted page by page: what `/proc/self/status` has may be off by a quarter of a MiB.
fn resident_bytes() -> usize {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux");
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).expect("Rss");
    let kib = line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number");
    kib * 1024
}
