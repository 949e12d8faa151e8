//! `forebay position`: where each partition stands in ledger and group, and moving it.

mod change;
mod facts;
mod print;
mod to;

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};
use forebay_core::manifest::settings::{Binding, Manifest};

use crate::app;
use crate::cli::position::change::Wish;
use crate::cli::position::facts::Facts;
use crate::cli::position::to::To;
use crate::error::{Error, ErrorKind};
use crate::load;

/// `forebay position`
#[derive(Debug, Args)]
pub(super) struct Position {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Where each partition stands in the ledger, the group and the log, and what a start would do
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Moves positions; a process that runs takes them up within seconds
    Set {
        #[command(flatten)]
        which: Which,
        /// earliest, latest, an offset, or a time such as 2026-11-20T12:00:00Z
        #[arg(long, value_name = "WHERE")]
        to: To,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// After a halt: takes the group's offset where somebody else set it, or the row of a binding that was renamed
    Adopt {
        #[command(flatten)]
        which: Which,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which partitions are meant.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The binding's name
    binding: String,
    /// The manifest
    #[arg(default_value = "forebay.toml")]
    manifest: Utf8PathBuf,
    /// The manifest, as an option
    #[arg(long = "manifest", value_name = "MANIFEST", conflicts_with = "manifest")]
    manifest_option: Option<Utf8PathBuf>,
    /// Only this topic of the binding
    #[arg(long)]
    topic: Option<String>,
    /// Only this partition
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
}

impl Position {
    pub(super) fn run(self, as_json: bool) -> Result<(), Error> {
        let (which, wish) = match self.command {
            Command::Show { which } => (which, None),
            Command::Set { which, to, dry_run } => (which, Some((Wish::To(to), dry_run))),
            Command::Adopt { which, dry_run } => (which, Some((Wish::Adopt, dry_run))),
        };
        let manifest = load::manifest(which.manifest_option.as_ref().unwrap_or(&which.manifest))?;
        let binding = which.binding(&manifest)?;
        app::runtime()?.block_on(async {
            let makes_ledger = wish.is_some_and(|(_, dry_run)| !dry_run);
            let facts = Facts::gather(&manifest, binding, &which, makes_ledger).await?;
            match wish {
                None => print::show(&facts, as_json),
                Some((wish, dry_run)) => change::run(&facts, wish, dry_run, as_json).await?,
            }
            Ok(())
        })
    }
}

impl Which {
    fn binding<'a>(&self, manifest: &'a Manifest) -> Result<&'a Binding, Error> {
        let binding = manifest.binding(&self.binding).map_err(|sentence| Error::new(ErrorKind::Usage, sentence))?;
        match &self.topic {
            Some(topic) if !binding.topics.contains(topic) => {
                let topics = binding.topics.join(", ");
                let sentence = format!("binding `{}` does not read topic `{topic}`; it reads {topics}", binding.name);
                Err(Error::new(ErrorKind::Usage, sentence))
            }
            _ => Ok(binding),
        }
    }

    fn has(&self, topic: &str, partition: i32) -> bool {
        self.topic.as_ref().is_none_or(|own| own == topic) && self.partition.is_none_or(|own| own == partition)
    }
}
