//! A record as it lies in a topic, every byte of it.

/// A record read from a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The topic it was read from.
    pub topic: String,
    /// The partition it was read from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Milliseconds since the Unix epoch, if it has a timestamp.
    pub timestamp_ms: Option<i64>,
    /// The key; none is not the same as an empty one.
    pub key: Option<Vec<u8>>,
    /// The value; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers in their order, names as bytes: they need not be UTF-8.
    pub headers: Vec<Header>,
}

/// The name and value of a header.
pub type Header = (Vec<u8>, Option<Vec<u8>>);

impl Record {
    /// Returns the last header of that name, as text; none where there is none, or none that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().rev().find(|(own, _)| own == name.as_bytes())?;
        std::str::from_utf8(value.as_deref()?).ok()
    }

    /// Returns the value as text; panics where it is none.
    pub fn text(&self) -> &str {
        let value = self.value.as_deref().unwrap_or_else(|| panic!("a tombstone has no text: {self:?}"));
        std::str::from_utf8(value).unwrap_or_else(|_| panic!("the value is not UTF-8: {self:?}"))
    }
}
