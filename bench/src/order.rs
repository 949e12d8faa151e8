//! The message that every side reads, and the table it goes to.

use serde::Deserialize;

/// The table.
pub(crate) const TABLE: &str = "create table if not exists public.orders (order_id text primary key, \
    customer_id text not null, amount numeric(12, 2) not null, quantity int not null, status text not null, \
    updated_at timestamptz not null)";

/// An order, borrowed from its message.
#[derive(Deserialize)]
pub(crate) struct Order<'a> {
    pub(crate) order_id: &'a str,
    pub(crate) customer_id: &'a str,
    pub(crate) amount: &'a str,
    pub(crate) quantity: i32,
    pub(crate) status: &'a str,
    /// Milliseconds since the Unix epoch.
    pub(crate) updated_at: i64,
}

/// Returns the id and the message of the order `number` of `count`: about 200 bytes, ids in no order and each once.
pub(crate) fn message(number: u64, count: u64) -> (String, String) {
    // A multiplier without a divisor in common with the count visits each number once.
    let scattered = number.wrapping_mul(1_000_003) % count;
    let id = format!("o-{scattered:08}");
    let (customer, amount, quantity) = (number % 10_000, number % 1000, number % 7 + 1);
    let at = 1_763_625_600_000 + number;
    let value = format!(
        r#"{{"order_id":"{id}","customer_id":"c-{customer}","amount":"{amount}.50","quantity":{quantity},"status":"paid","updated_at":{at},"note":"as long as a message is in real life, more or less, all in all"}}"#
    );
    (id, value)
}
