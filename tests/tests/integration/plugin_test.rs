//! `forebay plugin test` and `bench`: samples against expected outcomes, and figures.

use std::fs;
use std::path::PathBuf;

use forebay_tests::place;
use serde_json::Value;

use crate::dev::Copy;
use crate::project::{forebay, run};

#[tokio::test(flavor = "multi_thread")]
async fn the_handler_of_every_example_gives_what_is_expected_and_is_pure() {
    let mut examples: Vec<PathBuf> =
        fs::read_dir(place::root().join("examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    examples.retain(|path| path.join("forebay.toml").is_file());
    examples.sort_unstable();
    assert!(examples.len() >= 7, "{examples:?}");
    for example in examples {
        let said = run(forebay(&example, &["plugin", "test"])).await;
        said.assert(0, &["  outcomes  as in ./", "  purity    pure: the same outcomes in "]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_changes_is_shown_and_can_be_blessed() {
    let copy = Copy::of("examples/01-orders");
    let test = async |args: &[&str]| run(forebay(&copy.folder(), &[&["plugin", "test"], args].concat())).await;
    let expected = fs::read_to_string(place::root().join("examples/01-orders/orders.expected.json")).unwrap();
    let is_there = copy.file("orders.expected.json");

    fs::remove_file(&is_there).unwrap();
    test(&[]).await.assert(78, &["outcomes  no file ./orders.expected.json", "`forebay plugin test --bless`"]);
    assert!(!is_there.exists(), "nothing is written that was not asked for");
    test(&["--bless"]).await.assert(0, &["outcomes  written to ./orders.expected.json"]);
    assert_eq!(copy.read("orders.expected.json"), expected, "what is blessed is what the example has");
    test(&["--bless"]).await.assert(0, &["written to ./orders.expected.json, as it was"]);

    let first: Vec<Value> = serde_json::from_str(&expected).unwrap();
    let customer = first[0]["effects"][0]["row"]["customer_id"].to_string();
    copy.write("orders.expected.json", expected.replacen(&customer, "\"somebody\"", 1));
    let said = test(&[]).await;
    said.assert(65, &[
        "outcomes  other than ./orders.expected.json:",
        &format!("+           \"customer_id\": {customer}"),
        "-           \"customer_id\": \"somebody\"",
        "has other outcomes than `./orders.expected.json` expects; correct the handler, or take them with `forebay plugin test --bless`",
    ]);
    assert_eq!(said.out.lines().filter(|line| line.trim_start().starts_with(['+', '-'])).count(), 2, "{}", said.out);

    copy.write("orders.expected.json", "[{]");
    test(&[]).await.assert(78, &["`./orders.expected.json:1:3`: "]);
    test(&["--binding", "order"]).await.assert(2, &["no binding is called `order`; there are: orders"]);
    test(&["--input", "none.jsonl"]).await.assert(78, &["read the input `none.jsonl`"]);

    // The tables' columns are those of the script, as in a run.
    copy.write("orders.expected.json", &expected);
    let script = copy.read("schema.sqlite.sql");
    copy.write("schema.sqlite.sql", script.replace("customer_id", "client_id"));
    test(&[]).await.assert(78, &["customer_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_is_measured_beside_the_reference() {
    let folder = place::root().join("examples/01-orders");
    let said = run(forebay(&folder, &["plugin", "bench", "--output", "json"])).await;
    said.assert(0, &[]);
    let figures: Value = serde_json::from_str(&said.out).unwrap();
    let figure =
        |name: &str| figures.pointer(name).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {name} in {figures}"));
    for side in ["handler", "reference"] {
        for name in ["messages_per_second", "compile_seconds", "cached_seconds", "first_message_seconds"] {
            assert!(figure(&format!("/{side}/{name}")) > 0.0, "{figures}");
        }
        assert!(figure(&format!("/{side}/memory_bytes")) > 65_536.0, "{figures}");
    }
    assert!(figure("/ratio") > 0.0 && figure("/bytes") > 50_000.0, "{figures}");
    assert_eq!(figures["failed_samples"], 1, "the one that panics");
    let shown = [
        "messages per second of one core",
        "fresh instance and first message",
        "of the reference's messages per second",
    ];
    run(forebay(&folder, &["plugin", "bench"])).await.assert(0, &shown);
}
