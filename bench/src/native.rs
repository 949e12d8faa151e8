//! The same runtime with the handler compiled into it: what the sandbox costs is the difference.

use camino::Utf8Path;
use forebay::app::App;
use forebay_core::outcome::{Column, Effect, Failure, Outcome, Row, Value};
use forebay_core::record::Record;

use crate::order::Order;

pub(crate) fn run(manifest: &Utf8Path) -> anyhow::Result<()> {
    forebay_plugin_host::native::set(handle);
    App::start(manifest)?.run(false)?;
    Ok(())
}

/// What the guest `order` does, in the same words.
fn handle(record: &Record) -> Outcome {
    let order: Order<'_> = match serde_json::from_slice(record.value().unwrap_or_default()) {
        Ok(order) => order,
        Err(error) => {
            return Outcome::Reject(Failure { code: "malformed".to_owned(), message: error.to_string() });
        }
    };
    let text = |text: &str| Value::Text(text.to_owned());
    let columns = [
        ("order_id", text(order.order_id)),
        ("customer_id", text(order.customer_id)),
        ("amount", text(order.amount)),
        ("quantity", Value::Integer(i64::from(order.quantity))),
        ("status", text(order.status)),
        ("updated_at", Value::TimestampMicros(order.updated_at * 1000)),
    ];
    let columns = columns.map(|(name, value)| Column { name: name.to_owned(), value });
    Outcome::Ok(vec![Effect::Upsert(Row { target: "orders".to_owned(), columns: columns.into() })])
}
