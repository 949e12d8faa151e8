//! The admin pages: metrics, health and status over HTTP, on loopback by default.

mod control;
mod page;
mod reload;
mod report;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use forebay_core::budget::Budget;
use forebay_core::manifest::settings::Secret;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::consumer::Live;
use crate::metrics::Metrics;
use crate::status::Board;

pub use control::not_alone;
pub use reload::{Reload, Taken};

/// A lane without progress for longer than this is not ready.
const STUCK: Duration = Duration::from_secs(60);

/// A group whose loop has not turned for this long is not alive.
const STANDING: Duration = Duration::from_secs(60);

/// What the pages tell of.
pub struct Site {
    /// Lanes and groups.
    pub board: Arc<Board>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// The bindings in force.
    pub live: Live,
    /// Who reads the manifest again.
    pub reload: mpsc::Sender<Reload>,
    /// When the process started.
    pub started_at: Timestamp,
    /// The byte budget.
    pub budget: Budget,
    /// What callers must show, if anything.
    pub token: Option<Secret>,
}

type Shared = Arc<Site>;

/// Serves the pages until `stop` is cancelled.
pub async fn serve(listener: TcpListener, site: Site, stop: CancellationToken) {
    let site = Arc::new(site);
    let pages = Router::new()
        .route("/", get(home))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/reload", post(reload::reload))
        .route("/bindings/{name}/pause", post(control::pause))
        .route("/bindings/{name}/resume", post(control::resume))
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(site.clone(), authorize))
        .with_state(site);
    let served = axum::serve(listener, pages).with_graceful_shutdown(async move { stop.cancelled().await }).await;
    if let Err(error) = served {
        error!(%error, "the admin pages are gone");
    }
}

/// Compares in constant time, and says no more than no.
async fn authorize(State(site): State<Shared>, request: Request, next: Next) -> Response {
    let Some(token) = &site.token else { return next.run(request).await };
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let wanted = token.expose().trim();
    let differs =
        shown.bytes().zip(wanted.bytes()).fold(shown.len() ^ wanted.len(), |sum, (a, b)| sum | usize::from(a ^ b));
    if differs == 0 {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, "a bearer token is needed\n").into_response()
    }
}

async fn home(State(site): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page::html(&site)).into_response()
}

async fn metrics(State(site): State<Shared>) -> Response {
    report::gather(&site);
    match site.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// The loops turn: servers that are away do not matter here.
async fn livez(State(site): State<Shared>) -> Response {
    let standing: Vec<String> = site
        .board
        .groups()
        .into_iter()
        .filter(|(_, view)| view.since_last_turn > STANDING)
        .map(|(group, view)| format!("the loop of group `{group}` has not turned for {:?}", view.since_last_turn))
        .collect();
    health(&standing, "alive")
}

async fn readyz(State(site): State<Shared>) -> Response {
    health(&site.board.not_ready(STUCK), "ready")
}

async fn status(State(site): State<Shared>) -> Response {
    axum::Json(report::status(&site)).into_response()
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "no such page; there are /, /metrics, /livez, /readyz and /status, and to be posted to /reload and /bindings/NAME/pause and resume\n").into_response()
}

fn health(reasons: &[String], fine: &str) -> Response {
    if reasons.is_empty() {
        return (StatusCode::OK, format!("{fine}\n")).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n"))).into_response()
}
