//! Everything from the network has a bound, and whoever meets it is told which: the time for the
//! connection, the time in all, redirects, the length of a body.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use certstatus_stapler::fetch::{AttemptError, Http, HttpBuilder, HttpError, Transport};
use tokio::net::TcpSocket;

use crate::http::{OCSP, Server, http, lab, query, receive, response};
use crate::support::provider;

/// Longer than anything here may take, so that only the bound that is meant can end it.
const LONG: Duration = Duration::from_secs(60);

/// How long a machine that is busy may take to notice a bound of less than a second.
const NOTICED: Duration = Duration::from_secs(20);

/// Asks that address, and gives the error with the time that it took.
async fn refused(http: HttpBuilder, url: &str) -> (HttpError, Duration) {
    let (lab, leaf) = lab();
    let begun = Instant::now();
    match query(http, &lab, &leaf, url, None).await.unwrap_err() {
        AttemptError::Http(error) => (error, begun.elapsed()),
        error => panic!("{error}"),
    }
}

/// A server that treats each connection, once the request is read, as a function says.
fn serve(treat: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/ocsp", listener.local_addr().unwrap());
    let treat = Arc::new(treat);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let treat = Arc::clone(&treat);
            std::thread::spawn(move || receive(&stream).map(|_| treat(stream)));
        }
    });
    url
}

/// Nobody takes the connections of this address, and its queue is full: whoever connects waits. A
/// bound on the whole would end that as well, but much later, and the next responder would wait.
#[tokio::test]
async fn a_connection_that_does_not_come_about_is_given_up_by_itself() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queued.push(stream);
        assert!(queued.len() < 100, "the queue has no end");
    }
    let short = Duration::from_millis(300);
    for (timeout, connect_timeout) in [(LONG, short), (short, LONG)] {
        let http = Http::builder(provider()).timeout(timeout).connect_timeout(connect_timeout);
        let (error, took) = refused(http, &format!("http://{address}/ocsp")).await;
        assert!(took < NOTICED, "{took:?}");
        assert!(error.is_outage(), "{error:?}");
        // Where the two are the same, either may be noticed first.
        let said = error.to_string();
        let which = said.contains("cannot be reached") || connect_timeout == LONG;
        assert!(which && said.contains("300ms"), "{said}");
    }
}

/// What has begun is ended too: a responder that takes the request and says nothing, and one that
/// never comes to the end of its answer.
#[tokio::test]
async fn an_answer_that_does_not_end_is_given_up() {
    let silent = serve(|stream| {
        std::thread::sleep(LONG);
        drop(stream);
    });
    let dripping = serve(|mut stream| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n{OCSP}\r\n");
        let _ = stream.write_all(head.as_bytes());
        // Each byte comes soon after the one before: only the time in all tells.
        while stream.write_all(&[0x30]).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    for url in [silent, dripping] {
        let http = Http::builder(provider()).timeout(Duration::from_millis(400));
        let (error, took) = refused(http, &url).await;
        assert!(matches!(error, HttpError::Timeout { .. }), "{error:?}");
        assert!(error.to_string().contains("did not answer within 400ms"), "{error}");
        assert!((Duration::from_millis(400)..NOTICED).contains(&took), "{took:?}");
    }
}

/// Five redirects are followed, and not one more: to a loop no more than six requests are sent.
#[tokio::test]
async fn redirects_have_an_end() {
    let (lab, leaf) = lab();
    for hops in [5, usize::MAX] {
        let der = lab.respond(&leaf);
        let asked = AtomicUsize::new(0);
        let server =
            Server::start([127, 0, 0, 1], move |_| match asked.fetch_add(1, Ordering::SeqCst) {
                number if number < hops => {
                    response("302 Found", &format!("location: /hop/{number}\r\n"), b"")
                }
                _ => response("200 OK", OCSP, &der),
            });
        let reply = query(http(), &lab, &leaf, &server.url, None).await;
        assert_eq!(server.seen().len(), 6);
        match reply {
            Ok(_) => assert_eq!(hops, 5),
            Err(AttemptError::Http(HttpError::Redirects { .. })) => assert_ne!(hops, 5),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A body without an end is not read to its end, be it a response or a certificate, and be its length
/// announced or not.
#[tokio::test]
async fn a_body_has_a_limit() {
    let sent = Arc::new(AtomicUsize::new(0));
    for announced in ["content-length: 1000000000\r\n", ""] {
        let counted = Arc::clone(&sent);
        let url = serve(move |mut stream| {
            let head = format!("HTTP/1.1 200 OK\r\n{announced}connection: close\r\n{OCSP}\r\n");
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(&[0x30; 4096]).is_ok() {
                counted.fetch_add(4096, Ordering::SeqCst);
            }
        });
        let (lab, leaf) = lab();
        let http = || Http::builder(provider()).timeout(LONG);
        let begun = Instant::now();
        let error = query(http(), &lab, &leaf, &url, None).await.unwrap_err();
        assert!(error.to_string().contains("65,536") || error.to_string().contains("65536"));
        assert!(error.is_untrusted(), "an answer came, and it is none: {error:?}");
        let error = http().build().unwrap().certificates(&url).await.unwrap_err();
        assert!(matches!(error, HttpError::TooLong { .. }), "{error:?}");
        assert!(begun.elapsed() < NOTICED, "{:?}", begun.elapsed());
    }
    // What the sockets between the two hold is more than what is read of it.
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 64 << 20, "{sent} bytes were taken");
}
