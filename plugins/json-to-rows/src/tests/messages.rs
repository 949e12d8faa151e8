//! What becomes of messages.

use forebay_plugin::Message;
use forebay_plugin::serde_json::json;

use super::{Config, handled};

fn orders(more: &Config) -> Config {
    let mut config = json!({
        "target": "orders",
        "columns": {"id": "$.id", "total": {"path": "total", "type": "decimal"}, "note": "note?"},
    });
    if let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) {
        config.extend(more.clone());
    }
    config
}

fn message(value: &str) -> Message {
    Message::new("orders").at(1, 42).with_timestamp(1_000).with_key("o-1").with_value(value)
}

#[test]
fn a_missing_field_a_null_and_a_wrong_type_are_told_apart() {
    for (value, wanted) in [
        (r#"{"id": 1, "total": "1.50", "note": "x"}"#, r#"upsert orders id=1 note="x" total="1.50""#),
        (r#"{"id": 1, "total": 1.50}"#, r#"upsert orders id=1 total="1.50""#),
        (r#"{"id": 1, "total": 1.50, "note": null}"#, r#"upsert orders id=1 note=null total="1.50""#),
        (r#"{"total": 1}"#, "missing-field: column `id` has to have a value, and `$.id` is not there"),
        (r#"{"id": null, "total": 1}"#, "missing-field: column `id` has to have a value, and `$.id` is null"),
        (
            r#"{"id": 1, "total": "a lot"}"#,
            "wrong-type: column `total` wants a decimal of at most 1000 digits, and `total` is the string \"a lot\"",
        ),
        (
            r#"{"id": 1, "id": 2, "total": 1}"#,
            "malformed: the value can not be read at `$`: the key \"id\" is there twice",
        ),
        ("", "malformed: the value is no JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "missing-field: column `id` has to have a value, and `$.id` is not there"),
    ] {
        assert_eq!(handled(&orders(&json!({})), &message(value)), wanted, "{value}");
    }
}

#[test]
fn defaults_stand_for_what_is_missing_null_or_declared_null() {
    let config = json!({
        "target": "t", "operation": "insert",
        "columns": {
            "a": {"path": "a", "default": 7},
            "b": {"path": "b", "null-if": ["", "N/A", 0], "required": false},
            "c": {"path": "c", "null-if": "-", "default": "none"},
            "d": {"value": {"of": [1, 2.5]}},
            "e": {"value": 0.1},
        },
    });
    let constants = r#"d="{\"of\":[1,2.5]}" e="0.1""#;
    for (value, wanted) in [
        (r#"{"b": ""}"#, r#"a=7 b=null c="none""#),
        (r#"{"a": null, "b": "N/A", "c": "-"}"#, r#"a=7 b=null c="none""#),
        (r#"{"a": 0, "b": 0.0, "c": ""}"#, r#"a=0 b=null c="""#),
        ("{}", r#"a=7 c="none""#),
    ] {
        assert_eq!(handled(&config, &message(value)), format!("insert t {wanted} {constants}"), "{value}");
    }
}

#[test]
fn the_record_itself_has_columns_too() {
    let config = json!({"target": "t", "columns": {
        "k": "record:key", "kid": "key:id", "topic": "record:topic", "p": "record:partition", "o": "record:offset",
        "at": "record:timestamp", "h": "header:source", "none": "header:none?", "raw": {"path": "record:value", "type": "bytes"},
    }});
    let message = message("\u{1}").with_key(r#"{"id": 9}"#).with_header("source", "web");
    let wanted = r#"upsert t at=@1000000 h="web" k="{\"id\": 9}" kid=9 o=42 p=1 raw=[1] topic="orders""#;
    assert_eq!(handled(&config, &message), wanted);
}

#[test]
fn each_element_is_a_row_and_tells_which_one_is_wrong() {
    let config = json!({"rows": [
        {"target": "orders", "columns": {"id": "id"}},
        {
            "target": "lines", "each": "items", "key": ["order_id", "line"],
            "when": {"path": "kind", "not-equals": "note"}, "delete-when": {"path": "gone", "equals": true},
            "columns": {"order_id": "$.id", "line": "each:index", "sku": "sku", "n": {"path": "n", "type": "integer"}},
        },
    ]});
    let value =
        r#"{"id": "o-1", "items": [{"sku": "a", "n": 1}, {"kind": "note"}, {"gone": true}, {"sku": "b", "n": "2"}]}"#;
    let wanted = "upsert orders id=\"o-1\"\n\
        upsert lines line=0 n=1 order_id=\"o-1\" sku=\"a\"\n\
        delete lines order_id=\"o-1\" line=2\n\
        upsert lines line=3 n=2 order_id=\"o-1\" sku=\"b\"";
    assert_eq!(handled(&config, &message(value)), wanted);
    for (items, wanted) in [
        (
            r#"[{"sku": "a", "n": 1}, {"sku": "b"}]"#,
            "missing-field: element 1 of `items`: column `n` has to have a value, and `n` is not there",
        ),
        (
            r#"[{"sku": "a", "n": []}]"#,
            "wrong-type: element 0 of `items`: column `n` wants an integer of 64 bits, and `n` is an array",
        ),
        ("{}", "wrong-type: `items` is an object, expected an array"),
        (r#"{"a": 1, "a": 2}"#, "malformed: `items` can not be read: the key \"a\" is there twice"),
        ("null", "missing-field: `items` is null, and each of its elements is a row"),
    ] {
        assert_eq!(handled(&config, &message(&format!(r#"{{"id": "o-1", "items": {items}}}"#))), wanted);
    }
}

#[test]
fn an_optional_list_and_plain_elements() {
    let config = json!({"target": "tags", "operation": "insert", "each": {"path": "tags", "required": false},
        "columns": {"id": "$.id", "tag": "."}});
    assert_eq!(
        handled(&config, &message(r#"{"id": 1, "tags": ["a", "b"]}"#)),
        "insert tags id=1 tag=\"a\"\ninsert tags id=1 tag=\"b\""
    );
    for value in [r#"{"id": 1}"#, r#"{"tags": null}"#, r#"{"tags": []}"#] {
        assert_eq!(handled(&config, &message(value)), "Outcome(Skip(\"nothing to write\"))");
    }
}

#[test]
fn a_tombstone_does_what_is_said() {
    let tombstone = Message::new("orders").with_key("o-1");
    let said = |more: &Config| handled(&orders(more), &tombstone);
    assert_eq!(said(&json!({})), "tombstone: the value is null, and `tombstone` is \"reject\"");
    assert_eq!(said(&json!({"tombstone": "skip"})), "Outcome(Skip(\"tombstone\"))");
    assert_eq!(said(&json!({"tombstone": "delete", "key": {"id": "record:key"}})), "delete orders id=\"o-1\"");
    let by_path = json!({"tombstone": "delete", "key": {"id": {"path": "key:$.id", "type": "integer"}}});
    assert_eq!(handled(&orders(&by_path), &Message::new("t").with_key(r#"{"id": "5"}"#)), "delete orders id=5");
    assert_eq!(
        handled(&orders(&by_path), &Message::new("t")),
        "missing-field: column `id` has to have a value, and `key:$.id` is not there"
    );
    assert!(handled(&orders(&by_path), &tombstone).starts_with("malformed: the key is no JSON: "));
    // A value of JSON's null is no tombstone.
    assert_eq!(
        handled(&orders(&json!({"tombstone": "skip"})), &message("null")),
        "missing-field: column `id` has to have a value, and `$.id` is not there"
    );
}

#[test]
fn a_key_that_may_be_missing_is_needed_all_the_same_to_delete() {
    let config = json!({
        "target": "t", "columns": {"id": "id?"}, "key": ["id"], "delete-when": {"path": "op", "equals": "d"},
    });
    assert_eq!(handled(&config, &message(r#"{"id": 1, "op": "d"}"#)), "delete t id=1");
    for value in [r#"{"op": "d"}"#, r#"{"op": "d", "id": null}"#] {
        assert!(handled(&config, &message(value)).starts_with("missing-field: column `id`"), "{value}");
    }
}

#[test]
fn rules_skip_and_reject_before_any_row() {
    let config = orders(&json!({
        "skip": [{"when": {"path": "test", "equals": true}, "reason": "a test order"}, {"when": {"path": "draft", "missing": false}}],
        "reject": [
            {"when": {"path": "status", "not-in": ["placed", "paid"]}, "code": "unknown-status"},
            {"when": [{"path": "total", "below": 0}, {"path": "status", "equals": "paid"}], "code": "negative", "message": "paid less than nothing"},
        ],
    }));
    for (value, wanted) in [
        (r#"{"test": true, "status": "x"}"#, "Outcome(Skip(\"a test order\"))"),
        (r#"{"draft": null}"#, "Outcome(Skip(\"a rule of the configuration\"))"),
        (r#"{"status": "lost"}"#, "unknown-status: `status` is the string \"lost\""),
        ("{}", "unknown-status: `status` is nothing"),
        (r#"{"status": "paid", "total": "-0.01"}"#, "negative: paid less than nothing"),
        (r#"{"status": "placed", "total": "-1", "id": 1}"#, "upsert orders id=1 total=\"-1\""),
    ] {
        assert_eq!(handled(&config, &message(value)), wanted, "{value}");
    }
}

#[test]
fn every_operation_has_its_effect() {
    for operation in ["upsert", "insert", "update", "add"] {
        let config = json!({"target": "t", "operation": operation, "columns": {"id": "id"}});
        assert_eq!(handled(&config, &message(r#"{"id": 1}"#)), format!("{operation} t id=1"));
    }
    let config = json!({"target": "t", "operation": "delete", "key": {"id": "id"}});
    assert_eq!(handled(&config, &message(r#"{"id": 1}"#)), "delete t id=1");
}
