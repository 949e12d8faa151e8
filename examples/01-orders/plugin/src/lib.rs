//! Orders as JSON become rows, an audit trail, totals per customer, and messages for what was shipped.

use forebay_plugin::prelude::*;
use serde::{Deserialize, Serialize};

/// An order as it stands after an event.
#[derive(Deserialize)]
struct Order {
    order_id: String,
    customer_id: String,
    amount: Decimal,
    quantity: i32,
    status: Status,
    /// Milliseconds since the Unix epoch.
    updated_at: i64,
    /// The code of a promotion: three letters of its campaign, then what is the shop's own.
    coupon: Option<String>,
    /// A test order of the shop's own: it leaves no trace.
    #[serde(default)]
    test: bool,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Placed,
    Paid,
    Shipped,
}

/// What the topic `orders.shipped` carries.
#[derive(Serialize)]
struct Shipped<'a> {
    order_id: &'a str,
    customer_id: &'a str,
    quantity: i32,
    shipped_at: i64,
}

fn handle(message: &Message) -> Result<Outcome> {
    if message.is_tombstone() {
        return removed(message);
    }
    let order: Order = message.json()?;
    if order.test {
        return Ok(skip("a test order"));
    }
    let at = Timestamp::from_millis(order.updated_at);
    let what = match &order.coupon {
        Some(coupon) => format!("{} with {}", order.status.name(), campaign(coupon)),
        None => order.status.name().to_owned(),
    };

    let outcome = apply()
        .upsert(
            Row::new("orders")
                .set("order_id", &order.order_id)
                .set("customer_id", &order.customer_id)
                .set("amount", &order.amount)
                .set("quantity", order.quantity)
                .set("status", order.status.name())
                .set("updated_at", at),
        )
        .insert(audit(message, &order.order_id, &what, at));

    match order.status {
        Status::Placed => Ok(outcome.add(
            Row::new("totals")
                .set("customer_id", order.customer_id)
                .set("orders", 1)
                .set("spent", order.amount),
        )),
        Status::Paid => Ok(outcome),
        Status::Shipped => Ok(outcome.publish(shipped(&order)?)),
    }
}

/// A tombstone's key is the order that is no more. The totals keep what was once placed.
fn removed(message: &Message) -> Result<Outcome> {
    let order_id = message.key_text()?;
    let at = message
        .timestamp()
        .or_reject("no-timestamp", "a tombstone's own timestamp is the only time it has")?;
    Ok(apply()
        .delete(Row::new("orders").set("order_id", order_id))
        .insert(audit(message, order_id, "deleted", at)))
}

/// Returns the campaign of a coupon: `SUN` of `SUN24`.
///
/// A bug, and left in on purpose, to show what becomes of a record whose handler panics: the first three *bytes* of `NOËL25`
/// end in the middle of a letter. `coupon.chars().take(3)` would be right.
fn campaign(coupon: &str) -> &str {
    &coupon[..3]
}

fn audit(message: &Message, order_id: &str, what: &str, at: Timestamp) -> Row {
    Row::new("audit")
        .set("order_id", order_id)
        .set("at", at)
        .set("what", what)
        .set("source_topic", &message.topic)
        .set("source_partition", message.partition)
        .set("source_offset", message.offset)
}

fn shipped(order: &Order) -> Result<Publish> {
    let Order {
        order_id,
        customer_id,
        quantity,
        updated_at,
        ..
    } = order;
    Publish::new("shipped")
        .key(order_id.as_str())
        .header("content-type", "application/json")
        .json(&Shipped {
            order_id,
            customer_id,
            quantity: *quantity,
            shipped_at: *updated_at,
        })
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
        }
    }
}

forebay_plugin::handler!(handle);

#[cfg(test)]
mod tests {
    use super::*;

    fn order(status: &str) -> Message {
        let value = format!(
            r#"{{"order_id":"o-17","customer_id":"c-3","amount":"12.50","quantity":2,"status":"{status}","updated_at":1500}}"#
        );
        Message::new("orders").at(1, 42).with_key("o-17").with_value(value)
    }

    fn stored(status: &str) -> Outcome {
        let at = Timestamp::from_millis(1500);
        let row = Row::new("orders")
            .set("order_id", "o-17")
            .set("customer_id", "c-3")
            .set("amount", "12.50")
            .set("quantity", 2)
            .set("status", status)
            .set("updated_at", at);
        apply().upsert(row).insert(audited(status, at))
    }

    fn audited(what: &str, at: Timestamp) -> Row {
        Row::new("audit")
            .set("order_id", "o-17")
            .set("at", at)
            .set("what", what)
            .set("source_topic", "orders")
            .set("source_partition", 1)
            .set("source_offset", 42)
    }

    #[test]
    fn a_placed_order_counts_for_its_customer() -> Result<()> {
        let totals = Row::new("totals")
            .set("customer_id", "c-3")
            .set("orders", 1)
            .set("spent", "12.50");
        assert_eq!(handle(&order("placed"))?, stored("placed").add(totals));
        Ok(())
    }

    #[test]
    fn a_paid_order_is_stored_and_no_more() -> Result<()> {
        assert_eq!(handle(&order("paid"))?, stored("paid"));
        Ok(())
    }

    #[test]
    fn a_shipped_order_is_announced() -> Result<()> {
        let announced = Publish::new("shipped")
            .key("o-17")
            .header("content-type", "application/json")
            .value(r#"{"order_id":"o-17","customer_id":"c-3","quantity":2,"shipped_at":1500}"#);
        assert_eq!(handle(&order("shipped"))?, stored("shipped").publish(announced));
        Ok(())
    }

    fn with(field: &str) -> Message {
        let value = format!(
            r#"{{"order_id":"o-17","customer_id":"c-3","amount":"12.50","quantity":2,"status":"paid","updated_at":1500,{field}}}"#
        );
        Message::new("orders").at(1, 42).with_key("o-17").with_value(value)
    }

    #[test]
    fn a_coupon_names_its_campaign_in_the_trail() -> Result<()> {
        let at = Timestamp::from_millis(1500);
        let row = Row::new("orders")
            .set("order_id", "o-17")
            .set("customer_id", "c-3")
            .set("amount", "12.50")
            .set("quantity", 2)
            .set("status", "paid")
            .set("updated_at", at);
        let expected = apply().upsert(row).insert(audited("paid with SUN", at));
        assert_eq!(handle(&with(r#""coupon":"SUN24""#))?, expected);
        assert_eq!(handle(&with(r#""coupon":null"#))?, stored("paid"));
        Ok(())
    }

    /// The bug that the sample data runs into: a dead letter of class `trap`, and the records behind it go on.
    #[test]
    fn a_coupon_whose_third_letter_is_not_ascii_panics() {
        let message = with(r#""coupon":"NOËL25""#);
        assert!(std::panic::catch_unwind(|| handle(&message)).is_err());
    }

    #[test]
    fn a_test_order_is_skipped() -> Result<()> {
        assert_eq!(handle(&with(r#""test":true"#))?, skip("a test order"));
        assert_eq!(handle(&with(r#""test":false"#))?, stored("paid"));
        Ok(())
    }

    #[test]
    fn a_tombstone_deletes_the_order_and_leaves_a_trail() -> Result<()> {
        let message = Message::new("orders").at(1, 42).with_key("o-17").with_timestamp(1500);
        let expected = apply()
            .delete(Row::new("orders").set("order_id", "o-17"))
            .insert(audited("deleted", Timestamp::from_millis(1500)));
        assert_eq!(handle(&message)?, expected);
        Ok(())
    }

    #[test]
    fn what_is_no_order_is_rejected_with_the_reason() {
        let failure = |value: &str| handle(&Message::new("orders").with_value(value)).unwrap_err();
        assert_eq!(
            failure("hello").to_string(),
            "malformed: expected value at line 1 column 1"
        );
        assert_eq!(
            failure("{}").to_string(),
            "malformed: missing field `order_id` at line 1 column 2"
        );
        let lost = handle(&order("lost")).unwrap_err().to_string();
        assert!(
            lost.starts_with("malformed: unknown variant `lost`, expected one of `placed`"),
            "{lost}"
        );
        assert_eq!(
            handle(&Message::new("orders")).unwrap_err().to_string(),
            "malformed: the message has no key"
        );
    }
}
