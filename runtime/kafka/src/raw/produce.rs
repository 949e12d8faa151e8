//! Handing messages to a producer and reading what became of them.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::{CString, c_void};
use std::ptr;

use rdkafka::bindings as sys;

use super::client::Client;
use super::consumer::{Failure, check_object};

/// A message on its way into the producer, which copies it.
pub(crate) struct Outbound<'a> {
    pub(crate) topic: &'a str,
    /// `None` lets the partitioner choose by key.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Names may be any bytes.
    pub(crate) headers: &'a [(bytes::Bytes, Option<bytes::Bytes>)],
    /// Milliseconds since the Unix epoch; now if `None`.
    pub(crate) timestamp_ms: Option<i64>,
    /// Comes back with the delivery.
    pub(crate) id: usize,
}

/// What became of one message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) id: usize,
    /// 0 once all replicas have it.
    pub(crate) code: i32,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl Delivery {
    pub(super) fn read(message: &sys::rd_kafka_message_t) -> Self {
        // SAFETY: the code is read as an integer because a broker may send one that the enumeration does not have.
        let code = unsafe { (&raw const message.err).cast::<i32>().read() };
        Self { id: message._private.addr(), code, partition: message.partition, offset: message.offset }
    }
}

impl Client {
    /// Puts a message into the producer's queue; never waits.
    pub(crate) fn produce(&self, message: &Outbound<'_>) -> Result<(), Failure> {
        let topic = CString::new(message.topic).map_err(|_| (0, "the topic's name holds a NUL byte".to_owned()))?;
        let mut values = Values::default();
        values.push(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TOPIC, |u| u.cstr = topic.as_ptr());
        values.push(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS, |u| u.i = sys::RD_KAFKA_MSG_F_COPY);
        values.push(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION, |u| u.i32_ = message.partition.unwrap_or(-1));
        values.push(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY, |u| u.mem = memory(message.key));
        values.push(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE, |u| u.mem = memory(message.value));
        if let Some(timestamp) = message.timestamp_ms {
            values.push(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP, |u| u.i64_ = timestamp);
        }
        let opaque: *mut c_void = ptr::without_provenance_mut(message.id);
        values.push(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE, |u| u.ptr = opaque);
        let headers = headers(message.headers);
        if let Some(headers) = headers {
            values.push(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS, |u| u.headers = headers);
        }
        // SAFETY: everything the values point to outlives the call, which copies it; the headers become the message's
        // if the call succeeds and stay ours otherwise.
        unsafe {
            let error = sys::rd_kafka_produceva(self.ptr(), values.list.as_ptr(), values.list.len());
            if let (false, Some(headers)) = (error.is_null(), headers) {
                sys::rd_kafka_headers_destroy(headers);
            }
            check_object(error)
        }
    }
}

/// The arguments of one call.
#[derive(Default)]
struct Values {
    list: Vec<sys::rd_kafka_vu_t>,
}

impl Values {
    fn push(&mut self, vtype: sys::rd_kafka_vtype_t, set: impl FnOnce(&mut sys::rd_kafka_vu_s__bindgen_ty_1)) {
        let mut u = sys::rd_kafka_vu_s__bindgen_ty_1 { _pad: [0; 64] };
        set(&mut u);
        self.list.push(sys::rd_kafka_vu_t { vtype, u });
    }
}

/// Null is a null pointer; empty must not be one.
fn memory(bytes: Option<&[u8]>) -> sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    let (ptr, size) = match bytes {
        None => (ptr::null_mut(), 0),
        Some([]) => (ptr::NonNull::<u8>::dangling().as_ptr().cast::<c_void>(), 0),
        Some(bytes) => (bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len()),
    };
    sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size }
}

fn headers(headers: &[(bytes::Bytes, Option<bytes::Bytes>)]) -> Option<*mut sys::rd_kafka_headers_t> {
    if headers.is_empty() {
        return None;
    }
    // SAFETY: the list is new; names and values are given with their lengths and copied.
    unsafe {
        let list = sys::rd_kafka_headers_new(headers.len());
        for (name, value) in headers {
            let value = memory(value.as_deref());
            let (name_length, length) = (name.len().cast_signed(), value.size.cast_signed());
            sys::rd_kafka_header_add(list, name.as_ptr().cast(), name_length, value.ptr, length);
        }
        Some(list)
    }
}
