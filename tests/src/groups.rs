//! Kafka's own consumer-groups tool: what it shows of a group, and moving the group with it.

use std::process::Output;

use tokio::task;

use crate::kafka::{self, Kafka};

/// One row of what the tool shows of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupRow {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The committed offset, where one is.
    pub current: Option<i64>,
    /// The end of the log.
    pub end: i64,
    /// The distance between the two, where one is committed.
    pub lag: Option<i64>,
}

/// Returns what the tool shows of `group`, by topic and partition.
pub async fn describe(kafka: &Kafka, group: &str) -> Vec<GroupRow> {
    let output = tool(kafka, &["--describe", "--group", group]).await;
    let mut rows = parse(&output);
    rows.sort();
    rows
}

/// Moves a group that nobody is in, and returns what the tool says. `topic` may be `TOPIC` or `TOPIC:PARTITIONS`; `to` is
/// the tool's own option: `["--to-offset", "5"]`, `["--to-earliest"]`.
pub async fn reset_offsets(kafka: &Kafka, group: &str, topic: &str, to: &[&str]) -> String {
    let fixed = ["--reset-offsets", "--execute", "--group", group, "--topic", topic];
    tool(kafka, &[&fixed[..], to].concat()).await
}

async fn tool(kafka: &Kafka, args: &[&str]) -> String {
    let mut command = kafka::java("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "OFF", &["-Xmx128m"]);
    command.args(["--bootstrap-server", &kafka.bootstrap()]).args(args);
    let output = task::spawn_blocking(move || command.output()).await.expect("the thread ends");
    let Output { status, stdout, stderr } = output.expect("Java starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "the consumer-groups tool failed ({status}) with {args:?}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// Reads the table below the line of column names; what stands around it is talk.
fn parse(output: &str) -> Vec<GroupRow> {
    let mut columns: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for line in output.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first() == Some(&"GROUP") && words.contains(&"CURRENT-OFFSET") {
            columns = words;
        } else if !columns.is_empty() && words.len() >= columns.len() {
            let cell = |name: &str| columns.iter().position(|own| *own == name).map(|at| words[at]);
            let number = |name: &str| cell(name).and_then(|text| text.parse::<i64>().ok());
            rows.push(GroupRow {
                topic: cell("TOPIC").expect("the table has topics").to_owned(),
                partition: cell("PARTITION").and_then(|text| text.parse().ok()).expect("the table has partitions"),
                current: number("CURRENT-OFFSET"),
                end: number("LOG-END-OFFSET").unwrap_or_else(|| panic!("no log end in `{line}`")),
                lag: number("LAG"),
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::{GroupRow, parse};

    #[test]
    fn reads_the_tools_table_and_skips_its_talk() {
        let output = "\nConsumer group 'g' has no active members.\n\n\
            GROUP  TOPIC  PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG  CONSUMER-ID  HOST  CLIENT-ID\n\
            g      t      1          5               10              5    -            -     -\n\
            g      t      0          -               3               -    -            -     -\n";
        let row = |partition, current, end, lag| GroupRow { topic: "t".to_owned(), partition, current, end, lag };
        assert_eq!(parse(output), [row(1, Some(5), 10, Some(5)), row(0, None, 3, None)]);
    }
}
