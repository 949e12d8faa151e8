//! Configurations and messages, and where they go.

mod readme;

use forebay_plugin::serde_json::{Value as Config, json};
use forebay_plugin::{Effect, Header, Message};

use crate::plan::Plan;

/// Handles a message, and returns what is published as lines, or why it is skipped or rejected.
fn handled(config: &Config, message: &Message) -> String {
    let plan = Plan::read(config).unwrap_or_else(|failure| panic!("{config}: {failure}"));
    let outcome = match crate::handle(message, &plan) {
        Ok(outcome) if outcome.effects().is_empty() => return format!("{outcome:?}"),
        Ok(outcome) => outcome,
        Err(failure) => return failure.to_string(),
    };
    let bytes = |bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => bytes.escape_ascii().to_string(),
        None => "null".to_owned(),
    };
    let header = |header: &Header| format!(" {}={}", header.name, bytes(&header.value));
    let lines = outcome.effects().iter().map(|effect| match effect {
        Effect::Publish(message) => {
            let headers: String = message.headers.iter().map(header).collect();
            format!("{}: {} {}{headers}", message.target, bytes(&message.key), bytes(&message.value))
        }
        _ => panic!("{effect:?}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn by_type(more: &Config) -> Config {
    let mut config = json!({
        "field": "type",
        "routes": {"order": "orders", "refund": ["refunds", "audit"], "5": "fives", "true": "yes"},
    });
    if let (Some(config), Some(more)) = (config.as_object_mut(), more.as_object()) {
        config.extend(more.clone());
    }
    config
}

fn message(value: impl Into<Vec<u8>>) -> Message {
    Message::new("events").with_key("k").with_value(value).with_header("a", "1")
}

#[test]
fn a_message_goes_by_its_field_untouched() {
    for (value, wanted) in [
        (r#"{ "type": "order",  "n": 1.0e2 }"#, "orders: k { \\\"type\\\": \\\"order\\\",  \\\"n\\\": 1.0e2 } a=1"),
        (r#"{"type":"ord\u0065r"}"#, "orders: k {\\\"type\\\":\\\"ord\\\\u0065r\\\"} a=1"),
        (r#"{"type":5}"#, "fives: k {\\\"type\\\":5} a=1"),
        (r#"{"type":true}"#, "yes: k {\\\"type\\\":true} a=1"),
        (
            r#"{"type":"refund"}"#,
            "refunds: k {\\\"type\\\":\\\"refund\\\"} a=1\naudit: k {\\\"type\\\":\\\"refund\\\"} a=1",
        ),
        (r#"{"type":"lost"}"#, "no-route: `type` is the string \"lost\", and there is no route for that"),
        (r#"{"type":null}"#, "no-route: `type` is null, and there is no route for that"),
        ("{}", "no-route: `type` is nothing, and there is no route for that"),
        (r#"{"type":{}}"#, "wrong-type: `type` is an object, expected text"),
        (r#"{"type":"a","type":"b"}"#, "malformed: the value can not be read at `$`: the key \"type\" is there twice"),
        ("order", "malformed: the value is no JSON: expected value at line 1 column 1"),
    ] {
        assert_eq!(handled(&by_type(&json!({})), &message(value)), wanted, "{value}");
    }
    let half = handled(&by_type(&json!({})), &message(r#"{"type":"\ud800"}"#));
    assert!(half.starts_with("wrong-type: `type` is no text: "), "{half}");
}

#[test]
fn what_has_no_route_goes_where_it_is_said() {
    let said = |otherwise: Config| handled(&by_type(&json!({"otherwise": otherwise})), &message("{}"));
    assert_eq!(said(json!("rest")), "rest: k {} a=1");
    assert_eq!(said(json!(["rest", "audit"])), "rest: k {} a=1\naudit: k {} a=1");
    assert_eq!(said(json!("skip")), "Outcome(Skip(\"no route\"))");
    assert!(said(json!("reject")).starts_with("no-route: "));
}

#[test]
fn headers_and_keys_need_no_json() {
    let config = json!({"field": "header:kind", "routes": {"a": "as"}, "otherwise": "rest"});
    assert_eq!(handled(&config, &message(b"\xff").with_header("kind", "a")), "as: k \\xff a=1 kind=a");
    assert_eq!(handled(&config, &message(b"\xff")), "rest: k \\xff a=1");
    let not_text = handled(&config, &message("").with_header("kind", [0xff]));
    assert!(not_text.starts_with("wrong-type: `header:kind` is no text: bytes that are not UTF-8"), "{not_text}");
    let by_key = json!({"field": "record:key", "routes": {"k": "ks"}});
    assert_eq!(handled(&by_key, &Message::new("t").with_key("k")), "ks: k null");
}

#[test]
fn a_tombstone_does_what_is_said() {
    let tombstone = Message::new("events").with_key("k");
    let said = |more: Config| handled(&by_type(&more), &tombstone);
    let why = "tombstone: the value is null, so that `type` can not be read, and `tombstone` is \"reject\"";
    assert_eq!(said(json!({})), why);
    assert_eq!(said(json!({"tombstone": "skip"})), "Outcome(Skip(\"tombstone\"))");
    let all = "audit: k null\nfives: k null\norders: k null\nrefunds: k null\nrest: k null\nyes: k null";
    assert_eq!(said(json!({"tombstone": "all", "otherwise": "rest", "value": "payload"})), all);
}

#[test]
fn key_value_and_headers_may_be_parts_of_the_message() {
    let value = r#"{"type":"order","id":"o-1","n":7,"payload":{ "x":1.50 },"text":"a\u00e9","gone":null}"#;
    for (more, wanted) in [
        (json!({"key": "id", "value": "payload"}), "orders: o-1 { \\\"x\\\":1.50 } a=1"),
        (json!({"key": "n", "value": "text"}), "orders: 7 \\\"a\\\\u00e9\\\" a=1"),
        (
            json!({"key": {"path": "id", "as": "json"}, "value": {"path": "text", "as": "text"}}),
            "orders: \\\"o-1\\\" a\\xc3\\xa9 a=1",
        ),
        (json!({"key": "gone", "value": "gone"}), "orders: null null a=1"),
        (json!({"value": {"path": "gone", "as": "text"}, "headers": "none"}), "orders: k null"),
        (json!({"value": "record:key", "headers": "none"}), "orders: k k"),
        (json!({"key": "none"}), "missing-field: `none` is not there"),
        (
            json!({"value": "n", "headers": "none", "add-headers": {"by": "router", "id": {"path": "id"}, "at": {"path": "record:offset"}}}),
            "orders: k 7 at=0 by=router id=o-1",
        ),
        (json!({"value": "n", "add-headers": {"x": {"path": "header:none"}}}), "orders: k 7 a=1"),
    ] {
        assert_eq!(handled(&by_type(&more), &message(value)), wanted, "{more}");
    }
}

#[test]
fn the_host_s_own_headers_are_not_passed_on() {
    let message = message(r#"{"type":5}"#).with_header("forebay.id", "x").with_header("__dlq.reason", "y");
    assert_eq!(handled(&by_type(&json!({})), &message), "fives: k {\\\"type\\\":5} a=1");
}

#[test]
fn every_error_is_told_at_once() {
    let config = json!({
        "feild": "type",
        "routes": {"a": "", "b": ["x", "x"], "c": 5, "d": []},
        "otherwise": 1,
        "tombstone": "none",
        "key": "a b",
        "value": {"path": "payload", "as": "jsn"},
        "headers": "all",
        "add-headers": {"forebay.x": "1", "y": 2},
    });
    let failure = Plan::read(&config).unwrap_err();
    let wanted = [
        "config.add-headers.\"forebay.x\": header names that begin with [\"forebay.\", \"__dlq.\"] are the host's own",
        "config.add-headers.y: expected a table, found the number 2",
        "config.feild: unknown key; did you mean \"field\"?",
        "config.field: missing; it has to be there",
        "config.headers: unknown choice \"all\"; there are \"keep\", \"none\"",
        "config.key: path \"a b\" has ' ' in a name; write an odd name in quotes, as in \"['a b']\"",
        "config.otherwise: expected a string, found the number 1",
        "config.routes.a: is empty",
        "config.routes.b: names \"x\" twice",
        "config.routes.c: expected a string, found the number 5",
        "config.routes.d: has no target in it",
        "config.tombstone: unknown choice \"none\"; there are \"reject\", \"skip\", \"all\"",
        "config.value.as: unknown form \"jsn\"; did you mean \"json\"?",
    ];
    assert_eq!(failure.message.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn what_does_not_go_together_is_told() {
    for (config, wanted) in [
        (
            json!({"field": "record:key", "routes": {"a": "b"}, "tombstone": "all"}),
            "config.tombstone: `record:key` is there",
        ),
        (json!({"field": "type", "routes": {}}), "config.routes: has no route in it"),
        (json!({"field": "type"}), "config.routes: missing"),
        (json!({"field": "type", "routes": "orders"}), "config.routes: expected a table"),
        (json!([]), "config: expected a table, found an array"),
    ] {
        let failure = Plan::read(&config).unwrap_err();
        assert!(failure.message.starts_with(wanted), "{config}: {failure}");
    }
}
