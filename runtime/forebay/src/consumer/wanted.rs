//! What is wanted of a group's bindings, carried between ledger and lanes: a pause is seen by every process within two
//! seconds, and what the flood guard decides here reaches the others.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::verdict::Verdict;
use forebay_sink::{Database, Wish};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::consumer::live::Sink;
use crate::consumer::steering::Steering;

/// How often the flood guard's decisions are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// The ledger is asked at every so many looks.
const ASK_EVERY: u32 = 5;

/// Comes back with the first ones after the sink was away.
const WATCH: u64 = 0;

/// Follows what is wanted of the bindings of one group and one sink, until it is stopped.
pub(super) async fn watch((sink, share): Sink, bindings: Vec<Arc<Steering>>, stop: CancellationToken) {
    let look = async {
        for turn in 0_u32.. {
            tokio::time::sleep(LOOK).await;
            keep(&sink, &bindings).await;
            if turn % ASK_EVERY == 0 {
                // While the database is away nobody wants anything in it: what fails is asked again. Where no lane uses it, this
                // is what finds out that it is back.
                let asked = refresh(&sink, &bindings);
                let _asked_again = match &share {
                    Some(share) => share.ask(WATCH, asked).await,
                    None => asked.await,
                };
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = look => {}
    }
    keep(&sink, &bindings).await;
}

/// Asks the ledger, once.
pub(super) async fn refresh(sink: &Database, bindings: &[Arc<Steering>]) -> Result<(), Verdict> {
    let Some(first) = bindings.first() else { return Ok(()) };
    let wanted = sink.wanted(&first.key().source, &first.key().group).await?;
    for binding in bindings {
        binding.take(wanted.get(&binding.key().binding).cloned().unwrap_or_default());
    }
    Ok(())
}

/// Brings to the ledger what the flood guard has decided.
async fn keep(sink: &Database, bindings: &[Arc<Steering>]) {
    for binding in bindings {
        let Some(pause) = binding.tripped() else { continue };
        let name = &binding.key().binding;
        match sink.wish(binding.key(), None, &Wish::Pause(pause)).await {
            Ok(()) => {
                binding.is_kept();
                info!(binding = name, "the pause is in the ledger, for every process of the group");
            }
            Err(verdict) => {
                warn!(binding = name, ?verdict, "the pause can not be brought to the ledger yet; it is tried again")
            }
        }
    }
}
