//! What was decided, on its way to Kafka: until all replicas have acknowledged it.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::dead_letter::without_value;
use forebay_core::outbox::Outgoing;
use forebay_core::policy::backoff::Backoff;
use forebay_kafka::{Producer, SendError};
use tracing::{error, warn};

/// Topics and rights are mended by people.
const AGAIN: Backoff = Backoff { min: Duration::from_millis(200), max: Duration::from_secs(10) };

/// Sends messages and returns the letters whose value was too large, to be kept. Waits as long as it takes, and says
/// through `trouble` what for.
pub async fn send(
    producer: &Producer,
    messages: Arc<Vec<Outgoing>>,
    trouble: impl Fn(Option<String>),
) -> Option<Vec<Outgoing>> {
    let mut kept = Vec::new();
    let mut rest: Vec<Outgoing> = messages.to_vec();
    let mut tries = 0;
    loop {
        let results = producer.send_all(rest.iter().map(to_kafka).collect()).await;
        let mut again = Vec::new();
        let mut why = None;
        for (message, result) in rest.into_iter().zip(results) {
            match result {
                Ok(_) => {}
                Err(SendError::Stopped) => return None,
                Err(error @ SendError::TooLarge { .. }) => match message.value {
                    Some(_) if message.is_letter => {
                        warn!(%error, "a dead letter goes without its value, which is kept in forebay.outbox");
                        again.push(without_value(&message));
                        kept.push(message);
                    }
                    _ => {
                        error!(%error, "a message that its topic does not take is kept in forebay.outbox");
                        kept.push(message);
                    }
                },
                Err(error @ SendError::Refused { .. }) => {
                    error!(%error, "a message that its topic does not take is kept in forebay.outbox");
                    kept.push(message);
                }
                Err(error) => {
                    why = Some(error.to_string());
                    again.push(message);
                }
            }
        }
        if again.is_empty() {
            if tries > 0 {
                trouble(None);
            }
            return Some(kept);
        }
        if let Some(why) = why {
            tries += 1;
            if tries == 1 {
                warn!("messages can not be sent: {why}");
            }
            trouble(Some(why));
            tokio::time::sleep(AGAIN.after(tries, u64::from(tries))).await;
        }
        rest = again;
    }
}

fn to_kafka(message: &Outgoing) -> forebay_kafka::Outgoing {
    let Outgoing { topic, partition, key, value, headers, is_letter: _ } = message.clone();
    forebay_kafka::Outgoing { topic, partition, key, value, headers, timestamp_ms: None }
}
