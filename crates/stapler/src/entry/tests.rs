//! What takes whose place in the slot, and when.

use super::*;
use certstatus::message::OcspResponse;
use certstatus::time::unix;
use certstatus::{Limits, Verifier};
use certstatus_lab::{Lab, Leaf};

const NOW: u64 = 1_800_000_000;

struct Bench {
    lab: Lab,
    leaf: Leaf,
    entry: Entry,
}

impl Bench {
    fn new() -> Self {
        let validity = std::time::Duration::from_secs(1000);
        let lab = Lab::builder().now(unix(NOW)).validity(validity).build().unwrap();
        let leaf = lab.leaf("entry.example").unwrap();
        let certificate = Certificate::parse(leaf.certificate()).unwrap();
        let source = Unresolved { certificate: certificate.der().into(), responders: [].into() };
        let source = Source::Unresolved(Arc::new(source));
        let new = NewEntry { certificate: &certificate, label: None, source, now: unix(NOW) };
        let entry = Entry::new(new);
        Self { lab, leaf, entry }
    }

    /// What the responder signs so many seconds after the beginning.
    fn signed(&self, seconds: u64) -> VerifiedResponse {
        self.lab.set_now(unix(NOW + seconds));
        self.verified(&self.lab.respond(&self.leaf), seconds)
    }

    /// The same, signed so many seconds after what it says was known.
    fn signed_late(&self, seconds: u64, late: u64) -> VerifiedResponse {
        self.lab.set_now(unix(NOW + seconds));
        let der = self.lab.respond(&self.leaf);
        let Ok(OcspResponse::Successful(basic)) = OcspResponse::parse(&der, &Limits::default())
        else {
            panic!("the lab's response can be read");
        };
        let mut data = basic.data().clone();
        data.produced_at = unix(NOW + seconds + late);
        self.verified(&self.lab.sign(data).unwrap(), seconds)
    }

    fn verified(&self, der: &[u8], seconds: u64) -> VerifiedResponse {
        let issuer = Certificate::parse(self.leaf.issuer()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Verifier::new(provider.signature_verification_algorithms.all)
            .verify_serial(
                der,
                self.leaf.serial(),
                &Issuer::from_certificate(&issuer),
                unix(NOW + seconds),
            )
            .unwrap()
    }

    /// Offers that at a time, both in seconds after the beginning.
    fn offer(&self, response: &VerifiedResponse, at: u64) -> Offered {
        self.entry.offer(response.clone(), unix(NOW + at))
    }

    fn slot(&self) -> Option<VerifiedResponse> {
        self.entry.statement().as_deref().cloned()
    }
}

#[test]
fn the_newest_stays() {
    let bench = Bench::new();
    let (first, second) = (bench.signed(0), bench.signed(10));
    assert_eq!(bench.offer(&second, 10), Offered::Published);
    for older in [&first, &second] {
        assert_eq!(bench.offer(older, 10), Offered::NotNewer);
    }
    assert_eq!((bench.slot(), bench.entry.version()), (Some(second.clone()), 1));
    // Of what is over nobody cares how new it was.
    assert_eq!(bench.offer(&first, 1010), Offered::Published);
}

/// Before its time a client without any tolerance refuses it, be it signed or known too late.
#[test]
fn nothing_is_a_staple_before_its_time_or_after() {
    let bench = Bench::new();
    for response in [bench.signed(100), bench.signed_late(60, 40)] {
        let at = |seconds| is_staple(&response, unix(NOW + seconds));
        let end = response.expires().as_secs() - NOW;
        assert_eq!([99, 100, end - 1, end].map(at), [false, true, true, false]);
        assert_eq!(bench.offer(&response, 99), Offered::Upcoming);
    }
}

/// Two answers of one second that disagree: the stricter one stays.
#[test]
fn of_two_that_are_as_new_revoked_wins() {
    for good_first in [true, false] {
        let bench = Bench::new();
        let good = bench.signed(0);
        bench.lab.revoke(&bench.leaf, None);
        let revoked = bench.signed(0);
        let [first, second] = if good_first { [&good, &revoked] } else { [&revoked, &good] };
        assert_eq!(bench.offer(first, 0), Offered::Published);
        bench.offer(second, 0);
        assert_eq!(bench.slot().as_ref(), Some(&revoked), "good first: {good_first}");
    }
}

/// A revocation whose times cannot be read looks as old as can be, and takes the good staple away.
#[test]
fn odd_revocation_replaces_newer_good() {
    let bench = Bench::new();
    let good = bench.signed(10);
    bench.lab.revoke(&bench.leaf, None);
    bench.lab.set_now(unix(NOW + 10));
    let der = bench.lab.respond(&bench.leaf);
    let Ok(OcspResponse::Successful(basic)) = OcspResponse::parse(&der, &Limits::default()) else {
        panic!("the lab's response can be read");
    };
    let mut tbs = basic.tbs_der().to_vec();
    let times: Vec<usize> = (0..tbs.len() - 2).filter(|at| tbs[*at..][..2] == [0x18, 15]).collect();
    for at in &times[..3] {
        tbs[at + 2..at + 17].copy_from_slice(b"00010101000000Z");
    }
    let odd = bench.verified(&bench.lab.sign_encoded(&tbs).unwrap(), 10);
    assert!(matches!(odd.status(), CertStatus::Revoked(_)));
    assert!(odd.this_update() < good.this_update() && odd.irregularities().len() == 3);
    assert_eq!(bench.offer(&good, 10), Offered::Published);
    assert_eq!(bench.offer(&odd, 10), Offered::Published);
    assert_eq!(bench.slot(), Some(odd.clone()));
    assert_eq!(bench.offer(&odd, 10), Offered::NotNewer);
}

#[test]
fn what_has_come_meanwhile_does_not_expire_with_what_was_there() {
    let bench = Bench::new();
    let (first, second) = (bench.signed(0), bench.signed(999));
    bench.offer(&first, 0);
    assert_eq!(bench.entry.expire(unix(NOW + 999)), None);
    bench.offer(&second, 999);
    assert_eq!(bench.entry.expire(unix(NOW + 1000)), None);
    assert_eq!(bench.slot(), Some(second.clone()));
    assert_eq!(bench.entry.expire(unix(NOW + 1999)).as_deref(), Some(&second));
    assert_eq!((bench.slot(), bench.entry.version()), (None, 3));
    assert_eq!(bench.entry.expire(unix(NOW + 1999)), None);
}

#[test]
fn of_what_is_still_to_come_the_newest_comes_and_nothing_older_than_what_is_there() {
    let bench = Bench::new();
    let (near, far) = (bench.signed(100), bench.signed(200));
    for response in [&far, &near] {
        assert_eq!(bench.offer(response, 0), Offered::Upcoming);
    }
    assert_eq!((bench.entry.promote(unix(NOW + 199)), bench.slot()), (None, None));
    bench.lab.forget(&bench.leaf);
    let unknown = bench.signed(150);
    assert_eq!(bench.offer(&unknown, 150), Offered::Published);
    assert_eq!(bench.entry.promote(unix(NOW + 200)).as_deref(), Some(&far));
    assert_eq!(bench.slot(), Some(far));

    let bench = Bench::new();
    let (coming, newer) = (bench.signed(100), bench.signed(300));
    assert_eq!(bench.offer(&coming, 0), Offered::Upcoming);
    assert_eq!(bench.offer(&newer, 300), Offered::Published);
    assert_eq!(bench.entry.promote(unix(NOW + 300)), None, "it is older by now");
    assert_eq!(bench.slot(), Some(newer));
}
