//! The defaults are what their documentation says, and no text makes the reading panic.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use proptest::prelude::*;
use toml::de::{DeTable, DeValue};

use super::settings::{Component, Manifest, TargetKind};
use super::{DEFAULT_MANIFEST, Environment, Errors, Origin, parse, schema};

struct Fixed;

impl Environment for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "DATABASE_URL").then(|| "postgres://forebay:hunter2@db/orders".to_owned())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("/etc/forebay/token") => Ok("s3cret\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn read(text: &str) -> Result<Manifest, Errors> {
    parse(text, &Origin::new("forebay.toml", "/etc/forebay"), &Fixed)
}

/// What is required, and nothing else.
const SHORTEST: &str = r#"
manifest-version = 1
kafka.bootstrap-servers = ["localhost:9092"]
[sinks.warehouse]
kind = "postgres"
url = "${env:DATABASE_URL}"
[plugins.orders]
component = "plugins/orders.wasm"
[[bindings]]
topic = "orders"
group = "order-processor"
plugin = "orders"
dead-letter = { topic = "orders.dlq" }
[bindings.targets]
orders = { sink = "warehouse", table = "public.orders" }
shipped = { topic = "orders.shipped" }
"#;

#[test]
fn the_default_manifest_says_the_defaults_of_the_code() {
    let documented = read(DEFAULT_MANIFEST).unwrap();
    let shortest = read(SHORTEST).unwrap();
    assert_eq!(format!("{documented:#?}"), format!("{shortest:#?}"));
    assert_eq!(documented.plugins["orders"].config, shortest.plugins["orders"].config);
}

#[test]
fn the_default_manifest_has_every_key() {
    let document = DeTable::parse(DEFAULT_MANIFEST).unwrap();
    let mut given = BTreeSet::new();
    collect_keys(document.get_ref(), &mut given);
    // Without a default, or not built yet: these stand behind a `#`.
    let commented = [
        "token",
        "sha256",
        "reuse",
        "topics",
        "key",
        "columns",
        "rate",
        "max",
        "scope",
        "catch-up",
        "target-latency",
        "alerts",
        "lag",
        "retention-left",
        "stuck",
    ];
    for key in schema::TABLES.iter().copied().flatten() {
        if commented.contains(key) {
            assert!(DEFAULT_MANIFEST.contains(&format!("{key} = ")), "`{key}` is not documented");
        } else {
            assert!(given.contains(*key), "`{key}` does not show its default");
        }
    }
}

fn collect_keys(table: &DeTable<'_>, keys: &mut BTreeSet<String>) {
    for (key, value) in table {
        keys.insert(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(table) => collect_keys(table, keys),
            DeValue::Array(array) => {
                array.iter().filter_map(|item| item.get_ref().as_table()).for_each(|table| collect_keys(table, keys));
            }
            _ => {}
        }
    }
}

#[test]
fn puts_secrets_where_they_belong_and_hides_them() {
    let manifest = read(&SHORTEST.replace("[sinks.warehouse]", "admin.token = \"${file:token}\"\n[sinks.warehouse]"));
    let manifest = manifest.unwrap();
    assert_eq!(manifest.sinks["warehouse"].url.expose(), "postgres://forebay:hunter2@db/orders");
    assert_eq!(manifest.admin.token.as_ref().map(|token| token.expose()), Some("s3cret"));
    let printed = format!("{manifest:?}");
    assert!(!printed.contains("hunter2") && !printed.contains("s3cret"), "{printed}");
}

#[test]
fn makes_a_plugins_config_one_json_object_and_hides_it() {
    let config = r#"
component = "plugins/orders.wasm"
config.text = "${file:token}"
config.list = [1, 0x10, 1_000, 2.5, true]
config.at = 2026-11-20 12:00:00.5+01:00
config.day = 2026-11-20
config.table = { "dotted.key" = [{ a = "é" }] }
"#;
    let manifest = read(&SHORTEST.replace("component = \"plugins/orders.wasm\"", config)).unwrap();
    let plugin = &manifest.plugins["orders"];
    let json: serde_json::Value = serde_json::from_str(&plugin.config).unwrap();
    let expected = serde_json::json!({
        "text": "s3cret", "list": [1, 16, 1000, 2.5, true], "at": "2026-11-20T12:00:00.5+01:00", "day": "2026-11-20",
        "table": { "dotted.key": [{ "a": "é" }] },
    });
    assert_eq!(json, expected);
    assert!(!format!("{manifest:?}").contains("s3cret"));
}

#[test]
fn keeps_the_manifests_order_of_targets() {
    let targets = "zebra = { topic = \"z\" }\nanna.topic = \"a\"\nmike = { topic = \"m\" }\n";
    let manifest = read(&format!("{SHORTEST}{targets}[bindings.targets.carl]\ntopic = \"c\"")).unwrap();
    let names: Vec<_> = manifest.bindings[0].targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["orders", "shipped", "zebra", "anna", "mike", "carl"]);
}

#[test]
fn resolves_a_component_against_the_manifests_folder() {
    let manifest = read(SHORTEST).unwrap();
    assert_eq!(manifest.plugins["orders"].component, Component::File("/etc/forebay/plugins/orders.wasm".into()));
    let TargetKind::Table(table) = &manifest.bindings[0].targets[0].kind else { panic!("orders is a table") };
    assert_eq!((table.schema.as_deref(), table.table.as_str()), (Some("public"), "orders"));
}

#[test]
fn takes_a_byte_order_mark_and_windows_line_ends() {
    read(&format!("\u{feff}{}", SHORTEST.replace('\n', "\r\n"))).unwrap();
    let errors = read("\u{feff}oops = 1\r\n").unwrap_err();
    assert!(errors.to_string().contains("forebay.toml:1:1: "), "{errors}");
}

/// Pieces that a mutation puts in: what the syntax and the checks turn on.
const PIECES: &[&str] = &[
    "",
    "\"",
    "'",
    "=",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    ",",
    ".",
    "\n",
    "#",
    "0",
    "-1",
    "1.5",
    "nan",
    "inf",
    "true",
    "\"\"",
    "[]",
    "{}",
    "${",
    "${env:",
    "${env:X}",
    "${file:token}",
    "$${",
    "}",
    "2026-11-20",
    "12:00:00",
    "\\u0000",
    "é",
    "\t",
    "\r",
    "\u{0}",
    "\"\"\"",
    "99999999999999999999",
    "1e999",
    "0xff",
    "topic = \"orders\"",
    "name = \"orders\"",
    "newest(",
    "..",
    "% of ",
    "s",
    "KiB",
    "[bindings.targets]",
    "[[bindings]]",
    "start = 1969-01-01T00:00:00Z",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_panics_on_any_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn never_panics_on_a_manifest_with_changes(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, 0..PIECES.len()), 1..6),
        is_short in any::<bool>(),
    ) {
        let mut text = if is_short { SHORTEST.to_owned() } else { DEFAULT_MANIFEST.replace("\n# ", "\n") };
        for (at, cut, piece) in changes {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.ceil_char_boundary((start + cut).min(text.len()));
            text.replace_range(start..end, PIECES[piece]);
        }
        check(&text);
    }
}

/// Errors are never none, each has a place in the text, and none of them shows a secret.
fn check(text: &str) {
    if let Err(errors) = read(text) {
        assert!(!errors.is_empty());
        let lines = text.split('\n').count();
        assert!(errors.iter().all(|problem| (1..=lines).contains(&problem.line) && problem.column >= 1));
        let shown = errors.to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("s3cret"), "{shown}");
    }
}
