//! The HTTP responder (RFC 6960, appendix A; RFC 5019, 5) and the faults of its transport.
//!
//! It runs in a thread of its own, so that a blocking test can ask it, and stops when the lab is
//! dropped, whatever its connections are doing. What it answers is `authority.rs`.

use std::collections::VecDeque;
use std::error::Error as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use certstatus::message::OcspRequest;
use certstatus::{Limits, rfc5019};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::UnixTime;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::Fault;
use crate::authority::{Answer, Authority, Times, lock};
use crate::body::Body;

/// The pause before each byte of [`Fault::SlowDrip`].
const DRIP: Duration = Duration::from_millis(100);

/// How many requests the log keeps: more than a test looks at, and little memory for a bench.
const LOGGED_REQUESTS: usize = 1000;

/// Bytes of a POST body that are read. It is more than a request may have, so that a client whose
/// request is too long is told so and not cut off.
const MAX_BODY: usize = 1 << 20;

/// An HTML page as a proxy or a hosting company sends it.
const HTML: &str =
    "<!DOCTYPE html>\n<html><head><title>Sorry</title></head><body>Back soon.</body></html>\n";

/// How an OCSP request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of HTTP")]
pub enum RequestMethod {
    Get,
    Post,
}

/// An OCSP request that the responder received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// How it came.
    pub method: RequestMethod,
    /// The path of its URL.
    pub path: String,
    /// Whether it had a nonce.
    pub nonce: bool,
}

/// The running responder. Dropping it stops it and waits for its thread.
#[derive(Debug)]
pub(crate) struct Server {
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    authority: Arc<Authority>,
    hold: Duration,
    fault: Mutex<Option<Fault>>,
    received: AtomicUsize,
    log: Mutex<VecDeque<RequestRecord>>,
}

impl Server {
    /// Answers on that listener from now on.
    pub(crate) fn start(
        listener: TcpListener,
        authority: &Arc<Authority>,
        hold: Duration,
    ) -> std::io::Result<Self> {
        let state = Arc::new(State {
            authority: Arc::clone(authority),
            hold,
            fault: Mutex::default(),
            received: AtomicUsize::default(),
            log: Mutex::default(),
        });
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&state);
        let thread =
            std::thread::Builder::new().name("certstatus-lab".into()).spawn(move || {
                // Tasks that are still running are dropped with the runtime.
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener, served) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self { state, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        *lock(&self.state.fault) = fault;
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.received.load(Ordering::Relaxed)
    }

    pub(crate) fn request_log(&self) -> Vec<RequestRecord> {
        lock(&self.state.log).iter().cloned().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // An error is a panic of that thread, which has been printed already.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, Arc::clone(&state)));
            }
            // Out of file descriptors, as a rule: others are freed meanwhile.
            Err(_) => tokio::time::sleep(DRIP).await,
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        Box::pin(async move { respond(request, &state).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let broken = ended.as_ref().err().and_then(|error| error.source()?.downcast_ref::<Broken>());
    if let Some(Broken::Reset) = broken {
        // With a linger of zero, closing the socket sends RST. Where that fails it sends FIN.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

/// Why a connection is broken on purpose.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Broken {
    #[error("reset, as the fault says")]
    Reset,
    #[error("held without an answer, as the fault says")]
    Held,
}

async fn respond(request: Request<Incoming>, state: &Arc<State>) -> Result<Response<Body>, Broken> {
    let path = request.uri().path().to_owned();
    match (request.method(), path.as_str()) {
        (&Method::GET, "/ca.der") => {
            let der = state.authority.intermediate.certificate.to_vec();
            Ok(content(StatusCode::OK, "application/pkix-cert", der))
        }
        (&Method::GET, "/ca.crl") => Ok(match state.authority.crl() {
            Ok(crl) => content(StatusCode::OK, "application/pkix-crl", crl.to_vec()),
            Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
        }),
        (&Method::POST, "/ocsp" | "/ocsp/") => {
            match Limited::new(request.into_body(), MAX_BODY).collect().await {
                Ok(body) => ocsp(&body.to_bytes(), RequestMethod::Post, path, state).await,
                Err(_) => Ok(empty(StatusCode::PAYLOAD_TOO_LARGE)),
            }
        }
        (&Method::GET, ocsp_path) => match ocsp_path.strip_prefix("/ocsp") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                // What is no base64 is no request either, and is answered as such.
                let der = rfc5019::request_from_path(rest).unwrap_or_default();
                ocsp(&der, RequestMethod::Get, path, state).await
            }
            _ => Ok(empty(StatusCode::NOT_FOUND)),
        },
        _ => Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

/// Answers an OCSP request, or plays the fault that is set.
async fn ocsp(
    request: &[u8],
    method: RequestMethod,
    path: String,
    state: &State,
) -> Result<Response<Body>, Broken> {
    state.record(request, method, path);
    let fault = *lock(&state.fault);
    match fault {
        Some(Fault::Timeout) => {
            tokio::time::sleep(state.hold).await;
            Err(Broken::Held)
        }
        Some(Fault::ConnectionReset) => Err(Broken::Reset),
        Some(Fault::Http500) => Ok(empty(StatusCode::INTERNAL_SERVER_ERROR)),
        Some(Fault::Http503Html) => Ok(html(StatusCode::SERVICE_UNAVAILABLE)),
        Some(Fault::Http200Html) => Ok(html(StatusCode::OK)),
        Some(Fault::RedirectLoop) => Ok(redirect(&state.authority.urls.responder)),
        Some(Fault::SlowDrip) => {
            let mut response = answer(state.authority.answer(request, None));
            let bytes = response.body_mut().take();
            *response.body_mut() = Body::dripping(bytes, DRIP, state.hold);
            Ok(response)
        }
        message => Ok(answer(state.authority.answer(request, message))),
    }
}

impl State {
    fn record(&self, request: &[u8], method: RequestMethod, path: String) {
        let nonce = OcspRequest::parse(request, &Limits::default())
            .is_ok_and(|request| request.nonce().is_some());
        let mut log = lock(&self.log);
        if log.len() == LOGGED_REQUESTS {
            log.pop_front();
        }
        log.push_back(RequestRecord { method, path, nonce });
        self.received.fetch_add(1, Ordering::Relaxed);
    }
}

/// An answer with the header fields of RFC 5019, 6.2, when it may be cached.
fn answer(answer: Answer) -> Response<Body> {
    let tag = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &answer.der);
    let tag = format!("\"{}\"", certstatus::hex(tag.as_ref()));
    let mut response = content(StatusCode::OK, rfc5019::RESPONSE_MEDIA_TYPE, answer.der);
    match answer.times {
        Some(times) => caching(&mut response, times, tag),
        None => put(&mut response, header::CACHE_CONTROL, "no-store".to_owned()),
    }
    response
}

fn caching(response: &mut Response<Body>, times: Times, tag: String) {
    let Times { this_update, next_update, now } = times;
    let max_age = next_update.as_secs().saturating_sub(now.as_secs());
    let control = format!("max-age={max_age}, public, no-transform, must-revalidate");
    put(response, header::CACHE_CONTROL, control);
    put(response, header::ETAG, tag);
    put(response, header::LAST_MODIFIED, http_date(this_update));
    put(response, header::EXPIRES, http_date(next_update));
}

fn http_date(time: UnixTime) -> String {
    // Later than the year 9999, HTTP has no date.
    let seconds = time.as_secs().min(253_402_300_799);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn put(response: &mut Response<Body>, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

fn content(status: StatusCode, media_type: &'static str, bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::from(bytes)));
    *response.status_mut() = status;
    put(&mut response, header::CONTENT_TYPE, media_type.to_owned());
    response
}

fn html(status: StatusCode) -> Response<Body> {
    content(status, "text/html; charset=utf-8", HTML.into())
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn redirect(location: &str) -> Response<Body> {
    let mut response = empty(StatusCode::FOUND);
    put(&mut response, header::LOCATION, location.to_owned());
    response
}
