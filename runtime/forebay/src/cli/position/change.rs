//! Moving positions: in the ledger, where an owner is fenced by it and takes them up, and in the group where nobody is.

use std::time::Duration;

use forebay_core::lane::position::{Adoption, LedgerRow, Question, Resolution, adopt, marker};
use forebay_kafka::{Commit, Partition};
use forebay_sink::{Database, Move, PositionRow};
use serde_json::json;
use tokio::time::Instant;

use crate::cli::check::of_kafka;
use crate::cli::init::of_verdict;
use crate::cli::position::facts::{Facts, PartitionFacts};
use crate::cli::position::to::To;
use crate::consumer::host_name;
use crate::error::{Error, ErrorKind};
use crate::telemetry;

/// How long an owner may take to take a position up: it looks every second, and finishes a transaction before. A member that
/// died is in its group until its session ends, 45 s by default.
const TAKE_UP: Duration = Duration::from_secs(60);
/// How often ledger and group are asked meanwhile.
const LOOK: Duration = Duration::from_millis(500);
/// After this long the command says what it waits for.
const SAY: Duration = Duration::from_secs(3);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish {
    To(To),
    Adopt,
}

impl Step<'_> {
    /// Whether both offsets are those of one log.
    fn is_of_log(&self) -> bool {
        let Question { cluster_id, topic_id, .. } = &self.facts.question;
        self.facts.ledger().is_none_or(|row| row.is_of_log(cluster_id.as_deref(), topic_id.as_deref()))
    }
}

impl Wish {
    /// Whether it says anything about a partition: what does not halt needs nobody to adopt it. A decision that nobody has
    /// taken up yet passes over the group's offset, which may have gone on since.
    fn concerns(self, one: &PartitionFacts) -> bool {
        match self {
            Self::To(_) => true,
            Self::Adopt => {
                let is_decided = one.ledger().is_some_and(LedgerRow::is_decided);
                is_decided || matches!(one.resolution(), Resolution::Halt(_))
            }
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
        (true, _) => "nothing was changed; without --dry-run it will be so".to_owned(),
        (false, Some((sink, ledger_id))) => in_ledger(facts, sink, ledger_id, &steps).await?,
        (false, None) => in_group(facts, &steps).await?,
    };
    print(&steps, &outcome, dry_run, as_json);
    Ok(())
}

async fn target(facts: &Facts<'_>, one: &PartitionFacts, wish: Wish) -> Result<i64, Error> {
    let (low, high) = one.question.log;
    let (place, Question { topic, partition, binding, .. }) = (one.question.place(), &one.question);
    let set = format!("`forebay position set {binding} --topic {topic} --partition {partition} --to WHERE`");
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
                let sentence = format!("{place}: group `{group}` has no offset to adopt; use {set}");
                return Err(Error::new(ErrorKind::Config, sentence));
            }
        },
    };
    if (low..=high).contains(&to) {
        return Ok(to);
    }
    let way_out = match wish {
        Wish::To(_) => "choose an offset in it".to_owned(),
        Wish::Adopt => format!("use {set} with an offset in it"),
    };
    let sentence = format!("{place}: {to} is outside the log, which goes from {low} to {high}; {way_out}");
    Err(Error::new(ErrorKind::Config, sentence))
}

async fn in_ledger(facts: &Facts<'_>, sink: &Database, ledger_id: &str, steps: &[Step<'_>]) -> Result<String, Error> {
    let by = format!("{}:{}", host_name(), std::process::id());
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
    let outcome = followed(facts, sink, steps, &commits).await;
    // From now on the group has its say again: also where nobody has taken it up, so that what somebody else does in the
    // group meanwhile is a quarrel and not passed over. What was taken up has another owner by now.
    for one in &moves {
        sink.followed(one).await.map_err(|verdict| of_verdict(&verdict))?;
    }
    outcome
}

/// Sets the group's offset where nobody is in the group. Members that are Forebay's take the position up and commit it
/// themselves.
async fn followed(
    facts: &Facts<'_>,
    sink: &Database,
    steps: &[Step<'_>],
    commits: &[(Partition, Commit)],
) -> Result<String, Error> {
    let group = &facts.binding.group;
    let (start, end) = (Instant::now(), Instant::now() + TAKE_UP);
    let mut has_said = false;
    let own = |row: &PositionRow| {
        steps.iter().any(|step| *step.facts.at.topic == *row.topic && step.facts.at.partition == row.partition)
    };
    loop {
        let rows = sink.positions(facts.source, group).await.map_err(|verdict| of_verdict(&verdict))?;
        let waiting = rows.iter().filter(|row| own(row) && row.row.is_decided()).count();
        if waiting == 0 {
            return Ok("the processes that own them have taken them up".to_owned());
        }
        if facts.admin.commit(group, commits).await.map_err(|error| of_kafka(&error))? {
            return Ok(format!(
                "ledger and group are moved; nobody is in group `{group}`, and the next start goes on there"
            ));
        }
        if Instant::now() > end {
            let sentence = format!(
                "{waiting} of {} positions are moved in the ledger, and nobody has taken them up within {TAKE_UP:?}: group \
                 `{group}` has members, and none of them that owns these partitions is a Forebay with this ledger; stop the \
                 other program and repeat this",
                steps.len()
            );
            return Err(Error::new(ErrorKind::Unavailable, sentence));
        }
        if !has_said && start.elapsed() > SAY {
            has_said = true;
            telemetry::warn(&format!("moved in the ledger; waiting for the members of group `{group}` to take it up"));
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
            Some(from) if !step.is_of_log() => format!("{place}: from {from} of another log to {to} of this one"),
            Some(from) => {
                let (low, high) = step.facts.question.log;
                let (from_here, to_here) = (from.clamp(low, high), to.clamp(low, high));
                match from > to {
                    true => format!("{place}: from {from} back to {to}; {} processed again", are(from_here - to_here)),
                    false => {
                        format!("{place}: from {from} on to {to}; {} not processed here", are(to_here - from_here))
                    }
                }
            }
        });
    }
    telemetry::print(outcome);
}

fn are(count: i64) -> String {
    if count == 1 { "1 offset is".to_owned() } else { format!("{count} offsets are") }
}
