//! Reading the manifest again, asked for over HTTP.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::oneshot;

use crate::admin::{Shared, control};
use crate::error::{Error, ErrorKind};

/// Somebody wants the manifest to be read again, and hears what is different, or why nothing is.
pub struct Reload(pub oneshot::Sender<Result<Vec<String>, Error>>);

pub(super) async fn reload(State(site): State<Shared>, headers: HeaderMap) -> Response {
    if let Some(refusal) = control::of_another_site(&headers) {
        return refusal;
    }
    let (reply, answer) = oneshot::channel();
    if site.reload.send(Reload(reply)).await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the process is stopping\n").into_response();
    }
    match answer.await {
        Ok(Ok(changes)) => axum::Json(json!({ "changes": changes })).into_response(),
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
