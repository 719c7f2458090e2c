//! What stands under `[fetch]` is what the agent does when it asks: each key, by what arrives at the
//! responder and what becomes of its answer.

use std::io::{BufRead, BufReader, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use certstatus::rfc5019::request_from_path;
use certstatus_lab::{Fault, Leaf, LeafRequest, RequestMethod};
use serde_json::Value;

use super::process::Place;
use crate::server::{Server, ok};
use crate::support::{pem, run_json};

const RULE: &str = "[[certificate]]\npath = \"chain.pem\"\noutput = \"staple.der\"\n";

/// Configures these lines of `[fetch]`, and gives the exit code of one round and the report's
/// certificate.
fn round(place: &Place, lines: &str) -> (i32, Value) {
    place.configure(&format!("{lines}\n{RULE}"));
    let (code, report) = run_json(place.agent(&["--once"]));
    (code, report["staples"][0].clone())
}

/// A certificate that names a responder which there is not.
fn of_nobody(place: &Place) -> Leaf {
    place.issue("chain.pem", LeafRequest::new("a.example").responder_urls([NOBODY]))
}

const NOBODY: &str = "http://ocsp.nowhere.invalid/ocsp";

/// A proxy that asks the lab in place of that responder.
fn proxy(place: &Place) -> Server {
    let lab = place.lab.clone();
    Server::start(move |request| {
        let path = request.path.strip_prefix(NOBODY).expect("the whole address");
        ok("application/ocsp-response", &lab.answer(&request_from_path(path).unwrap()))
    })
}

#[test]
fn everything_goes_through_the_proxy() {
    let place = Place::new();
    let leaf = of_nobody(&place);
    let proxy = proxy(&place);
    let (code, one) = round(&place, &format!("fetch.proxy = \"{}\"", proxy.url("")));
    assert_eq!(code, 0, "{one}");
    assert!(place.staple("staple.der", &leaf).is_some());
    assert_eq!((proxy.paths().len(), place.lab.requests()), (1, 0));
}

#[test]
fn a_responder_that_is_mapped_is_asked_in_place_of_the_one_that_is_named() {
    let place = Place::new();
    let leaf = of_nobody(&place);
    let map = format!("[fetch.responders]\n\"{NOBODY}\" = \"{}\"", place.lab.responder_url());
    let (code, one) = round(&place, &map);
    assert_eq!((code, place.lab.requests()), (0, 1), "{one}");
    assert!(place.staple("staple.der", &leaf).is_some());
}

#[test]
fn a_nonce_is_sent_and_has_to_come_back_as_configured() {
    for (nonce, fault, code) in [
        ("off", Fault::NonceMissing, 0),
        ("if-present", Fault::NonceMissing, 0),
        ("if-present", Fault::NonceMismatch, 1),
        ("required", Fault::NonceMissing, 1),
    ] {
        let place = Place::new();
        place.issue("chain.pem", LeafRequest::new("a.example"));
        place.lab.set_fault(Some(fault));
        let (ended, one) = round(&place, &format!("fetch.nonce = \"{nonce}\""));
        assert_eq!(ended, code, "{nonce}, {fault}: {one}");
        let asked = place.lab.request_log().remove(0);
        let sent = nonce != "off";
        let method = if sent { RequestMethod::Post } else { RequestMethod::Get };
        assert_eq!((asked.nonce, asked.method), (sent, method), "{nonce}");
    }
}

#[test]
fn the_times_for_the_connection_and_for_the_answer_are_those_configured() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    place.lab.set_fault(Some(Fault::Timeout));
    let (code, one) = round(&place, "fetch.timeout = \"300ms\"");
    assert_eq!(code, 1);
    assert!(one["note"].as_str().unwrap().contains("did not answer within 300ms"), "{one}");

    // A listener whose queue is full, and that takes none out of it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = 0;
    while TcpStream::connect_timeout(&address, Duration::from_millis(300)).is_ok() {
        queued += 1;
        assert!(queued < 10_000, "the queue has no end");
    }
    let full = LeafRequest::new("b.example").responder_urls([format!("http://{address}/")]);
    place.issue("chain.pem", full);
    let (code, one) = round(&place, "fetch.connect_timeout = \"200ms\"");
    assert_eq!(code, 1);
    assert!(one["note"].as_str().unwrap().contains("no connection within 200ms"), "{one}");
}

/// The rate, while as many as there are may be under way at the same time.
#[test]
fn a_responder_gets_no_more_in_a_second_than_configured() {
    let place = Place::new();
    for number in 0..9 {
        place.issue(&format!("live/{number}.pem"), LeafRequest::new("a.example"));
    }
    place.configure(
        "fetch.per_second = 4\nfetch.concurrent = 100\n\
         [[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n",
    );
    let begun = Instant::now();
    let (code, report) = run_json(place.agent(&["--once"]));
    assert_eq!((code, place.lab.requests()), (0, 9), "{report}");
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// Without a proxy of its own the agent takes that of the environment, but for hosts that it excepts.
#[test]
fn the_proxy_of_the_environment_counts() {
    let place = Place::new();
    let leaf = of_nobody(&place);
    let proxy = proxy(&place);
    place.configure(RULE);
    for (excepted, code, asked) in [("nowhere.invalid", 1, 0), ("elsewhere.invalid", 0, 1)] {
        let mut command = place.agent(&["--once"]);
        command.env("http_proxy", proxy.url("")).env("no_proxy", excepted);
        let (ended, report) = run_json(command);
        assert_eq!((ended, proxy.paths().len()), (code, asked), "{report}");
    }
    assert!(place.staple("staple.der", &leaf).is_some());
}

/// A proxy that leads every CONNECT to that address, or refuses it.
struct Tunnel {
    url: String,
    /// The heads of the requests.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    fn to(target: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming().take(10).map_while(Result::ok) {
                let head = head(&client);
                log.lock().unwrap().push(head);
                let (mut client, target) = match target {
                    Some(target) => (client, TcpStream::connect(target).unwrap()),
                    None => {
                        (&client)
                            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                            .unwrap();
                        continue;
                    }
                };
                client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
                for (mut from, mut to) in
                    [(client.try_clone().unwrap(), target.try_clone().unwrap()), (target, client)]
                {
                    std::thread::spawn(move || {
                        // Either side may be gone first.
                        let _ = copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The first line of a request whose header is read to its end: nothing comes after it before the answer.
fn head(client: &TcpStream) -> String {
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let lines = BufReader::new(client).lines().map_while(Result::ok);
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    lines.first().cloned().unwrap_or_default()
}

/// To a responder of https a proxy is a way through and no more: TLS is with the responder itself, which
/// has to prove that it is the one, and the proxy sees neither question nor answer.
#[test]
fn a_responder_of_https_is_reached_through_the_proxy() {
    let place = Place::new();
    let https = NOBODY.replace("http:", "https:");
    let leaf = place.issue("chain.pem", LeafRequest::new("a.example").responder_urls([&https]));
    let named = |name: &str| {
        let (lab, leaf) = (place.lab.clone(), place.lab.leaf(name).unwrap());
        Server::start_tls(&leaf, move |request| {
            let path = request.path.strip_prefix("/ocsp").unwrap();
            ok("application/ocsp-response", &lab.answer(&request_from_path(path).unwrap()))
        })
    };
    let root = place.write("root.der", place.lab.root());
    let root = place.write("root.pem", pem("CERTIFICATE", &std::fs::read(root).unwrap()));
    let round = |tunnel: &Tunnel| {
        place.configure(&format!("fetch.proxy = \"{}\"\n{RULE}", tunnel.url));
        let mut command = place.agent(&["--once"]);
        command.env("SSL_CERT_FILE", &root);
        let (code, report) = run_json(command);
        assert_eq!(tunnel.asked(), ["CONNECT ocsp.nowhere.invalid:443 HTTP/1.1"], "{report}");
        (code, report["staples"][0]["note"].as_str().unwrap_or_default().to_owned())
    };
    let other = named("other.invalid");
    let (code, said) = round(&Tunnel::to(Some(other.address())));
    assert_eq!((code, other.paths().len()), (1, 0), "another than the one that was asked for");
    assert!(said.contains(&https) && said.contains("not valid for name"), "{said}");
    let (code, said) = round(&Tunnel::to(None));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&https) && said.contains("tunnel"), "{said}");
    let right = named("ocsp.nowhere.invalid");
    assert_eq!(round(&Tunnel::to(Some(right.address()))), (0, String::new()));
    assert!(place.staple("staple.der", &leaf).is_some());
    assert_eq!((right.paths().len(), place.lab.requests()), (1, 0));
}

/// A certificate without its chain: the issuer is that of `issuer`, or is where the certificate says.
#[test]
fn the_issuer_is_the_one_given_or_the_one_that_the_certificate_names() {
    for (line, code) in [("", 0), ("issuer = \"ca.pem\"", 0), ("issuer = \"root.pem\"", 1)] {
        let place = Place::new();
        let leaf = place.lab.leaf("a.example").unwrap();
        let files = place.lab.write_files(place.path("files"), &leaf).unwrap();
        let copy = |from: &std::path::Path, to| place.write(to, std::fs::read(from).unwrap());
        copy(&files.cert_pem, "chain.pem");
        copy(&files.issuer_pem, "ca.pem");
        copy(&files.root_pem, "root.pem");
        place.configure(&format!("{RULE}{line}\n"));
        let (ended, report) = run_json(place.agent(&["--once"]));
        assert_eq!(ended, code, "{line}: {report}");
        assert_eq!(place.staple("staple.der", &leaf).is_some(), code == 0, "{line}");
        assert_eq!(place.lab.requests(), usize::from(code == 0), "{line}");
    }
}
