//! Secrets that change while the process runs.

use std::fs;

use forebay_tests::forebay::Forebay;
use forebay_tests::postgres::Postgres;
use serde_json::json;

use crate::scene::{PROBE, Scene, effect};

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_no_longer_log_in_halts_until_the_file_names_another() {
    let scene = Scene::shared("secrets", "create table log (n int)").await;
    let [old, new] = ["old", "new"].map(|age| format!("{}_{age}", scene.names.database));
    for role in [&old, &new] {
        scene.execute(&format!("create role {role} superuser login")).await;
    }
    let postgres = Postgres::shared().await;
    let manifest = scene.manifest(&[("log", "")]).warehouse("${file:url}");
    let secret = manifest.folder().join("url");
    let write = |role: &str| fs::write(&secret, format!("{}\n", postgres.url_as(role, &scene.names.database))).unwrap();
    write(&old);
    let put = |n: i32| scene.put(0, &[effect("insert", "log", json!({ "n": n }))]);
    put(1);
    let forebay = Forebay::start(&manifest.write(), &[]);
    scene.until_at_end(&forebay).await;
    let end = format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{old}'");
    scene.execute(&format!("alter role {old} nologin; {end}")).await;
    put(2);
    scene.producer.flush().await;
    let sentence = scene.until_halted(&forebay, &["permission: ", &old]).await;
    assert!(!sentence.contains("postgres://"), "{sentence}");
    write(&new);
    scene.until_at_end_within(PROBE, &forebay).await;
    assert_eq!(scene.texts("select n::text from log order by n").await, ["1", "2"]);
    assert_eq!(scene.letters().await.len(), 0);
    scene.rest(&forebay).await;
    let end = format!("reassign owned by {old} to current_user; drop role {old}; drop role {new}");
    scene.execute(&end).await;
}
