//! The crate as a handler's author sees it, natively.

use forebay_plugin::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
struct Order {
    order_id: String,
    amount: Decimal,
    updated_at: i64,
}

mod plain {
    use super::*;

    pub(super) fn handle(message: &Message) -> Result<Outcome> {
        if message.is_tombstone() {
            return Ok(apply().delete(Row::new("orders").set("order_id", message.key_text()?)));
        }
        let order: Order = message.json()?;
        if order.amount.is_negative() {
            log::warn!(order_id = order.order_id, "amount {} is negative", order.amount);
            return Err(reject(
                "negative-amount",
                format!("amount {} is negative", order.amount),
            ));
        }
        metrics::count("orders", 1);
        let row = Row::new("orders")
            .set("order_id", order.order_id.as_str())
            .set("amount", &order.amount)
            .set("updated_at", Timestamp::from_millis(order.updated_at));
        let announced = Publish::new("shipped")
            .key(order.order_id)
            .json(&order.amount)?
            .header("type", "order");
        Ok(apply().upsert(row).publish(announced))
    }

    forebay_plugin::handler!(handle);
}

mod with_config {
    use super::*;

    #[derive(Deserialize)]
    pub(super) struct Settings {
        currency: String,
    }

    pub(super) fn handle(_: &Message, settings: &Settings) -> Result<Outcome> {
        Ok(skip(settings.currency.as_str()))
    }

    forebay_plugin::handler!(handle, config = Settings);
}

mod with_init {
    use super::*;

    struct Opened {
        word: String,
    }

    fn open(words: Vec<String>) -> Result<Opened> {
        let word = words.into_iter().next().or_reject("bad-config", "a word is missing")?;
        Ok(Opened { word })
    }

    fn handle(_: &Message, opened: &Opened) -> Result<Outcome> {
        Ok(skip(opened.word.as_str()))
    }

    forebay_plugin::handler!(handle, init = open);
}

#[test]
fn a_handler_is_a_function_that_a_test_calls() -> Result<()> {
    let message = Message::new("orders").with_value(r#"{"order_id":"o-1","amount":"12.50","updated_at":1500}"#);
    let expected = apply()
        .upsert(
            Row::new("orders")
                .set("order_id", "o-1")
                .set("amount", Value::Text("12.50".to_owned()))
                .set("updated_at", Timestamp::from_micros(1_500_000)),
        )
        .publish(
            Publish::new("shipped")
                .key("o-1")
                .value("\"12.50\"")
                .header("type", "order"),
        );
    assert_eq!(plain::handle(&message)?, expected);
    Ok(())
}

#[test]
fn errors_reject_with_a_code() {
    let code = |value: &str| plain::handle(&Message::new("orders").with_value(value)).map_err(|failure| failure.code);
    assert_eq!(code("{").unwrap_err(), "malformed");
    assert_eq!(
        code(r#"{"order_id":"o-1","amount":"many","updated_at":1}"#).unwrap_err(),
        "malformed"
    );
    assert_eq!(
        code(r#"{"order_id":"o-1","amount":"-1","updated_at":1}"#).unwrap_err(),
        "negative-amount"
    );
}

#[test]
fn a_tombstone_deletes_by_its_key() -> Result<()> {
    let outcome = plain::handle(&Message::new("orders").with_key("o-1"))?;
    assert_eq!(outcome, apply().delete(Row::new("orders").set("order_id", "o-1")));
    Ok(())
}

#[test]
fn a_configuration_that_does_not_fit_says_what_is_missing() -> Result<()> {
    let settings: with_config::Settings = forebay_plugin::guest::config(r#"{"currency":"EUR"}"#)?;
    assert_eq!(
        with_config::handle(&Message::new("t"), &settings)?.skipped(),
        Some("EUR")
    );
    let failure = forebay_plugin::guest::config::<with_config::Settings>("{}")
        .map(|_| ())
        .unwrap_err();
    assert_eq!(failure.code, "bad-config");
    assert_eq!(
        failure.message,
        "the plugin's `config` table: missing field `currency` at line 1 column 2"
    );
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Status {
    OnItsWay,
}

#[derive(Serialize)]
struct Wide<'a> {
    id: &'a str,
    count: u16,
    big: u64,
    ratio: f32,
    open: bool,
    note: Option<&'a str>,
    status: Status,
    at: Option<Timestamp>,
    amount: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<i64>,
}

#[test]
fn a_struct_makes_a_row() -> Result<()> {
    let fields = Wide {
        id: "a",
        count: 3,
        big: u64::MAX,
        ratio: 0.5,
        open: true,
        note: None,
        status: Status::OnItsWay,
        at: Some(Timestamp::from_seconds(1)),
        amount: Decimal::from(7),
        absent: None,
    };
    let expected = Row::new("t")
        .set("id", "a")
        .set("count", 3)
        .set("big", u64::MAX)
        .set("ratio", 0.5)
        .set("open", true)
        .set("note", None::<&str>)
        .set("status", "on-its-way")
        .set("at", Value::TimestampMicros(1_000_000))
        .set("amount", Value::Text("7".to_owned()));
    assert_eq!(Row::of("t", &fields)?, expected);
    Ok(())
}

#[test]
fn a_struct_that_holds_a_list_makes_no_row_and_says_which_column() {
    #[derive(Serialize)]
    struct Nested {
        tags: Vec<String>,
    }
    let failure = Row::of("t", &Nested { tags: Vec::new() }).unwrap_err();
    assert_eq!(failure.code, "no-column");
    assert!(
        failure.message.starts_with("column `tags` of a row for `t`: a list"),
        "{failure}"
    );
    assert!(
        Row::of("t", &5)
            .unwrap_err()
            .message
            .contains("a row is made of a struct")
    );
}

#[test]
fn a_map_with_text_as_keys_makes_a_row() -> Result<()> {
    let row = Row::of("t", &std::collections::BTreeMap::from([("a", 1), ("b", 2)]))?;
    assert_eq!(row, Row::new("t").set("a", 1).set("b", 2));
    Ok(())
}

#[test]
fn logging_and_metrics_do_no_harm_natively() {
    let currency = "XTS";
    log::info!("plain");
    log::error!(currency, tries = 2 + 1, "no rate for {currency} ({})", 1);
    metrics::observe("ratio", 0.5);
}
