//! The message that every side reads, and the table it goes to.

use serde::Deserialize;

/// The table, and one like it that refuses some rows.
pub(crate) const TABLES: &str = "create table if not exists public.orders (order_id text primary key, \
    customer_id text not null, amount numeric(12, 2) not null, quantity int not null, status text not null, \
    updated_at timestamptz not null); \
    create table if not exists public.checked (like public.orders including all, check (quantity > 0))";

/// Returns the line of a manifest that sends orders to a table.
pub(crate) fn target(table: &str) -> String {
    format!("orders = {{ sink = \"db\", table = \"{table}\", key = [\"order_id\"] }}\n")
}

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

/// What is wrong with some of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poison {
    /// Nothing.
    None,
    /// The handler rejects one of so many.
    Reject(u64),
    /// The handler traps at one of so many; the message is a script.
    Trap(u64),
    /// The database refuses one of so many.
    Check(u64),
}

impl Poison {
    /// Returns which part of the messages is bad; `None` if none is.
    pub(crate) fn share(self) -> Option<f64> {
        match self {
            Self::None | Self::Trap(0) => None,
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            Self::Reject(every) | Self::Trap(every) | Self::Check(every) => Some(1.0 / every as f64),
        }
    }

    /// Whether the message at this place of its partition is bad: never two in a row.
    pub(crate) fn hits(self, place: u64) -> bool {
        match self {
            // Scripts of which none traps are scripts all the same.
            Self::None | Self::Trap(0) => false,
            Self::Reject(every) | Self::Trap(every) | Self::Check(every) => place % every == every / 2,
        }
    }
}

/// Returns the id and the message of the order `number` of `count`: about 200 bytes, ids in no order and each once.
pub(crate) fn message(number: u64, count: u64, poison: Poison, is_bad: bool) -> (String, String) {
    // A multiplier without a divisor in common with the count visits each number once.
    let scattered = number.wrapping_mul(1_000_003) % count;
    let id = format!("o-{scattered:08}");
    let (customer, amount, quantity) = (number % 10_000, number % 1000, number % 7 + 1);
    let at = 1_763_625_600_000 + number;
    let quantity = if is_bad && matches!(poison, Poison::Check(_)) { 0 } else { quantity };
    let row = format!(
        r#""order_id":"{id}","customer_id":"c-{customer}","amount":"{amount}.50","quantity":{quantity},"status":"paid""#
    );
    let note = "as long as a message is in real life, more or less, all in all";
    let value = match poison {
        Poison::Trap(_) if is_bad => format!(r#"{{"trap":"{note}"}}"#),
        Poison::Trap(_) => {
            let columns = format!(r#"{{{row},"updated_at":{{"micros":{at}000}}}}"#);
            format!(r#"{{"effects":[{{"op":"upsert","target":"orders","columns":{columns}}}]}}"#)
        }
        // Without its end it is no JSON.
        Poison::Reject(_) if is_bad => format!(r#"{{{row},"updated_at":{at},"note":"{note}"#),
        _ => format!(r#"{{{row},"updated_at":{at},"note":"{note}"}}"#),
    };
    (id, value)
}
