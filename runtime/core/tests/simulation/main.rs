//! A seeded simulation of lanes, positions, ledger protocol and rebalances: processes that are killed, frozen and
//! rebalanced over a database that answers late, wrongly or not at all. Invariants are checked after every step.
//!
//! `FOREBAY_SEED=n` runs one seed alone.

#![expect(
    unreachable_pub,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the modules of one test binary: a panic is how a test says no"
)]

mod broker;
mod database;
mod process;
mod random;
mod world;

use world::{Sabotage, World};

/// Steps of the honest core in the test command, over all seeds.
const STEPS: u64 = 1_000_000;
const STEPS_A_SEED: u64 = 4_000;

fn seeds() -> std::ops::Range<u64> {
    match std::env::var("FOREBAY_SEED") {
        Ok(seed) => {
            let seed = seed.parse().unwrap();
            seed..seed + 1
        }
        Err(_) => 0..STEPS / STEPS_A_SEED,
    }
}

#[test]
fn an_honest_core_survives_a_million_steps() {
    for seed in seeds() {
        let result = World::new(seed, Sabotage::None).run(STEPS_A_SEED);
        assert!(result.is_ok(), "seed {seed}: {}", result.unwrap_err());
    }
}

fn is_caught(sabotage: Sabotage) -> bool {
    (0..200).any(|seed| World::new(seed, sabotage).run(STEPS_A_SEED).is_err())
}

#[test]
fn catches_a_core_that_commits_before_it_writes() {
    assert!(is_caught(Sabotage::CommitsBeforeItWrites));
}

#[test]
fn catches_a_core_without_a_fence() {
    assert!(is_caught(Sabotage::NoFence));
}

#[test]
fn catches_a_core_that_commits_the_highest_offset_seen() {
    assert!(is_caught(Sabotage::CommitsTheHighestSeen));
}
