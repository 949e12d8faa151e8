//! `forebay check` and `init` against servers: everything that is wrong at once, and nothing where all is well.

use std::process::Output;

use forebay_tests::forebay::Forebay;
use forebay_tests::kafka::Kafka;
use forebay_tests::manifest::{Binding, Manifest, ManifestFile, Plugin};
use forebay_tests::names::Names;
use forebay_tests::place;
use forebay_tests::port::Port;
use forebay_tests::postgres::Postgres;
use serde_json::Value;

const SCHEMA: &str = "
    create table log (id bigint not null);
    create table bare (id bigint, other bigint);
    create table latest (key text primary key, id bigint);";

/// Runs a command on a manifest and returns its exit status, stdout and stderr.
async fn forebay(command: &[&str], manifest: &ManifestFile) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Forebay::run_once(&[command, &[manifest.arg()]].concat(), &[]).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the binary prints UTF-8");
    (status.code().expect("the command ends by itself"), text(stdout), text(stderr))
}

/// Panics unless `check` ends so and its sentences contain all of these.
async fn assert_check(manifest: &ManifestFile, code: i32, parts: &[&str]) {
    let (found, out, err) = forebay(&["check"], manifest).await;
    assert_eq!(found, code, "{out}\n{err}");
    for part in parts {
        assert!(err.contains(part), "no `{part}` in\n{err}");
    }
}

fn table(rest: &str) -> String {
    format!("{{ sink = \"warehouse\", table = \"public.{rest} }}")
}

fn topic(name: &str) -> String {
    format!("{{ topic = \"{name}\" }}")
}

async fn database(postgres: &Postgres, names: &Names) {
    postgres.create_database(&names.database).await;
    postgres.execute(&names.database, SCHEMA).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_everything_that_is_wrong_at_once() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let (names, second) = (Names::new("check_wrong"), Names::new("check_wrong"));
    database(postgres, &names).await;
    // The first one's topics are all missing; the second's dead letters would be erased, the third's are cut.
    kafka.create_topic(&second.topic, 1, &[]).await;
    kafka.create_topic(&second.dead_letters, 1, &[("cleanup.policy", "compact")]).await;
    let third = Names::new("check_wrong");
    kafka.create_topic(&third.topic, 1, &[("max.message.bytes", "2000000")]).await;
    kafka.create_topic(&third.dead_letters, 1, &[]).await;
    let manifest = Manifest::scripted(kafka, postgres, &names)
        .plugin("core", Plugin::new(place::component("core-module")))
        .target("gone", &table("gone\""))
        .target("out", &topic(&names.published))
        .binding(Binding::new(&second, "scripted"))
        .target("bare", &table("bare\", key = [\"id\"]"))
        .target("latest", &table("latest\", key = [\"key\"], on-conflict = \"newest(updated_at)\""))
        .target("absent", &table("latest\", key = [\"nokey\"]"))
        .target("listed", &table("log\", columns = [\"id\", \"nocolumn\"]"))
        .binding(Binding::new(&third, "scripted"))
        .target("log", &table("log\""))
        .write();
    let parts = [
        "is a core module",
        &format!("the source topic `{}` does not exist", names.topic),
        &format!("the dead-letter topic `{}` does not exist", names.dead_letters),
        &format!("the target topic `{}` does not exist", names.published),
        &format!("the dead-letter topic `{}` is compacted", second.dead_letters),
        &format!("the dead-letter topic `{}` takes smaller messages than the source", third.dead_letters),
        "at least 2000000",
        "no table public.gone",
        "the key (id) of public.bare",
        "updated_at",
        "nokey",
        "nocolumn",
    ];
    assert_check(&manifest, 78, &parts).await;
    let (code, out, err) = forebay(&["check", "--output", "json"], &manifest).await;
    let facts: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
    assert_eq!((code, &facts["ok"]), (78, &false.into()));
    let faults: Vec<&str> = facts["faults"].as_array().unwrap().iter().map(|fault| fault.as_str().unwrap()).collect();
    assert!(faults.iter().all(|fault| err.contains(fault)), "{out}\n{err}");
    assert!(parts.iter().all(|part| faults.iter().any(|fault| fault.contains(part))), "{out}");
    assert_eq!(facts["bindings"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_finds_all_well_after_init_and_init_may_be_repeated() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let names = Names::new("check_well");
    database(postgres, &names).await;
    for topic in [&names.topic, &names.dead_letters, &names.published] {
        kafka.create_topic(topic, 1, &[]).await;
    }
    let manifest = Manifest::scripted(kafka, postgres, &names)
        .target("log", &table("log\""))
        .target("latest", &table("latest\", key = [\"key\"], on-conflict = \"newest(id)\""))
        .target("out", &topic(&names.published));
    let file = manifest.write();
    let ids = async || postgres.query(&names.database, "select value from forebay.meta order by key", &[]).await;
    let mut seen: Vec<Vec<String>> = Vec::new();
    for _ in 0..2 {
        let (code, out, err) = forebay(&["init"], &file).await;
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("warehouse"), "{out}");
        seen.push(ids().await.iter().map(|row| row.get(0)).collect());
    }
    assert_eq!(seen[0], seen[1], "a second `init` changes nothing");
    let (code, out, err) = forebay(&["check"], &file).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(&format!("binding `{}`", names.topic)) && out.contains("everything is fine"), "{out}");
    assert_eq!(err, "", "nothing to say");

    // The printed statements make the same, as often as they are run.
    let other = Names::new("check_print");
    database(postgres, &other).await;
    let (code, sql, _) = forebay(&["init", "--print"], &file).await;
    assert_eq!(code, 0);
    postgres.execute(&other.database, &sql).await;
    postgres.execute(&other.database, &sql).await;
    assert_check(&manifest.clone().warehouse(&postgres.url(&other.database)).write(), 0, &[]).await;
    let columns = "select table_name || '.' || column_name || ' ' || data_type from information_schema.columns
        where table_schema = 'forebay' order by 1";
    let columns = async |database: &str| -> Vec<String> {
        postgres.query(database, columns, &[]).await.iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(columns(&names.database).await, columns(&other.database).await);
    assert!(columns(&other.database).await.contains(&"ledger.next_offset bigint".to_owned()));

    // A role that may look at nothing, and one that may not make the ledger.
    postgres.execute("postgres", &format!("create role {} login", other.database)).await;
    let limited = manifest.warehouse(&postgres.url_as(&other.database, &other.database)).write();
    assert_check(&limited, 78, &["right on public.log in sink `warehouse`; grant it", "public.latest"]).await;
    let third = Names::new("check_role");
    postgres.create_database(&third.database).await;
    let unable =
        Manifest::scripted(kafka, postgres, &names).warehouse(&postgres.url_as(&other.database, &third.database));
    let unable = unable.target("log", &table("log\"")).write();
    assert_check(&unable, 78, &["sink `warehouse`", "ledger", "forebay init", "no table public.log"]).await;
    let (code, _, err) = forebay(&["init"], &unable).await;
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("warehouse") && err.contains("forebay init --print"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_out_of_reach_are_69() {
    let (kafka, postgres) = (Kafka::shared().await, Postgres::shared().await);
    let names = Names::new("check_away");
    database(postgres, &names).await;
    let nowhere = format!("127.0.0.1:{}", Port::free().release());
    let database_away = Manifest::scripted(kafka, postgres, &names)
        .target("log", &table("log\""))
        .warehouse(&format!("postgres://u@{nowhere}/d"));
    for topic in [&names.topic, &names.dead_letters] {
        kafka.create_topic(topic, 1, &[]).await;
    }
    assert_check(&database_away.write(), 69, &["sink `warehouse`", "efused"]).await;
    let (code, _, err) = forebay(&["init"], &database_away.write()).await;
    assert_eq!(code, 69, "{err}");
    // Kafka away; the database is asked all the same, and what it says goes first.
    let away = |table_name: &str| {
        let file = Manifest::scripted(kafka, postgres, &names).target("log", &table(table_name)).write();
        let text = std::fs::read_to_string(&file.path).unwrap().replace(&kafka.bootstrap(), &nowhere);
        std::fs::write(&file.path, text).unwrap();
        file
    };
    let file = away("log\"");
    let (code, _, err) = forebay(&["init"], &file).await;
    assert_eq!(code, 0, "`init` needs no broker: {err}");
    let gone = away("gone\"");
    let kafka_away = [nowhere.as_str()];
    let both = ["no table public.gone", nowhere.as_str()];
    tokio::join!(assert_check(&file, 69, &kafka_away), assert_check(&gone, 78, &both));
}
