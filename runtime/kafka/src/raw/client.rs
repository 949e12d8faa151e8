//! A librdkafka client: made from properties, destroyed on a thread of its own, so that nobody ever waits for it.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::{CString, c_void};
use std::ptr::{self, NonNull};

use libc::{c_char, c_int};
use rdkafka::bindings as sys;

use super::code::owned;

const ERROR_LENGTH: usize = 512;
/// How many arenas the C heap has.
#[cfg(target_env = "gnu")]
const ARENAS: c_int = 2;
/// From this size on a buffer is the system's.
#[cfg(target_env = "gnu")]
const LARGE: c_int = 256 * 1024;
const NAME: &str = "forebay-kafka-end";

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads.
    Consumer,
    /// Writes.
    Producer,
}

/// A client and its threads.
#[derive(Debug)]
pub(crate) struct Client {
    rk: NonNull<sys::rd_kafka_t>,
}

// SAFETY: librdkafka's handle may be used from any thread, and by several at once.
unsafe impl Send for Client {}
// SAFETY: see above.
unsafe impl Sync for Client {}

impl Client {
    /// Makes a client. No connection is waited for.
    pub(crate) fn new(role: Role, properties: &[(String, String)]) -> Result<Self, String> {
        bound_allocator();
        let mut text = [0 as c_char; ERROR_LENGTH];
        // SAFETY: a configuration is made, filled and handed over; on failure it stays ours and is destroyed.
        unsafe {
            let conf = sys::rd_kafka_conf_new();
            for (name, value) in properties {
                if let Err(error) = set(conf, name, value) {
                    sys::rd_kafka_conf_destroy(conf);
                    return Err(error);
                }
            }
            let (kind, events) = match role {
                Role::Consumer => {
                    let events = sys::RD_KAFKA_EVENT_REBALANCE | sys::RD_KAFKA_EVENT_ERROR;
                    (sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, events | sys::RD_KAFKA_EVENT_OFFSET_COMMIT)
                }
                Role::Producer => {
                    (sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR)
                }
            };
            sys::rd_kafka_conf_set_events(conf, events);
            sys::rd_kafka_conf_set_log_cb(conf, Some(log));
            let rk = sys::rd_kafka_new(kind, conf, text.as_mut_ptr(), ERROR_LENGTH);
            match NonNull::new(rk) {
                Some(rk) => Ok(Self { rk }),
                None => {
                    sys::rd_kafka_conf_destroy(conf);
                    Err(owned(text.as_ptr()))
                }
            }
        }
    }

    /// Returns the handle for a call into the library.
    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    /// Returns the code and text of the error that ended this client, if one has.
    pub(crate) fn fatal(&self) -> Option<(i32, String)> {
        let mut text = [0 as c_char; ERROR_LENGTH];
        // SAFETY: the buffer outlives the call and its length is told.
        let code = unsafe { sys::rd_kafka_fatal_error(self.ptr(), text.as_mut_ptr(), ERROR_LENGTH) } as i32;
        // SAFETY: the library ends the text with NUL.
        (code != 0).then(|| (code, unsafe { owned(text.as_ptr()) }))
    }

    /// Returns the cluster's id, waiting for it at most `timeout_ms`.
    pub(crate) fn cluster_id(&self, timeout_ms: i32) -> Option<String> {
        // SAFETY: the returned string is ours and is given back to the library after copying.
        unsafe {
            let id = sys::rd_kafka_clusterid(self.ptr(), timeout_ms);
            if id.is_null() {
                return None;
            }
            let copied = owned(id);
            sys::rd_kafka_mem_free(self.ptr(), id.cast::<c_void>());
            Some(copied)
        }
    }
}

impl Drop for Client {
    /// Destroying joins the client's threads and can hang on a broker that does not answer: whoever drops the last
    /// handle does not wait for it. A consumer that was not closed before leaves its group by its session's end.
    fn drop(&mut self) {
        struct Handle(*mut sys::rd_kafka_t);
        // SAFETY: the handle is used by the new thread alone.
        unsafe impl Send for Handle {}
        let handle = Handle(self.ptr());
        let end = move || {
            let Handle(rk) = { handle };
            // SAFETY: this was the last owner; queues and events hold the client, so none is left.
            unsafe { sys::rd_kafka_destroy_flags(rk, sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE as c_int) };
        };
        if std::thread::Builder::new().name(NAME.to_owned()).spawn(end).is_err() {
            tracing::warn!("no thread to end a kafka client: its connections stay open until the process ends");
        }
    }
}

/// The library allocates from the C heap, with an arena for each of its threads and buffers of megabytes in them, which
/// would keep several times what is in use: few arenas, and large buffers straight from the system and back.
fn bound_allocator() {
    #[cfg(target_env = "gnu")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        // SAFETY: settings of the allocator, which takes them at any time.
        ONCE.call_once(|| unsafe {
            libc::mallopt(libc::M_ARENA_MAX, ARENAS);
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        });
    }
}

/// Sets one property.
///
/// # Safety
/// `conf` is a configuration that no client has taken over yet.
unsafe fn set(conf: *mut sys::rd_kafka_conf_t, name: &str, value: &str) -> Result<(), String> {
    let invalid = |_| format!("property `{name}` holds a NUL byte");
    let (c_name, c_value) = (CString::new(name).map_err(invalid)?, CString::new(value).map_err(invalid)?);
    let mut text = [0 as c_char; ERROR_LENGTH];
    // SAFETY: all strings end with NUL and outlive the call.
    let result =
        unsafe { sys::rd_kafka_conf_set(conf, c_name.as_ptr(), c_value.as_ptr(), text.as_mut_ptr(), ERROR_LENGTH) };
    match result {
        sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
        // The library's own text may quote the value, which may be a secret.
        sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => Err(format!("librdkafka knows no property `{name}`")),
        sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => Err(format!("property `{name}` has an invalid value")),
    }
}

/// Passes the library's log lines on. It is called from the library's threads.
unsafe extern "C" fn log(_: *const sys::rd_kafka_t, level: c_int, facility: *const c_char, text: *const c_char) {
    if ptr::eq(text, ptr::null()) {
        return;
    }
    // SAFETY: the library passes strings that end with NUL and live during the call.
    let (facility, text) = unsafe { (owned(facility), owned(text)) };
    match level {
        ..=3 => tracing::warn!(target: "librdkafka", facility, "{text}"),
        4..=5 => tracing::info!(target: "librdkafka", facility, "{text}"),
        6 => tracing::debug!(target: "librdkafka", facility, "{text}"),
        _ => tracing::trace!(target: "librdkafka", facility, "{text}"),
    }
}
