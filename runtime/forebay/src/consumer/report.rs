//! What a lane says of itself: to the log, to the metrics, and to the board.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::lane::{State, Status};
use forebay_core::verdict::Verdict;
use tracing::{debug, error, info, warn};

use crate::metrics::Metrics;
use crate::status::{Board, LaneName};

/// One lane's voice.
pub(super) struct Report {
    name: LaneName,
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    /// The halt that was logged last, while it lasts: it probes for hours with the same words.
    halted: Option<String>,
}

impl Report {
    pub(super) fn new(name: LaneName, board: Arc<Board>, metrics: Arc<Metrics>) -> Self {
        Self { name, board, metrics, halted: None }
    }

    /// One place for the log and the metric of what did not work. A retry is not a drop.
    pub(super) fn failed(&self, what: &str, verdict: &Verdict) {
        let (class, message) = match verdict {
            Verdict::Record(fault) => (fault.class.as_str(), fault.message.as_str()),
            Verdict::Unavailable(cause) | Verdict::Misconfigured(cause) => {
                (cause.reason.as_str(), cause.message.as_str())
            }
            Verdict::Fenced => ("fenced", "another owner has this partition"),
            Verdict::Unknown(why) => ("unknown", why.as_str()),
        };
        self.metrics.retries.with_label_values(&[self.name.binding.as_str(), class]).inc();
        match verdict {
            // It halts the lane, which is logged once for all that can.
            Verdict::Misconfigured(_) => debug!(class, "{what} is refused: {message}"),
            _ => warn!(class, "{what} is tried again: {message}"),
        }
    }

    /// Counts how long a stage of a batch took.
    pub(super) fn stage(&self, stage: &str, took: Duration) {
        let labels = [self.name.binding.as_str(), stage];
        self.metrics.batch_seconds.with_label_values(&labels).observe(took.as_secs_f64());
    }

    /// Tells the state, and logs where it halts and where it goes on.
    pub(super) fn status(&mut self, status: Status, end: Option<i64>) {
        let halt = status.why.as_ref().filter(|_| status.state == State::Halted).map(|(cause, _)| cause);
        match (halt, &self.halted) {
            (Some(cause), halted) if halted.as_ref() != Some(&cause.message) => {
                error!(class = cause.reason.as_str(), "the partition halts: {}", cause.message);
                self.halted = Some(cause.message.clone());
            }
            // A probe is no end of a halt: only what moves is.
            (None, Some(_)) if matches!(status.state, State::Running | State::Idle) => {
                info!("the partition goes on");
                self.halted = None;
            }
            _ => {}
        }
        self.board.lane(&self.name, |view| {
            view.status = status;
            // Unknown until the broker has told; never below what was read already.
            view.end = end.map(|end| end.max(view.status.position.unwrap_or(end)));
        });
    }
}
