//! Reading a message; and making one by hand, for tests.

use serde::Deserialize;

use crate::failure::MALFORMED;
use crate::{Header, Message, OptionExt, Result, ResultExt, Timestamp};

/// Reading.
impl Message {
    /// Reads the value as JSON. The result may borrow from the message.
    ///
    /// # Errors
    /// With the code `malformed`, and line and column where there are any; a tombstone is no JSON either.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        Ok(serde_json::from_slice(self.bytes()?)?)
    }

    /// Returns the value.
    ///
    /// # Errors
    /// With the code `malformed` for a tombstone.
    pub fn bytes(&self) -> Result<&[u8]> {
        self.value
            .as_deref()
            .or_reject(MALFORMED, "the value is null (a tombstone)")
    }

    /// Returns the value as text.
    ///
    /// # Errors
    /// With the code `malformed` for a tombstone, and for what is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(self.bytes()?).reject_with(MALFORMED, "the value is not text")
    }

    /// Returns the key as text.
    ///
    /// # Errors
    /// With the code `malformed` where there is no key, and for what is not UTF-8.
    pub fn key_text(&self) -> Result<&str> {
        let key = self.key.as_deref().or_reject(MALFORMED, "the message has no key")?;
        std::str::from_utf8(key).reject_with(MALFORMED, "the key is not text")
    }

    /// Returns whether the value is null.
    pub fn is_tombstone(&self) -> bool {
        self.value.is_none()
    }

    /// Returns the message's timestamp, if it has one: the only clock there is.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp_ms.map(Timestamp::from_millis)
    }

    /// Returns the value of the last header of this name, as Kafka's own clients do; `None` where it is null, too.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers
            .iter()
            .rfind(|header| header.name == name)?
            .value
            .as_deref()
    }

    /// Returns a fact that the host added.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.metadata
            .iter()
            .find(|(candidate, _)| candidate == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Making one by hand, for tests: `Message::new("orders").with_key("o-1").with_value(r#"{"order_id":"o-1"}"#)`.
impl Message {
    /// Makes a message with nothing in it: offset 0 of partition 0, no key, a null value.
    pub fn new(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            value: None,
            headers: Vec::new(),
            metadata: Vec::new(),
        }
    }

    /// Says where it stands.
    #[must_use]
    pub fn at(mut self, partition: i32, offset: i64) -> Self {
        (self.partition, self.offset) = (partition, offset);
        self
    }

    /// Gives it a timestamp, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn with_timestamp(mut self, millis: i64) -> Self {
        self.timestamp_ms = Some(millis);
        self
    }

    /// Gives it a key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Gives it a value.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Appends a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(Header {
            name: name.into(),
            value: Some(value.into()),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reject;

    #[test]
    fn bad_json_is_malformed_and_says_where() {
        let failure = Message::new("t")
            .with_value("{\n  \"a\": ?}")
            .json::<serde_json::Value>()
            .unwrap_err();
        assert_eq!(failure, reject("malformed", "expected value at line 2 column 8"));
    }

    #[test]
    fn a_missing_field_is_malformed_and_named() {
        #[derive(Debug, Deserialize)]
        struct Order<'a> {
            #[serde(rename = "order_id")]
            _id: &'a str,
        }
        let message = Message::new("t").with_value(r#"{"id": "o-1"}"#);
        assert_eq!(
            message.json::<Order<'_>>().unwrap_err().message,
            "missing field `order_id` at line 1 column 13"
        );
    }

    #[test]
    fn null_and_empty_are_told_apart() {
        assert_eq!(
            Message::new("t").json::<()>().unwrap_err(),
            reject("malformed", "the value is null (a tombstone)")
        );
        assert_eq!(Message::new("t").with_value("").text(), Ok(""));
        assert_eq!(
            Message::new("t").key_text().unwrap_err().message,
            "the message has no key"
        );
        assert_eq!(Message::new("t").with_key("").key_text(), Ok(""));
    }

    #[test]
    fn what_is_not_utf_8_is_malformed() {
        let failure = Message::new("t").with_key([0xff]).key_text().unwrap_err();
        assert_eq!(failure.code, "malformed");
        assert!(
            failure.message.starts_with("the key is not text: invalid utf-8"),
            "{failure}"
        );
    }

    #[test]
    fn the_last_header_of_a_name_counts() {
        let message = Message::new("t")
            .with_header("a", "1")
            .with_header("a", "2")
            .with_header("b", "3");
        assert_eq!(message.header("a"), Some(&b"2"[..]));
        assert_eq!(message.header("c"), None);
    }
}
