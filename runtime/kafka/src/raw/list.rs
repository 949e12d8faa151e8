//! Lists of partitions, in and out of the library's own form.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::{CString, c_void};
use std::ptr::{self, NonNull};

use rdkafka::bindings as sys;

use super::code::owned;

/// The log's start.
pub(crate) const BEGINNING: i64 = sys::RD_KAFKA_OFFSET_BEGINNING as i64;
/// The log's end.
pub(crate) const END: i64 = sys::RD_KAFKA_OFFSET_END as i64;
/// No offset.
pub(crate) const NO_OFFSET: i64 = sys::RD_KAFKA_OFFSET_INVALID as i64;

/// One partition of a list with what goes with it in a call.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: Option<i32>,
    pub(crate) metadata: Option<Vec<u8>>,
    /// 0 where nothing is wrong.
    pub(crate) error: i32,
}

impl Item {
    /// Returns an item without epoch and metadata.
    pub(crate) fn new(topic: &str, partition: i32, offset: i64) -> Self {
        Self { topic: topic.to_owned(), partition, offset, leader_epoch: None, metadata: None, error: 0 }
    }
}

/// A list in the library's own form, owned.
pub(super) struct List {
    list: NonNull<sys::rd_kafka_topic_partition_list_t>,
}

impl List {
    /// Builds a list. Topic names with a NUL byte cannot exist in Kafka and are left out.
    pub(super) fn new(items: &[Item]) -> Option<Self> {
        let length = i32::try_from(items.len()).ok()?;
        // SAFETY: the list is new and ours; `add` copies the topic; the metadata is allocated by the allocator that the
        // library frees it with.
        unsafe {
            let list = Self { list: NonNull::new(sys::rd_kafka_topic_partition_list_new(length))? };
            for item in items {
                let Ok(topic) = CString::new(item.topic.as_str()) else { continue };
                let element = sys::rd_kafka_topic_partition_list_add(list.ptr(), topic.as_ptr(), item.partition);
                (*element).offset = item.offset;
                if let Some(epoch) = item.leader_epoch {
                    sys::rd_kafka_topic_partition_set_leader_epoch(element, epoch);
                }
                let Some(metadata) = item.metadata.as_deref().filter(|metadata| !metadata.is_empty()) else { continue };
                let copy = libc::malloc(metadata.len());
                if !copy.is_null() {
                    ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast::<u8>(), metadata.len());
                    (*element).metadata = copy.cast::<c_void>();
                    (*element).metadata_size = metadata.len();
                }
            }
            Some(list)
        }
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.list.as_ptr()
    }

    /// Reads the list back after a call has filled it.
    pub(super) fn items(&self) -> Vec<Item> {
        // SAFETY: the list is ours and alive.
        unsafe { read(self.ptr()) }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: the list is ours.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.ptr()) };
    }
}

/// Copies a list out of the library's memory.
///
/// # Safety
/// `list` is null or points to a list that lives during the call.
pub(super) unsafe fn read(list: *const sys::rd_kafka_topic_partition_list_t) -> Vec<Item> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise; `cnt` elements stand at `elems`.
    unsafe {
        let length = usize::try_from((*list).cnt).unwrap_or(0);
        (0..length).map(|index| read_one((*list).elems.add(index))).collect()
    }
}

/// Copies one element.
///
/// # Safety
/// `element` points to a live element.
pub(super) unsafe fn read_one(element: *const sys::rd_kafka_topic_partition_t) -> Item {
    // SAFETY: the caller's promise. The code is read as an integer because a broker may send one that the enumeration
    // does not have.
    unsafe {
        let epoch = sys::rd_kafka_topic_partition_get_leader_epoch(element);
        let (metadata, length) = ((*element).metadata, (*element).metadata_size);
        let metadata = (!metadata.is_null() && length > 0)
            .then(|| std::slice::from_raw_parts(metadata.cast::<u8>(), length).to_vec());
        Item {
            topic: owned((*element).topic),
            partition: (*element).partition,
            offset: (*element).offset,
            leader_epoch: (epoch >= 0).then_some(epoch),
            metadata,
            error: (&raw const (*element).err).cast::<i32>().read(),
        }
    }
}
