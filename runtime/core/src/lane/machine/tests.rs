//! One lane, told by hand.

use std::num::{NonZeroU32, NonZeroUsize};

use super::*;
use crate::lane::event::{Acquired, Command, Written};
use crate::manifest::settings::Retry;
use crate::outcome::{Handled, Outcome};
use crate::record::{At, Record};

const LIMITS: BatchLimits = BatchLimits {
    max_records: NonZeroUsize::new(500).unwrap(),
    max_bytes: NonZeroUsize::new(1 << 20).unwrap(),
    linger: Duration::from_millis(5),
};
const RETRY: Retry =
    Retry { attempts: NonZeroU32::MIN, backoff_min: Duration::from_millis(1), backoff_max: Duration::from_secs(1) };

fn record(offset: i64) -> Record {
    let at = At { topic: "t".into(), partition: 0, offset, timestamp_ms: None, leader_epoch: None };
    Record::copy(at, None, None, &[], |_| Permit::free())
}

/// Returns a lane with two thousand records, and what it asks to be computed.
fn flowing() -> (Lane, Command) {
    let settings = Settings {
        batch: LIMITS,
        retry: RETRY,
        authority: Authority::Ledger,
        outbox_bytes: 1 << 20,
        seed: 1,
        binding: "b".into(),
    };
    let mut lane = Lane::new(settings, &mut Vec::new());
    let (epoch, position, leader_epoch, is_decided, after_death, resend) = (1, 0, None, false, None, Vec::new());
    let acquired = Acquired { epoch, position, leader_epoch, is_decided, after_death, resend };
    hear(&mut lane, Event::Acquired(Ok(acquired)));
    hear(&mut lane, Event::Seeked { generation: 1, offset: 0 });
    let mut actions = hear(&mut lane, Event::Fetched { generation: 1, records: (0..2_000).map(record).collect() });
    let command = computes(&mut actions);
    (lane, command)
}

fn hear(lane: &mut Lane, event: Event) -> Vec<Action> {
    let mut actions = Vec::new();
    lane.hear(event, Duration::ZERO, &mut actions);
    actions
}

fn computes(actions: &mut Vec<Action>) -> Command {
    let at = actions.iter().position(|action| matches!(action, Action::Compute(_)));
    let Some(Action::Compute(command)) = at.map(|at| actions.remove(at)) else { panic!("nothing is computed") };
    command
}

fn writes(actions: &[Action]) -> &Write {
    let write = actions.iter().find_map(|action| match action {
        Action::Write(write) => Some(&**write),
        _ => None,
    });
    write.expect("a batch is written")
}

fn computed(command: &Command) -> Event {
    let handled = command.records.iter().map(|_| Handled { result: Ok(Outcome::Skip(String::new())), runs: 1 });
    Event::Computed { batch: command.batch, result: Ok(Outcomes::new(handled.collect(), |_| Permit::free())) }
}

#[test]
fn another_version_begins_with_few_records_and_takes_twice_as_many_each_time() {
    let (mut lane, before) = flowing();
    assert_eq!(before.records.len(), 500);

    let mut command = computes(&mut hear(&mut lane, Event::Swapped { batch: LIMITS, retry: RETRY }));
    let (mut sizes, mut next) = (Vec::new(), 0);
    while next < 500 {
        assert_ne!(command.batch, before.batch, "the old version's answer counts no more");
        assert_eq!(command.records.first().map(|record| record.offset), Some(next));
        sizes.push(command.records.len());
        let mut actions = hear(&mut lane, computed(&command));
        let following = computes(&mut actions);
        let write = writes(&actions);
        assert_eq!((write.expected, write.records.len()), (next, command.records.len()));
        next = write.next;
        let (done, position, run) = (write.records.len(), write.next, write.run.clone());
        let written = Written { done, position, outgoing: Arc::default(), run, stop: None };
        hear(&mut lane, Event::Written { result: Ok(written) });
        command = following;
    }
    assert_eq!(sizes, [32, 64, 128, 256, 20], "the next is computed while one is written");
}
