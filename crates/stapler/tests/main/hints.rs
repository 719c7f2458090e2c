//! What responders say beside their answers, heard from the transport to the plan: how long caches keep
//! an answer, that it is still the same, that they want to be left alone. And how they are asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use certstatus::Limits;
use certstatus::message::OcspRequest;
use certstatus_lab::{Fault, LeafRequest};
use certstatus_stapler::fetch::{
    Answer, Caching, Content, HttpError, NonceMode, Question, Transport,
};
use certstatus_stapler::{BoxFuture, StapleHandle, StapleState, Stapler, Target};

use crate::support::{DAY, HOUR, Net, add, seconds, strict_client};

/// A network whose answers come with what a test says.
#[derive(Clone, Debug)]
struct Hinting {
    net: Net,
    says: Arc<Mutex<Says>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone, Debug, Default)]
struct Says {
    caching: Caching,
    /// To whoever names the entity tag: that nothing is new.
    unchanged: bool,
    /// In place of an answer: that the responder wants to be left alone for so long.
    busy: Option<u64>,
    /// The responder that is out of reach.
    dead: Option<&'static str>,
}

/// A question as it came, and when.
#[derive(Clone, Debug)]
struct Asked {
    at: u64,
    responder: String,
    post: bool,
    nonce: bool,
    etag: Option<String>,
}

impl Hinting {
    fn new(life: u64) -> Self {
        Self { net: Net::new(life), says: Arc::default(), asked: Arc::default() }
    }

    fn says(&self, fresh_for: Option<u64>, etag: Option<&str>) {
        let fresh_for = fresh_for.map(Duration::from_secs);
        self.says.lock().unwrap().caching = Caching { fresh_for, etag: etag.map(Into::into) };
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Transport for Hinting {
    fn ask<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        let request = OcspRequest::parse(question.request, &Limits::default()).unwrap();
        self.asked.lock().unwrap().push(Asked {
            at: self.net.since(),
            responder: question.responder.to_owned(),
            post: question.post,
            nonce: request.nonce().is_some(),
            etag: question.etag.map(str::to_owned),
        });
        let Says { caching, unchanged, busy, dead } = self.says.lock().unwrap().clone();
        Box::pin(async move {
            if dead == Some(question.responder) {
                let (url, reason) = (question.responder.to_owned(), "no route to host".into());
                return Err(HttpError::Connect { url, reason });
            }
            if let Some(pause) = busy {
                let (url, retry_after) = (question.responder.to_owned(), Some(seconds(pause)));
                return Err(HttpError::Status { url, status: 503, html: false, retry_after });
            }
            let known = question.etag.is_some() && question.etag == caching.etag.as_deref();
            let mut answer = self.net.ask(question).await?;
            if unchanged && known {
                answer.content = Content::NotModified;
            }
            Ok(Answer { caching, ..answer })
        })
    }

    fn certificates<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>> {
        self.net.certificates(url)
    }
}

async fn started(hinting: &Hinting) -> (Stapler, StapleHandle) {
    let leaf = hinting.net.leaf("www.example.org");
    let stapler = hinting.net.stapler().transport(hinting.clone()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!(handle.state(), StapleState::Good);
    (stapler, handle)
}

/// In minutes, when the second request of a responder with four-hour answers comes.
async fn second_request(fresh_for: Option<u64>) -> u64 {
    let hinting = Hinting::new(4 * HOUR);
    hinting.says(fresh_for, None);
    let (_stapler, _handle) = started(&hinting).await;
    tokio::time::sleep(seconds(2 * HOUR)).await;
    hinting.asked()[1].at / 60
}

/// Caches have something newer before a half of the life has passed: then it is asked for. They keep an
/// answer beyond that, or beyond its end: the answer's own times rule. They keep nothing: that makes no
/// storm.
#[tokio::test(start_paused = true)]
async fn headers_bring_the_refresh_forward_and_the_times_of_the_response_bound_it() {
    let plain = second_request(None).await;
    assert!((90..=113).contains(&plain), "{plain}");
    let sooner = second_request(Some(HOUR)).await;
    assert!((60..=68).contains(&sooner), "{sooner}");
    for later in [200 * 60, 400 * DAY] {
        let later = second_request(Some(later)).await;
        assert!((90..=113).contains(&later), "{later}");
    }
    let at_once = second_request(Some(0)).await;
    assert!((30..=38).contains(&at_once), "an eighth of the life has passed: {at_once}");
}

/// A responder, or a cache before it, that says for ever that its old answer is still the one: it is
/// believed while there is time, for no longer than three quarters of a life. Then the whole answer is
/// asked for, and there is no moment without a staple.
#[tokio::test(start_paused = true)]
async fn that_nothing_is_new_lengthens_no_life() {
    let hinting = Hinting::new(4 * HOUR);
    hinting.says(Some(10 * DAY), Some("\"one\""));
    hinting.says.lock().unwrap().unchanged = true;
    let (_stapler, handle) = started(&hinting).await;
    let first = handle.current().unwrap();
    while hinting.net.now() < first.expires() {
        assert!(handle.current().is_some());
        assert_eq!(handle.snapshot().failures, 0, "an answer is no failure");
        tokio::time::sleep(seconds(30)).await;
    }
    assert!(handle.current().unwrap().expires() > first.expires());
    let (early, late): (Vec<_>, Vec<_>) =
        hinting.asked().into_iter().partition(|asked| asked.at < 3 * HOUR);
    assert!((3..10).contains(&early.len()), "{early:?}");
    assert_eq!(early[0].etag, None);
    assert!(early[1..].iter().all(|asked| asked.etag.as_deref() == Some("\"one\"")), "{early:?}");
    assert_eq!(late[0].etag, None);
    assert_eq!(late.len(), 1, "the new answer is heard: {late:?}");
}

/// `Retry-After` is heard while the staple has the time for it, and not when it has not.
#[tokio::test(start_paused = true)]
async fn a_responder_that_wants_to_be_left_alone_is() {
    let hinting = Hinting::new(DAY);
    let (_stapler, handle) = started(&hinting).await;
    hinting.says.lock().unwrap().busy = Some(3000);
    tokio::time::sleep(seconds(DAY - HOUR)).await;
    let times: Vec<u64> = hinting.asked()[1..].iter().map(|asked| asked.at).collect();
    assert!(times.len() > 5, "{times:?}");
    for pair in times.windows(2) {
        let (pause, left) = (pair[1] - pair[0], DAY - pair[0]);
        assert!(pause >= 3000.min(left / 4) - 15, "{pause} s with {left} s left: {times:?}");
    }
    tokio::time::sleep(seconds(HOUR - 60)).await;
    assert_eq!(handle.state(), StapleState::Good);
    let late = hinting.asked().iter().filter(|asked| asked.at > DAY - HOUR / 2).count();
    assert!(late >= 3, "{late} attempts in the last half hour");
}

/// A nonce is sent when that is wanted, by POST, and has to come back, or may stay away; POST is used
/// when that is wanted; and if nothing is said neither is.
#[tokio::test(start_paused = true)]
async fn questions_are_asked_as_the_program_wants() {
    for (nonce, post, fault, state) in [
        (NonceMode::Off, false, None, StapleState::Good),
        (NonceMode::Off, true, None, StapleState::Good),
        (NonceMode::Required, false, None, StapleState::Good),
        (NonceMode::Required, false, Some(Fault::NonceMissing), StapleState::Missing),
        (NonceMode::Required, false, Some(Fault::NonceMismatch), StapleState::Missing),
        (NonceMode::IfPresent, false, None, StapleState::Good),
        (NonceMode::IfPresent, false, Some(Fault::NonceMissing), StapleState::Good),
        (NonceMode::IfPresent, false, Some(Fault::NonceMismatch), StapleState::Missing),
    ] {
        let hinting = Hinting::new(4 * DAY);
        hinting.net.set_fault(fault);
        let builder = hinting.net.stapler().transport(hinting.clone()).nonce(nonce);
        let builder = if post { builder.always_post() } else { builder };
        let stapler = builder.start().unwrap();
        let handle = add(&stapler, &hinting.net.leaf("www.example.org")).await;
        assert_eq!(handle.state(), state, "{nonce:?} {fault:?}: {:?}", handle.snapshot().error);
        let asked = hinting.asked().remove(0);
        let sent = nonce != NonceMode::Off;
        assert_eq!((asked.post, asked.nonce), (post || sent, sent), "{nonce:?}");
    }
}

/// All responders that the certificate itself names, in its order, when the ones before fail; and the
/// first again at the next refresh.
#[tokio::test(start_paused = true)]
async fn every_responder_of_the_certificate_has_its_turn() {
    let hinting = Hinting::new(4 * HOUR);
    let urls = ["http://one.example/a", "http://two.example/", "http://three.example"];
    let request = LeafRequest::new("www.example.org").responder_urls(urls.map(str::to_owned));
    let leaf = hinting.net.lab.issue(request).unwrap();
    hinting.net.set_fault(Some(Fault::Unauthorized));
    let stapler = hinting.net.stapler().transport(hinting.clone()).start().unwrap();
    let handle = stapler.add(Target::from_chain(leaf.chain())).unwrap();
    handle.ready().await;
    let asked = |from: usize| {
        let asked = hinting.asked();
        let gets = asked[from..].iter().filter(|asked| !asked.post);
        gets.map(|asked| asked.responder.clone()).collect::<Vec<_>>()
    };
    assert_eq!(asked(0), urls);
    let error = handle.snapshot().error.unwrap();
    assert!(urls.iter().all(|url| error.contains(url)), "{error}");
    assert_eq!(handle.snapshot().failures, 1, "one round is one failure");
    hinting.net.set_fault(None);
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(asked(6), urls[..1], "and the first that serves is the last that is asked");
    assert_eq!(strict_client(&handle, &leaf, hinting.net.now()), Some(true));
}

/// Right after issuance: the responder does not know the certificate, with an entity tag on that answer,
/// and a cache would say for days that this is still the one. It is not asked whether it still is.
#[tokio::test(start_paused = true)]
async fn that_a_certificate_is_unknown_is_never_taken_for_unchanged() {
    let hinting = Hinting::new(4 * DAY);
    hinting.says(None, Some("\"one\""));
    hinting.says.lock().unwrap().unchanged = true;
    let leaf = hinting.net.leaf("www.example.org");
    hinting.net.lab.forget(&leaf);
    let stapler = hinting.net.stapler().transport(hinting.clone()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!(handle.state(), StapleState::Unknown);
    hinting.net.lab.reinstate(&leaf);
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(strict_client(&handle, &leaf, hinting.net.now()), Some(true));
}

/// An entity tag is one of the responder that gave it: another may have the same for something else
/// (RFC 9110, 8.8.3), and is not asked by it.
#[tokio::test(start_paused = true)]
async fn an_entity_tag_is_shown_to_its_own_responder_alone() {
    const URLS: [&str; 2] = ["http://one.example/", "http://two.example/"];
    let hinting = Hinting::new(4 * HOUR);
    hinting.says(None, Some("\"one\""));
    let request = LeafRequest::new("www.example.org").responder_urls(URLS.map(str::to_owned));
    let leaf = hinting.net.lab.issue(request).unwrap();
    let stapler = hinting.net.stapler().transport(hinting.clone()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    hinting.says.lock().unwrap().dead = Some(URLS[0]);
    handle.changed(handle.version()).await;
    let asked: Vec<_> =
        hinting.asked().into_iter().map(|asked| (asked.responder, asked.etag.is_some())).collect();
    let expected = [(URLS[0], false), (URLS[0], true), (URLS[1], false)];
    assert_eq!(asked, expected.map(|(url, etag)| (url.to_owned(), etag)));
}
