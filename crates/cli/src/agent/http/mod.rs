//! The status page, the API, the metrics and the health check, over HTTP.
//!
//! Everything is read-only, and nothing of it is secret; still it is for loopback, and whoever wants
//! more puts a server before it. The page brings all that it needs and may load nothing else: its
//! content security policy allows this origin alone, and no script or style within the page.

mod host;
mod limits;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use host::is_expected;
use limits::Limited;

use super::board::{Health, Query, Snapshot};

/// Where what is shown comes from.
pub(super) trait Source: Send + Sync + 'static {
    /// Everything, as of now, and of the certificates those that are asked for. This may take a while
    /// when there are many.
    fn snapshot(&self, query: &Query) -> Snapshot;

    /// How it stands with all of it. This may take a while, too.
    fn health(&self) -> Health;

    /// The metrics as of now, as Prometheus reads them. This may take a while, too.
    fn metrics(&self) -> String;
}

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves until `stop` is there; what is under way is finished first. A listener on loopback answers
/// only requests whose `Host` names this machine.
pub(super) async fn serve(
    listener: TcpListener,
    source: Arc<dyn Source>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let mut router = router(source);
    if listener.local_addr().is_ok_and(|address| address.ip().is_loopback()) {
        router = router.layer(middleware::from_fn(for_this_host));
    }
    let serving = axum::serve(Limited::new(listener), router).with_graceful_shutdown(stop);
    // It fails only with the listener.
    if let Err(error) = serving.await {
        tracing::error!(%error, "the status page is no longer served");
    }
}

fn router(source: Arc<dyn Source>) -> Router {
    let page = |media_type, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, media_type)], text) })
    };
    Router::new()
        .route("/", page("text/html; charset=utf-8", include_str!("page/index.html")))
        .route("/page.css", page("text/css; charset=utf-8", include_str!("page/page.css")))
        .route("/page.js", page("text/javascript; charset=utf-8", include_str!("page/page.js")))
        .route("/icon.svg", page("image/svg+xml", include_str!("page/icon.svg")))
        .route("/api/v1/staples", get(staples))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn(guarded))
        .with_state(source)
}

/// Rejects requests for another host, because a website can make its own name resolve to loopback and
/// have a browser read the answers (DNS rebinding).
async fn for_this_host(request: Request, next: Next) -> Response {
    // Every browser sends a Host; clients of HTTP/1.0 send none.
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let authority = request.uri().authority();
    if hosts.all(|host| host.to_str().is_ok_and(is_expected))
        && authority.is_none_or(|authority| is_expected(authority.as_str()))
    {
        return next.run(request).await;
    }
    let why = "The Host of this request is not this machine. Use an address or localhost, and have a \
               proxy send one of them.\n";
    (StatusCode::MISDIRECTED_REQUEST, why).into_response()
}

/// The header fields that every answer has.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What is asked for, or a sentence that says what has no meaning.
async fn staples(
    State(source): State<Arc<dyn Source>>,
    query: Result<extract::Query<Query>, QueryRejection>,
) -> Response {
    let query = query.map_err(|error| error.body_text()).and_then(|query| query.0.checked());
    let query = match query {
        Ok(query) => query,
        Err(why) => return (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    };
    aside(move || match serde_json::to_vec(&source.snapshot(&query)) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    })
    .await
}

/// 200 when clients get what they need, else 503; the sentences say why.
async fn health(State(source): State<Arc<dyn Source>>) -> Response {
    aside(move || {
        let health = source.health();
        let code = match health.failing.is_empty() {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut text = health.summary;
        for sentence in &health.failing {
            text.push('\n');
            text.push_str(sentence);
        }
        text.push('\n');
        (code, text).into_response()
    })
    .await
}

/// Makes an answer beside the tasks: with very many certificates that takes longer than a task may.
async fn aside(make: impl FnOnce() -> Response + Send + 'static) -> Response {
    let made = tokio::task::spawn_blocking(make).await;
    made.unwrap_or_else(|e| (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response())
}

async fn metrics(State(source): State<Arc<dyn Source>>) -> Response {
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    aside(move || {
        ([(header::CONTENT_TYPE, media_type)], Body::from(source.metrics())).into_response()
    })
    .await
}
