//! One partition, whose records are computed on all cores at once: the table sees each key's records in the order of the log.

use serde_json::json;

use crate::scene::{Scene, effect};

const RECORDS: u64 = 6_000;
const KEYS: u64 = 200;
/// Turns of the handler's loop: some hundred microseconds, and every ninth record ten times as long.
const TURNS: u64 = 200_000;

/// A row trigger: whatever came out of order would be refused.
const TABLE: &str = "create table seen (k bigint primary key, n bigint not null);
    create function forward() returns trigger language plpgsql as $$ begin
        if new.n <= old.n then raise check_violation using message = 'backward'; end if;
        return new; end $$;
    create trigger forward before update on seen for each row execute function forward();";

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_all_cores_compute_keeps_the_order_of_each_key() {
    let scene = Scene::shared("ordered", TABLE).await;
    for n in 0..RECORDS {
        let row = effect("upsert", "seen", json!({ "k": n * n % KEYS, "n": n }));
        let turns = if n % 9 == 0 { TURNS * 10 } else { TURNS };
        let value = json!({ "burn": turns, "effects": [row] }).to_string();
        scene.producer.send(&scene.names.topic, 0, Some(b"k"), Some(value.as_bytes()), &[]);
    }
    let manifest = scene.manifest(&[("seen", "key = [\"k\"]")]).set("batch", "{ max-records = 500 }");
    scene.run_through(&manifest).await;
    assert_eq!(scene.letter_codes().await, [], "nothing went backward");
    let last = |key: u64| (0..RECORDS).rev().find(|n| n * n % KEYS == key);
    let wanted: Vec<String> = (0..KEYS).filter_map(|key| Some(format!("{key} {}", last(key)?))).collect();
    assert_eq!(scene.texts("select k || ' ' || n from seen order by k").await, wanted);
}
