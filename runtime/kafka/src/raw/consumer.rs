//! A consumer group's calls. Those that wait say so and take a limit.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::CStr;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as sys;

use super::client::Client;
use super::code::owned;
use super::event::{EventKind, Queue};
use super::list::{Item, List};

const POLL_MS: i32 = 100;
const TIMED_OUT: i32 = -185;
const NO_MEMORY: &str = "no memory for a list of partitions";

/// How a group hands partitions out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// All partitions are taken back before any is given.
    Eager,
    /// Only those change that move.
    Cooperative,
}

/// What to do with the assignment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Assignment<'a> {
    /// These and no others.
    Replace(&'a [Item]),
    /// These too.
    Add(&'a [Item]),
    /// No longer these.
    Remove(&'a [Item]),
    /// None.
    Clear,
}

/// A failed call: code and text.
pub(crate) type Failure = (i32, String);

impl Client {
    /// Joins the group for these topics.
    pub(crate) fn subscribe(&self, topics: &[String]) -> Result<(), Failure> {
        let items: Vec<Item> = topics.iter().map(|topic| Item::new(topic, -1, 0)).collect();
        let list = List::new(&items).ok_or((0, NO_MEMORY.to_owned()))?;
        // SAFETY: the list is copied by the call.
        check(unsafe { sys::rd_kafka_subscribe(self.ptr(), list.ptr()) } as i32)
    }

    /// Returns how this group's partitions are handed out.
    pub(crate) fn protocol(&self) -> Protocol {
        // SAFETY: the returned string is static or null.
        let name = unsafe { sys::rd_kafka_rebalance_protocol(self.ptr()) };
        if name.is_null() {
            return Protocol::Cooperative;
        }
        // SAFETY: see above.
        match unsafe { CStr::from_ptr(name) }.to_bytes() {
            b"EAGER" => Protocol::Eager,
            _ => Protocol::Cooperative,
        }
    }

    /// Returns whether the partitions being revoked are somebody else's already. Only true inside a rebalance.
    pub(crate) fn is_assignment_lost(&self) -> bool {
        // SAFETY: the handle is alive.
        unsafe { sys::rd_kafka_assignment_lost(self.ptr()) != 0 }
    }

    /// Changes what is fetched.
    pub(crate) fn assign(&self, assignment: Assignment<'_>) -> Result<(), Failure> {
        let list = match assignment {
            Assignment::Replace(items) | Assignment::Add(items) | Assignment::Remove(items) => {
                Some(List::new(items).ok_or((0, NO_MEMORY.to_owned()))?)
            }
            Assignment::Clear => None,
        };
        let list = list.as_ref().map_or(ptr::null_mut(), List::ptr);
        // SAFETY: lists are copied by the calls; a null list clears; an error object is ours and destroyed.
        unsafe {
            match assignment {
                Assignment::Replace(_) | Assignment::Clear => check(sys::rd_kafka_assign(self.ptr(), list) as i32),
                Assignment::Add(_) => check_object(sys::rd_kafka_incremental_assign(self.ptr(), list)),
                Assignment::Remove(_) => check_object(sys::rd_kafka_incremental_unassign(self.ptr(), list)),
            }
        }
    }

    /// Asks the group's coordinator for the committed offsets, waiting at most `timeout_ms`.
    pub(crate) fn committed(&self, items: &[Item], timeout_ms: i32) -> Result<Vec<Item>, Failure> {
        let list = List::new(items).ok_or((0, NO_MEMORY.to_owned()))?;
        // SAFETY: the list is ours and filled by the call.
        check(unsafe { sys::rd_kafka_committed(self.ptr(), list.ptr(), timeout_ms) } as i32)?;
        Ok(list.items())
    }

    /// Fetches from other offsets. Nothing fetched before is delivered afterwards, even where the wait runs out.
    pub(crate) fn seek(&self, items: &[Item], timeout_ms: i32) -> Result<Vec<Item>, Failure> {
        let list = List::new(items).ok_or((0, NO_MEMORY.to_owned()))?;
        // SAFETY: the list is ours and filled by the call; the error object is ours.
        unsafe { check_object(sys::rd_kafka_seek_partitions(self.ptr(), list.ptr(), timeout_ms)) }?;
        Ok(list.items())
    }

    /// Stops fetching and drops what was fetched ahead; resuming goes on after the last record delivered.
    pub(crate) fn pause(&self, items: &[Item]) -> Result<(), Failure> {
        let list = List::new(items).ok_or((0, NO_MEMORY.to_owned()))?;
        // SAFETY: the list is ours.
        check(unsafe { sys::rd_kafka_pause_partitions(self.ptr(), list.ptr()) } as i32)
    }

    /// Goes on fetching.
    pub(crate) fn resume(&self, items: &[Item]) -> Result<(), Failure> {
        let list = List::new(items).ok_or((0, NO_MEMORY.to_owned()))?;
        // SAFETY: the list is ours.
        check(unsafe { sys::rd_kafka_resume_partitions(self.ptr(), list.ptr()) } as i32)
    }

    /// Sends a commit; its answer comes out of `queue` as an event with this `id`.
    pub(crate) fn commit(&self, items: &[Item], queue: &Queue, id: usize) -> Result<(), Failure> {
        let list = List::new(items).ok_or((0, NO_MEMORY.to_owned()))?;
        let opaque = ptr::without_provenance_mut(id);
        // SAFETY: the list is copied; without a callback the answer is an event of the queue; the opaque value is a
        // number that is never followed.
        check(unsafe { sys::rd_kafka_commit_queue(self.ptr(), list.ptr(), queue.ptr(), None, opaque) } as i32)
    }

    /// Returns for each partition the offset that its item's own asks for: a time in milliseconds, [`super::BEGINNING`]
    /// or [`super::END`]. With `read_committed`, which every client here has, the end is the last stable offset. Waits.
    pub(crate) fn offsets_for_times(&self, items: &[Item], timeout_ms: i32) -> Result<Vec<Item>, Failure> {
        let list = List::new(items).ok_or((0, NO_MEMORY.to_owned()))?;
        // SAFETY: the list is ours and filled by the call.
        check(unsafe { sys::rd_kafka_offsets_for_times(self.ptr(), list.ptr(), timeout_ms) } as i32)?;
        Ok(list.items())
    }
}

impl Queue {
    /// Commits from outside the group and waits for the coordinator's answer, at most `timeout_ms`.
    pub(crate) fn commit_and_wait(&self, items: &[Item], timeout_ms: i32) -> Result<(), Failure> {
        self.client().commit(items, self, 0)?;
        let deadline = Instant::now() + Duration::from_millis(u64::from(timeout_ms.unsigned_abs()));
        while Instant::now() < deadline {
            let Some(event) = self.poll(POLL_MS) else { continue };
            if event.kind() == EventKind::Commit {
                let refused = event.partitions().iter().map(|item| item.error).find(|code| *code != 0);
                return check(refused.unwrap_or(event.code()));
            }
        }
        check(TIMED_OUT)
    }

    /// Starts to leave the group. The last rebalance comes out of this queue, which must be served until
    /// [`Queue::is_closed`].
    pub(crate) fn close_consumer(&self) -> Result<(), Failure> {
        // SAFETY: handle and queue are alive; the error object is ours.
        unsafe { check_object(sys::rd_kafka_consumer_close_queue(self.client().ptr(), self.ptr())) }
    }

    /// Returns whether the consumer has left.
    pub(crate) fn is_closed(&self) -> bool {
        let client: &Arc<Client> = self.client();
        // SAFETY: the handle is alive.
        unsafe { sys::rd_kafka_consumer_closed(client.ptr()) != 0 }
    }
}

fn check(code: i32) -> Result<(), Failure> {
    if code == 0 { Ok(()) } else { Err((code, super::describe_code(code).text)) }
}

/// Takes an error object apart.
///
/// # Safety
/// `error` is null or an error object that is ours.
pub(super) unsafe fn check_object(error: *mut sys::rd_kafka_error_t) -> Result<(), Failure> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's promise; the object is read, then destroyed.
    unsafe {
        let failure = (sys::rd_kafka_error_code(error) as i32, owned(sys::rd_kafka_error_string(error)));
        sys::rd_kafka_error_destroy(error);
        Err(failure)
    }
}
