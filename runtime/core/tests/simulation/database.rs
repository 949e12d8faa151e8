//! The model of a database: the ledger, the outbox, and a deliberately non-idempotent table.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use forebay_core::fault::{Class, Fault};
use forebay_core::lane::{Acquired, Authority, Resend, Settings, Stop, Write, Written};
use forebay_core::outbox::{ID_HEADER, Outgoing};
use forebay_core::outcome::Outcome;
use forebay_core::policy::decide::heals_by_waiting;
use forebay_core::verdict::Verdict;

use crate::broker::{Kind, PARTITIONS, kind};

#[derive(Default)]
pub struct Database {
    pub rows: [Partition; PARTITIONS],
    /// Whether the rows that orphans need have come.
    pub has_parents: bool,
    /// The sabotage: the compare-and-set is left out.
    pub has_no_fence: bool,
}

#[derive(Default)]
pub struct Partition {
    pub ledger: Option<(i64, i64)>,
    /// Offsets in the order in which they were applied, and those that were dead-lettered or skipped.
    pub applied: Vec<i64>,
    pub terminal: BTreeMap<i64, &'static str>,
    pub outbox: BTreeMap<i64, Resend>,
    /// Every message that was ever decided, with the position it belongs to.
    pub decided: BTreeMap<String, i64>,
}

impl Database {
    pub fn acquire(&mut self, partition: usize, group: Option<i64>, authority: Authority) -> Acquired {
        let row = &mut self.rows[partition];
        if authority == Authority::Group {
            return Acquired { epoch: 0, position: group.unwrap_or_default(), resend: Vec::new() };
        }
        let (position, epoch) = row.ledger.unwrap_or((0, 0));
        row.ledger = Some((position, epoch + 1));
        Acquired { epoch: epoch + 1, position, resend: row.outbox.values().cloned().collect() }
    }

    /// Runs a transaction: all of it or nothing.
    pub fn write(&mut self, partition: usize, write: &Write, settings: &Settings) -> Result<Written, Verdict> {
        let is_ledger = settings.authority == Authority::Ledger;
        let row = &self.rows[partition];
        if is_ledger && !self.has_no_fence && row.ledger != Some((write.expected, write.epoch)) {
            return Err(Verdict::Fenced);
        }
        let (mut run, mut stop, mut done) = (write.run.clone(), None, write.records.len());
        let mut fates: Vec<(i64, &'static str)> = Vec::new();
        let mut outgoing: Vec<Outgoing> = Vec::new();
        run.start_batch();
        for (index, record) in write.records.iter().enumerate().skip(write.from) {
            let result = self.judge(partition, record.offset, &write.handled[index].result);
            let attempt = if index == write.from { write.attempt } else { 1 };
            if let Err(fault) = &result
                && heals_by_waiting(fault)
                && attempt < settings.retry.attempts.get()
            {
                (stop, done) = (Some(Stop::Wait(fault.clone())), index);
                break;
            }
            if let Some(tripped) = run.push(result.as_ref().err()) {
                done = write.from + tripped.from;
                stop = Some(Stop::Alike(tripped));
                fates.retain(|(offset, _)| *offset < write.records[done].offset);
                outgoing.retain(|message| number(message) < write.records[done].offset);
                run.withhold();
                break;
            }
            match result {
                Ok(Outcome::Ok(effects)) => {
                    fates.push((record.offset, "applied"));
                    outgoing.extend(effects.iter().map(|_| message(partition, record.offset, "0", false)));
                }
                Ok(Outcome::Skip(_)) => fates.push((record.offset, "skipped")),
                Ok(Outcome::Reject(_)) | Err(_) => {
                    fates.push((record.offset, "dead-lettered"));
                    outgoing.push(message(partition, record.offset, "dlq", true));
                }
            }
        }
        let position = write.records.get(done).map_or(write.next, |first| match done {
            done if done == write.from => write.expected,
            _ => first.offset,
        });
        self.commit(partition, write, position, &fates, &outgoing, is_ledger);
        Ok(Written { done, position, outgoing: Arc::new(outgoing), run, stop })
    }

    fn judge(&self, partition: usize, offset: i64, result: &Result<Outcome, Fault>) -> Result<Outcome, Fault> {
        let data = |code: &str| {
            Err(Fault { class: Class::Data, code: code.into(), message: String::new(), site: format!("{offset}") })
        };
        match (result, kind(partition, offset)) {
            (Ok(_), Kind::Refused) => data("23514"),
            (Ok(_), Kind::Orphan) if !self.has_parents => data("23503"),
            (result, _) => result.clone(),
        }
    }

    fn commit(
        &mut self,
        partition: usize,
        write: &Write,
        position: i64,
        fates: &[(i64, &'static str)],
        outgoing: &[Outgoing],
        is_ledger: bool,
    ) {
        let row = &mut self.rows[partition];
        for (offset, fate) in fates {
            row.terminal.insert(*offset, fate);
            if *fate == "applied" {
                row.applied.push(*offset);
            }
        }
        for message in outgoing {
            row.decided.insert(id(message), number(message));
        }
        if !is_ledger {
            return;
        }
        row.ledger = Some((position, row.ledger.map_or(0, |(_, epoch)| epoch)));
        if let Some(up_to) = write.settled.up_to {
            row.outbox.retain(|next, _| *next > up_to);
        }
        if !outgoing.is_empty() {
            let resend = Resend { from: write.expected, next: position, messages: Arc::new(outgoing.to_vec()) };
            row.outbox.insert(position, resend);
        }
    }
}

pub fn id(message: &Outgoing) -> String {
    String::from_utf8(message.header(ID_HEADER).unwrap().to_vec()).unwrap()
}

fn number(message: &Outgoing) -> i64 {
    id(message).split('/').nth(2).unwrap().parse().unwrap()
}

fn message(partition: usize, offset: i64, suffix: &str, is_letter: bool) -> Outgoing {
    let id = Bytes::from(format!("t/{partition}/{offset}/{suffix}"));
    let headers = vec![(Bytes::from_static(ID_HEADER.as_bytes()), Some(id))];
    Outgoing { topic: "out".into(), partition: None, key: None, value: None, headers, is_letter }
}
