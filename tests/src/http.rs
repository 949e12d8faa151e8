//! The few lines of HTTP that asking the admin address takes.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take: the runtime answers from memory.
const DEADLINE: Duration = Duration::from_secs(5);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Asks `127.0.0.1:PORT` for `path`.
///
/// # Errors
/// When nobody listens, the answer takes too long or is none.
pub async fn get(port: u16, path: &str) -> anyhow::Result<Response> {
    request(port, "GET", path).await
}

/// Sends a request without a body.
///
/// # Errors
/// As [`get`].
pub async fn request(port: u16, method: &str, path: &str) -> anyhow::Result<Response> {
    request_with(port, method, path, "").await
}

/// Sends a request without a body and with further header lines, each with its line end.
///
/// # Errors
/// As [`get`].
pub async fn request_with(port: u16, method: &str, path: &str, headers: &str) -> anyhow::Result<Response> {
    let answer = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer =
        timeout(DEADLINE, answer).await.with_context(|| format!("{method} {path}: no answer in {DEADLINE:?}"))??;
    parse(&answer).with_context(|| format!("{method} {path}: read {:?}", String::from_utf8_lossy(&answer)))
}

fn parse(answer: &[u8]) -> anyhow::Result<Response> {
    let text = std::str::from_utf8(answer)?;
    let (head, body) = text.split_once("\r\n\r\n").context("find the end of the headers")?;
    let status = head.split(' ').nth(1).context("find the status")?.parse()?;
    let is_chunked = head.lines().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    let body = if is_chunked { dechunk(body)? } else { body.to_owned() };
    Ok(Response { status, body })
}

fn dechunk(mut rest: &str) -> anyhow::Result<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").context("find a chunk's size")?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or(size).trim(), 16)?;
        if size == 0 {
            return Ok(body);
        }
        ensure!(after.is_char_boundary(size) && after.len() >= size + 2, "a chunk of {size} bytes is cut short");
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::{Response, parse};

    #[test]
    fn reads_a_plain_and_a_chunked_answer() {
        let plain = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n";
        assert_eq!(parse(plain).unwrap(), Response { status: 503, body: "no\n".to_owned() });
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n4\r\n two\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).unwrap(), Response { status: 200, body: "one two".to_owned() });
    }
}
