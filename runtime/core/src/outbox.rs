//! What must leave the database's world: publishes and dead letters, decided in the transaction that moves the
//! position, sent after it. A batch's messages are one row, in the compact form of [`encode`].

use std::sync::Arc;

use bytes::Bytes;

/// The header that tells repeats of one message.
pub const ID_HEADER: &str = "forebay.id";

/// The version of the form, its first byte.
const VERSION: u8 = 1;

/// One message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; by the key where `None`.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// Headers in order, names as raw bytes.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
    /// Whether it is a dead letter, which goes without its value rather than not at all.
    pub is_letter: bool,
}

/// Bytes that are no outbox row of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("outbox row is damaged or of a newer version at byte {at}")]
pub struct Damaged {
    /// Where reading stopped.
    pub at: usize,
}

impl Outgoing {
    /// Returns the bytes it holds in memory.
    pub fn bytes(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + length(value) + 64).sum();
        size_of::<Self>() + length(&self.key) + length(&self.value) + headers
    }

    /// Returns the first value of the header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(given, _)| given == name.as_bytes());
        found.and_then(|(_, value)| value.as_deref())
    }
}

/// Writes messages as one row.
pub fn encode(messages: &[Outgoing]) -> Vec<u8> {
    let mut row = vec![VERSION];
    put_length(&mut row, messages.len());
    for message in messages {
        row.push(u8::from(message.is_letter));
        put(&mut row, message.topic.as_bytes());
        row.extend_from_slice(&message.partition.unwrap_or(-1).to_le_bytes());
        put_nullable(&mut row, message.key.as_deref());
        put_nullable(&mut row, message.value.as_deref());
        put_length(&mut row, message.headers.len());
        for (name, value) in &message.headers {
            put(&mut row, name);
            put_nullable(&mut row, value.as_deref());
        }
    }
    row
}

/// Reads the messages of one row.
///
/// # Errors
/// Where the bytes are not what [`encode`] writes.
pub fn decode(row: &Bytes) -> Result<Vec<Outgoing>, Damaged> {
    let mut reader = Reader { row, at: 0 };
    if reader.byte()? != VERSION {
        return Err(Damaged { at: 0 });
    }
    let count = reader.length()?;
    let mut messages = Vec::with_capacity(count.min(row.len()));
    for _ in 0..count {
        messages.push(reader.message()?);
    }
    if reader.at == row.len() { Ok(messages) } else { Err(reader.damaged()) }
}

fn put_length(row: &mut Vec<u8>, length: usize) {
    row.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put(row: &mut Vec<u8>, bytes: &[u8]) {
    put_length(row, bytes.len());
    row.extend_from_slice(bytes);
}

fn put_nullable(row: &mut Vec<u8>, bytes: Option<&[u8]>) {
    row.push(u8::from(bytes.is_some()));
    if let Some(bytes) = bytes {
        put(row, bytes);
    }
}

struct Reader<'a> {
    row: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn message(&mut self) -> Result<Outgoing, Damaged> {
        let is_letter = self.byte()? == 1;
        let topic = self.bytes()?;
        let topic = std::str::from_utf8(&topic).map_err(|_| self.damaged())?.into();
        let partition = i32::from_le_bytes(self.array()?);
        let partition = (partition >= 0).then_some(partition);
        let (key, value) = (self.nullable()?, self.nullable()?);
        let count = self.length()?;
        let mut headers = Vec::with_capacity(count.min(self.row.len()));
        for _ in 0..count {
            headers.push((self.bytes()?, self.nullable()?));
        }
        Ok(Outgoing { topic, partition, key, value, headers, is_letter })
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn length(&mut self) -> Result<usize, Damaged> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn bytes(&mut self) -> Result<Bytes, Damaged> {
        let length = self.length()?;
        let end = self.at.checked_add(length).filter(|end| *end <= self.row.len()).ok_or_else(|| self.damaged())?;
        let bytes = self.row.slice(self.at..end);
        self.at = end;
        Ok(bytes)
    }

    fn nullable(&mut self) -> Result<Option<Bytes>, Damaged> {
        match self.byte()? {
            0 => Ok(None),
            _ => self.bytes().map(Some),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let bytes = self.row.get(self.at..self.at + N).and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or_else(|| self.damaged())?;
        self.at += N;
        Ok(bytes)
    }

    fn damaged(&self) -> Damaged {
        Damaged { at: self.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nullable() -> impl Strategy<Value = Option<Bytes>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from))
    }

    fn message() -> impl Strategy<Value = Outgoing> {
        let header = (prop::collection::vec(any::<u8>(), 0..8).prop_map(Bytes::from), nullable());
        let headers = prop::collection::vec(header, 0..4);
        ("[a-z.]{1,9}", prop::option::of(0..9_i32), nullable(), nullable(), headers, any::<bool>()).prop_map(
            |(topic, partition, key, value, headers, is_letter)| Outgoing {
                topic: topic.into(),
                partition,
                key,
                value,
                headers,
                is_letter,
            },
        )
    }

    proptest! {
        #[test]
        fn reads_back_what_it_wrote(messages in prop::collection::vec(message(), 0..6)) {
            prop_assert_eq!(decode(&Bytes::from(encode(&messages))).unwrap(), messages);
        }

        #[test]
        fn refuses_damage_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _never_panics = decode(&Bytes::from(bytes));
        }

        #[test]
        fn notices_every_cut(messages in prop::collection::vec(message(), 1..4), cut in 1_usize..40) {
            let row = encode(&messages);
            let cut = row.len().saturating_sub(cut);
            prop_assert!(decode(&Bytes::from(row[..cut].to_vec())).is_err());
        }
    }
}
