//! What comes out of a partition's feed, in the lane's words.

use forebay_core::lane::Event;
use forebay_core::verdict::{Cause, Reason};
use forebay_kafka::{Fetched, Partition, StopCause};

/// Returns what the lane hears.
pub(super) fn event(at: &Partition, fetched: Fetched) -> Event {
    match fetched {
        Fetched::Records { generation, records } => Event::Fetched { generation, records },
        Fetched::End { generation, offset } => Event::End { generation, offset },
        Fetched::Seeked { generation, offset } => Event::Seeked { generation, offset },
        Fetched::Stopped { generation, cause, reason, offset, .. } => {
            let Partition { topic, partition } = at;
            let place = offset.map_or(String::new(), |offset| format!(" at offset {offset}"));
            let what = match cause {
                StopCause::OutOfRange => "what was next in the log is gone",
                StopCause::Corrupt => "a batch in the log is damaged",
                StopCause::Undecodable => "a batch in the log can not be decoded",
            };
            let cause = Cause::new(Reason::Position, format!("{topic}/{partition}{place}: {what}: {reason}"));
            Event::Lost { generation: Some(generation), cause }
        }
    }
}

/// Returns what the lane hears of a topic that was deleted and made anew: the ledger says what that means for it.
pub(super) fn anew(at: &Partition) -> Event {
    let message = format!("{}/{} was made anew while it was read", at.topic, at.partition);
    Event::Lost { generation: None, cause: Cause::new(Reason::Position, message) }
}
