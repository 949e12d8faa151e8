//! A hundred thousand orders, the same at each run: most of them good, some hundred as bad as a message can be.

use std::collections::BTreeMap;

use forebay_tests::kafka::Kafka;
use forebay_tests::names::Names;
use forebay_tests::producer::Producer;
use tokio::sync::OnceCell;

use crate::languages::troubles::{self, Trouble};

/// How many messages there are.
pub(super) const MESSAGES: u64 = 100_000;
const PARTITIONS: u64 = 6;
/// How many different orders there are: most are changed once or twice.
const ORDERS: u64 = 40_000;
/// A customer's orders are in one partition: a row that two partitions write is locked by one of them.
const CUSTOMERS: u64 = 100 * PARTITIONS;
/// The timestamp of the first message.
const START_MILLIS: i64 = 1_763_625_600_000;
const WORDS: [&str; 8] =
    ["Zoë", "李雷", "Иван \"Ваня\"", "🦀 Ferris", "عمر", "C:\\new\\table", "plain", "e\u{301}\u{7f}"];
const AMOUNTS: [&str; 8] = ["12", "\"12.50\"", "\"-0.01\"", "\".5\"", "\"007.10\"", "9007199254740993", "0", "\"5.\""];
const WEIGHTS: [&str; 8] = ["0.1", "3", "-0.0", "1e-7", "1.7976931348623157e308", "123456789.125", "1E+2", "5e-324"];

/// One message.
pub(super) struct Message {
    pub(super) key: Option<String>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) fate: Fate,
}

/// What becomes of it in whichever language.
pub(super) enum Fate {
    /// The row of an order is this customer's from here on, who has one order more.
    Written { order: i64, customer: String },
    /// The row of an order is gone.
    Deleted { order: i64 },
    /// The handler skips it.
    Skipped,
    /// A dead letter.
    Refused(&'static Trouble),
}

/// The topic that all of them are in, and what is to come of it.
pub(super) struct Feed {
    pub(super) topic: String,
    /// Where the dead letters' messages lie, and what is wrong with each.
    pub(super) refused: BTreeMap<(i32, i64), &'static Trouble>,
    /// The customer of each order that is left.
    pub(super) orders: BTreeMap<i64, String>,
    /// How many orders each customer has made.
    pub(super) made: BTreeMap<String, u64>,
}

impl Feed {
    /// Returns the topic that all languages read.
    pub(super) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Feed> = OnceCell::const_new();
        SHARED.get_or_init(Self::produce).await
    }

    async fn produce() -> Self {
        let kafka = Kafka::shared().await;
        let topic = Names::new("orders_of_all").topic;
        // The samples are older than a broker keeps records.
        kafka.create_topic(&topic, PARTITIONS as i32, &[("retention.ms", "-1")]).await;
        let producer = Producer::new(kafka);
        let (mut orders, mut made) = (BTreeMap::new(), BTreeMap::new());
        let mut troubles = Vec::new();
        for number in 0..MESSAGES {
            let Message { key, value, fate } = message(number);
            let partition = (order_of(number) % PARTITIONS) as i32;
            let source: &[_] = &[(b"source".to_vec(), Some("web ✓".into()))];
            let both = (key.as_deref().map(str::as_bytes), value.as_deref());
            let headers = if number.is_multiple_of(3) { source } else { &[] };
            let ticket = producer.send_at(Some(START_MILLIS + number as i64), &topic, partition, both, headers);
            match fate {
                Fate::Written { order, customer } => {
                    *made.entry(customer.clone()).or_insert(0) += 1;
                    orders.insert(order, customer);
                }
                Fate::Deleted { order } => _ = orders.remove(&order),
                Fate::Skipped => {}
                Fate::Refused(trouble) => troubles.push((ticket, trouble)),
            }
        }
        let acks = producer.flush().await;
        let place = |ticket: usize| (acks[ticket].partition, acks[ticket].offset);
        let refused = troubles.into_iter().map(|(ticket, trouble)| (place(ticket), trouble)).collect();
        Self { topic, refused, orders, made }
    }
}

/// Returns one of the messages.
fn message(number: u64) -> Message {
    let order = order_id(order_of(number));
    let key = Some(order.to_string());
    let customer = format!("{} {}", WORDS[(number % 8) as usize], order_of(number) % CUSTOMERS);
    if let Some(trouble) = troubles::of(number) {
        let (key, value) = trouble.spoil(key, &value(number, order, &customer, trouble.note));
        return Message { key, value, fate: Fate::Refused(trouble) };
    }
    if mixed(number ^ 1).is_multiple_of(20) {
        return Message { key, value: None, fate: Fate::Deleted { order } };
    }
    let value = Some(value(number, order, &customer, "").into_bytes());
    let fate = if quantity(number) == 0 { Fate::Skipped } else { Fate::Written { order, customer } };
    Message { key, value, fate }
}

/// An order as JSON; what may be left out is sometimes null and sometimes not there.
fn value(number: u64, order: i64, customer: &str, note: &str) -> String {
    let chance = mixed(number ^ 2);
    let note = match (note, chance % 5) {
        ("", 0) => String::new(),
        ("", 1) => ",\"note\":null".to_owned(),
        ("", 2) => ",\"note\":\"\"".to_owned(),
        ("", 3) => {
            ",\"note\":\"vorsichtig, zerbrechlich – \\u2713\\/\",\"tags\":[{\"a\":[1e400]},true,\"}\"]".to_owned()
        }
        ("", _) => format!(" , \"note\" : \"{}\"\n", "long ".repeat((chance % 40) as usize)),
        (trouble, _) => format!(",\"note\":\"{trouble}\""),
    };
    let amount = match chance % 11 {
        0 => format!("\"{}.{:018}\"", mixed(chance), chance >> 8),
        _ => AMOUNTS[(chance / 11 % 8) as usize].to_owned(),
    };
    let weight = match chance % 7 {
        0 => WEIGHTS[(chance / 7 % 8) as usize].to_owned(),
        _ => format!("{:?}", f64::from_bits((chance >> 6) % (1 << 60) + (1 << 61))),
    };
    let placed_at = match chance % 13 {
        0 => 253_402_300_799_999,
        1 => -1,
        _ => START_MILLIS + (chance % 1_000_000_000) as i64,
    };
    let (customer, quantity) = (quoted(customer, chance.is_multiple_of(3)), quantity(number));
    format!(
        r#"{{"order_id":{order},"customer":{customer},"amount":{amount},"quantity":{quantity},"weight":{weight},"placed_at":{placed_at}{note}}}"#
    )
}

/// A text in JSON, in ASCII if that is wanted.
fn quoted(text: &str, is_ascii: bool) -> String {
    let json = serde_json::to_string(text).unwrap();
    if !is_ascii {
        return json;
    }
    let units = json.encode_utf16().map(|unit| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    });
    units.collect()
}

/// Nothing at all is skipped.
fn quantity(number: u64) -> u64 {
    let least = u64::from(troubles::of(number).is_some());
    (mixed(number ^ 3) % 30).max(least)
}

fn order_of(number: u64) -> u64 {
    mixed(number ^ 4) % ORDERS
}

/// Many ids are more than what a double carries.
fn order_id(order: u64) -> i64 {
    let order = order as i64;
    match order % 5 {
        0 => (1 << 53) + order,
        1 => i64::MAX - order,
        2 => i64::MIN + order,
        3 => -order,
        _ => order,
    }
}

/// A number whose every bit depends on every bit of another one.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x2545_f491_4f6c_dd1d);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
