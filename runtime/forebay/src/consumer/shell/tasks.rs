//! What a lane asks for, each as a task that ends in an answer.

use std::time::Duration;

use forebay_core::lane::{Command, Write};
use forebay_core::outbox::Outgoing;
use forebay_core::record::Record;
use forebay_core::verdict::Verdict;
use tokio::time::Instant;
use tracing::{Instrument as _, info_span};

use crate::consumer::heard::Answer;
use crate::consumer::shell::Shell;
use crate::consumer::write::Way;
use crate::consumer::{acquire, compute, send, write};

impl Shell {
    pub(super) fn acquire(&mut self) {
        let (binding, at, owner) = (self.binding.clone(), self.at.clone(), self.around.owner.clone());
        // An owner that comes back to its own row has nothing to ask the group: its offset follows the ledger.
        let known = if self.prepared.is_some() { Some(None) } else { self.committed.take() };
        let seed = self.seed;
        let acquire = async move {
            let asked = acquire::acquire(&binding, &at, &owner, known);
            let granted = match &binding.share {
                Some(share) => share.ask(seed, asked).await,
                None => asked.await,
            };
            Answer::Acquired((binding, None), granted)
        };
        self.in_flight.spawn(acquire.in_current_span());
    }

    pub(super) fn compute(&mut self, command: Command) {
        let (binding, prepared) = (self.binding.clone(), self.prepared.clone());
        let count = command.records.len() - command.from;
        #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^53 records")]
        self.around.metrics.batch_records.with_label_values(&[binding.settings.name.as_str()]).observe(count as f64);
        let offset = |record: Option<&Record>| record.map(|record| record.offset);
        let span = info_span!(
            "batch",
            first = offset(command.records.get(command.from)),
            last = offset(command.records.last())
        );
        let owner = self.around.owner.clone();
        let compute = async move {
            let started = Instant::now();
            let result = match &prepared {
                Some(prepared) => compute::compute(&binding, prepared, &command, &owner).await,
                None => Err(Verdict::Unknown("the partition is not acquired yet".to_owned())),
            };
            Answer::Computed((binding, prepared), command.batch, result, started.elapsed())
        };
        self.computing = Some(self.in_flight.spawn(compute.instrument(span)));
    }

    pub(super) fn write(&mut self, mut write: Write) {
        let (binding, prepared, at) = (self.binding.clone(), self.prepared.clone(), self.at.clone());
        let (board, notes_version) = (self.around.board.clone(), !self.is_noted);
        let (throttled, leaving) = (self.throttled.clone(), self.leaving.clone());
        let (lane, is_steady) = (self.seed, self.is_steady);
        let span = info_span!("batch", expected = write.expected, next = write.next);
        let work = async move {
            let waits = |waits: bool| *throttled.lock() = waits.then(|| board.now());
            let admitted = tokio::select! {
                admission = write::admit(&binding, &write, waits) => Some(admission),
                () = leaving.cancelled() => None,
            };
            let (result, took) = match (admitted, &prepared) {
                (Some(admission), Some(prepared)) => {
                    let begun = binding.steering.begin(&write, board.now());
                    write.flood = begun.map(|(level, _)| level);
                    let way = Way { binding: &binding, prepared, at: &at, lane, notes_version, is_steady };
                    let written = way.write(&write, admission).await;
                    if let Some((_, batch)) = begun {
                        binding.steering.end(batch, &write, written.0.as_ref().ok(), board.now());
                    }
                    written
                }
                _ => (Err(Verdict::Fenced), Duration::ZERO),
            };
            Answer::Written((binding, prepared), Box::new((write, result)), took)
        };
        self.in_flight.spawn(work.instrument(span));
    }

    pub(super) fn send_next(&mut self) {
        if self.is_sending {
            return;
        }
        let Some((id, messages)) = self.unsent.pop_front() else { return };
        self.is_sending = true;
        let (producer, board, name) = (self.around.producer.clone(), self.around.board.clone(), self.name.clone());
        let permit = self.around.budget.take(messages.iter().map(Outgoing::bytes).sum());
        let send = async move {
            let _held_until_acknowledged = permit;
            forebay_sink::failpoint::pass("before-send");
            let trouble = |why: Option<String>| board.lane(&name, |view| view.send_trouble = why);
            let kept = send::send(&producer, messages.clone(), trouble).await;
            forebay_sink::failpoint::pass("after-send");
            Answer::Sent(id, messages, kept)
        };
        self.in_flight.spawn(send.in_current_span());
    }
}
