//! Asking one running process, over its admin pages.

use std::time::Duration;

use forebay_core::manifest::settings::{Manifest, Secret};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::error::{Error, ErrorKind};

/// A process.
pub(super) struct Remote {
    /// Host and port.
    authority: String,
    token: Option<Secret>,
}

impl Remote {
    /// The process that is meant: the one the command line names, else the one that runs this manifest here.
    pub(super) fn of(manifest: &Manifest, admin: Option<&str>) -> Self {
        let listen = || manifest.admin.listen.to_string().replace("0.0.0.0", "127.0.0.1");
        let authority = admin.map_or_else(listen, |url| {
            url.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned()
        });
        Self { authority, token: manifest.admin.token.clone() }
    }
}

/// Sends a command, waits for so long for an answer, and returns it.
///
/// # Errors
/// Where the process is out of reach, or says no.
pub(super) async fn post(remote: &Remote, path: &str, patience: Duration) -> Result<String, Error> {
    let authority = &remote.authority;
    let away = |why: String| {
        let sentence = format!(
            "no process answers at {authority}: {why}; start `forebay run`, or name the process with `--admin http://HOST:PORT`"
        );
        Error::new(ErrorKind::Unavailable, sentence)
    };
    let asked = async {
        let stream = TcpStream::connect(authority).await.map_err(|error| away(error.to_string()))?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| away(error.to_string()))?;
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(connection);
        let mut request = Request::builder().method(Method::POST).uri(path).header(HOST, authority);
        if let Some(token) = &remote.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose().trim()));
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| away(error.to_string()))?;
        let answer = sender.send_request(request).await.map_err(|error| away(error.to_string()))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| away(error.to_string()))?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).trim().to_owned()))
    };
    match tokio::time::timeout(patience, asked).await {
        Ok(Ok((StatusCode::OK, body))) => Ok(body),
        Ok(Ok((status, body))) => Err(refusal(&body).unwrap_or_else(|| match status {
            StatusCode::SERVICE_UNAVAILABLE => Error::new(ErrorKind::Unavailable, body),
            _ => Error::new(ErrorKind::Config, format!("the process at {authority} refuses ({status}): {body}")),
        })),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(away(format!("no answer within {patience:?}; what was asked for may still happen"))),
    }
}

/// Returns what a process says that took nothing, as if it had been found here.
fn refusal(body: &str) -> Option<Error> {
    let said: Value = serde_json::from_str(body).ok()?;
    let kind = said.get("kind")?.as_str()?;
    let kind = ErrorKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    Some(Error::new(kind, said.get("errors")?.as_str()?))
}
