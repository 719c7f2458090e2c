//! Stores: what outlives a restart, what is believed of it, and what a kill leaves behind.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use certstatus::VerifiedResponse;
use certstatus::time::unix;
use certstatus_lab::{Fault, Lab, Leaf};
use certstatus_stapler::{
    BoxFuture, DiskStore, EventKind, Fingerprint, MemoryStore, StapleState, Store, StoreError,
    Target,
};
use rustls_pki_types::CertificateDer;

use crate::support::{DAY, Diary, HOUR, NOW, Net, add, seconds, strict_client, verify, verify_der};

/// Waits in real time, while the paused one stands still, until the disk has done its part.
async fn on_disk(path: &Path, there: bool) {
    for _ in 0..1000 {
        if path.exists() == there {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("{} is not as it should be", path.display());
}

#[tokio::test(start_paused = true)]
async fn a_restart_has_its_staples_at_once_and_asks_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let store = DiskStore::open(directory.path()).unwrap();
    let net = Net::new(4 * DAY);
    let leaf = net.leaf("www.example.org");
    let path = store.path(&Fingerprint::of(leaf.certificate()));
    let stapler = net.stapler().store(store.clone()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    let staple = handle.current().unwrap();
    stapler.shut_down().await;
    assert_eq!(fs::read(&path).unwrap(), staple.der(), "as nginx wants it: DER and nothing else");
    drop(stapler);

    net.set_fault(Some(Fault::ConnectionReset));
    tokio::time::sleep(seconds(HOUR)).await;
    let stapler = net.stapler().store(store.clone()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!(handle.current().unwrap().der(), staple.der());
    assert_eq!(net.asked(), 1);
    net.set_fault(None);
    tokio::time::sleep(seconds(2 * DAY)).await;
    assert_eq!(net.asked(), 2, "and refreshes it when it is due");
}

/// Foreign, corrupt, forged and old files: none is stapled, none is fatal.
#[tokio::test(start_paused = true)]
async fn what_is_no_staple_is_set_aside_and_reported() {
    let net = Net::new(4 * DAY);
    let leaf = net.leaf("www.example.org");
    let other = net.lab.respond(&net.leaf("other.example.org"));
    let forged = net.lab.respond_with(&leaf, Fault::BadSignature).unwrap().unwrap();
    let namesake = net.lab.respond_with(&leaf, Fault::DelegateOfNamesake).unwrap().unwrap();
    let try_later = net.lab.respond_with(&leaf, Fault::TryLater).unwrap().unwrap();
    let good = net.lab.respond(&leaf);
    let truncated = good[..good.len() - 1].to_vec();
    let long = vec![0x30; 1 << 20];
    let html = b"<html>".to_vec();
    for wrong in [vec![], html, truncated, long, other, forged, namesake, try_later] {
        let directory = tempfile::tempdir().unwrap();
        let store = DiskStore::open(directory.path()).unwrap();
        let path = store.path(&Fingerprint::of(leaf.certificate()));
        fs::write(&path, &wrong).unwrap();
        let diary = Diary::default();
        let stapler = net.stapler().store(store).on_event(diary.observer()).start().unwrap();
        let handle = add(&stapler, &leaf).await;
        assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
        assert_eq!(diary.names(), ["set aside", "stapled"]);
        let EventKind::SetAside { place, .. } = &diary.events()[0].kind else { panic!() };
        assert_eq!(fs::read(Path::new(&**place.as_ref().unwrap())).unwrap(), wrong);
        stapler.shut_down().await;
        assert!(verify(&fs::read(&path).unwrap(), &leaf, net.now()).is_some());
    }
}

/// What has expired lies there no longer, for a server that staples whatever it finds; the same for
/// a certificate that is revoked, or not wanted any more.
#[tokio::test(start_paused = true)]
async fn what_must_not_be_stapled_is_not_left_lying() {
    let directory = tempfile::tempdir().unwrap();
    let store = DiskStore::open(directory.path()).unwrap();
    let net = Net::new(4 * HOUR);
    let stapler = net.stapler().store(store.clone()).start().unwrap();
    let leaves = ["expired", "revoked", "removed"].map(|name| net.leaf(name));
    let paths = leaves.each_ref().map(|leaf| store.path(&Fingerprint::of(leaf.certificate())));
    for (leaf, path) in leaves.iter().zip(&paths) {
        add(&stapler, leaf).await;
        on_disk(path, true).await;
    }
    assert!(stapler.remove(&Fingerprint::of(leaves[2].certificate())));
    on_disk(&paths[2], false).await;
    net.lab.revoke(&leaves[1], None);
    tokio::time::sleep(seconds(2 * HOUR)).await;
    on_disk(&paths[1], false).await;
    assert!(paths[0].exists());
    net.set_fault(Some(Fault::Http500));
    tokio::time::sleep(seconds(5 * HOUR)).await;
    on_disk(&paths[0], false).await;
    let id = Fingerprint::of(leaves[0].certificate());
    assert_eq!(stapler.handle(&id).unwrap().state(), StapleState::Missing);
}

/// A certificate is removed while its responder is asked: what comes back is kept nowhere, and when it is
/// added again it has a staple as any other.
#[tokio::test(start_paused = true)]
async fn what_is_removed_while_it_is_asked_about_leaves_nothing_behind() {
    let (net, store) = (Net::new(4 * DAY), MemoryStore::new());
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().store(store.clone()).start().unwrap();
    let handle = stapler.add(Target::from_chain(leaf.chain())).unwrap();
    let id = handle.certificate();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(net.asked(), 1);
    assert!(stapler.remove(&id) && !stapler.remove(&id));
    handle.ready().await;
    tokio::time::sleep(seconds(1)).await;
    assert_eq!((store.load(&id).await.unwrap(), handle.current()), (None, None));
    let again = add(&stapler, &leaf).await;
    assert_eq!(strict_client(&again, &leaf, net.now()), Some(true));
    assert!(store.load(&id).await.unwrap().is_some());
    tokio::time::sleep(seconds(10 * DAY)).await;
    assert_eq!(strict_client(&again, &leaf, net.now()), Some(true));
    assert_eq!(handle.current(), None, "the handle of before is not that of now");
}

/// A stored response says that the certificate is revoked, or unknown: that is told as what it is, and
/// unless it is to be stapled it is not left for a server that staples whatever it finds. Of one that
/// is unknown the responder is asked all the same: it may have learnt of it since.
#[tokio::test(start_paused = true)]
async fn what_is_stored_is_told_of_as_what_it_says() {
    for any_status in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let store = DiskStore::open(directory.path()).unwrap();
        let (net, diary) = (Net::new(4 * DAY), Diary::default());
        let (revoked, unknown) = (net.leaf("revoked.example"), net.leaf("unknown.example"));
        net.lab.revoke(&revoked, None);
        net.lab.forget(&unknown);
        let path = |leaf: &Leaf| store.path(&Fingerprint::of(leaf.certificate()));
        for leaf in [&revoked, &unknown] {
            fs::write(path(leaf), net.lab.respond(leaf)).unwrap();
        }
        net.lab.reinstate(&unknown);
        let builder = net.stapler().store(store.clone()).on_event(diary.observer());
        let builder = if any_status { builder.staple_any_status() } else { builder };
        let stapler = builder.start().unwrap();
        let handle = add(&stapler, &revoked).await;
        assert_eq!((handle.state(), diary.names()), (StapleState::Revoked, vec!["revoked"]));
        assert_eq!(handle.current().is_some(), any_status);
        assert_eq!(path(&revoked).exists(), any_status);
        let handle = add(&stapler, &unknown).await;
        tokio::time::sleep(seconds(60)).await;
        assert_eq!(strict_client(&handle, &unknown, net.now()), Some(true));
        assert_eq!((net.asked(), diary.names()), (1, vec!["revoked", "stapled"]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_reported_and_costs_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let store = DiskStore::open(directory.path().join("gone")).unwrap();
    fs::remove_dir_all(directory.path().join("gone")).unwrap();
    let (net, diary) = (Net::new(4 * HOUR), Diary::default());
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().store(store).on_event(diary.observer()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
    assert!(diary.names().contains(&"store failed"), "{:?}", diary.names());
}

/// A store with a defect.
#[derive(Debug)]
struct Defective;

type Outcome<T> = Result<T, StoreError>;

impl Store for Defective {
    fn load<'a>(&'a self, _: &'a Fingerprint) -> BoxFuture<'a, Outcome<Option<Vec<u8>>>> {
        panic!("a defect of the store, as it is meant to be");
    }

    fn save<'a>(
        &'a self,
        _: &'a Fingerprint,
        _: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Outcome<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn remove<'a>(&'a self, _: &'a Fingerprint) -> BoxFuture<'a, Outcome<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Of those that were to be loaded together none is forgotten.
#[tokio::test(start_paused = true)]
async fn a_store_that_panics_leaves_every_certificate_to_its_responder() {
    let net = Net::new(4 * HOUR);
    let stapler = net.stapler().store(Defective).start().unwrap();
    let leaves = ["one.example", "two.example", "three.example"].map(|name| net.leaf(name));
    for leaf in &leaves {
        stapler.add(Target::from_chain(leaf.chain())).unwrap();
    }
    stapler.ready().await;
    for leaf in &leaves {
        let handle = stapler.handle(&Fingerprint::of(leaf.certificate())).unwrap();
        assert_eq!(strict_client(&handle, leaf, net.now()), Some(true));
    }
    assert_eq!(net.asked(), leaves.len());
}

/// The variable that makes this test binary a writer: the directory with its work.
const WRITER: &str = "CERTSTATUS_TEST_WRITER";

/// How many certificates are written.
const FILES: usize = 4;

/// The other process of the next test: it writes one of two responses for each certificate, again
/// and again, until it is killed.
#[tokio::test]
async fn writer() {
    let Some(work) = std::env::var_os(WRITER) else { return };
    let work = Path::new(&work);
    let read = |name: String| fs::read(work.join(name)).unwrap();
    let issuer = read("issuer".into());
    let mut responses = Vec::new();
    for number in 0..FILES {
        let leaf = read(format!("{number}.leaf"));
        for version in 0..2 {
            let response = read(format!("{number}.{version}"));
            let verified = verify_der(&response, &leaf, &issuer, unix(NOW + 5)).unwrap();
            responses.push((Fingerprint::of(&leaf), verified));
        }
    }
    let store = DiskStore::open(work.join("store")).unwrap();
    println!("writing");
    loop {
        for (id, response) in &responses {
            store.save(id, response).await.unwrap();
        }
    }
}

/// Killed at any instant, the writer leaves the old response or the new one: whole, and to be
/// trusted.
#[tokio::test(start_paused = true)]
async fn a_kill_at_any_instant_leaves_a_store_that_can_be_read() {
    let net = Net::new(4 * DAY);
    let work = tempfile::tempdir().unwrap();
    let leaves: Vec<Leaf> =
        (0..FILES).map(|number| net.leaf(&format!("{number}.example"))).collect();
    write_work(&net.lab, &leaves, work.path());
    for kill in 0..40u64 {
        let mut writer = start_writer(work.path());
        std::thread::sleep(Duration::from_micros(500 + 7919 * kill % 20_000));
        if kill == 0 {
            for leaf in &leaves {
                let file = format!("store/{}.der", Fingerprint::of(leaf.certificate()));
                on_disk(&work.path().join(file), true).await;
            }
        }
        writer.kill().unwrap();
        writer.wait().unwrap();

        let store = DiskStore::open(work.path().join("store")).unwrap();
        for (number, leaf) in leaves.iter().enumerate() {
            let id = Fingerprint::of(leaf.certificate());
            let found = store.load(&id).await.unwrap().expect("it is always there");
            let versions = [0, 1]
                .map(|version| fs::read(work.path().join(format!("{number}.{version}"))).unwrap());
            assert!(versions.contains(&found), "{} bytes after kill {kill}", found.len());
        }
    }
    // A stapler that starts on what is left has every staple, without a responder.
    net.set_fault(Some(Fault::ConnectionReset));
    tokio::time::sleep(seconds(10)).await;
    let store = DiskStore::open(work.path().join("store")).unwrap();
    let stapler = net.stapler().store(store).start().unwrap();
    for leaf in &leaves {
        let handle = stapler.add(Target::from_chain(leaf.chain())).unwrap();
        handle.ready().await;
        assert_eq!(strict_client(&handle, leaf, net.now()), Some(true));
    }
    assert_eq!(net.asked(), 0);
}

fn write_work(lab: &Lab, leaves: &[Leaf], work: &Path) {
    let write = |name: String, contents: &[u8]| fs::write(work.join(name), contents).unwrap();
    let issuer: &CertificateDer<'_> = lab.intermediate();
    write("issuer".into(), issuer);
    for version in 0..2 {
        lab.set_now(unix(NOW + version));
        for (number, leaf) in leaves.iter().enumerate() {
            write(format!("{number}.leaf"), leaf.certificate());
            write(format!("{number}.{version}"), &lab.respond(leaf));
        }
    }
}

/// This test binary, as a writer that has begun.
fn start_writer(work: &Path) -> std::process::Child {
    use std::io::BufRead;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stores::writer", "--nocapture", "--test-threads=1"])
        .env(WRITER, work)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("writing")), "the writer did not begin");
    child
}

/// Who adds many keeps pace with the loads, and waits for nobody: not for those that were removed
/// before their turn came, and not for a stapler that has ended.
#[tokio::test(start_paused = true)]
async fn those_who_add_many_keep_pace_and_never_wait_in_vain() {
    let net = Net::new(4 * DAY);
    let stapler = net.stapler().start().unwrap();
    let chains: Vec<Vec<_>> =
        (0..600).map(|number| net.leaf(&format!("{number}.example")).chain().to_vec()).collect();
    let waiting = seconds(60);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    for around in 0..2 {
        // The runtime has one thread: nothing is loaded before the first wait.
        let handles: Vec<_> =
            chains.iter().map(|chain| stapler.add(Target::from_chain(chain)).unwrap()).collect();
        assert!(handles.iter().all(|handle| handle.snapshot().issuer.is_none()));
        if around == 0 {
            handles.iter().for_each(|handle| assert!(stapler.remove(&handle.certificate())));
        }
        tokio::time::timeout(waiting, stapler.keep_pace()).await.unwrap();
        let left = handles.iter().filter(|handle| handle.snapshot().issuer.is_none()).count();
        assert!(around == 0 || left <= 128 * cores, "{left} wait");
    }
    stapler.shut_down().await;
    tokio::time::timeout(waiting, stapler.keep_pace()).await.unwrap();
}
