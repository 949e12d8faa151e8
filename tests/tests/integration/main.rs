//! Scenarios against real servers and the real binary: one binary, so that it links once.

mod alike;
mod away;
mod check;
mod cli;
mod dev;
mod examples;
mod harness;
mod letters;
mod mixed;
mod offers;
mod orders;
mod outages;
mod poison;
mod position;
mod project;
mod quarrels;
mod refusals;
mod rows;
mod scene;
mod spine;
mod sqlite;
mod watchdog;
