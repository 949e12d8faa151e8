//! One row for each order: the handler that benchmarks run, and that `bench/src/native.rs` does without a sandbox.

use forebay_plugin::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Order<'a> {
    order_id: &'a str,
    customer_id: &'a str,
    amount: &'a str,
    quantity: i32,
    status: &'a str,
    updated_at: i64,
}

fn handle(message: &Message) -> Result<Outcome> {
    let order: Order<'_> = message.json()?;
    let row = Row::new("orders")
        .set("order_id", order.order_id)
        .set("customer_id", order.customer_id)
        .set("amount", order.amount)
        .set("quantity", order.quantity)
        .set("status", order.status)
        .set("updated_at", Timestamp::from_millis(order.updated_at));
    Ok(apply().upsert(row))
}

forebay_plugin::handler!(handle);
