//! Reading the manifest again, asked for over HTTP.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use camino::Utf8PathBuf;
use serde_json::json;
use tokio::sync::oneshot;

use crate::admin::{Shared, control};
use crate::error::{Error, ErrorKind};

/// Somebody wants the manifest to be read again, and hears what was taken, or why nothing was.
pub struct Reload(pub oneshot::Sender<Result<Taken, Error>>);

/// What a process has read.
pub struct Taken {
    /// The file, from the root.
    pub manifest: Utf8PathBuf,
    /// What is different, for people.
    pub changes: Vec<String>,
}

pub(super) async fn reload(State(site): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(refusal) = control::of_another_site(&headers) {
        return refusal;
    }
    let (reply, answer) = oneshot::channel();
    if site.reload.send(Reload(reply)).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the process is stopping\n").into_response();
    }
    match answer.await {
        Ok(Ok(Taken { manifest, changes })) => {
            axum::Json(json!({ "manifest": manifest.as_str(), "changes": changes })).into_response()
        }
        Ok(Err(error)) => {
            let status = match error.kind() {
                ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
                ErrorKind::Config | ErrorKind::Plugin | ErrorKind::Usage => StatusCode::UNPROCESSABLE_ENTITY,
            };
            let body = json!({ "kind": error.kind().as_str(), "errors": error.to_string() });
            (status, axum::Json(body)).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the process is stopping\n").into_response(),
    }
}
