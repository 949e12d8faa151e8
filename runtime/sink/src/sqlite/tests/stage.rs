//! A sink on a file of its own, a lane that writes to it, and short words for effects.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use forebay_core::budget::Permit;
use forebay_core::dead_letter::Origin;
use forebay_core::fault::Fault;
use forebay_core::lane::position::Question;
use forebay_core::lane::{Acquired, Settled, Write};
use forebay_core::manifest::settings::{Fold, Missing, OnConflict, Retry, Start, Table};
use forebay_core::outcome::{Column, Effect, Handled, Outcome, Outcomes, Row, Value};
use forebay_core::plan::check;
use forebay_core::plan::target::{TableTarget, Target, TargetKind, Targets};
use forebay_core::record::{At, Record};
use forebay_core::verdict::Verdict;
use jiff::Timestamp;

use crate::committed::{Committed, WriteContext};
use crate::ledger::{AcquireRequest, LaneKey};
use crate::sqlite::Sqlite;

/// A folder that goes with its test.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("forebay-sqlite-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("test.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A sink with a schema, and a lane of its own.
pub(super) struct Stage {
    pub(super) sink: Sqlite,
    pub(super) context: WriteContext,
    pub(super) epoch: i64,
    pub(super) next: i64,
    pub(super) folder: Folder,
}

/// A target of its own name with the key `id`, if the table has such a column.
pub(super) fn table(name: &str) -> Table {
    Table {
        sink: "warehouse".into(),
        schema: None,
        table: name.into(),
        key: vec!["id".into()],
        columns: None,
        on_conflict: OnConflict::Overwrite,
        missing: Missing::Reject,
        fold: Fold::Auto,
    }
}

impl Stage {
    pub(super) async fn new(schema: &str, tables: &[Table]) -> Self {
        let folder = Folder::new();
        let sink = Sqlite::watching("warehouse", &folder.file(), Duration::from_secs(1));
        Self::on(folder, sink, schema, tables).await
    }

    pub(super) async fn on(folder: Folder, sink: Sqlite, schema: &str, tables: &[Table]) -> Self {
        sink.execute_script(schema).await.unwrap();
        sink.init().await.unwrap();
        let mut targets = Vec::new();
        for table in tables {
            let report = sink.table(table).await.unwrap();
            assert_eq!(report.faults, []);
            let target = TableTarget::try_new(table.clone(), Arc::new(report.facts)).unwrap();
            targets.push(Target { name: table.table.clone(), kind: TargetKind::Table(Box::new(target)) });
        }
        let origin = Origin {
            binding: "orders".into(),
            group: "g".into(),
            plugin: "p".into(),
            digest: "sha256:0".into(),
            letters: None,
            redrives: 0,
        };
        let attempts = NonZeroU32::new(3).unwrap();
        let context = WriteContext {
            key: LaneKey { source: "kafka".into(), group: "g".into(), topic: "orders".into(), partition: 0 },
            targets: Arc::new(Targets::new(targets)),
            origin: Arc::new(origin),
            retry: Retry { attempts, backoff_min: Duration::ZERO, backoff_max: Duration::ZERO },
            notes_version: true,
            redriven: None,
        };
        let mut stage = Self { sink, context, epoch: 0, next: 0, folder };
        let acquired = stage.acquire().await.unwrap();
        (stage.epoch, stage.next) = (acquired.epoch, acquired.position);
        stage
    }

    pub(super) fn request(&self, ledger_id: String) -> AcquireRequest {
        AcquireRequest {
            key: self.context.key.clone(),
            owner: "me".into(),
            question: Question {
                topic: "orders".into(),
                partition: 0,
                group: "g".into(),
                binding: "orders".into(),
                ledger_id,
                cluster_id: Some("c".into()),
                topic_id: None,
                log: (0, i64::MAX),
                start: Start::Earliest,
            },
            group_offset: None,
            start_offset: 0,
            partitions: 1,
            plugin_digest: "sha256:0".into(),
        }
    }

    pub(super) async fn acquire(&self) -> Result<Acquired, Verdict> {
        let ledger_id = self.sink.ledger_id().await?;
        self.sink.acquire(&self.request(ledger_id)).await
    }

    /// A batch of the records after the position, each with what the handler made of it, checked as the host does.
    pub(super) fn batch(&self, records: &[Vec<Effect>]) -> Write {
        let list = records.iter().map(|effects| {
            let outcome = Outcome::Ok(effects.clone());
            let result = check::outcome(&outcome, &self.context.targets).map(|()| outcome);
            Handled { result, runs: 1 }
        });
        let handled = Outcomes::new(list.collect(), |_| Permit::free());
        let offsets = self.next..self.next + i64::try_from(records.len()).unwrap();
        Write {
            records: offsets.clone().map(record).collect::<Vec<_>>().into(),
            handled: Arc::new(handled),
            from: 0,
            attempt: 1,
            epoch: self.epoch,
            expected: self.next,
            next: offsets.end,
            leader_epoch: None,
            run: Default::default(),
            flood: None,
            settled: Settled::default(),
        }
    }

    pub(super) async fn write(&mut self, records: &[Vec<Effect>]) -> Result<Committed, Verdict> {
        let committed = self.sink.write(&self.context, &self.batch(records), now()).await?;
        self.next = committed.written.position;
        Ok(committed)
    }

    /// Writes one record, and returns what the contract or the database has against it.
    pub(super) async fn fault(&mut self, effects: Vec<Effect>) -> Option<Fault> {
        let write = self.batch(std::slice::from_ref(&effects));
        if let Err(fault) = &write.handled[0].result {
            return Some(fault.clone());
        }
        self.write(&[effects]).await.unwrap().refused.remove(&0)
    }

    /// All rows of a table: values joined by a bar, `-` for NULL.
    pub(super) async fn rows(&self, table: &str) -> Vec<String> {
        let (_, rows, count) = self.sink.rows(table, 1_000_000).await.unwrap();
        assert_eq!(rows.len(), count);
        let shown = |row: Vec<Option<String>>| {
            row.into_iter().map(|value| value.unwrap_or_else(|| "-".into())).collect::<Vec<_>>().join("|")
        };
        rows.into_iter().map(shown).collect()
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn record(offset: i64) -> Record {
    let at = At { topic: "orders".into(), partition: 0, offset, timestamp_ms: None, leader_epoch: None };
    Record::copy(at, None, None, &[], |_| Permit::free())
}

pub(super) fn row(target: &str, columns: &[(&str, Value)]) -> Row {
    let column = |(name, value): &(&str, Value)| Column { name: (*name).into(), value: value.clone() };
    Row { target: target.into(), columns: columns.iter().map(column).collect() }
}

pub(super) fn upsert(target: &str, columns: &[(&str, Value)]) -> Effect {
    Effect::Upsert(row(target, columns))
}

pub(super) fn insert(target: &str, columns: &[(&str, Value)]) -> Effect {
    Effect::Insert(row(target, columns))
}

pub(super) fn update(target: &str, columns: &[(&str, Value)]) -> Effect {
    Effect::Update(row(target, columns))
}

pub(super) fn add(target: &str, columns: &[(&str, Value)]) -> Effect {
    Effect::Add(row(target, columns))
}

pub(super) fn delete(target: &str, columns: &[(&str, Value)]) -> Effect {
    Effect::Delete(row(target, columns))
}

pub(super) fn int(number: i64) -> Value {
    Value::Integer(number)
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.into())
}
