//! What can be wrong with an order, and what is said of it in every language alike.

/// A way of being bad.
pub(super) struct Trouble {
    pub(super) name: &'static str,
    /// The dead letter's class and code.
    pub(super) class: &'static str,
    pub(super) code: &'static str,
    /// What the order's note tells the handler to do.
    pub(super) note: &'static str,
    /// What becomes of a good order's text; nothing is a tombstone without a key.
    change: fn(&str) -> Option<Vec<u8>>,
}

const fn malformed(name: &'static str, change: fn(&str) -> Option<Vec<u8>>) -> Trouble {
    Trouble { name, class: "rejected", code: "malformed", note: "", change }
}

const fn told(name: &'static str, class: &'static str, code: &'static str) -> Trouble {
    Trouble { name, class, code, note: name, change: |json| Some(json.into()) }
}

/// A loop costs twice the limit of CPU time, so there are few of them.
static SPIN: Trouble = told("spin", "cpu", "cpu-limit");

static TROUBLES: [Trouble; 22] = [
    told("throw", "trap", "unreachable"),
    told("hog", "memory", "memory-limit"),
    malformed("no JSON", |_| Some(b"hello".into())),
    malformed("cut short", |json| Some(json.as_bytes()[..json.len() / 2].into())),
    malformed("more behind it", |json| Some(format!("{json}}}").into())),
    malformed("empty", |_| Some(Vec::new())),
    malformed("nothing but a mark", |json| Some(format!("\u{feff}{json}").into())),
    malformed("a list", |json| Some(format!("[{json}]").into())),
    malformed("null", |_| Some(b"null".into())),
    malformed("a number", |_| Some(b"9007199254740993".into())),
    malformed("no customer", |json| Some(json.replace("\"customer\"", "\"custommer\"").into())),
    malformed("no amount", |json| Some(json.replace("\"amount\"", "\"Amount\"").into())),
    malformed("not UTF-8", |json| bytes_for(json, b"\xff")),
    malformed("too long for its letter", |json| bytes_for(json, b"\xc0\xaf")),
    malformed("half of a pair in bytes", |json| bytes_for(json, b"\xed\xa0\x80")),
    malformed("half of a pair", |json| bytes_for(json, b"\\ud83e")),
    malformed("a line in a text", |json| bytes_for(json, b"\n")),
    malformed("deep", |_| Some(vec![b'['; 100_000])),
    malformed("a tombstone of nothing", |_| None),
    Trouble {
        name: "too many",
        class: "rejected",
        code: "too-many",
        note: "",
        change: |json| Some(json.replace("\"quantity\":", "\"quantity\":1000").into()),
    },
    Trouble { name: "NUL", class: "contract", code: "nul-byte", note: "", change: |json| bytes_for(json, b"\\u0000") },
    Trouble {
        name: "below zero",
        class: "data",
        code: "23514",
        note: "",
        change: |json| Some(json.replace("\"quantity\":", "\"quantity\":-1").into()),
    },
];

/// Returns what is wrong with the message of that number, if anything is.
pub(super) fn of(number: u64) -> Option<&'static Trouble> {
    let turn = number / 307;
    match number % 307 {
        within if within == turn * 31 % 300 && turn.is_multiple_of(90) => Some(&SPIN),
        within if within == turn * 31 % 300 => Some(&TROUBLES[(turn % 22) as usize]),
        _ => None,
    }
}

impl Trouble {
    /// Returns key and value.
    pub(super) fn spoil(&self, key: Option<String>, json: &str) -> (Option<String>, Option<Vec<u8>>) {
        let value = (self.change)(json);
        (key.filter(|_| value.is_some()), value)
    }
}

/// Puts bytes at the begin of the customer's name.
fn bytes_for(json: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let (before, after) = json.split_once("\"customer\":\"")?;
    Some([before.as_bytes(), b"\"customer\":\"", bytes, after.as_bytes()].concat())
}
