//! The ids of a group's topics: a topic that is deleted and made anew keeps its name, and its offsets mean something else.

use std::collections::HashMap;
use std::time::Duration;

use forebay_kafka::Admin;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How often the ids are asked for.
const LOOK: Duration = Duration::from_secs(3);

/// Names topics that were made anew, until it is stopped. What can not be asked now is asked again.
pub(super) async fn watch(admin: Admin, topics: Vec<String>, anew: mpsc::Sender<String>, stop: CancellationToken) {
    let mut known: HashMap<String, String> = HashMap::new();
    let look = async {
        loop {
            for topic in &topics {
                let facts = admin.describe(topic).await.ok().flatten();
                let Some(id) = facts.and_then(|facts| facts.id) else { continue };
                let before = known.insert(topic.clone(), id.clone());
                if before.is_some_and(|before| before != id) && anew.send(topic.clone()).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = look => {}
    }
}
