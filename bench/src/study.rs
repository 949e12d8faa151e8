//! What has servers, records and figures of its own: more than two sides that take turns.

use crate::scale::Scale;
use crate::stage::Stage;
use crate::table::Table;
use crate::{cores, drivers, governor, lanes, latency, rate};

/// A study; each adds its rows and curves to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Study {
    Latency,
    Cores,
    Governor,
    Rate,
    Drivers,
    Lanes,
}

impl Study {
    /// In the order in which they run: the last two restart the database with settings of their own.
    pub(crate) const ALL: [Self; 6] =
        [Self::Latency, Self::Cores, Self::Governor, Self::Rate, Self::Drivers, Self::Lanes];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Cores => "cores",
            Self::Governor => "governor",
            Self::Rate => "rate",
            Self::Drivers => "drivers",
            Self::Lanes => "lanes",
        }
    }

    pub(crate) async fn run(self, stage: &Stage, scale: Scale, rounds: usize, table: &mut Table) -> anyhow::Result<()> {
        let rounds = scale.rounds(rounds);
        match self {
            Self::Latency => latency::run(stage, scale, table).await,
            Self::Cores => cores::run(stage, scale, rounds, table).await,
            Self::Governor => governor::run(stage, scale, rounds, table).await,
            Self::Rate => rate::run(stage, scale, rounds, table).await,
            Self::Drivers => drivers::run(stage, scale, table).await,
            Self::Lanes => lanes::run(stage, scale, table).await,
        }
    }
}
