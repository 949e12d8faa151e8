//! The thread of one group: it polls, hands records on, answers rebalances, and sends commits.
//!
//! It never waits for a handler, a database or a full channel. What it does wait for is bounded: the coordinator's answer
//! about committed offsets while partitions are assigned (5 s), and a seek (2 s).

mod intake;
mod outbox;
mod pressure;
mod rebalance;
mod start;
mod trouble;
mod turn;

pub(crate) use turn::Reader;
