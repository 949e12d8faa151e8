//! What Forebay costs, side by side with what else could be run: `cargo xtask bench [NAME] [--json FILE]`.
//!
//! Every comparison has two sides. Each side is a process of its own that drains the same topic to its end, and the sides
//! take turns. The rate is taken between the moments when a tenth and nineteen twentieths of the records were done, so that
//! neither start-up nor the last partial batch counts; CPU time likewise. Ratios are per round, side by side: what
//! else the machine does at that time falls on both. A study (`study.rs`) has figures of its own, shown as curves.

mod by_hand;
mod cores;
mod cpu;
mod curve;
mod distribution;
mod drivers;
mod governor;
mod lanes;
mod latency;
mod manifest;
mod native;
mod notices;
mod offering;
mod order;
mod planner;
mod poll;
mod produce;
mod rate;
mod reading;
mod rows;
mod runtime;
mod scale;
mod side;
mod stage;
mod study;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::scale::Scale;

/// As the runtime's own binary: the native side must not differ in its allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Args {
    /// Part of the names of the rows that are run
    name: Option<String>,
    /// Where the figures are written as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Rounds for each row
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A tenth of the studies' records and time, to see whether they work; the figures say nothing
    #[arg(long, hide = true)]
    short: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    side: Option<Side>,
}

/// What a round starts in a process of its own. No row may be called by one of these words.
#[derive(Subcommand)]
enum Side {
    /// librdkafka's poll loop and a counter
    #[command(name = "side-poll", hide = true)]
    Poll(side::Given),
    /// A consumer as one would write it by hand
    #[command(name = "side-by-hand", hide = true)]
    ByHand(side::Given),
    /// The producer of driver locations
    #[command(name = "side-produce", hide = true)]
    Produce(produce::Offer),
    /// The runtime with the handler compiled in
    #[command(name = "side-native", hide = true)]
    Native {
        /// The manifest
        manifest: camino::Utf8PathBuf,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.side {
        Some(Side::Poll(given)) => poll::run(&given),
        Some(Side::ByHand(given)) => by_hand::run(&given),
        Some(Side::Produce(offer)) => produce::run(&offer),
        Some(Side::Native { manifest }) => native::run(&manifest),
        None => {
            let scale = if args.short { Scale::Short } else { Scale::Whole };
            rows::run(args.name.as_deref(), args.json.as_deref(), args.rounds, scale)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
