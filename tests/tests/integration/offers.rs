//! What `forebay check` offers for what is missing is run as it is printed, and `check` is content.

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Binding, Manifest};
use forebay_tests::names::Names;
use forebay_tests::place;
use forebay_tests::postgres::Postgres;
use forebay_tests::tools;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_that_check_offers_mends_what_it_names() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let (names, second) = (Names::new("offers"), Names::new("offers"));
    let database = names.database.as_str();
    postgres.create_database(database).await;
    // A table without its key and two of its columns, one that the role may not write to, and one that is not there.
    let schema = format!(
        "create table narrow (note text); create table barred (id bigint primary key); create role {database} login; \
         grant create on database {database} to {database}; grant select, insert, update on narrow to {database}"
    );
    postgres.execute(database, &schema).await;
    // The first binding's topics are all missing; the second's dead letters would be erased and are cut.
    kafka.create_topic(&second.topic, 2, &[("max.message.bytes", "2000000")]).await;
    kafka.create_topic(&second.dead_letters, 1, &[("cleanup.policy", "compact")]).await;
    let table = |rest: &str| format!("{{ sink = \"warehouse\", table = \"public.{rest}, key = [\"id\"] }}");
    let manifest = Manifest::scripted(kafka, postgres, &names)
        .warehouse(&postgres.url_as(database, database))
        .target("gone", &table("gone\", columns = [\"id\", \"Order\", \"at\"], on-conflict = \"newest(at)\""))
        .target("narrow", &table("narrow\", on-conflict = \"newest(at)\""))
        .target("barred", &table("barred\""))
        .target("out", &format!("{{ topic = \"{}\" }}", names.published))
        .binding(Binding::new(&second, "scripted"))
        .write();

    // What a person reads, to the letter.
    let output = Forebay::run_once(&["check", manifest.arg()], &[]).await;
    let mut shown = String::from_utf8(output.stderr).expect("the binary prints UTF-8");
    let masks = [
        (kafka.bootstrap(), "BROKERS"),
        (names.published.clone(), "PUBLISHED"),
        (names.dead_letters.clone(), "FIRST-LETTERS"),
        (second.dead_letters.clone(), "SECOND-LETTERS"),
        (names.topic.clone(), "FIRST"),
        (second.topic.clone(), "SECOND"),
        (names.database.clone(), "ROLE"),
    ];
    for (name, mask) in &masks {
        shown = shown.replace(name.as_str(), mask);
    }
    let golden = place::root().join("tests/goldens/check/offers.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(golden.parent().expect("a folder")).expect("the folder is ours");
        std::fs::write(&golden, &shown).expect("the file is ours");
    }
    assert_eq!(shown, std::fs::read_to_string(&golden).unwrap_or_default(), "BLESS=1 writes it anew");

    let mut offered = Vec::new();
    // A compacted topic is looked at for its size only once it is not, and a table for its rights once it is there.
    for _ in 0..4 {
        let output = Forebay::run_once(&["check", manifest.arg(), "--output", "json"], &[]).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let facts: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
        });
        if facts["ok"] == true {
            assert_eq!(output.status.code(), Some(0));
            let text = offered.join("\n");
            let scripts = ["kafka-topics.sh", "cleanup.policy=delete", "max.message.bytes=2000000"];
            let sql = ["create table", "add column id", "add column at", "add unique (id)", "grant insert on"];
            for part in scripts.iter().chain(&sql) {
                assert!(text.contains(part), "no `{part}` in what was offered:\n{text}");
            }
            return;
        }
        assert_eq!(output.status.code(), Some(78), "{text}");
        for detail in facts["details"].as_array().expect("a list") {
            let statement = detail["statement"].as_str().unwrap_or_else(|| panic!("nothing is offered for {detail}"));
            match statement.starts_with("kafka-") {
                true => tools::run(statement).await,
                false => postgres.execute(database, statement).await,
            }
            offered.push(statement.to_owned());
        }
    }
    panic!("still not content after:\n{}", offered.join("\n"));
}
