//! What a lane's shell hears.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::lane::Write;
use forebay_core::outbox::Outgoing;
use forebay_core::verdict::Verdict;
use forebay_kafka::{Committed as GroupCommitted, Feed, Fetched, Partition};
use forebay_sink::Committed;

use crate::consumer::acquire::Granted;
use crate::consumer::binding::{Binding, Prepared};
use crate::consumer::compute;
use crate::consumer::surroundings::Order;

/// A partition, the number of its assignment, its records, and what the group had committed if it could be asked.
pub(super) type Assignment = (Partition, u64, Feed, Option<Option<GroupCommitted>>);

/// The binding as it was when something was asked for, and what servers had said of it.
pub(super) type Version = (Arc<Binding>, Option<Arc<Prepared>>);

/// What was asked for.
pub(super) enum Answer {
    Acquired(Version, Result<Granted, Verdict>),
    Computed(Version, u64, Result<compute::Computed, Verdict>, Duration),
    Written(Version, Box<(Write, Result<Committed, Verdict>)>, Duration),
    Sent(u64, Arc<Vec<Outgoing>>, Option<Vec<Outgoing>>),
}

/// Whatever comes first.
pub(super) enum Heard {
    Order(Option<Order>),
    Answer(Answer),
    Fetched(Option<Fetched>),
    Wanted,
    Swapped,
    /// The sink is back.
    Healed,
    Tick,
    Beat,
}
