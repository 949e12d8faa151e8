//! Waiting for servers that are away, as long as a person would.

use std::time::Duration;

use forebay_core::policy::backoff::Backoff;
use forebay_core::verdict::Verdict;
use tracing::warn;

use crate::cli::init::of_verdict;
use crate::error::{Error, ErrorKind};

/// After this many tries the command ends; what was done is remembered.
const TRIES: u32 = 12;

/// How long a topic may take a message.
pub(super) const SEND: Duration = Duration::from_secs(60);

/// Tries again what a server's absence keeps from being done.
///
/// # Errors
/// What no waiting mends, or the absence once it has lasted.
pub(super) async fn patiently<T>(mut work: impl AsyncFnMut() -> Result<T, Verdict>) -> Result<T, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        match work().await {
            Ok(done) => return Ok(done),
            Err(verdict @ (Verdict::Unavailable(_) | Verdict::Unknown(_))) if tries < TRIES => {
                warn!(?verdict, "it is tried again");
                tokio::time::sleep(Backoff::INFRASTRUCTURE.after(tries, u64::from(tries))).await;
            }
            Err(verdict) => return Err(of_verdict(&verdict)),
        }
    }
}

/// What is said where messages are not taken.
pub(super) fn not_sent(why: Option<String>) -> Error {
    let why = why.unwrap_or_else(|| "no answer".to_owned());
    let sentence = format!(
        "messages that letters decided could not be sent within {} s: {why}; they are kept, and the next redrive sends them",
        SEND.as_secs()
    );
    Error::new(ErrorKind::Unavailable, sentence)
}
