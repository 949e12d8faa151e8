//! `forebay check`: everything that is wrong, at once. With exit 0 `run` starts and no binding halts.

use std::collections::BTreeSet;

use camino::Utf8Path;
use forebay_core::manifest::settings::{Binding, DeadLetter, Manifest, Table, TargetKind};
use forebay_core::plan::target::NoSuchColumn;
use forebay_kafka::{Admin, Kind, TopicFacts};
use forebay_sink::{Database, statement};
use serde_json::json;

use crate::app;
use crate::cli::init::of_verdict;
use crate::cli::offer;
use crate::error::{Error, ErrorKind};
use crate::telemetry;
use crate::{host, load};

pub(super) fn run(path: &Utf8Path, offline: bool, as_json: bool) -> Result<(), Error> {
    let manifest = load::manifest(path)?;
    let mut errors = Vec::new();
    errors.extend(load::plugins(&manifest, &host::start()?).err());
    if !offline {
        errors.extend(app::runtime()?.block_on(servers(&manifest)));
    } else {
        for sink in manifest.sinks.values() {
            errors.extend(Database::new(sink).err().map(|error| Error::new(ErrorKind::Config, error.to_string())));
        }
    }
    print(&manifest, offline, as_json, &errors);
    Error::join(errors).map_or(Ok(()), Err)
}

fn print(manifest: &Manifest, offline: bool, as_json: bool, errors: &[Error]) {
    if as_json {
        let bindings: Vec<_> = manifest
            .bindings
            .iter()
            .map(|binding| json!({ "name": binding.name, "group": binding.group, "guarantee": guarantee(binding) }))
            .collect();
        let sentences = || errors.iter().flat_map(Error::sentences);
        let faults: Vec<&String> = sentences().map(|sentence| &sentence.text).collect();
        let details: Vec<_> =
            sentences().map(|sentence| json!({ "fault": sentence.text, "statement": sentence.statement })).collect();
        let facts = json!({
            "ok": errors.is_empty(), "offline": offline, "bindings": bindings, "faults": faults, "details": details,
        });
        return telemetry::print(&facts.to_string());
    }
    for binding in &manifest.bindings {
        telemetry::print(&format!("binding `{}`: {}", binding.name, guarantee(binding)));
    }
    if errors.is_empty() {
        let seen = if offline { "manifest and components are fine; no server was asked" } else { "everything is fine" };
        telemetry::print(seen);
    }
}

fn guarantee(binding: &Binding) -> String {
    let letters = match &binding.dead_letter {
        DeadLetter::Topic { topic, .. } => format!("dead letters go to `{topic}`"),
        DeadLetter::Drop => "records that can not be applied are DROPPED, as the manifest says".to_owned(),
    };
    match binding.sink() {
        Some(sink) => format!(
            "rows and position are one transaction in sink `{sink}`, each effect exactly once; messages at least once, repeats \
             under the same forebay.id after a crash or a rebalance; {letters}"
        ),
        None => format!("no table, so the group's offset is the position: everything at least once; {letters}"),
    }
}

async fn servers(manifest: &Manifest) -> Vec<Error> {
    let mut errors = topics(manifest).await;
    for sink in manifest.sinks.values() {
        match Database::new(sink) {
            Ok(postgres) => errors.extend(tables(manifest, &postgres).await),
            Err(error) => errors.push(Error::new(ErrorKind::Config, error.to_string())),
        }
    }
    errors
}

async fn topics(manifest: &Manifest) -> Vec<Error> {
    let admin = match Admin::start(&manifest.kafka) {
        Ok(admin) => admin,
        Err(error) => return vec![of_kafka(&error)],
    };
    // One answer tells whether the cluster is there at all; without it every topic would say the same.
    if let Err(error) = admin.cluster_id().await {
        return vec![of_kafka(&error)];
    }
    let mut errors = Vec::new();
    for binding in &manifest.bindings {
        let mut largest = 0;
        let partitions = partitions(&admin, binding).await;
        for topic in &binding.topics {
            match topic_of(&admin, manifest, binding, (topic, "source", partitions)).await {
                Ok(facts) => largest = largest.max(facts.max_message_bytes.unwrap_or_default()),
                Err(error) => errors.push(error),
            }
        }
        for target in &binding.targets {
            if let TargetKind::Topic(topic) = &target.kind {
                errors.extend(topic_of(&admin, manifest, binding, (topic, "target", partitions)).await.err());
            }
        }
        errors.extend(letters(&admin, manifest, binding, (largest, partitions)).await);
    }
    errors
}

/// How many partitions the source has, for what should have as many.
async fn partitions(admin: &Admin, binding: &Binding) -> Option<i32> {
    let mut most = None;
    for topic in &binding.topics {
        let facts = admin.describe(topic).await.ok().flatten();
        most = most.max(facts.map(|facts| facts.partitions));
    }
    most
}

async fn letters(
    admin: &Admin,
    manifest: &Manifest,
    binding: &Binding,
    (largest, partitions): (u64, Option<i32>),
) -> Option<Error> {
    let DeadLetter::Topic { topic, create, .. } = &binding.dead_letter else { return None };
    let name = &binding.name;
    let facts = match topic_of(admin, manifest, binding, (topic, "dead-letter", partitions)).await {
        Ok(facts) => facts,
        // It will be made at the start.
        Err(error) => return (!(*create && error.kind() == ErrorKind::Config)).then_some(error),
    };
    if facts.cleanup_policy.is_some_and(|policy| policy.contains("compact")) {
        let message =
            format!("binding `{name}`: the dead-letter topic `{topic}` is compacted; set its cleanup.policy to delete");
        let command = offer::alter_topic(&manifest.kafka, topic, "cleanup.policy=delete");
        return Some(Error::new(ErrorKind::Config, message).with_statement(command));
    }
    if facts.max_message_bytes.is_some_and(|max| max < largest) {
        let message = format!(
            "binding `{name}`: the dead-letter topic `{topic}` takes smaller messages than the source; set its \
             max.message.bytes to at least {largest}"
        );
        let command = offer::alter_topic(&manifest.kafka, topic, &format!("max.message.bytes={largest}"));
        return Some(Error::new(ErrorKind::Config, message).with_statement(command));
    }
    None
}

async fn topic_of(
    admin: &Admin,
    manifest: &Manifest,
    binding: &Binding,
    (topic, what, partitions): (&str, &str, Option<i32>),
) -> Result<TopicFacts, Error> {
    match admin.describe(topic).await {
        Ok(Some(facts)) => Ok(facts),
        Ok(None) => {
            let message = format!("binding `{}`: the {what} topic `{topic}` does not exist; create it", binding.name);
            let command = offer::create_topic(&manifest.kafka, topic, partitions);
            Err(Error::new(ErrorKind::Config, message).with_statement(command))
        }
        Err(error) => Err(of_kafka(&error)),
    }
}

async fn tables(manifest: &Manifest, sink: &Database) -> Vec<Error> {
    let mut errors = Vec::new();
    match sink.ledger_faults().await {
        Ok(faults) => errors.extend(faults.into_iter().map(|fault| Error::of_cause(ErrorKind::Config, fault))),
        Err(verdict) => {
            let error = of_verdict(&verdict);
            let is_away = error.kind() == ErrorKind::Unavailable;
            errors.push(error);
            if is_away {
                return errors;
            }
        }
    }
    let mut seen = BTreeSet::new();
    for table in manifest.bindings.iter().flat_map(|binding| &binding.targets).filter_map(|target| match &target.kind {
        TargetKind::Table(table) if table.sink == sink.name() => Some(table),
        TargetKind::Table(_) | TargetKind::Topic(_) => None,
    }) {
        if seen.insert((table.full_name(), table.key.clone())) {
            errors.extend(table_of(sink, table).await);
        }
    }
    errors
}

async fn table_of(sink: &Database, table: &Table) -> Vec<Error> {
    let report = match sink.table(table).await {
        Ok(report) => report,
        Err(verdict) => return vec![of_verdict(&verdict)],
    };
    let mut errors = Vec::new();
    // Every column at once, where a start names the first; and before the key that may need it.
    for column in offer::named_columns(table) {
        if !report.facts.columns.iter().any(|known| known.name == column) {
            let missing = NoSuchColumn { table: table.full_name(), column: column.to_owned() };
            let statement = statement::add_column(table, column, sink.dialect());
            errors.push(Error::new(ErrorKind::Config, missing.to_string()).with_statement(statement));
        }
    }
    errors.extend(report.faults.into_iter().map(|fault| Error::of_cause(ErrorKind::Config, fault)));
    errors
}

/// What a one-shot command says of the cluster.
pub(super) fn of_kafka(error: &forebay_kafka::Error) -> Error {
    let kind = match error.kind() {
        Kind::Unavailable | Kind::Fatal => ErrorKind::Unavailable,
        Kind::Configuration => ErrorKind::Config,
    };
    Error::new(kind, error.to_string())
}
