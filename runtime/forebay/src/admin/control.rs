//! What a person may ask of the process: a binding to stand still, or to go on.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use forebay_core::verdict::Verdict;
use forebay_sink::{Pause, Wish};
use serde::Deserialize;
use serde_json::json;

use crate::admin::Shared;
use crate::error::ErrorKind;

/// Who, why, and which partition.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    partition: Option<i32>,
    by: Option<String>,
    why: Option<String>,
    accept: Option<bool>,
}

impl Asked {
    fn by(&self) -> String {
        self.by.clone().unwrap_or_else(|| "the admin page".to_owned())
    }
}

pub(super) async fn pause(
    State(site): State<Shared>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let wish = Wish::Pause(Pause { by: asked.by(), why: asked.why.clone().unwrap_or_default(), at: String::new() });
    change(&site, &name, asked.partition, &wish, &headers).await
}

pub(super) async fn resume(
    State(site): State<Shared>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let wish = Wish::Resume { by: asked.by(), accept: asked.accept.unwrap_or_default() };
    change(&site, &name, asked.partition, &wish, &headers).await
}

/// Says why one partition of a binding that is paused as a whole does not go on alone.
pub fn not_alone(binding: &str, partition: i32) -> String {
    format!(
        "binding `{binding}` is paused as a whole, so partition {partition} alone can not go on; `forebay resume {binding}` lets \
         all of it go on"
    )
}

/// A page of somebody else's, opened in a browser on this machine, must not be able to change anything.
pub(super) fn of_another_site(headers: &HeaderMap) -> Option<Response> {
    let refusal = || (StatusCode::FORBIDDEN, "not from a page of another site\n").into_response();
    headers.contains_key(header::ORIGIN).then(refusal)
}

async fn change(site: &Shared, name: &str, partition: Option<i32>, wish: &Wish, headers: &HeaderMap) -> Response {
    if let Some(refusal) = of_another_site(headers) {
        return refusal;
    }
    let bindings = site.live.all();
    let Some(binding) = bindings.iter().find(|binding| binding.settings.name == name) else {
        let names: Vec<&str> = bindings.iter().map(|binding| binding.settings.name.as_str()).collect();
        let sentence = format!("there is no binding `{name}`; there is {}\n", names.join(", "));
        return (StatusCode::NOT_FOUND, sentence).into_response();
    };
    if let (Wish::Resume { .. }, Some(partition), true) = (wish, partition, binding.steering.is_paused()) {
        let body = json!({ "kind": ErrorKind::Usage.as_str(), "errors": not_alone(name, partition) });
        return (StatusCode::CONFLICT, axum::Json(body)).into_response();
    }
    match binding.wish(partition, wish).await {
        Ok(()) => (StatusCode::OK, "done\n").into_response(),
        Err(Verdict::Unavailable(cause) | Verdict::Misconfigured(cause)) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", cause.message)).into_response()
        }
        Err(other) => (StatusCode::SERVICE_UNAVAILABLE, format!("{other:?}\n")).into_response(),
    }
}
