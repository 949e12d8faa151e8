//! Feeding: lines into the first topic, no faster than the records come to their end, and their fates in the order in
//! which they were fed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use forebay_kafka::{Outgoing, Producer, SendError};

use crate::consumer::Terminal;
use crate::samples::Input;

/// The in-process cluster keeps 5 MiB of a partition and forgets the rest silently: far less is under way.
const RECORDS_MAX: usize = 256;
const BYTES_MAX: usize = 1 << 20;

/// Topic, partition, offset.
type Place = (Arc<str>, i32, i64);

/// What was fed and has not come to its end.
pub(super) struct Feed {
    topic: Arc<str>,
    /// In the order of the lines.
    under_way: VecDeque<(Place, usize)>,
    bytes: usize,
    /// Records at their end before one that was fed earlier.
    early: HashMap<Place, Terminal>,
}

impl Feed {
    /// Feeds `topic` where a line names none.
    pub(super) fn new(topic: &str) -> Self {
        Self { topic: topic.into(), under_way: VecDeque::new(), bytes: 0, early: HashMap::new() }
    }

    /// Returns how many more records may be fed now.
    pub(super) fn room(&self) -> usize {
        if self.bytes >= BYTES_MAX { 0 } else { RECORDS_MAX.saturating_sub(self.under_way.len()) }
    }

    /// Returns whether everything that was fed has come to its end.
    pub(super) fn is_done(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Sends records and returns what could not be sent.
    pub(super) async fn send(&mut self, producer: &Producer, inputs: Vec<Input>) -> Vec<SendError> {
        let messages: Vec<Outgoing> = inputs.into_iter().map(|input| self.message(input)).collect();
        let places: Vec<(Arc<str>, usize)> = messages.iter().map(|each| (each.topic.clone(), each.bytes())).collect();
        let mut refused = Vec::new();
        for ((topic, bytes), landed) in places.into_iter().zip(producer.send_all(messages).await) {
            match landed {
                Ok((partition, offset)) => {
                    self.bytes += bytes;
                    self.under_way.push_back(((topic, partition, offset), bytes));
                }
                Err(error) => refused.push(error),
            }
        }
        refused
    }

    /// Takes a record at its end, and returns all whose turn it is.
    pub(super) fn ended(&mut self, terminal: Terminal) -> Vec<Terminal> {
        let place = (terminal.topic.clone(), terminal.partition, terminal.offset);
        // Another binding reads what this one publishes: it was not fed, and has no turn.
        if !self.under_way.iter().any(|(fed, _)| *fed == place) {
            return vec![terminal];
        }
        self.early.insert(place, terminal);
        let mut due = Vec::new();
        while let Some((place, bytes)) = self.under_way.front() {
            let Some(terminal) = self.early.remove(place) else { break };
            self.bytes = self.bytes.saturating_sub(*bytes);
            self.under_way.pop_front();
            due.push(terminal);
        }
        due
    }

    fn message(&self, input: Input) -> Outgoing {
        let Input { topic, partition, key, value, headers, timestamp_ms } = input;
        // Without a key there is nothing to choose by.
        let partition = if partition.is_none() && key.is_none() { Some(0) } else { partition };
        let topic = topic.map_or_else(|| self.topic.clone(), Arc::from);
        Outgoing { topic, partition, key, value, headers, timestamp_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::Ended;

    fn terminal(partition: i32, offset: i64) -> Terminal {
        let (changes, publishes) = (Vec::new(), Vec::new());
        Terminal { topic: "t".into(), partition, offset, state: Ended::Applied, changes, publishes }
    }

    #[test]
    fn fates_are_told_in_the_order_of_the_lines() {
        let mut feed = Feed::new("t");
        feed.under_way.extend([("t".into(), 0, 0), ("t".into(), 1, 0), ("t".into(), 0, 1)].map(|place| (place, 1)));
        let places = |list: Vec<Terminal>| list.iter().map(|each| (each.partition, each.offset)).collect::<Vec<_>>();
        assert_eq!(places(feed.ended(terminal(1, 0))), []);
        assert_eq!(places(feed.ended(terminal(0, 0))), [(0, 0), (1, 0)]);
        assert!(!feed.is_done());
        assert_eq!(places(feed.ended(terminal(0, 1))), [(0, 1)]);
        assert!(feed.is_done());
        assert_eq!(places(feed.ended(terminal(2, 0))), [(2, 0)]);
    }
}
