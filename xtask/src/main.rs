//! The project's own commands, called as `cargo xtask COMMAND`.
//!
//! Only what needs nothing built lives here: this package may not depend on a library that `setup` has to prepare the
//! machine for.

mod bench;
mod builtins;
mod demo;
mod faults;
mod figures;
mod golang;
mod guests;
mod kafka;
mod languages;
mod machine;
mod setup;
mod shell;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Forebay's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_help_subcommand = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what is missing, brings Apache Kafka for the tests and builds the components; the others call it
    Setup,
    /// Runs every check and test, or only the tests whose name contains NAME
    Test {
        /// Part of a test's name; formatting and lints are left out then
        name: Option<String>,
    },
    /// Builds the ready-made plugins anew, which are part of the binary; after a change to them or to the Rust SDK
    Builtins,
    /// Shows Forebay at work on an example, without servers; installs and builds what is missing
    Demo,
    /// Measures Forebay against what else could be run, side by side, or only the rows whose name contains NAME
    Bench {
        /// Part of a row's name
        name: Option<String>,
        /// Where the figures are written as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Puts the figures into README.md and docs/benchmarks.md
        #[arg(long)]
        write: bool,
    },
    /// Measures a new project of each language, and writes the table of docs/languages.md
    Languages,
    /// Runs the scenarios in which something breaks, or only those whose name contains NAME
    Faults(faults::Scenarios),
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error itself is gone.
            shell::say(&format!("error: {error:#}")).ok();
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let root = root()?;
    match command {
        Command::Setup => setup::run(&root),
        Command::Test { name } => test::run(&root, name.as_deref()),
        Command::Builtins => builtins::run(&root),
        Command::Demo => demo::run(&root),
        Command::Bench { name, json, write } => bench::run(&root, name.as_deref(), json.as_deref(), write),
        Command::Languages => languages::run(&root),
        Command::Faults(scenarios) => faults::run(&root, &scenarios),
    }
}

/// Returns the checkout this command was built from.
fn root() -> anyhow::Result<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().context("find the checkout above the package `xtask`")?;
    Ok(root.to_owned())
}
