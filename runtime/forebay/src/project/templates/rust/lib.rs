//! A message is an item as it stands: it becomes a row of the table, or it is rejected with the reason.
//!
//! The handler is a pure function. It sees one message and answers with values; reading, writing, retrying, dead-lettering
//! and committing are Forebay's part. `sdk/README.md` tells what it may do.

use forebay_plugin::prelude::*;
use serde::Deserialize;

/// What a message's value says, as JSON. What does not fit ends as a dead letter with line and column.
#[derive(Deserialize)]
struct Item {
    id: String,
    title: String,
    amount: i64,
    /// Milliseconds since the Unix epoch.
    updated_at: i64,
}

/// `config` of this plugin in forebay.toml.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Settings {
    largest_amount: i64,
}

fn handle(message: &Message, settings: &Settings) -> Result<Outcome> {
    // A null value says that what the key names is no more.
    if message.is_tombstone() {
        let id = message.key_text()?;
        return Ok(apply().delete(Row::new("items").set("id", id)));
    }
    let item: Item = message.json()?;
    // A rule of your own, with a code that dead letters and metrics carry.
    if item.amount > settings.largest_amount {
        let Settings { largest_amount } = settings;
        return Err(reject("too-much", format!("amount {} is above {largest_amount}", item.amount)));
    }
    let row = Row::new("items")
        .set("id", item.id)
        .set("title", item.title)
        .set("amount", item.amount)
        .set("updated_at", Timestamp::from_millis(item.updated_at));
    Ok(apply().upsert(row))
}

forebay_plugin::handler!(handle, config = Settings);

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings { largest_amount: 10 };

    fn item(amount: i64) -> Message {
        let value = format!(r#"{{"id":"a-1","title":"first","amount":{amount},"updated_at":1500}}"#);
        Message::new("{{name}}").with_key("a-1").with_value(value)
    }

    #[test]
    fn an_item_becomes_a_row() -> Result<()> {
        let row = Row::new("items")
            .set("id", "a-1")
            .set("title", "first")
            .set("amount", 7)
            .set("updated_at", Timestamp::from_millis(1500));
        assert_eq!(handle(&item(7), &SETTINGS)?, apply().upsert(row));
        Ok(())
    }

    #[test]
    fn too_much_is_rejected_with_the_reason() {
        let failure = handle(&item(11), &SETTINGS).unwrap_err();
        assert_eq!(failure.to_string(), "too-much: amount 11 is above 10");
    }

    #[test]
    fn what_is_no_item_is_malformed() {
        let failure = handle(&Message::new("{{name}}").with_value("hello"), &SETTINGS).unwrap_err();
        assert_eq!(failure.code, "malformed");
    }

    #[test]
    fn a_tombstone_deletes_the_row() -> Result<()> {
        let outcome = handle(&Message::new("{{name}}").with_key("a-1"), &SETTINGS)?;
        assert_eq!(outcome, apply().delete(Row::new("items").set("id", "a-1")));
        Ok(())
    }
}
