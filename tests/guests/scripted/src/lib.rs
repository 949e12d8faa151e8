//! A handler that does what each message's JSON says, well or badly: the workhorse of the integration tests.
//!
//! The value is an object with exactly one of these, beside any other field, which is ignored:
//!
//! | field | does |
//! |---|---|
//! | `"effects": […]` | applies them; see below |
//! | `"skip": "reason"` | skips |
//! | `"reject": {"code": "c", "message": "m"}` | rejects |
//! | `"trap": true` | panics with the message `scripted trap`; a string is the message instead |
//! | `"unreachable": true` | traps without a word |
//! | `"spin": true` | loops for ever |
//! | `"hog": true` | allocates for ever |
//! | `"recurse": true` | overflows the stack |
//! | `"huge": N` | N inserts of 1 MiB of text each, column `text` of the target `"target"` |
//! | `"alias": N` | the same, but every text is one and the same MiB of the guest's memory |
//! | `"many": N` | N inserts of `id` 0 to N - 1 for the target `"target"` |
//!
//! `"log": [["warn", "text"], …]` writes lines, `"count": {"name": n}` counts, and `"burn": N` works for N turns of a
//! loop, before any of the above.
//!
//! An effect is `{"op": "upsert|insert|update|add|delete", "target": "t", "columns": {"c": value}}` or
//! `{"op": "publish", "target": "p", "key": "k", "value": "v", "headers": [["name", "value"]]}`; key, value and a
//! header's value may be null or absent. A column's value is plain JSON (a whole number is an integer, another number a
//! float, a string text) or one of `{"text": s}`, `{"int": n}`, `{"float": x}`, `{"bytes": "hex"}`, `{"micros": n}`,
//! `{"bool": b}`. Anything else is rejected with the code `malformed`.
//!
//! `"else": […]` beside `reject` or a kind of failing are the effects of a handler that was mended: where the
//! configuration says `accept = true`, they are applied instead.
//!
//! With `stamp = "text"` in the configuration, every row says so in its column `stamp`; with `broken = true` every message but a
//! tombstone panics.
//!
//! A tombstone with a key deletes from the target that the configuration names as `tombstone-target`, by the column
//! `id`; without such a target or a key it is skipped with the reason `tombstone`.

mod misbehave;
mod script;

use forebay_plugin::prelude::*;
use serde::Deserialize;

use script::Script;

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    tombstone_target: Option<String>,
    #[serde(default)]
    accept: bool,
    stamp: Option<String>,
    #[serde(default)]
    broken: bool,
}

fn handle(message: &Message, settings: &Settings) -> Result<Outcome> {
    if message.is_tombstone() {
        return tombstone(message, settings);
    }
    let mut script: Script = message.json()?;
    if settings.accept {
        script.mend();
    }
    assert!(!settings.broken, "a version that is broken");
    if let Some(stamp) = &settings.stamp {
        script.stamp(stamp);
    }
    script.speak()?;
    script.act()
}

fn tombstone(message: &Message, settings: &Settings) -> Result<Outcome> {
    match &settings.tombstone_target {
        Some(target) if message.key.is_some() => Ok(apply().delete(Row::new(target).set("id", message.key_text()?))),
        _ => Ok(skip("tombstone")),
    }
}

forebay_plugin::handler!(handle, config = Settings);

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: &str) -> Result<Outcome> {
        handle(
            &Message::new("t").with_key("k").with_value(value),
            &Settings {
                tombstone_target: None,
                accept: false,
                ..Settings::default()
            },
        )
    }

    #[test]
    fn effects_keep_their_order_and_types() -> Result<()> {
        let outcome = run(r#"{"id":17,"effects":[
            {"op":"upsert","target":"t","columns":{"z":1,"a":1.5,"s":"x","b":true,"n":null,
                "big":{"int":9007199254740993},"f":{"float":2},"t":{"text":"12.50"},"y":{"bytes":"00ff"},"m":{"micros":5},"o":{"bool":false}}},
            {"op":"delete","target":"t","columns":{"id":1}},
            {"op":"publish","target":"p","key":"k","headers":[["h","v"],["h",null]]}]}"#)?;
        let row = Row::new("t")
            .set("z", 1)
            .set("a", 1.5)
            .set("s", "x")
            .set("b", true)
            .set("n", Value::Null)
            .set("big", 9_007_199_254_740_993_i64)
            .set("f", 2.0)
            .set("t", "12.50")
            .set("y", b"\x00\xff")
            .set("m", Timestamp::from_micros(5))
            .set("o", false);
        let mut publish = Publish::new("p").key("k").header("h", "v").header("h", "");
        publish.headers[1].value = None;
        assert_eq!(
            outcome,
            apply().upsert(row).delete(Row::new("t").set("id", 1)).publish(publish)
        );
        Ok(())
    }

    #[test]
    fn what_is_no_script_is_malformed() {
        for value in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"id":1}"#,
            r#"{"skip":"a","trap":true}"#,
            r#"{"effects":[{"op":"x","target":"t"}]}"#,
            r#"{"effects":[{"op":"add","target":"t","columns":{"c":[1]}}]}"#,
            r#"{"effects":[{"op":"add","target":"t","columns":{"c":{"bytes":"f"}}}]}"#,
            r#"{"effects":[],"log":[["loud","x"]]}"#,
        ] {
            assert_eq!(run(value).unwrap_err().code, "malformed", "{value}");
        }
    }

    #[test]
    fn skips_rejects_and_counts_as_told() -> Result<()> {
        assert_eq!(
            run(r#"{"skip":"old","log":[["warn","x"]],"count":{"seen":1},"burn":1000}"#)?,
            skip("old")
        );
        assert_eq!(
            run(r#"{"reject":{"code":"c","message":"m"}}"#).unwrap_err(),
            reject("c", "m")
        );
        assert_eq!(run(r#"{"many":3,"target":"t"}"#)?.effects().len(), 3);
        Ok(())
    }

    #[test]
    fn a_mended_handler_does_what_else_says() -> Result<()> {
        let settings = Settings {
            tombstone_target: None,
            accept: true,
            ..Settings::default()
        };
        let mended = |value: &str| handle(&Message::new("t").with_value(value), &settings);
        let effects = r#""else":[{"op":"insert","target":"t","columns":{"id":1}}]"#;
        let applied = apply().insert(Row::new("t").set("id", 1));
        assert_eq!(mended(&format!(r#"{{"trap":true,{effects}}}"#))?, applied);
        let rejecting = r#""reject":{"code":"c","message":"m"}"#;
        assert_eq!(mended(&format!("{{{rejecting},{effects}}}"))?, applied);
        assert_eq!(mended(&format!("{{{rejecting}}}")).unwrap_err(), reject("c", "m"));
        assert_eq!(
            run(&format!("{{{rejecting},{effects}}}")).unwrap_err(),
            reject("c", "m")
        );
        Ok(())
    }

    #[test]
    fn a_tombstone_deletes_where_the_configuration_says_so() -> Result<()> {
        let settings = Settings {
            tombstone_target: Some("t".to_owned()),
            accept: false,
            ..Settings::default()
        };
        let deleted = handle(&Message::new("x").with_key("k"), &settings)?;
        assert_eq!(deleted, apply().delete(Row::new("t").set("id", "k")));
        assert_eq!(handle(&Message::new("x"), &settings)?, skip("tombstone"));
        Ok(())
    }
}
