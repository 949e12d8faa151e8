//! A fetched record in the library's memory.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::{CStr, c_void};
use std::{ptr, slice};

use forebay_core::record::RawHeader;
use libc::c_char;
use rdkafka::bindings as sys;

/// A record, borrowed from its event.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    message: &'a sys::rd_kafka_message_t,
}

impl<'a> Message<'a> {
    pub(super) fn new(message: &'a sys::rd_kafka_message_t) -> Self {
        Self { message }
    }

    /// Returns what tells this record's topic from that of another record at the same time.
    pub(crate) fn topic_tag(&self) -> usize {
        self.message.rkt.addr()
    }

    /// Returns the topic's name.
    pub(crate) fn topic(&self) -> &'a [u8] {
        // SAFETY: the message holds its topic, whose name ends with NUL.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(self.message.rkt)) }.to_bytes()
    }

    pub(crate) fn partition(&self) -> i32 {
        self.message.partition
    }

    pub(crate) fn offset(&self) -> i64 {
        self.message.offset
    }

    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: key and length belong together and live as long as the message.
        unsafe { bytes(self.message.key, self.message.key_len) }
    }

    pub(crate) fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: as for the key.
        unsafe { bytes(self.message.payload, self.message.len) }
    }

    pub(crate) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive and the place for the kind is ours.
        let timestamp = unsafe { sys::rd_kafka_message_timestamp(self.message, &raw mut kind) };
        (kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE).then_some(timestamp)
    }

    pub(crate) fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the message is alive.
        let epoch = unsafe { sys::rd_kafka_message_leader_epoch(self.message) };
        (epoch >= 0).then_some(epoch)
    }

    /// Puts the headers in their order into `into`: names as bytes, since nobody promises UTF-8.
    pub(crate) fn headers(&self, into: &mut Vec<RawHeader<'a>>) {
        let mut headers = ptr::null_mut();
        // SAFETY: the headers stay the message's; every pointer handed out lives as long as it does.
        unsafe {
            if sys::rd_kafka_message_headers(self.message, &raw mut headers) as i32 != 0 {
                return;
            }
            let (mut name, mut value, mut length): (*const c_char, *const c_void, usize) =
                (ptr::null(), ptr::null(), 0);
            let mut index = 0;
            while sys::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut length) as i32
                == 0
            {
                into.push((CStr::from_ptr(name).to_bytes(), bytes(value, length)));
                index += 1;
            }
        }
    }
}

/// Null and empty stay apart: a null pointer is null.
///
/// # Safety
/// `start` is null or points to `length` bytes that live for `'a`.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast::<u8>(), length) })
}
