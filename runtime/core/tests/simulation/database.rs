//! The model of a database: the ledger, the outbox, and a deliberately non-idempotent table.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use forebay_core::fault::{Class, Fault};
use forebay_core::lane::{Acquired, AfterDeath, Authority, Judge, Judgement, Resend, Settings, Write, Written};
use forebay_core::outbox::{ID_HEADER, Outgoing};
use forebay_core::outcome::Outcome;
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
            return Acquired {
                epoch: 0,
                position: group.unwrap_or_default(),
                leader_epoch: None,
                is_decided: false,
                after_death: None,
                resend: Vec::new(),
            };
        }
        let (position, epoch) = row.ledger.unwrap_or((0, 0));
        row.ledger = Some((position, epoch + 1));
        Acquired {
            epoch: epoch + 1,
            position,
            leader_epoch: None,
            is_decided: false,
            after_death: (epoch % 3 == 0).then(AfterDeath::default),
            resend: row.outbox.values().cloned().collect(),
        }
    }

    /// Runs a transaction: all of it or nothing.
    pub fn write(&mut self, partition: usize, write: &Write, settings: &Settings) -> Result<Written, Verdict> {
        let is_ledger = settings.authority == Authority::Ledger;
        let row = &self.rows[partition];
        if is_ledger && !self.has_no_fence && row.ledger != Some((write.expected, write.epoch)) {
            return Err(Verdict::Fenced);
        }
        let mut judge = Judge::new(write, &settings.retry);
        let mut guilty = BTreeMap::new();
        while let Some(record) = write.records.get(judge.next()) {
            let index = judge.next();
            let fault = self.refuses(partition, record.offset, &write.handled[index].result);
            if judge.push(fault.as_ref()).is_break() {
                break;
            }
            guilty.extend(fault.map(|fault| (index, fault)));
        }
        let Judgement { done, position, run, stop } = judge.finish();
        let mut fates: Vec<(i64, &'static str)> = Vec::new();
        let mut outgoing: Vec<Outgoing> = Vec::new();
        for index in write.from..done {
            let offset = write.records[index].offset;
            match &write.handled[index].result {
                Ok(Outcome::Skip(_)) => fates.push((offset, "skipped")),
                Ok(Outcome::Ok(effects)) if !guilty.contains_key(&index) => {
                    fates.push((offset, "applied"));
                    outgoing.extend(effects.iter().map(|_| message(partition, offset, "0", false)));
                }
                _ => {
                    fates.push((offset, "dead-lettered"));
                    outgoing.push(message(partition, offset, "dlq", true));
                }
            }
        }
        self.commit(partition, write, position, (&fates, &outgoing), is_ledger);
        Ok(Written { done, position, outgoing: Arc::new(outgoing), run, stop })
    }

    fn refuses(&self, partition: usize, offset: i64, result: &Result<Outcome, Fault>) -> Option<Fault> {
        let data = |code: &str| {
            Some(Fault { class: Class::Data, code: code.into(), message: String::new(), site: format!("{offset}") })
        };
        match (result, kind(partition, offset)) {
            (Ok(_), Kind::Refused) => data("23514"),
            (Ok(_), Kind::Orphan) if !self.has_parents => data("23503"),
            _ => None,
        }
    }

    fn commit(
        &mut self,
        partition: usize,
        write: &Write,
        position: i64,
        (fates, outgoing): (&[(i64, &'static str)], &[Outgoing]),
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
        row.outbox.retain(|next, _| !write.settled.rows.contains(next));
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
