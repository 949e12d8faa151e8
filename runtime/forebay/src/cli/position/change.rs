//! Moving positions: in the ledger, where an owner is fenced by it and takes them up, and in the group where nobody is.

use std::time::Duration;

use forebay_core::lane::position::{Adoption, Resolution, adopt, marker};
use forebay_kafka::{Commit, Partition};
use forebay_sink::{Database, Move, PositionRow};
use serde_json::json;
use tokio::time::Instant;

use crate::cli::check::of_kafka;
use crate::cli::init::of_verdict;
use crate::cli::position::facts::{Facts, PartitionFacts};
use crate::cli::position::to::To;
use crate::error::{Error, ErrorKind};
use crate::telemetry;

/// How long an owner may take to take a position up: it looks every second, and finishes a transaction before.
const TAKE_UP: Duration = Duration::from_secs(30);
/// How often the ledger is asked meanwhile.
const LOOK: Duration = Duration::from_millis(250);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish {
    To(To),
    Adopt,
}

impl Wish {
    /// Whether it says anything about a partition: what does not halt needs nobody to adopt it.
    fn concerns(self, one: &PartitionFacts) -> bool {
        match self {
            Self::To(_) => true,
            Self::Adopt => matches!(one.resolution(), Resolution::Halt(_)),
        }
    }
}

/// One partition's change.
struct Step<'a> {
    facts: &'a PartitionFacts,
    from: Option<i64>,
    to: i64,
}

/// Moves what is meant, or says what would be done.
pub(super) async fn run(facts: &Facts<'_>, wish: Wish, dry_run: bool, as_json: bool) -> Result<(), Error> {
    let mut steps = Vec::with_capacity(facts.partitions.len());
    let mut errors = Vec::new();
    for one in facts.partitions.iter().filter(|one| wish.concerns(one)) {
        match target(facts, one, wish).await {
            Ok(to) => steps.push(Step { facts: one, from: one.position(facts), to }),
            Err(error) => errors.push(error),
        }
    }
    if let Some(error) = Error::join(errors) {
        return Err(error);
    }
    let outcome = match (dry_run, &facts.ledger) {
        _ if steps.is_empty() => "no partition halts over its position, so there is nothing to adopt".to_owned(),
        (true, _) => "nothing was changed: it is what would be done".to_owned(),
        (false, Some((sink, ledger_id))) => in_ledger(facts, sink, ledger_id, &steps).await?,
        (false, None) => in_group(facts, &steps).await?,
    };
    print(&steps, &outcome, dry_run, as_json);
    Ok(())
}

async fn target(facts: &Facts<'_>, one: &PartitionFacts, wish: Wish) -> Result<i64, Error> {
    let (low, high) = one.question.log;
    let place = one.question.place();
    let to = match wish {
        Wish::To(To::Earliest) => low,
        Wish::To(To::Latest) => high,
        Wish::To(To::Offset(offset)) => offset,
        Wish::To(To::Time(time)) => {
            facts.admin.offset_for_time(&one.at, time).await.map_err(|error| of_kafka(&error))?
        }
        Wish::Adopt if facts.ledger.is_none() => {
            let sentence = "this binding has no table, so the group's offset is its position already; nothing to adopt";
            return Err(Error::new(ErrorKind::Usage, sentence));
        }
        Wish::Adopt => match adopt(one.ledger(), one.group.as_ref(), &one.question) {
            Adoption::Group(offset) | Adoption::Ledger(offset) => offset,
            Adoption::Nothing => {
                let group = &one.question.group;
                let sentence =
                    format!("{place}: group `{group}` has no offset to adopt; use `forebay position set --to`");
                return Err(Error::new(ErrorKind::Config, sentence));
            }
        },
    };
    if (low..=high).contains(&to) {
        return Ok(to);
    }
    let sentence = format!("{place}: {to} is outside the log, which goes from {low} to {high}; choose an offset in it");
    Err(Error::new(ErrorKind::Config, sentence))
}

async fn in_ledger(facts: &Facts<'_>, sink: &Database, ledger_id: &str, steps: &[Step<'_>]) -> Result<String, Error> {
    let by = format!("process {}", std::process::id());
    let moves: Vec<Move> = steps
        .iter()
        .map(|step| Move {
            key: step.facts.key(facts.source),
            to: step.to,
            binding: facts.binding.name.clone(),
            cluster_id: step.facts.question.cluster_id.clone(),
            topic_id: step.facts.question.topic_id.clone(),
            partitions: step.facts.partitions,
            by: by.clone(),
        })
        .collect();
    let epochs = sink.move_positions(&moves).await.map_err(|verdict| of_verdict(&verdict))?;
    let commits: Vec<(Partition, Commit)> = steps
        .iter()
        .zip(epochs)
        .map(|(step, epoch)| {
            let metadata = marker(ledger_id, epoch);
            (step.facts.at.clone(), Commit { offset: step.to, leader_epoch: None, metadata })
        })
        .collect();
    let group = &facts.binding.group;
    if facts.admin.commit(group, &commits).await.map_err(|error| of_kafka(&error))? {
        for one in &moves {
            sink.followed(one).await.map_err(|verdict| of_verdict(&verdict))?;
        }
        return Ok(format!(
            "ledger and group are moved; nobody is in group `{group}`, and the next start goes on there"
        ));
    }
    taken_up(facts, sink, steps).await
}

/// The group has members: those that are Forebay's take the position up and commit it themselves.
async fn taken_up(facts: &Facts<'_>, sink: &Database, steps: &[Step<'_>]) -> Result<String, Error> {
    let group = &facts.binding.group;
    let end = Instant::now() + TAKE_UP;
    let own = |row: &PositionRow| {
        steps.iter().any(|step| *step.facts.at.topic == *row.topic && step.facts.at.partition == row.partition)
    };
    loop {
        let rows = sink.positions(facts.source, group).await.map_err(|verdict| of_verdict(&verdict))?;
        let waiting = rows.iter().filter(|row| own(row) && row.row.is_decided()).count();
        if waiting == 0 {
            return Ok("the processes that own them have taken them up".to_owned());
        }
        if Instant::now() > end {
            let sentence = format!(
                "{waiting} of {} positions are moved in the ledger and not taken up within {TAKE_UP:?}: group `{group}` has \
                 members, and none of them that owns them is a Forebay with this ledger; stop the other program, and start \
                 Forebay: it goes on there",
                steps.len()
            );
            return Err(Error::new(ErrorKind::Unavailable, sentence));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Without a ledger the group's offset is the position, and only its members may move it while there are any.
async fn in_group(facts: &Facts<'_>, steps: &[Step<'_>]) -> Result<String, Error> {
    let group = &facts.binding.group;
    let commit = |step: &Step<'_>| {
        let commit = Commit { offset: step.to, leader_epoch: None, metadata: String::new() };
        (step.facts.at.clone(), commit)
    };
    let commits: Vec<(Partition, Commit)> = steps.iter().map(commit).collect();
    if facts.admin.commit(group, &commits).await.map_err(|error| of_kafka(&error))? {
        return Ok("the group is moved; the next start goes on there".to_owned());
    }
    let sentence = format!(
        "binding `{}` has no table, so its position is the offset of group `{group}`, which takes it from its members alone; \
         stop its processes and repeat",
        facts.binding.name
    );
    Err(Error::new(ErrorKind::Unavailable, sentence))
}

fn print(steps: &[Step<'_>], outcome: &str, dry_run: bool, as_json: bool) {
    if as_json {
        let partitions: Vec<_> = steps
            .iter()
            .map(|step| {
                let (topic, partition) = (&step.facts.question.topic, step.facts.at.partition);
                json!({ "topic": topic, "partition": partition, "from": step.from, "to": step.to })
            })
            .collect();
        let shown = json!({ "ok": true, "dry_run": dry_run, "partitions": partitions, "outcome": outcome });
        return telemetry::print(&shown.to_string());
    }
    for step in steps {
        let (place, to) = (step.facts.question.place(), step.to);
        telemetry::print(&match step.from {
            None => format!("{place}: at {to}; it had no position"),
            Some(from) if from == to => format!("{place}: stays at {to}"),
            Some(from) if from > to => {
                format!("{place}: from {from} back to {to}; {} are processed again", offsets(from - to))
            }
            Some(from) => format!("{place}: from {from} on to {to}; {} are left out", offsets(to - from)),
        });
    }
    telemetry::print(outcome);
}

fn offsets(count: i64) -> String {
    if count == 1 { "1 offset".to_owned() } else { format!("{count} offsets") }
}
