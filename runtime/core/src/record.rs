//! A Kafka record with its bytes owned: key, value and headers stand one after the other in one allocation.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::budget::Permit;

/// One record of one partition. Null and empty are told apart everywhere, and nothing is assumed to be UTF-8.
#[derive(Debug)]
pub struct Record {
    /// The topic it was read from.
    pub topic: Arc<str>,
    /// The partition it was read from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Milliseconds since the Unix epoch as the record carries them.
    pub timestamp_ms: Option<i64>,
    /// The epoch of the leader it was fetched from, where the broker told.
    pub leader_epoch: Option<i32>,
    /// Key, value, and each header's name and value, in this order.
    bytes: Bytes,
    key: Option<Span>,
    value: Option<Span>,
    headers: Box<[HeaderSpan]>,
    /// Counts the record's bytes from poll to terminal.
    permit: Permit,
}

/// Where a record stands.
#[derive(Debug, Clone)]
pub struct At {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record's timestamp in milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
    /// The epoch of the partition's leader.
    pub leader_epoch: Option<i32>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Debug, Clone, Copy)]
struct HeaderSpan {
    name: Span,
    value: Option<Span>,
}

/// A header as raw bytes: its name, and its value if it has one.
pub type RawHeader<'a> = (&'a [u8], Option<&'a [u8]>);

/// What an allocation costs beside its bytes, about.
const ALLOCATION: usize = 32;

impl Record {
    /// Copies a record out of a client's memory.
    pub fn copy(
        at: At,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RawHeader<'_>],
        permit: impl FnOnce(usize) -> Permit,
    ) -> Self {
        let mut buffer = Spans { bytes: BytesMut::with_capacity(length(key, value, headers)) };
        let key = key.map(|key| buffer.put(key));
        let value = value.map(|value| buffer.put(value));
        let spans = headers.iter().map(|(name, value)| {
            let name = buffer.put(name);
            HeaderSpan { name, value: value.map(|value| buffer.put(value)) }
        });
        let headers: Box<[HeaderSpan]> = spans.collect();
        let bytes = buffer.bytes.freeze();
        // Twice itself: queues grow by doubling.
        let held = bytes.len() + ALLOCATION + 2 * size_of::<Self>() + headers.len() * size_of::<HeaderSpan>();
        let At { topic, partition, offset, timestamp_ms, leader_epoch } = at;
        Self { topic, partition, offset, timestamp_ms, leader_epoch, bytes, key, value, headers, permit: permit(held) }
    }

    /// Returns the key, `None` where it is null.
    pub fn key(&self) -> Option<&[u8]> {
        self.key.map(|span| self.slice(span))
    }

    /// Returns the value, `None` for a tombstone.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.map(|span| self.slice(span))
    }

    /// Returns the headers in their order, repeated names and null values kept.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = RawHeader<'_>> {
        self.headers.iter().map(|header| (self.slice(header.name), header.value.map(|value| self.slice(value))))
    }

    /// Returns the bytes this record counts against the budget.
    pub fn bytes_held(&self) -> usize {
        self.permit.bytes()
    }

    /// Returns the bytes of key, value and headers.
    pub fn payload_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn slice(&self, span: Span) -> &[u8] {
        self.bytes.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

struct Spans {
    bytes: BytesMut,
}

impl Spans {
    fn put(&mut self, bytes: &[u8]) -> Span {
        let start = position(self.bytes.len());
        self.bytes.put_slice(bytes);
        Span { start, end: position(self.bytes.len()) }
    }
}

/// Kafka's own sizes are 32-bit signed, so a record never reaches the limit.
fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn length(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[RawHeader<'_>]) -> usize {
    let headers: usize = headers.iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum();
    key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_null_and_empty_apart_and_headers_in_order() {
        let at = At { topic: "t".into(), partition: 1, offset: 2, timestamp_ms: None, leader_epoch: None };
        let headers: [RawHeader<'_>; 3] = [(b"a", Some(b"1")), (b"\xff", None), (b"a", Some(b""))];
        let record = Record::copy(at, None, Some(b""), &headers, |_| Permit::free());
        assert_eq!(record.key(), None);
        assert_eq!(record.value(), Some(&b""[..]));
        assert_eq!(record.headers().collect::<Vec<_>>(), headers);
    }
}
