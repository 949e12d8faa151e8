//! What comes out of a partition's feed, in the lane's words.

use forebay_core::lane::Event;
use forebay_core::verdict::{Cause, Reason};
use forebay_kafka::{Fetched, Partition, StopCause};

/// What each of the commands that follow it is preceded by.
const RESTORE: &str = "restore it on the broker, or leave it out, with OFFSET the first one behind it";
const TOO_LARGE: &str = "raise `fetch.message.max.bytes` if it is too large, or use a build that knows its compression; or \
    leave it out, with OFFSET the first one behind it";
const CUT: &str = "find out what the broker lost, and say where to go on";

/// Returns what the lane hears.
pub(super) fn event(at: &Partition, binding: &str, fetched: Fetched) -> Event {
    match fetched {
        Fetched::Records { generation, records } => Event::Fetched { generation, records },
        Fetched::End { generation, offset } => Event::End { generation, offset },
        Fetched::Seeked { generation, offset } => Event::Seeked { generation, offset },
        Fetched::Stopped { generation, cause: stop, reason, offset, .. } => {
            let Partition { topic, partition } = at;
            let place = offset.map_or(String::new(), |offset| format!(" at offset {offset}"));
            let (what, way_out) = match stop {
                // The ledger is asked next, and says how much is gone and what to do.
                StopCause::OutOfRange => ("what was next in the log is gone", None),
                StopCause::Truncated => {
                    ("the log was cut and has gone on since; what it has there now is not what was next", Some(CUT))
                }
                StopCause::Corrupt => ("a batch in the log is damaged", Some(RESTORE)),
                StopCause::Undecodable => ("a batch in the log can not be decoded", Some(TOO_LARGE)),
            };
            let way_out = way_out.map_or(String::new(), |way_out| {
                let set = "forebay position set";
                format!("; {way_out}: `{set} {binding} --topic {topic} --partition {partition} --to OFFSET`")
            });
            let cause = Cause::new(Reason::Position, format!("{topic}/{partition}{place}: {what}: {reason}{way_out}"));
            Event::Lost { generation: Some(generation), cause, is_final: stop == StopCause::Truncated }
        }
    }
}

/// Returns what the lane hears of a topic that was deleted and made anew: the ledger says what that means for it.
pub(super) fn anew(at: &Partition) -> Event {
    let message = format!("{}/{} was made anew while it was read", at.topic, at.partition);
    Event::Lost { generation: None, cause: Cause::new(Reason::Position, message), is_final: false }
}
