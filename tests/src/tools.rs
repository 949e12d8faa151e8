//! Kafka's own command line tools, called as somebody types them: `kafka-topics.sh --bootstrap-server …`.

use std::process::Output;

use tokio::task;

use crate::kafka;

/// Runs a command line of one of Kafka's scripts; panics where it fails.
pub async fn run(line: &str) {
    let mut words = line.split_whitespace();
    let main_class = match words.next() {
        Some("kafka-topics.sh") => "org.apache.kafka.tools.TopicCommand",
        Some("kafka-configs.sh") => "kafka.admin.ConfigCommand",
        script => panic!("no script of Kafka is known as {script:?}"),
    };
    let mut command = kafka::java(main_class, "OFF", &["-Xmx128m"]);
    command.args(words);
    let output = task::spawn_blocking(move || command.output()).await.expect("the thread ends");
    let Output { status, stdout, stderr } = output.expect("Java starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "`{line}` failed ({status})\n{stdout}\n{stderr}");
}
