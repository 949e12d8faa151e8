//! The whole model, its random steps, and what must hold after each of them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use forebay_core::budget::Permit;
use forebay_core::lane::{Authority, Event, Settings};
use forebay_core::outcome::Outcomes;
use forebay_core::verdict::{Cause, Reason, Verdict};

use crate::broker::{Broker, Kind, PARTITIONS, handle, kind};
use crate::database::{Database, id};
use crate::process::{Asked, Process, Shell, settings};
use crate::random::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    None,
    CommitsBeforeItWrites,
    NoFence,
    CommitsTheHighestSeen,
}

pub struct World {
    random: Random,
    sabotage: Sabotage,
    settings: Settings,
    now: Duration,
    broker: Broker,
    database: Database,
    processes: Vec<Process>,
    /// Which process the group gave each partition to.
    owners: [Option<usize>; PARTITIONS],
    /// Transactions of dead or revoked lanes that may still reach the database.
    ghosts: Vec<(usize, forebay_core::lane::Write)>,
    is_mended: bool,
    is_healed: bool,
    /// How much of each table was looked at.
    checked: [usize; PARTITIONS],
}

impl World {
    pub fn new(seed: u64, sabotage: Sabotage) -> Self {
        let authority =
            if seed % 4 == 3 && sabotage != Sabotage::NoFence { Authority::Group } else { Authority::Ledger };
        let database = Database { has_no_fence: sabotage == Sabotage::NoFence, ..Database::default() };
        Self {
            random: Random::new(seed),
            sabotage,
            settings: settings(authority, seed),
            now: Duration::ZERO,
            broker: Broker::default(),
            database,
            processes: (0..3).map(|_| Process::default()).collect(),
            owners: [None; PARTITIONS],
            ghosts: Vec::new(),
            is_mended: false,
            is_healed: false,
            checked: [0; PARTITIONS],
        }
    }

    pub fn run(mut self, steps: u64) -> Result<(), String> {
        for _ in 0..steps {
            self.step();
            self.check()?;
        }
        self.heal();
        for _ in 0..40_000 {
            self.step();
            self.check()?;
            if self.is_done() {
                return self.check_end();
            }
        }
        let statuses: Vec<_> =
            self.processes.iter().flat_map(|process| &process.lanes).map(|shell| shell.lane.status()).collect();
        Err(format!("not done long after everything healed: {statuses:?}"))
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(self.random.next() % 8);
        let process = self.random.below(self.processes.len());
        match self.random.below(100) {
            0..12 if !self.is_healed => {
                let (partition, is_hole) = (self.random.below(PARTITIONS), self.random.chance(15));
                (0..1 + self.random.below(8)).for_each(|_| self.broker.append(partition, is_hole));
            }
            12 if !self.is_healed => self.kill(process),
            13 if !self.is_healed => self.processes[process].is_frozen ^= true,
            14 if !self.is_healed => self.rebalance(),
            15 => self.haunt(),
            16 if self.random.chance(20) => self.database.has_parents |= self.random.chance(10),
            17 if self.random.chance(5) => self.is_mended = true,
            18 if !self.is_healed && self.random.chance(20) => self.drain(process),
            19 if self.random.chance(30) => self.swap(process),
            _ => self.turn(process),
        }
    }

    /// One turn of one lane: a reply, some records, or a tick.
    fn turn(&mut self, process: usize) {
        if self.processes[process].is_frozen || self.processes[process].lanes.is_empty() {
            return;
        }
        let lane = self.random.below(self.processes[process].lanes.len());
        let mut shell = self.processes[process].lanes.swap_remove(lane);
        let commits = match self.random.below(10) {
            0..3 => self.deliver(&mut shell),
            3 if self.random.chance(4) => {
                let is_paused = !self.is_healed && self.random.chance(50);
                let pause = is_paused.then(|| Cause::new(Reason::Paused, "paused by hand"));
                shell.hear(Event::Wanted { pause, is_accepting: false }, self.now)
            }
            3 => shell.hear(Event::Tick, self.now),
            _ if shell.asked.is_empty() => Vec::new(),
            _ => self.answer(&mut shell),
        };
        let is_owner = self.owners[shell.partition] == Some(process);
        for offset in commits.into_iter().filter(|_| is_owner) {
            self.broker.group[shell.partition] = Some(offset);
        }
        if self.sabotage == Sabotage::CommitsTheHighestSeen && is_owner && shell.highest_seen >= 0 {
            self.broker.group[shell.partition] = Some(shell.highest_seen + 1);
        }
        if !shell.is_drained {
            self.processes[process].lanes.push(shell);
        } else if is_owner {
            self.owners[shell.partition] = None;
        }
    }

    fn deliver(&mut self, shell: &mut Shell) -> Vec<i64> {
        if !shell.lane.wants_records() {
            return Vec::new();
        }
        let most = 1 + self.random.below(30);
        let records = self.broker.records(shell.partition, shell.fetch, most);
        let generation = shell.generation;
        match records.last() {
            Some(last) => {
                (shell.fetch, shell.highest_seen) = (last.offset + 1, last.offset);
                shell.hear(Event::Fetched { generation, records }, self.now)
            }
            None => {
                let offset = self.broker.ends[shell.partition].max(shell.fetch);
                shell.fetch = offset;
                shell.hear(Event::End { generation, offset }, self.now)
            }
        }
    }

    fn answer(&mut self, shell: &mut Shell) -> Vec<i64> {
        let away = || Verdict::Unavailable(Cause::new(Reason::Database, "away"));
        let broken = || Verdict::Misconfigured(Cause::new(Reason::Schema, "no such table"));
        let asked = shell.asked.remove(self.random.below(shell.asked.len()));
        let is_bad_day = !self.is_healed && self.random.chance(8);
        let partition = shell.partition;
        let event = match asked {
            Asked::Acquire if is_bad_day && self.random.chance(30) => Event::Acquired(Err(broken())),
            Asked::Acquire if is_bad_day => Event::Acquired(Err(away())),
            Asked::Acquire => {
                let group = self.broker.group[partition];
                Event::Acquired(Ok(self.database.acquire(partition, group, self.settings.authority)))
            }
            Asked::Seek(offset) => {
                shell.generation += 1;
                shell.fetch = offset;
                Event::Seeked { generation: shell.generation, offset }
            }
            Asked::Compute(command, _) if is_bad_day => {
                let verdict = if self.random.chance(50) { broken() } else { away() };
                Event::Computed { batch: command.batch, result: Err(verdict) }
            }
            Asked::Compute(command, version) => {
                let records = command.records.iter().skip(command.from);
                let mut handled: Vec<_> = records.map(|record| handle(record, self.is_mended, version)).collect();
                if self.random.chance(5) {
                    // What was made of these fills the room there is.
                    handled.truncate(1 + self.random.below(handled.len()));
                }
                let outcomes = Outcomes::new(handled, |_| Permit::free());
                Event::Computed { batch: command.batch, result: Ok(outcomes) }
            }
            Asked::Write(write) => {
                if self.sabotage == Sabotage::CommitsBeforeItWrites {
                    self.broker.group[partition] = Some(write.next);
                }
                let result = if is_bad_day && self.random.chance(50) {
                    Err(if self.random.chance(50) { broken() } else { away() })
                } else {
                    self.database.write(partition, &write, &self.settings)
                };
                shell.asked.push(Asked::Reply(result));
                return Vec::new();
            }
            Asked::Reply(_) if is_bad_day => Event::Written { result: Err(Verdict::Unknown("cut".into())) },
            Asked::Reply(result) => Event::Written { result },
            Asked::Send(next, messages) => {
                for message in messages.iter() {
                    *self.broker.sent.entry(id(message)).or_default() += 1;
                }
                Event::Sent { id: next, kept: Vec::new() }
            }
        };
        shell.hear(event, self.now)
    }

    /// Another version, and other bounds of a batch, in every lane of a process.
    fn swap(&mut self, process: usize) {
        let mut batch = self.settings.batch;
        batch.max_records = NonZeroUsize::new(1 + self.random.below(60)).unwrap();
        let retry = self.settings.retry;
        for lane in 0..self.processes[process].lanes.len() {
            let shell = &mut self.processes[process].lanes[lane];
            shell.version += 1;
            let (partition, commits) = (shell.partition, shell.hear(Event::Swapped { batch, retry }, self.now));
            for offset in commits.into_iter().filter(|_| self.owners[partition] == Some(process)) {
                self.broker.group[partition] = Some(offset);
            }
        }
    }

    /// SIGTERM: the lanes finish what is in flight, and then the process has none.
    fn drain(&mut self, process: usize) {
        let mut lanes = std::mem::take(&mut self.processes[process].lanes);
        for shell in &mut lanes {
            shell.is_draining = true;
            let _the_positions_stay = shell.hear(Event::Drain, self.now);
        }
        for shell in lanes {
            if !shell.is_drained {
                self.processes[process].lanes.push(shell);
            } else if self.owners[shell.partition] == Some(process) {
                self.owners[shell.partition] = None;
            }
        }
    }

    /// SIGKILL: what is on its way to the database may arrive there or not.
    fn kill(&mut self, process: usize) {
        let died = std::mem::take(&mut self.processes[process]);
        died.lanes.into_iter().for_each(|shell| self.bury(shell));
        self.owners.iter_mut().filter(|owner| **owner == Some(process)).for_each(|owner| *owner = None);
    }

    fn bury(&mut self, shell: Shell) {
        for asked in shell.asked {
            if let Asked::Write(write) = asked
                && self.random.chance(50)
            {
                self.ghosts.push((shell.partition, write));
            }
        }
    }

    /// A transaction of a lane that is gone arrives late.
    fn haunt(&mut self) {
        if let (Some((partition, write)), Authority::Ledger) = (self.ghosts.pop(), self.settings.authority) {
            let _too_late_or_in_time = self.database.write(partition, &write, &self.settings);
        }
    }

    /// Gives a partition to another process. A frozen owner does not hear of it, and goes on once it thaws.
    fn rebalance(&mut self) {
        let partition = self.random.below(PARTITIONS);
        let to = self.random.below(self.processes.len());
        if self.processes[to].is_frozen || self.owners[partition] == Some(to) {
            return;
        }
        if let Some(from) = self.owners[partition].replace(to)
            && !self.processes[from].is_frozen
        {
            self.revoke(from, partition);
        }
        // A zombie of its own would be replaced: one lane for each assignment.
        self.revoke(to, partition);
        let shell = Shell::new(partition, self.broker.group[partition], self.settings.clone());
        self.processes[to].lanes.push(shell);
    }

    fn revoke(&mut self, process: usize, partition: usize) {
        let lanes = std::mem::take(&mut self.processes[process].lanes);
        let (gone, stay): (Vec<Shell>, Vec<Shell>) = lanes.into_iter().partition(|shell| shell.partition == partition);
        self.processes[process].lanes = stay;
        gone.into_iter().for_each(|shell| self.bury(shell));
    }

    /// Everything works from now on: servers, plugin, group.
    fn heal(&mut self) {
        (self.is_healed, self.is_mended, self.database.has_parents) = (true, true, true);
        for process in 0..self.processes.len() {
            self.processes[process].is_frozen = false;
            let draining = self.processes[process].lanes.iter().filter(|shell| shell.is_draining);
            for partition in draining.map(|shell| shell.partition).collect::<Vec<_>>() {
                self.owners[partition] = self.owners[partition].filter(|owner| *owner != process);
            }
            let theirs: Vec<usize> =
                (0..PARTITIONS).filter(|partition| self.owners[*partition] != Some(process)).collect();
            theirs.into_iter().for_each(|partition| self.revoke(process, partition));
        }
        for partition in 0..PARTITIONS {
            if self.owners[partition].is_none() {
                self.owners[partition] = Some(0);
                let shell = Shell::new(partition, self.broker.group[partition], self.settings.clone());
                self.processes[0].lanes.push(shell);
            }
        }
        // Probes and waits come due.
        self.now += Duration::from_secs(60);
    }

    fn check(&mut self) -> Result<(), String> {
        let is_ledger = self.settings.authority == Authority::Ledger;
        for (partition, row) in self.database.rows.iter().enumerate() {
            let fresh = row.applied.get(self.checked[partition].saturating_sub(1)..).unwrap_or_default();
            if is_ledger && fresh.windows(2).any(|pair| pair[1] <= pair[0]) {
                return Err(format!("partition {partition}: applied twice or out of order: {fresh:?}"));
            }
            self.checked[partition] = row.applied.len();
            let Some(committed) = self.broker.group[partition] else { continue };
            if is_ledger && row.ledger.is_none_or(|(position, _)| committed > position) {
                return Err(format!(
                    "partition {partition}: the group is at {committed}, the ledger at {:?}",
                    row.ledger
                ));
            }
            let below = self.broker.logs[partition].partition_point(|offset| *offset < committed);
            let last = self.broker.logs[partition][..below].iter().rev().take(50);
            if let Some(lost) = last.into_iter().find(|offset| !row.terminal.contains_key(offset)) {
                return Err(format!("partition {partition}: committed {committed}, but {lost} is not terminal"));
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        (0..PARTITIONS).all(|partition| {
            let end = self.broker.ends[partition];
            let row = &self.database.rows[partition];
            let is_at_end = self.settings.authority == Authority::Group || row.ledger.is_some_and(|(at, _)| at == end);
            is_at_end && self.broker.group[partition] == Some(end) && row.outbox.is_empty()
        })
    }

    fn check_end(&self) -> Result<(), String> {
        for (partition, row) in self.database.rows.iter().enumerate() {
            let lost: Vec<i64> = self.broker.logs[partition]
                .iter()
                .copied()
                .filter(|offset| !row.terminal.contains_key(offset))
                .collect();
            if !lost.is_empty() {
                return Err(format!("partition {partition}: lost {lost:?}"));
            }
            // Without a ledger, what an older plugin decided and a crash forgot is decided anew by the mended one.
            let is_final =
                |offset: i64| self.settings.authority == Authority::Ledger || kind(partition, offset) != Kind::Alike;
            let decided = row.decided.iter().filter(|(_, offset)| is_final(**offset));
            let unsent: Vec<&String> =
                decided.map(|(id, _)| id).filter(|id| !self.broker.sent.contains_key(*id)).collect();
            if !unsent.is_empty() {
                return Err(format!("partition {partition}: decided and never sent: {unsent:?}"));
            }
            let mut fates: BTreeMap<&str, usize> = BTreeMap::new();
            for (offset, fate) in &row.terminal {
                *fates.entry(fate).or_default() += 1;
                let is_right = match kind(partition, *offset) {
                    Kind::Row | Kind::Publish | Kind::Orphan => *fate == "applied",
                    Kind::Skip => *fate == "skipped",
                    Kind::Poison | Kind::Refused => *fate == "dead-lettered",
                    Kind::Alike => true,
                };
                if !is_right {
                    return Err(format!("partition {partition}: {offset} was {fate}"));
                }
            }
        }
        let invented =
            self.broker.sent.keys().find(|id| !self.database.rows.iter().any(|row| row.decided.contains_key(*id)));
        invented.map_or(Ok(()), |id| Err(format!("{id} was sent and never decided")))
    }
}
