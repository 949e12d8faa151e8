//! `forebay dlq`: dead letters counted, shown and sent back.

mod choice;
mod json;
mod kept;
mod letters;
mod list;
mod paper;
mod progress;
mod readable;
mod redrive;
mod show;
mod which;

use clap::{Args, Subcommand};

use crate::app;
use crate::cli::dlq::choice::Choice;
use crate::cli::dlq::which::Which;
use crate::error::{Error, ErrorKind};

/// `forebay dlq`
#[derive(Debug, Args)]
pub(super) struct Dlq {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Counts dead letters by binding, class, code and partition
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        choice: Choice,
        /// No more letters than this
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
    },
    /// Shows a dead letter: where it came from, why, and its key, headers and value
    Show {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        choice: Choice,
        /// The letter with this `forebay.id`
        #[arg(long)]
        id: Option<String>,
        /// No more letters than this
        #[arg(long, value_name = "N", default_value = "1")]
        limit: u64,
        /// All of a value, however large
        #[arg(long)]
        full: bool,
    },
    /// Sends dead letters through the handler again, each once; or back to their topic
    Redrive(redrive::Redrive),
}

impl Dlq {
    pub(super) fn run(self, as_json: bool) -> Result<(), Error> {
        match self.command {
            Command::List { which, choice, limit } => {
                let filter = choice.filter(limit);
                let (manifest, binding) = which.manifest()?;
                let places = which.places(&manifest, binding.as_deref())?;
                app::runtime()?.block_on(list::run(&manifest, &places, &filter, as_json))
            }
            Command::Show { which, choice, id, limit, full } => {
                let mut filter = choice.filter(Some(limit));
                filter.id = id;
                let (manifest, binding) = which.manifest()?;
                let places = which.places(&manifest, binding.as_deref())?;
                let [place] = places.topics.as_slice() else { return Err(places.not_one()) };
                app::runtime()?.block_on(show::run(&manifest, place, filter, full, as_json))
            }
            Command::Redrive(redrive) => redrive.run(as_json),
        }
    }
}

fn usage(sentence: String) -> Error {
    Error::new(ErrorKind::Usage, sentence)
}
