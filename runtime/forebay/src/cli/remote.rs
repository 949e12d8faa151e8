//! Asking one running process, over its admin pages.

use std::time::Duration;

use forebay_core::manifest::settings::{Manifest, Secret};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::error::{Error, ErrorKind};

/// How long a process may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// Sends a command.
///
/// # Errors
/// Where the process is out of reach, or says no.
pub(super) async fn post(remote: &Remote, path: &str) -> Result<(), Error> {
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
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok((StatusCode::OK, _))) => Ok(()),
        Ok(Ok((StatusCode::SERVICE_UNAVAILABLE, body))) => Err(Error::new(ErrorKind::Unavailable, body)),
        Ok(Ok((status, body))) => {
            Err(Error::new(ErrorKind::Config, format!("the process at {authority} refuses ({status}): {body}")))
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(away(format!("no answer within {PATIENCE:?}"))),
    }
}
