//! Waiting for a condition, never for time: it is asked again and again until it holds or the deadline has passed.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// How often a condition is asked.
const INTERVAL: Duration = Duration::from_millis(25);

/// Waits until `condition` holds; panics with `what` when it does not within `deadline`.
pub async fn until(deadline: Duration, what: &str, condition: impl AsyncFnMut() -> bool) {
    until_or_dump(deadline, what, condition, String::new).await;
}

/// Like [`until`]; the panic also shows what `dump` returns.
pub async fn until_or_dump(
    deadline: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
    dump: impl FnOnce() -> String,
) {
    some_or_dump(deadline, what, async || condition().await.then_some(()), dump).await;
}

/// Waits until `find` returns something, and returns it; panics with `what` when it does not within `deadline`.
pub async fn some<T>(deadline: Duration, what: &str, find: impl AsyncFnMut() -> Option<T>) -> T {
    some_or_dump(deadline, what, find, String::new).await
}

/// Like [`some`]; the panic also shows what `dump` returns.
pub async fn some_or_dump<T>(
    deadline: Duration,
    what: &str,
    mut find: impl AsyncFnMut() -> Option<T>,
    dump: impl FnOnce() -> String,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = find().await {
            return found;
        }
        if start.elapsed() >= deadline {
            panic!("waited {deadline:?} in vain for {what}\n{}", dump());
        }
        sleep(INTERVAL).await;
    }
}
