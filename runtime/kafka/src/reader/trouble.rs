//! Errors that come out of the queue, and partitions that fall silent.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::pressure::SILENCE_MAX;
use super::turn::Reader;
use crate::error::{Error, Kind};
use crate::event::{GroupEvent, Start, StopCause};
use crate::raw::{BEGINNING, Event};
use crate::verdict::{Code, Verdict, verdict};

/// The same trouble is told again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// Bounds older than this say nothing about a silence.
const FRESH: Duration = Duration::from_secs(10);
/// How long to wait before a beginning is looked up again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Reader {
    /// Takes an error event: of the client, of one partition, or the end of one.
    pub(super) fn on_error(&mut self, event: &Event) {
        let code = Code(event.code());
        if event.is_fatal() {
            let (code, text) = self.client.fatal().unwrap_or((code.0, event.text()));
            // The client lets go of everything at a fatal error without a rebalance.
            self.let_go(true);
            self.outbox.put(GroupEvent::Fatal(Error::of("stay in the group", code, &text)));
            return;
        }
        let item = event.partition();
        let own = |item: &crate::raw::Item| {
            self.intakes.iter().position(|intake| intake.is(item.topic.as_bytes(), item.partition))
        };
        let index = item.as_ref().and_then(own);
        let Some((item, index)) = item.zip(index) else { return self.on_client_error(code, &event.text()) };
        let is_stopping = self.is_stopping;
        let Some(intake) = self.intakes.get_mut(index) else { return };
        if code == Code::PARTITION_EOF {
            if !is_stopping {
                intake.end(item.offset);
            }
            self.recover();
            return;
        }
        let what = format!("read {} [{}]", item.topic, item.partition);
        // The client says so under the code of a reset that failed, whose text ends in the name of what led to it.
        let is_cut = code == Code::AUTO_OFFSET_RESET && event.text().contains(&Code::LOG_TRUNCATION.text());
        match verdict(code) {
            _ if is_cut => intake.stop(intake.next, StopCause::Truncated, Code::LOG_TRUNCATION, event.text()),
            // No position was refused: the log's bounds could not be had. Look again.
            Verdict::Unreadable if code == Code::AUTO_OFFSET_RESET && item.offset < 0 => {
                intake.is_stopped = false;
                intake.wanted = None;
                intake.last_sign = Instant::now();
                self.lost_beginnings.push((intake.at.clone(), intake.assignment, Instant::now() + LOOK_AGAIN));
                self.tell(Error::of(&what, code.0, &event.text()));
            }
            Verdict::Unreadable | Verdict::Message => {
                let offset = (item.offset >= 0).then_some(item.offset);
                intake.stop(offset, cause_of(code), code, event.text());
            }
            Verdict::Fine | Verdict::Unavailable | Verdict::Configuration(_) | Verdict::Fenced | Verdict::Fatal => {
                self.tell(Error::of(&what, code.0, &event.text()))
            }
        }
    }

    /// Starts partitions again whose beginning could not be looked up.
    pub(super) fn retry_beginnings(&mut self, now: Instant) {
        let due: Vec<_> = self.lost_beginnings.extract_if(.., |(_, _, due)| *due <= now).collect();
        for (at, assignment, _) in due {
            let own = |intake: &super::intake::Intake| intake.at == at && intake.assignment == assignment;
            let Some(index) = self.intakes.iter().position(own) else { continue };
            let next = self.intakes.get(index).and_then(|intake| intake.next);
            if !self.reassign(index, next.unwrap_or(BEGINNING)) {
                self.lost_beginnings.push((at, assignment, now + LOOK_AGAIN));
            }
        }
    }

    /// Starts partitions again that are silent although their logs go on.
    pub(super) fn watch(&mut self, now: Instant) {
        if let Some(since) = self.down_since {
            // An idle partition gets neither records nor another end; its bounds are asked for all the same.
            let is_back = |intake: &super::intake::Intake| {
                self.watermarks.get(&intake.at).is_some_and(|known| known.at > since + FRESH / 10)
            };
            if self.intakes.iter().any(is_back) {
                self.recover();
            }
        }
        for index in 0..self.intakes.len() {
            let Some(intake) = self.intakes.get_mut(index) else { continue };
            if intake.is_paused || intake.is_stopped || now.duration_since(intake.last_sign) < SILENCE_MAX {
                continue;
            }
            intake.last_sign = now;
            let Some(known) = self.watermarks.get(&intake.at) else { continue };
            let position = intake.next.unwrap_or(known.low);
            if known.high <= position || now.duration_since(known.at) > FRESH {
                continue;
            }
            self.pulse.stalls.fetch_add(1, Ordering::Relaxed);
            let (topic, partition) = (&intake.at.topic, intake.at.partition);
            tracing::warn!(%topic, partition, position, end = known.high, "silent below its log's end; reading it anew");
            // The client may hold it paused although nobody here has asked for that: a seek alone would not end it.
            let item = [intake.item(position)];
            self.client.resume(&item).ok();
            self.move_to(index, Start { offset: position, leader_epoch: None }, false);
        }
    }

    /// Takes an error of no partition of ours.
    fn on_client_error(&mut self, code: Code, text: &str) {
        // The client's own words count its brokers, and change while nothing does.
        let text = if code == Code::ALL_BROKERS_DOWN { "no broker answers" } else { text };
        let error = Error::of("consume", code.0, text);
        let is_down = code == Code::ALL_BROKERS_DOWN || matches!(error.kind(), Kind::Configuration);
        // Single connections break and come back all the time; what matters shows as all brokers being down.
        if !is_down && verdict(code) == Verdict::Unavailable {
            tracing::debug!(%error, "a kafka connection has trouble");
            return;
        }
        if code == Code::ALL_BROKERS_DOWN {
            self.down_since.get_or_insert_with(Instant::now);
        }
        self.tell(error);
    }

    /// Tells the owner, once per cause and minute.
    pub(super) fn tell(&mut self, error: Error) {
        let now = Instant::now();
        self.told.retain(|(_, at)| now.duration_since(*at) < SAY_AGAIN);
        if self.told.iter().any(|(told, _)| *told == error) {
            return;
        }
        tracing::warn!(%error, "kafka keeps the group waiting");
        self.told.push((error.clone(), now));
        self.outbox.put(GroupEvent::Unavailable(error));
    }

    /// Notes that the cluster answers.
    pub(super) fn recover(&mut self) {
        if self.down_since.take().is_some() {
            self.told.clear();
            tracing::info!("kafka answers again");
            self.outbox.put(GroupEvent::Recovered);
        }
    }
}

fn cause_of(code: Code) -> StopCause {
    match code.0 {
        1 | -139 | -140 => StopCause::OutOfRange,
        // Unknown compression, or a batch larger than the client may receive.
        10 | -170 | -198 => StopCause::Undecodable,
        _ => StopCause::Corrupt,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use forebay_core::budget::Budget;
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use crate::event::{Assigned, Fetched, GroupEvent};
    use crate::group::{Group, GroupSettings};
    use crate::mock::Broker;
    use crate::producer::{Outgoing, Producer};
    use crate::raw::{Assignment, Item};

    const PATIENCE: Duration = Duration::from_secs(90);

    async fn put(producer: &Producer, partition: i32) {
        let headers = Vec::new();
        let (topic, partition) = ("t".into(), Some(partition));
        let sent = producer.send(Outgoing { topic, partition, key: None, value: None, headers, timestamp_ms: None });
        timeout(PATIENCE, sent).await.unwrap().unwrap();
    }

    async fn until_offset(assigned: &mut Assigned, offset: i64) {
        loop {
            let fetched = timeout(PATIENCE, assigned.feed.next()).await.expect("a record in time").unwrap();
            if let Fetched::Records { records, .. } = fetched
                && records.iter().any(|record| record.offset == offset)
            {
                return;
            }
        }
    }

    /// The client has stopped to fetch behind the thread's back: one partition is held paused, another was let go.
    #[tokio::test(flavor = "multi_thread")]
    async fn partitions_that_fell_silent_are_noticed_and_read_on() {
        let broker = Broker::start(1).unwrap();
        broker.create_topic("t", 2).unwrap();
        let producer = Producer::start(&broker.settings()).unwrap();
        let (sender, mut events) = mpsc::channel(16);
        let (kafka, topics) = (broker.settings(), vec!["t".to_owned()]);
        let settings = GroupSettings { kafka, group: "g".to_owned(), topics, buffered_bytes: 4 << 20 };
        let group = Group::start(settings, Budget::new(64 << 20), sender).unwrap();
        let mut assigned = Vec::new();
        while assigned.len() < 2 {
            if let Some(GroupEvent::Assigned(more)) = timeout(PATIENCE, events.recv()).await.unwrap() {
                assigned.extend(more);
            }
        }
        for one in &mut assigned {
            put(&producer, one.partition.partition).await;
            until_offset(one, 0).await;
        }
        group.client().pause(&[Item::new("t", 0, 0)]).unwrap();
        group.client().assign(Assignment::Remove(&[Item::new("t", 1, 0)])).unwrap();
        for one in &mut assigned {
            put(&producer, one.partition.partition).await;
        }
        for one in &mut assigned {
            until_offset(one, 1).await;
        }
        assert!(group.stalls() >= 2, "both were noticed: {}", group.stalls());
        // And they go on from there.
        for one in &mut assigned {
            put(&producer, one.partition.partition).await;
            until_offset(one, 2).await;
        }
    }
}
