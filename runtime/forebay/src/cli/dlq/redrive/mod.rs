//! `forebay dlq redrive`: dead letters through the handler and the sink again, each once; or back to their topic.

mod back;
mod drive;
mod end;
mod gauge;
mod patience;
mod tally;

use std::num::NonZeroU32;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use forebay_core::letter::Letter;
use forebay_core::manifest::settings::{self, Manifest};
use forebay_kafka::{Admin, Producer};

use crate::app;
use crate::cli::check::of_kafka;
use crate::cli::dlq::choice::Choice;
use crate::cli::dlq::letters::Letters;
use crate::cli::dlq::redrive::back::Back;
use crate::cli::dlq::redrive::drive::Drive;
use crate::cli::dlq::redrive::end::End;
use crate::cli::dlq::redrive::gauge::Gauge;
use crate::cli::dlq::redrive::tally::Tally;
use crate::cli::dlq::usage;
use crate::cli::dlq::which::{Place, Which};
use crate::consumer::{Binding, Needs};
use crate::error::{Error, ErrorKind};
use crate::telemetry;
use crate::{host, load};

/// `forebay dlq redrive`
#[derive(Debug, Args)]
pub(super) struct Redrive {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    choice: Choice,
    /// The letter with this `forebay.id`
    #[arg(long)]
    id: Option<String>,
    /// No more letters than this; those that were redriven before do not count
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Where to: through the handler, or back to the topic they came from
    #[arg(long, value_enum, default_value = "handler")]
    to: To,
    /// Only show the outcome and the rows of each
    #[arg(long)]
    dry_run: bool,
    /// No more letters in a second than this
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
    /// A letter that came back as often as this is left alone
    #[arg(long, value_name = "N", default_value = "3")]
    max_redrives: u32,
    /// Rows may be overwritten, although they may be newer than the letter
    #[arg(long)]
    allow_stale: bool,
}

/// Where letters go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    Handler,
    Topic,
}

/// How a letter is treated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    dry_run: bool,
    allow_stale: bool,
    max_redrives: u32,
    rate: Option<NonZeroU32>,
}

impl Redrive {
    pub(super) fn run(self, as_json: bool) -> Result<(), Error> {
        let (manifest, name) = self.which.manifest()?;
        let places = self.which.places(&manifest, name.as_deref())?;
        let [place] = places.topics.as_slice() else { return Err(places.not_one()) };
        let Self { dry_run, allow_stale, max_redrives, rate, .. } = self;
        let rules = Rules { dry_run, allow_stale, max_redrives, rate };
        app::runtime()?.block_on(async {
            let mut tally = Tally::new(as_json, rules.dry_run);
            let driven = match self.to {
                To::Handler => self.through_handlers(&manifest, place, rules, &mut tally).await,
                To::Topic => self.to_topics(&manifest, place, rules, &mut tally).await,
            };
            // What was done is said even where something ended it.
            telemetry::print(&tally.end(place.topic));
            driven
        })
    }

    async fn through_handlers(
        &self,
        manifest: &Manifest,
        place: &Place<'_>,
        rules: Rules,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let producer = Producer::start(&manifest.kafka).map_err(|error| of_kafka(&error))?;
        let mut drives: Vec<Drive> = Vec::new();
        let bindings = bindings(manifest, place)?;
        // Who is away is found out here, before anything waits for it.
        let mut letters = self.letters(manifest, place).await?;
        let mut more = false;
        for binding in bindings {
            let drive = Drive::start(binding, &producer, place.topic, rules).await?;
            more |= !rules.dry_run && drive.finish_what_was_cut_short().await?;
            drives.push(drive);
        }
        // Letters among what an earlier run left to send are redriven by this one, too.
        if more {
            letters = self.letters(manifest, place).await?;
        }
        let mut gauge = Gauge::new(self.limit, rules.rate);
        while !gauge.is_full()
            && let Some(letter) = letters.next().await?
        {
            let end = match drives.iter().find(|drive| drive.is_for(&letter)) {
                Some(_) if letter.is_used_up(rules.max_redrives) => End::UsedUp,
                Some(drive) if drive.knows(&letter).await? => End::Known,
                Some(drive) => {
                    gauge.pass().await;
                    drive.letter(manifest, place, &letter).await?
                }
                None => End::Foreign,
            };
            tally.add(&letter, &end);
        }
        Ok(())
    }

    async fn to_topics(
        &self,
        manifest: &Manifest,
        place: &Place<'_>,
        rules: Rules,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let producer = Producer::start(&manifest.kafka).map_err(|error| of_kafka(&error))?;
        let mut back = Back::start(manifest, place, producer, rules)?;
        let mut letters = self.letters(manifest, place).await?;
        let mut gauge = Gauge::new(self.limit, rules.rate);
        while !gauge.is_full()
            && let Some(letter) = letters.next().await?
        {
            back.letter(letter, &mut gauge, tally).await?;
        }
        back.flush(tally).await
    }

    async fn letters<'a>(&self, manifest: &'a Manifest, place: &Place<'a>) -> Result<Letters<'a>, Error> {
        // Where only some are wanted, partitions come one after the other; how many is counted here.
        let mut filter = self.choice.clone().filter(self.limit.map(|_| u64::MAX));
        filter.id.clone_from(&self.id);
        Letters::open(&manifest.kafka, place, filter).await
    }
}

/// Whether a letter is one of this binding's: written by it, or by another program about one of its topics.
fn is_of(binding: &settings::Binding, letter: &Letter) -> bool {
    let topic = letter.origin.as_ref().map(|origin| &origin.topic);
    let is_source = topic.is_some_and(|topic| binding.topics.contains(topic));
    is_source && letter.binding.as_ref().is_none_or(|writer| *writer == binding.name)
}

/// Returns the bindings that are meant, with what they work with.
fn bindings(manifest: &Manifest, place: &Place<'_>) -> Result<Vec<Binding>, Error> {
    let host = Arc::new(host::start()?);
    let plugins = load::plugins(manifest, &host)?;
    let sinks = load::sinks(manifest)?;
    let admin = Admin::start(&manifest.kafka).map_err(|error| of_kafka(&error))?;
    let mut bindings = Vec::with_capacity(place.bindings.len());
    for settings in &place.bindings {
        let Some(sink) = settings.sink().and_then(|sink| sinks.get(sink)) else {
            return Err(usage(format!(
                "binding `{}` has no table, so nothing could remember what was redriven; `--to topic` sends letters back to \
                 their topic instead",
                settings.name
            )));
        };
        let plugin = plugins.get(&settings.plugin).cloned();
        let lost = || Error::new(ErrorKind::Internal, format!("plugin `{}` was not loaded", settings.plugin));
        let needs = Needs {
            host: host.clone(),
            plugin: plugin.ok_or_else(lost)?,
            sink: Some(sink.clone()),
            admin: admin.clone(),
            source: manifest.kafka.name.clone(),
        };
        bindings.push(Binding::new(settings::Binding::clone(settings), needs, manifest.buffered_bytes));
    }
    Ok(bindings)
}
