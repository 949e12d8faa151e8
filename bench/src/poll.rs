//! The floor: librdkafka's own poll loop, which counts messages and does nothing with them.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::side::{Given, Progress};

pub(crate) fn run(given: &Given) -> anyhow::Result<()> {
    let consumer: BaseConsumer = given.consumer().create()?;
    consumer.subscribe(&[&given.topic])?;
    let mut progress = Progress::new(given);
    while !progress.is_done() {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            message?;
            progress.add(1);
        }
    }
    Ok(())
}
