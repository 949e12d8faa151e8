//! Names and texts of error codes, by number: a broker may send codes that this library version does not know.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::CStr;

use libc::{c_char, c_int};

unsafe extern "C" {
    // Declared here with a plain integer: the generated binding takes an enumeration, which cannot hold a code that a
    // newer broker made up.
    fn rd_kafka_err2name(code: c_int) -> *const c_char;
    fn rd_kafka_err2str(code: c_int) -> *const c_char;
}

/// Name and text of a code.
pub(crate) struct CodeText {
    /// Like `OFFSET_OUT_OF_RANGE`, with a leading underscore where the client itself made it.
    pub(crate) name: String,
    /// A sentence.
    pub(crate) text: String,
}

/// Returns what librdkafka calls this code.
pub(crate) fn describe_code(code: i32) -> CodeText {
    // SAFETY: both functions accept every integer and return a string that lives for ever (or in thread-local memory
    // until the next call for unknown codes, and it is copied at once).
    unsafe { CodeText { name: owned(rd_kafka_err2name(code)), text: owned(rd_kafka_err2str(code)) } }
}

/// Copies a C string; an absent one is empty.
///
/// # Safety
/// `text` is null or points to a string that ends with NUL.
pub(super) unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
