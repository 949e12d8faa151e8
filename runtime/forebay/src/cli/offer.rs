//! Commands that make what a manifest names and a cluster does not have, ready to be run.

use forebay_core::manifest::settings::{Kafka, OnConflict, Table};

/// A topic that nobody knows the size of.
const PARTITIONS: i32 = 3;

/// Returns the command that makes a topic, with as many partitions as the source has.
pub(super) fn create_topic(kafka: &Kafka, topic: &str, partitions: Option<i32>) -> String {
    let partitions = partitions.unwrap_or(PARTITIONS);
    format!("kafka-topics.sh --bootstrap-server {} --create --topic {topic} --partitions {partitions}", brokers(kafka))
}

/// Returns the command that changes a topic's setting.
pub(super) fn alter_topic(kafka: &Kafka, topic: &str, setting: &str) -> String {
    format!(
        "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {topic} --add-config {setting}",
        brokers(kafka)
    )
}

/// Returns every column that the manifest names of a table, each once.
pub(super) fn named_columns(table: &Table) -> Vec<&str> {
    let newest = match &table.on_conflict {
        OnConflict::Newest(column) => Some(column),
        OnConflict::Overwrite | OnConflict::Keep => None,
    };
    let mut columns: Vec<&str> = Vec::new();
    for column in table.key.iter().chain(newest).chain(table.columns.iter().flatten()) {
        if !columns.contains(&column.as_str()) {
            columns.push(column);
        }
    }
    columns
}

fn brokers(kafka: &Kafka) -> String {
    kafka.bootstrap_servers.join(",")
}
