//! Positions that a person has moved while the group runs: their owners are told, and take them up from there.

use std::time::Duration;

use forebay_kafka::Partition;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::consumer::live::Sink;

/// How often the ledger is looked at. A row that was moved is told again until its owner has taken it up.
const LOOK: Duration = Duration::from_secs(1);

/// Comes back with the first ones after the sink was away.
const WATCH: u64 = 1;

/// Names partitions of a group whose row a person has moved, until it is stopped. While the database is away nobody moves
/// anything in it: what fails is asked again.
pub(super) async fn watch(
    (sink, share): Sink,
    (source, group): (String, String),
    moved: mpsc::Sender<Partition>,
    stop: CancellationToken,
) {
    let look = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let asked = sink.decided(&source, &group);
            let decided = match &share {
                Some(share) => share.ask(WATCH, asked).await,
                None => asked.await,
            };
            for (topic, partition) in decided.unwrap_or_default() {
                if moved.send(Partition { topic: topic.into(), partition }).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = look => {}
    }
}
