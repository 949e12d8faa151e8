//! What a lane's shell is given, and what it is told.

use std::sync::Arc;

use forebay_core::budget::Budget;
use forebay_kafka::{Group, Producer};

use crate::consumer::live::Live;
use crate::consumer::observer::Observer;
use crate::metrics::Metrics;
use crate::status::Board;
use crate::watchdog::Watchdog;

/// What a lane needs besides its partition.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) group: Arc<Group>,
    pub(super) producer: Producer,
    pub(super) budget: Budget,
    pub(super) board: Arc<Board>,
    pub(super) metrics: Arc<Metrics>,
    /// Who this process is, for people.
    pub(super) owner: Arc<str>,
    /// The bindings in force.
    pub(super) live: Live,
    /// The most bytes of a lane's messages that wait for Kafka.
    pub(super) outbox_bytes: usize,
    /// Who watches each record, if anybody does.
    pub(super) observer: Option<Observer>,
    /// Looks after the lanes' loops.
    pub(super) watchdog: Arc<Watchdog>,
}

/// What a lane is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Finish what is in flight, then end.
    Drain,
    /// A person has moved its position.
    Moved,
    /// The topic was deleted and made anew: what is next in it is not what was next.
    Anew,
    /// The partition is gone: end as soon as no transaction is under way.
    Let,
}
