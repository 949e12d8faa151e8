//! A letter in a row of the outbox that is kept because its topic does not take it.

use bytes::Bytes;
use forebay_core::outbox::{ID_HEADER, Outgoing, decode};

/// How many rows behind a record's offset are looked through. The first is the record's own batch, unless the position was
/// moved back and batches were cut otherwise the second time.
pub(crate) const ROWS_MAX: usize = 64;

/// Returns the letter of this id. A row of a newer version holds none that can be read.
pub(crate) fn find(payload: &Bytes, id: &str) -> Option<Outgoing> {
    // The host's own header is the last of its name: the record's come first.
    let is_it = |message: &Outgoing| {
        let own = message.headers.iter().rfind(|(name, _)| name == ID_HEADER.as_bytes());
        message.is_letter && own.is_some_and(|(_, value)| value.as_deref() == Some(id.as_bytes()))
    };
    decode(payload).ok()?.into_iter().find(is_it)
}
