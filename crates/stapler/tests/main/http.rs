//! The transport of every day, over real sockets: what HTTP says is heard.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use certstatus::message::HashAlgorithm;
use certstatus::time::unix;
use certstatus::{Certificate, Freshness, Issuer};
use certstatus_lab::{Lab, Leaf};
use certstatus_stapler::fetch::{
    AttemptError, Http, HttpBuilder, Method, NonceMode, Query, Reply, ask,
};
use certstatus_stapler::{StapleState, Stapler, Target};
use rustls_pki_types::UnixTime;

use crate::support::{DAY, provider};

/// A request as it came: its first line, its header fields, its body.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    fields: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn is_post(&self) -> bool {
        self.line.starts_with("POST ")
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.fields.iter().filter_map(|field| field.split_once(": "));
        fields.clone().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A server that answers as a function says, until the process ends.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(
        address: impl Into<IpAddr>,
        answer: impl Fn(&Request) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address.into(), 0)).unwrap();
        let url = format!("http://{}/ocsp", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Some(request) = receive(&stream) else { continue };
                let answer = answer(&request);
                log.lock().unwrap().push(request);
                let _ = stream.write_all(&answer);
            }
        });
        Self { url, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

pub(crate) fn receive(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut request =
        Request { line: lines.first()?.clone(), fields: lines.split_off(1), body: Vec::new() };
    let length = request.field("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

pub(crate) fn response(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n");
    [head.as_bytes(), fields.as_bytes(), b"\r\n", body].concat()
}

pub(crate) const OCSP: &str = "content-type: application/ocsp-response\r\n";

pub(crate) async fn query(
    http: HttpBuilder,
    lab: &Lab,
    leaf: &Leaf,
    url: &str,
    etag: Option<&str>,
) -> Result<Reply, AttemptError> {
    query_by(http, lab, leaf, url, etag, false).await
}

/// The same by POST.
async fn post(http: HttpBuilder, lab: &Lab, leaf: &Leaf, url: &str) -> Result<Reply, AttemptError> {
    query_by(http, lab, leaf, url, None, true).await
}

async fn query_by(
    http: HttpBuilder,
    lab: &Lab,
    leaf: &Leaf,
    url: &str,
    etag: Option<&str>,
    post: bool,
) -> Result<Reply, AttemptError> {
    let issuer = Certificate::parse(lab.intermediate()).unwrap();
    let query = Query {
        serial_number: leaf.serial(),
        issuer: &Issuer::from_certificate(&issuer),
        provider: &provider(),
        post,
        nonce: NonceMode::Off,
        hash: HashAlgorithm::Sha1,
        trusted_responders: &[],
        freshness: Freshness::default(),
        etag,
        now: UnixTime::now(),
    };
    ask(&http.build().unwrap(), &query, url).await
}

pub(crate) fn http() -> HttpBuilder {
    Http::builder(provider()).timeout(Duration::from_secs(5))
}

pub(crate) fn lab() -> (Lab, Leaf) {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("www.example.org").unwrap();
    (lab, leaf)
}

#[tokio::test]
async fn caching_headers_and_entity_tags_are_heard() {
    let (lab, leaf) = lab();
    let der = lab.respond(&leaf);
    let fields = format!("{OCSP}cache-control: max-age=600\r\nage: 100\r\netag: \"one\"\r\n");
    let server =
        Server::start([127, 0, 0, 1], move |request| match request.field("if-none-match") {
            Some("\"one\"") => response("304 Not Modified", "cache-control: max-age=50\r\n", b""),
            _ => response("200 OK", &fields, &der),
        });
    let first = query(http(), &lab, &leaf, &server.url, None).await.unwrap();
    let Reply::Fetched(fetched) = first else { panic!("{first:?}") };
    assert_eq!(fetched.method, Method::Get);
    assert_eq!(fetched.caching.fresh_for, Some(Duration::from_secs(500)));
    assert_eq!(fetched.caching.etag.as_deref(), Some("\"one\""));
    let again = query(http(), &lab, &leaf, &server.url, Some("\"one\"")).await.unwrap();
    let Reply::NotModified(caching) = again else { panic!("{again:?}") };
    assert_eq!(caching.fresh_for, Some(Duration::from_secs(50)));
    let other = query(http(), &lab, &leaf, &server.url, Some("\"two\"")).await.unwrap();
    assert!(matches!(other, Reply::Fetched(_)));
}

/// A cache on the way gives an answer beyond its end: it is passed by, once, and only then (RFC 5019,
/// 6.2). Who has an expired answer all the same has nothing.
#[tokio::test]
async fn a_cache_that_keeps_what_has_expired_is_passed_by() {
    let (lab, leaf) = lab();
    let fresh = lab.respond(&leaf);
    lab.set_now(unix(UnixTime::now().as_secs() - 30 * DAY));
    let expired = lab.respond(&leaf);
    for recovers in [true, false] {
        let (given, expired) = (fresh.clone(), expired.clone());
        let server = Server::start([127, 0, 0, 1], move |request| {
            let passed_by = request.field("cache-control") == Some("no-cache");
            response("200 OK", OCSP, if passed_by && recovers { &given } else { &expired })
        });
        let reply = query(http(), &lab, &leaf, &server.url, Some("\"one\"")).await;
        match reply {
            Ok(Reply::Fetched(fetched)) => assert!(recovers && fetched.verified.der() == fresh),
            Err(error) => assert!(!recovers && error.is_untrusted(), "{error}"),
            Ok(reply) => panic!("{reply:?}"),
        }
        let fields = |name: &str| {
            let seen = server.seen();
            seen.iter().map(|one| one.field(name).map(str::to_owned)).collect::<Vec<_>>()
        };
        assert!(server.seen().iter().all(|request| request.line.starts_with("GET ")));
        assert_eq!(fields("cache-control"), [None, Some("no-cache".to_owned())]);
        assert_eq!(fields("if-none-match"), [Some("\"one\"".to_owned()), None]);
    }
}

/// A 304 that nobody asked for has no response in it, and is none.
#[tokio::test]
async fn a_304_without_a_question_is_an_error() {
    let (lab, leaf) = lab();
    let server = Server::start([127, 0, 0, 1], |_| response("304 Not Modified", "", b""));
    let error = query(http(), &lab, &leaf, &server.url, None).await.unwrap_err();
    assert!(error.to_string().contains("304"), "{error}");
}

/// Whatever a GET brings that is no response is followed by a POST.
#[tokio::test]
async fn a_get_without_a_response_is_followed_by_a_post() {
    const HTML: &str = "content-type: text/html\r\n";
    let error = |code| response("200 OK", OCSP, &[0x30, 3, 0x0a, 1, code]);
    let answers = [
        error(1),
        error(2),
        error(3),
        error(6),
        response("200 OK", OCSP, b""),
        response("200 OK", OCSP, b"no DER"),
        response("200 OK", HTML, b"<html>The responder is up</html>"),
        response("200 OK", "", b""),
        response("405 Method Not Allowed", "", b""),
        response("404 Not Found", HTML, b"<html></html>"),
        response("500 Internal Server Error", "", b""),
        response("502 Bad Gateway", HTML, b"<html></html>"),
        Vec::new(),
    ];
    for to_get in answers {
        let (lab, leaf) = lab();
        let (der, shown) = (lab.respond(&leaf), String::from_utf8_lossy(&to_get).into_owned());
        let server = Server::start([127, 0, 0, 1], move |request| match request.is_post() {
            true => response("200 OK", OCSP, &der),
            false => to_get.clone(),
        });
        let reply = query(http(), &lab, &leaf, &server.url, None).await;
        let reply = reply.unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert!(matches!(reply, Reply::Fetched(f) if f.method == Method::Post), "{shown}");
        let seen = server.seen();
        assert!(seen[0].line.starts_with("GET /ocsp/M"), "{}", seen[0].line);
        assert!(!seen.last().unwrap().body.is_empty());
    }
}

/// A responder that wants to be left alone gets no second request.
#[tokio::test]
async fn a_responder_that_asks_for_a_pause_is_asked_once() {
    let (lab, leaf) = lab();
    for status in ["503 Service Unavailable", "429 Too Many Requests"] {
        let down =
            Server::start([127, 0, 0, 1], move |_| response(status, "retry-after: 120\r\n", b""));
        let error = query(http(), &lab, &leaf, &down.url, None).await.unwrap_err();
        let AttemptError::Http(error) = error else { panic!("{error}") };
        assert!(error.is_outage());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
        assert_eq!(down.seen().len(), 1, "{status}");
    }
}

/// A POST stays a POST with its body wherever it is redirected, up to a limit.
#[tokio::test]
async fn a_redirected_post_keeps_its_request() {
    for status in [301, 302, 303, 307, 308] {
        let (lab, leaf) = lab();
        let answering = lab.clone();
        let server = Server::start([127, 0, 0, 1], move |request| {
            match request.line.starts_with("POST /strict") {
                true => response("200 OK", OCSP, &answering.answer(&request.body)),
                false => response(&format!("{status} Moved"), "location: /strict\r\n", b""),
            }
        });
        let reply = post(http(), &lab, &leaf, &server.url).await;
        assert!(matches!(&reply, Ok(Reply::Fetched(f)) if f.method == Method::Post), "{reply:?}");
        assert!(server.seen().iter().all(|request| request.is_post()), "{status}");
    }
    let (lab, leaf) = lab();
    let endless =
        Server::start([127, 0, 0, 1], |_| response("302 Found", "location: /again\r\n", b""));
    let error = post(http(), &lab, &leaf, &endless.url).await.unwrap_err();
    assert!(error.to_string().contains("redirects more than 5 times"), "{error}");
    let elsewhere = Server::start([127, 0, 0, 1], |_| {
        response("302 Found", "location: file:///etc/passwd\r\n", b"")
    });
    let error = post(http(), &lab, &leaf, &elsewhere.url).await.unwrap_err();
    assert!(error.to_string().contains("not a URL of http"), "{error}");
}

/// A password goes along to another path, and not to another host.
#[tokio::test]
async fn a_password_stays_with_its_host() {
    let (lab, leaf) = lab();
    let der = lab.respond(&leaf);
    let other = Server::start([127, 0, 0, 1], move |_| response("200 OK", OCSP, &der));
    let away = format!("location: {}\r\n", other.url);
    let first =
        Server::start([127, 0, 0, 1], move |request| match request.line.contains("/here") {
            true => response("307 Temporary Redirect", &away, b""),
            false => response("307 Temporary Redirect", "location: /here\r\n", b""),
        });
    let url = first.url.replace("://", "://user:password@");
    post(http(), &lab, &leaf, &url).await.unwrap();
    assert!(first.seen().iter().all(|request| request.field("authorization").is_some()));
    assert_eq!(other.seen()[0].field("authorization"), None);
}

/// What the responder says in OCSP counts, whatever status of HTTP is around it; but not beside a
/// status that asks for a pause.
#[tokio::test]
async fn an_ocsp_error_inside_an_http_error_is_read() {
    let (lab, leaf) = lab();
    for status in
        ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Oh"]
    {
        let server =
            Server::start([127, 0, 0, 1], move |_| response(status, OCSP, &[0x30, 3, 0x0a, 1, 6]));
        let error = query(http(), &lab, &leaf, &server.url, None).await.unwrap_err();
        assert_eq!(error.stage(), "response status", "{status}: {error}");
        assert!(!error.to_string().contains("HTTP"), "{status}: {error}");
    }
    let busy =
        Server::start([127, 0, 0, 1], |_| response("503 Busy", OCSP, &[0x30, 3, 0x0a, 1, 3]));
    let error = query(http(), &lab, &leaf, &busy.url, None).await.unwrap_err();
    assert!(matches!(&error, AttemptError::Http(error) if error.is_outage()), "{error}");
}

/// Everything goes through the proxy, which sees whole URLs.
#[tokio::test]
async fn a_proxy_is_used() {
    for host in ["ocsp.nowhere.invalid", "[2001:db8::1]", "[2001:db8::1]:8080"] {
        let (lab, leaf) = lab();
        let der = lab.respond(&leaf);
        let proxy = Server::start([127, 0, 0, 1], move |_| response("200 OK", OCSP, &der));
        let through = http().proxy(proxy.url.trim_end_matches("/ocsp"));
        let reply = query(through, &lab, &leaf, &format!("http://{host}/ocsp"), None).await;
        assert!(matches!(reply, Ok(Reply::Fetched(_))), "{reply:?}");
        assert!(proxy.seen()[0].line.starts_with(&format!("GET http://{host}/ocsp/")));
    }
    assert!(http().proxy("http://").build().is_err());
}

#[tokio::test]
async fn a_responder_may_live_on_ipv6() {
    let (lab, leaf) = lab();
    let der = lab.respond(&leaf);
    if let Err(error) = TcpListener::bind("[::1]:0") {
        // Many a container is without IPv6. What is said of such addresses to a proxy is tested above.
        eprintln!("not tested: nothing can listen at [::1]: {error}");
        return;
    }
    let server =
        Server::start(std::net::Ipv6Addr::LOCALHOST, move |_| response("200 OK", OCSP, &der));
    let reply = query(http(), &lab, &leaf, &server.url, None).await;
    assert!(matches!(reply, Ok(Reply::Fetched(_))), "{reply:?}");
}

/// A name with addresses of both families is reached where only one of them answers.
#[tokio::test]
async fn a_dead_address_beside_a_living_one_is_no_matter() {
    let (lab, leaf) = lab();
    let der = lab.respond(&leaf);
    let server = Server::start([127, 0, 0, 1], move |_| response("200 OK", OCSP, &der));
    let by_name = server.url.replace("127.0.0.1", "localhost");
    let reply = query(http(), &lab, &leaf, &by_name, None).await;
    assert!(matches!(reply, Ok(Reply::Fetched(_))), "{reply:?}");
}

/// Web pages arrive in place of responses, with a status of success or of an error, and under the media
/// type of a response too. None is taken for one, and what is said helps whoever looks for the cause.
#[tokio::test]
async fn a_web_page_is_never_a_response() {
    const PAGE: &[u8] = b"<!doctype html><html>Sorry</html>";
    const HTML: &str = "content-type: text/html; charset=utf-8\r\n";
    let (lab, leaf) = lab();
    for (status, fields, said, outage) in [
        ("200 OK", HTML, "an HTML page, such as an error or login page", false),
        ("200 OK", OCSP, "the OCSPResponse is malformed", false),
        ("200 OK", "content-type: application/xhtml+xml\r\n", "an HTML page", false),
        ("206 Partial Content", OCSP, "HTTP 206 Partial Content", false),
        ("200 OK", "", "no media type", false),
        ("404 Not Found", OCSP, "HTTP 404 Not Found", false),
        ("503 Service Unavailable", HTML, "HTTP 503 Service Unavailable and an HTML page", true),
        ("503 Service Unavailable", OCSP, "HTTP 503 Service Unavailable", true),
    ] {
        let server = Server::start([127, 0, 0, 1], move |_| response(status, fields, PAGE));
        let error = query(http(), &lab, &leaf, &server.url, None).await.unwrap_err();
        assert!(error.to_string().contains(said), "{status} {fields}: {error}");
        let counts = matches!(&error, AttemptError::Http(error) if error.is_outage());
        assert_eq!(counts, outage, "{status} {fields}: {error}");
    }
}

/// The next responder of the certificate is asked when the first one fails, in whatever way.
#[tokio::test]
async fn responders_are_asked_in_turn() {
    let (lab, leaf) = lab();
    let der = lab.respond(&leaf);
    let (html, error) = ("content-type: text/html\r\n", [0x30, 3, 0x0a, 1, 6]);
    let firsts = [
        response("200 OK", html, b"<html>Sorry</html>"),
        response("503 Service Unavailable", "", b""),
        // `unauthorized`
        response("200 OK", OCSP, &error),
    ];
    for first in firsts {
        let bad = Server::start([127, 0, 0, 1], move |_| first.clone());
        let der = der.clone();
        let good = Server::start([127, 0, 0, 1], move |_| response("200 OK", OCSP, &der));
        let transport = http().build().unwrap();
        let stapler = Stapler::builder(provider()).transport(transport).start().unwrap();
        let target = Target::from_chain(leaf.chain()).responders([&*bad.url, &*good.url]);
        let handle = stapler.add(target).unwrap();
        tokio::time::timeout(Duration::from_secs(10), handle.ready()).await.unwrap();
        assert_eq!(handle.state(), StapleState::Good);
        // By GET and by POST.
        assert_eq!((bad.seen().len(), good.seen().len()), (2, 1));
        assert_eq!(handle.snapshot().failures, 0);
    }
}
