//! What may come or not: a shell that has nothing to wait for waits for ever.

use tokio::sync::watch;
use tokio::time::Instant;

pub(super) async fn changed(
    receiver: &mut Option<watch::Receiver<u64>>,
) -> Option<Result<(), watch::error::RecvError>> {
    match receiver {
        Some(receiver) => Some(receiver.changed().await),
        None => std::future::pending().await,
    }
}

pub(super) async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
