//! A client's queue and the events that come out of it.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ptr::NonNull;
use std::sync::Arc;

use libc::c_int;
use parking_lot::Mutex;
use rdkafka::bindings as sys;

use super::client::Client;
use super::code::owned;
use super::list::{Item, read, read_one};
use super::message::Message;
use super::produce::Delivery;

unsafe extern "C" {
    // As an integer: see `raw/code.rs`.
    fn rd_kafka_event_error(event: *mut sys::rd_kafka_event_t) -> c_int;
}

/// A queue of a client. It keeps the client alive.
#[derive(Debug)]
pub(crate) struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    client: Arc<Client>,
}

// SAFETY: librdkafka's queues carry their own lock.
unsafe impl Send for Queue {}
// SAFETY: see above.
unsafe impl Sync for Queue {}

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// A record.
    Fetch,
    /// An error of the client or of a partition; a partition's end too.
    Error,
    /// Partitions come or go.
    Rebalance,
    /// A commit has been answered.
    Commit,
    /// Messages have been acknowledged or refused.
    Delivery,
    /// Anything else.
    Other,
}

/// One event, given back to the library when dropped.
pub(crate) struct Event {
    event: NonNull<sys::rd_kafka_event_t>,
}

impl Queue {
    /// Returns the queue that holds everything a consumer of a group has to serve.
    pub(crate) fn of_consumer(client: &Arc<Client>) -> Option<Self> {
        // SAFETY: the main queue is redirected to the consumer's, so that there is one to serve.
        let queue = unsafe {
            sys::rd_kafka_poll_set_consumer(client.ptr());
            sys::rd_kafka_queue_get_consumer(client.ptr())
        };
        NonNull::new(queue).map(|queue| Self { queue, client: Arc::clone(client) })
    }

    /// Returns a client's main queue.
    pub(crate) fn of_client(client: &Arc<Client>) -> Option<Self> {
        // SAFETY: the handle is alive.
        let queue = unsafe { sys::rd_kafka_queue_get_main(client.ptr()) };
        NonNull::new(queue).map(|queue| Self { queue, client: Arc::clone(client) })
    }

    /// Returns a new queue for the answers of one call.
    pub(crate) fn fresh(client: &Arc<Client>) -> Option<Self> {
        // SAFETY: the handle is alive.
        let queue = unsafe { sys::rd_kafka_queue_new(client.ptr()) };
        NonNull::new(queue).map(|queue| Self { queue, client: Arc::clone(client) })
    }

    /// Returns the next event, waiting at most `timeout_ms` for it, or until it is woken.
    pub(crate) fn poll(&self, timeout_ms: i32) -> Option<Event> {
        // SAFETY: the queue is alive; the event is ours.
        NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.ptr(), timeout_ms) }).map(|event| Event { event })
    }

    /// Returns the client of this queue.
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.queue.as_ptr()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the reference is ours and the client still lives.
        unsafe { sys::rd_kafka_queue_destroy(self.ptr()) };
    }
}

/// Wakes whoever polls a queue. Harmless once the queue is gone.
#[derive(Debug, Clone)]
pub(crate) struct Waker {
    queue: Arc<Mutex<Option<Arc<Queue>>>>,
}

impl Waker {
    /// Returns a waker for `queue`.
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue: Arc::new(Mutex::new(Some(queue))) }
    }

    /// Ends the wait of the polling thread, or its next one if it does not wait now.
    pub(crate) fn wake(&self) {
        if let Some(queue) = self.queue.lock().as_ref() {
            // SAFETY: the queue is alive while the lock is held.
            unsafe { sys::rd_kafka_queue_yield(queue.ptr()) };
        }
    }

    /// Wakes whoever polls another queue from now on, for every clone of this waker.
    pub(crate) fn point_to(&self, queue: Arc<Queue>) {
        let old = self.queue.lock().replace(queue);
        drop(old);
    }

    /// Lets go of the queue, for every clone of this waker.
    pub(crate) fn close(&self) {
        drop(self.queue.lock().take());
    }

    /// Returns a waker of nothing.
    #[cfg(test)]
    pub(crate) fn idle() -> Self {
        Self { queue: Arc::new(Mutex::new(None)) }
    }
}

impl Event {
    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.event.as_ptr()
    }

    /// Returns what the event tells.
    pub(crate) fn kind(&self) -> EventKind {
        // SAFETY: the event is ours.
        match unsafe { sys::rd_kafka_event_type(self.ptr()) } {
            sys::RD_KAFKA_EVENT_FETCH => EventKind::Fetch,
            sys::RD_KAFKA_EVENT_ERROR => EventKind::Error,
            sys::RD_KAFKA_EVENT_REBALANCE => EventKind::Rebalance,
            sys::RD_KAFKA_EVENT_OFFSET_COMMIT => EventKind::Commit,
            sys::RD_KAFKA_EVENT_DR => EventKind::Delivery,
            _ => EventKind::Other,
        }
    }

    /// Returns the record of a fetch event. Taking it moves the client's position past it.
    pub(crate) fn message(&self) -> Option<Message<'_>> {
        // SAFETY: the message lives as long as the event, which the result borrows.
        unsafe { sys::rd_kafka_event_message_next(self.ptr()).as_ref() }.map(Message::new)
    }

    /// Calls `each` for every message of a delivery event.
    pub(crate) fn deliveries(&self, mut each: impl FnMut(Delivery)) {
        // SAFETY: a message lives as long as the event, and is read before the next is asked for.
        while let Some(message) = unsafe { sys::rd_kafka_event_message_next(self.ptr()).as_ref() } {
            each(Delivery::read(message));
        }
    }

    /// Returns the event's error code, 0 where there is none.
    pub(crate) fn code(&self) -> i32 {
        // SAFETY: the event is ours.
        unsafe { rd_kafka_event_error(self.ptr()) }
    }

    /// Returns the text that goes with the code.
    pub(crate) fn text(&self) -> String {
        // SAFETY: the string lives as long as the event and is copied.
        unsafe { owned(sys::rd_kafka_event_error_string(self.ptr())) }
    }

    /// Returns whether an error event ended the client.
    pub(crate) fn is_fatal(&self) -> bool {
        // SAFETY: only called on error events, which carry the flag.
        self.kind() == EventKind::Error && unsafe { sys::rd_kafka_event_error_is_fatal(self.ptr()) } != 0
    }

    /// Returns the partition that an error event is about, with the offset it is about.
    pub(crate) fn partition(&self) -> Option<Item> {
        // SAFETY: the element is ours, copied and destroyed.
        unsafe {
            let element = sys::rd_kafka_event_topic_partition(self.ptr());
            if element.is_null() {
                return None;
            }
            let item = read_one(element);
            sys::rd_kafka_topic_partition_destroy(element);
            Some(item)
        }
    }

    /// Returns the partitions of a rebalance or commit event.
    pub(crate) fn partitions(&self) -> Vec<Item> {
        // SAFETY: the list belongs to the event and is copied.
        unsafe { read(sys::rd_kafka_event_topic_partition_list(self.ptr())) }
    }

    /// Returns the number that was given to the commit that this event answers.
    pub(crate) fn commit_id(&self) -> usize {
        // SAFETY: the event is ours; the opaque value was made from a number and is never followed.
        unsafe { sys::rd_kafka_event_opaque(self.ptr()) }.addr()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours.
        unsafe { sys::rd_kafka_event_destroy(self.ptr()) };
    }
}
