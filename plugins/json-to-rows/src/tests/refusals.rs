//! What is wrong with a configuration.

use forebay_plugin::serde_json::{self, json};

use super::Config;
use crate::plan::Plan;

fn told(config: &Config) -> Vec<String> {
    let failure = Plan::read(config).expect_err(&config.to_string());
    assert_eq!(failure.code, "bad-config");
    failure.message.lines().map(str::to_owned).collect()
}

#[test]
fn every_error_is_told_at_once() {
    let config = json!({
        "target": "orders",
        "tombstone": "drop",
        "skip": [{"when": {"path": "a", "equls": 1}}],
        "reject": [{"when": {"path": "a", "equals": 1}, "mesage": "x"}],
        "rows": [
            {
                "target": "orders",
                "operation": "upser",
                "columns": {
                    "total": {"path": "total", "type": "int"},
                    "at": {"path": "at", "type": "text", "unit": "ms"},
                    "raw": {"path": "raw", "encoding": "base64"},
                    "n": {"path": "n", "type": "timestamp", "unit": "m"},
                    "both": {"path": "a", "value": 1},
                    "c": {"path": "c", "required": "no"},
                    "d": {"path": "d", "default": 1, "required": false},
                    "odd": "a b",
                    "number": 5,
                    "bare": {"type": "text"},
                },
                "key": ["order_id"],
            },
            {"columns": {}, "each": "record:key"},
            7,
        ],
    });
    let wanted = [
        "config.reject[0].code: missing; it has to be there",
        "config.reject[0].mesage: unknown key; did you mean \"message\"?",
        "config.rows[0].columns.at.unit: is for `type = \"timestamp\"`",
        "config.rows[0].columns.bare.path: missing; it has to be there",
        "config.rows[0].columns.both: `value` stands alone",
        "config.rows[0].columns.c.required: expected true or false, found the string \"no\"",
        "config.rows[0].columns.d: with a `default` it is never missing: leave out `required`",
        "config.rows[0].columns.n.unit: unknown unit \"m\"; did you mean \"ms\"?",
        "config.rows[0].columns.number: expected a path such as \"$.id\", or a table such as { path = \"$.id\", type = \"text\" }",
        "config.rows[0].columns.odd: path \"a b\" has ' ' in a name; write an odd name in quotes, as in \"['a b']\"",
        "config.rows[0].columns.raw.encoding: is for `type = \"bytes\"`",
        "config.rows[0].columns.total.type: unknown type \"int\"; did you mean \"integer\"?",
        "config.rows[0].operation: unknown operation \"upser\"; did you mean \"upsert\"?",
        "config.rows[1].columns: has no column in it; such as `order_id = \"id\"`",
        "config.rows[1].each: `record:key` has no elements; such as \"items\"",
        "config.rows[1].target: missing; it has to be there",
        "config.rows[2]: expected a table, found the number 7",
        "config.skip[0].when.equls: unknown key; did you mean \"equals\"?",
        "config.target: `target` stands beside `rows`; it belongs into one of them",
        "config.tombstone: unknown choice \"drop\"; there are \"reject\", \"skip\", \"delete\"",
    ];
    assert_eq!(told(&config), wanted);
}

#[test]
fn what_does_not_go_together_is_told() {
    let row = |more: Config| {
        let mut row = json!({"target": "t", "columns": {"id": "id"}});
        if let (Some(row), Some(more)) = (row.as_object_mut(), more.as_object()) {
            row.extend(more.clone());
        }
        row
    };
    for (config, wanted) in [
        (json!({}), "config.columns: missing; it has to be there"),
        (json!({"rows": []}), "config.rows: has no row in it"),
        (row(json!({"colums": {}})), "config.colums: unknown key; did you mean \"columns\"?"),
        (row(json!({"tombstone": "delete"})), "config: `tombstone = \"delete\"` wants a `key`"),
        (row(json!({"tombstone": "delete", "key": ["id"]})), "config: `tombstone = \"delete\"` wants a `key`"),
        (row(json!({"delete-when": {"path": "op", "equals": "d"}})), "config: a delete wants a `key`"),
        (row(json!({"key": ["order_id"]})), "config.key[0]: there is no column \"order_id\" in `columns`"),
        (row(json!({"key": []})), "config.key: has no column in it"),
        (row(json!({"key": {}})), "config.key: has no column in it"),
        (row(json!({"operation": "delete", "key": {"id": "id"}})), "config.columns: a delete has no columns"),
        (row(json!({"columns": {"n": "each:index"}})), "config: column `n` is `each:index`, and there is no `each`"),
        (
            row(json!({"each": {"path": "items", "require": false}})),
            "config.each.require: unknown key; did you mean \"required\"?",
        ),
        (row(json!({"when": []})), "config.when: has no condition in it"),
        (serde_json::Value::Null, "config: expected a table, found nothing"),
    ] {
        let told = told(&config);
        assert!(told.iter().any(|line| line.starts_with(wanted)), "{config}: {told:?}");
    }
}
