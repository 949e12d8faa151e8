//! Questions about topics, and making one. Every call waits for its answer, at most as long as it is told.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::CString;
use std::ptr;
use std::sync::Arc;

use libc::c_char;
use rdkafka::bindings as sys;

use super::client::Client;
use super::code::owned;
use super::consumer::Failure;
use super::event::{Event, Queue};

const NUL_BYTE: &str = "a topic's name cannot hold a NUL byte";
const NO_ANSWER: i32 = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT as i32;
/// The id that stands for none.
const ZERO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Asks for a topic's id; old brokers have none.
pub(crate) fn topic_id(client: &Arc<Client>, topic: &str, timeout_ms: i32) -> Result<Option<String>, Failure> {
    let name = CString::new(topic).map_err(|_| (0, NUL_BYTE.to_owned()))?;
    let ask = |options, queue: &Queue| {
        let mut names = [name.as_ptr()];
        // SAFETY: the names are copied into the collection, which the call copies and which is destroyed here.
        unsafe {
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            sys::rd_kafka_DescribeTopics(client.ptr(), topics, options, queue.ptr());
            sys::rd_kafka_TopicCollection_destroy(topics);
        }
    };
    let answer = wait(client, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout_ms, ask)?;
    let mut length = 0;
    // SAFETY: all of it belongs to the event, which lives until the end of this function.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(answer.ptr());
        if result.is_null() {
            return Err((NO_ANSWER, "the cluster's answer is of another kind".to_owned()));
        }
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut length);
        if topics.is_null() || length == 0 {
            return Err((NO_ANSWER, "the cluster's answer names no topic".to_owned()));
        }
        let description = *topics;
        let error = sys::rd_kafka_TopicDescription_error(description);
        if !error.is_null() && sys::rd_kafka_error_code(error) as i32 != 0 {
            return Err((sys::rd_kafka_error_code(error) as i32, owned(sys::rd_kafka_error_string(error))));
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(description);
        let id = (!id.is_null()).then(|| owned(sys::rd_kafka_Uuid_base64str(id)));
        Ok(id.filter(|id| !id.is_empty() && id != ZERO_ID))
    }
}

impl Client {
    /// Asks for the number of a topic's partitions, which every broker knows.
    pub(crate) fn partition_count(&self, topic: &str, timeout_ms: i32) -> Result<usize, Failure> {
        let name = CString::new(topic).map_err(|_| (0, NUL_BYTE.to_owned()))?;
        let mut metadata = ptr::null();
        // SAFETY: the topic's handle and the metadata are ours until they are given back below.
        unsafe {
            let handle = sys::rd_kafka_topic_new(self.ptr(), name.as_ptr(), ptr::null_mut());
            if handle.is_null() {
                return Err((0, format!("`{topic}` cannot be a topic's name")));
            }
            let code = sys::rd_kafka_metadata(self.ptr(), 0, handle, &raw mut metadata, timeout_ms) as i32;
            sys::rd_kafka_topic_destroy(handle);
            if code != 0 {
                return Err((code, super::describe_code(code).text));
            }
            let found = (*metadata).topics;
            let found = if (*metadata).topic_cnt > 0 && !found.is_null() {
                let code = (&raw const (*found).err).cast::<i32>().read();
                Some((code, usize::try_from((*found).partition_cnt).unwrap_or(0)))
            } else {
                None
            };
            sys::rd_kafka_metadata_destroy(metadata);
            match found {
                Some((0, count)) => Ok(count),
                Some((code, _)) => Err((code, super::describe_code(code).text)),
                None => Err((NO_ANSWER, "the cluster's answer names no topic".to_owned())),
            }
        }
    }

    /// Returns whether the cluster's controller, which answers the questions below, is one of its brokers. The
    /// in-process cluster names one that is not.
    pub(crate) fn has_controller(&self, timeout_ms: i32) -> Result<bool, Failure> {
        let mut metadata = ptr::null();
        // SAFETY: the metadata is ours until it is given back; `broker_cnt` brokers stand at `brokers`.
        unsafe {
            let controller = sys::rd_kafka_controllerid(self.ptr(), timeout_ms);
            if controller < 0 {
                return Err((NO_ANSWER, "the cluster names no controller yet".to_owned()));
            }
            let code = sys::rd_kafka_metadata(self.ptr(), 0, ptr::null_mut(), &raw mut metadata, timeout_ms) as i32;
            if code != 0 {
                return Err((code, super::describe_code(code).text));
            }
            let length = usize::try_from((*metadata).broker_cnt).unwrap_or(0);
            let is_broker = (0..length).any(|index| (*(*metadata).brokers.add(index)).id == controller);
            sys::rd_kafka_metadata_destroy(metadata);
            Ok(is_broker)
        }
    }

    /// Asks for a topic's settings, by name and value.
    pub(crate) fn topic_settings(
        self: &Arc<Self>,
        topic: &str,
        timeout_ms: i32,
    ) -> Result<Vec<(String, String)>, Failure> {
        let name = CString::new(topic).map_err(|_| (0, NUL_BYTE.to_owned()))?;
        let ask = |options, queue: &Queue| {
            // SAFETY: the resource is copied by the call and destroyed here.
            unsafe {
                let kind = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
                let mut resources = [sys::rd_kafka_ConfigResource_new(kind, name.as_ptr())];
                sys::rd_kafka_DescribeConfigs(self.ptr(), resources.as_mut_ptr(), 1, options, queue.ptr());
                let [resource] = resources;
                sys::rd_kafka_ConfigResource_destroy(resource);
            }
        };
        let answer = wait(self, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms, ask)?;
        let mut length = 0;
        // SAFETY: all of it belongs to the event, which lives until the end of this function.
        unsafe {
            let result = sys::rd_kafka_event_DescribeConfigs_result(answer.ptr());
            if result.is_null() {
                return Err((NO_ANSWER, "the cluster's answer is of another kind".to_owned()));
            }
            let resources = sys::rd_kafka_DescribeConfigs_result_resources(result, &raw mut length);
            if resources.is_null() || length == 0 {
                return Ok(Vec::new());
            }
            let resource = *resources;
            let code = sys::rd_kafka_ConfigResource_error(resource) as i32;
            if code != 0 {
                return Err((code, owned(sys::rd_kafka_ConfigResource_error_string(resource))));
            }
            let entries = sys::rd_kafka_ConfigResource_configs(resource, &raw mut length);
            let entry = |index: usize| {
                let entry = *entries.add(index);
                (owned(sys::rd_kafka_ConfigEntry_name(entry)), owned(sys::rd_kafka_ConfigEntry_value(entry)))
            };
            Ok((0..length).map(entry).collect())
        }
    }

    /// Makes a topic with the cluster's own number of replicas.
    pub(crate) fn create_topic(
        self: &Arc<Self>,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
        timeout_ms: i32,
    ) -> Result<(), Failure> {
        let invalid = |_| (0, NUL_BYTE.to_owned());
        let name = CString::new(topic).map_err(invalid)?;
        let mut text = [0 as c_char; 512];
        // SAFETY: the description is ours until it is destroyed below; all strings end with NUL and are copied.
        let new = unsafe { sys::rd_kafka_NewTopic_new(name.as_ptr(), partitions, -1, text.as_mut_ptr(), text.len()) };
        if new.is_null() {
            // SAFETY: the library has filled the buffer.
            return Err((0, unsafe { owned(text.as_ptr()) }));
        }
        for (key, value) in settings {
            if let (Ok(key), Ok(value)) = (CString::new(*key), CString::new(*value)) {
                // SAFETY: as above.
                unsafe { sys::rd_kafka_NewTopic_set_config(new, key.as_ptr(), value.as_ptr()) };
            }
        }
        let ask = |options, queue: &Queue| {
            let mut topics = [new];
            // SAFETY: the description is copied by the call.
            unsafe { sys::rd_kafka_CreateTopics(self.ptr(), topics.as_mut_ptr(), 1, options, queue.ptr()) };
        };
        let answer = wait(self, sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms, ask);
        // SAFETY: the description is ours; the results belong to the event.
        unsafe {
            sys::rd_kafka_NewTopic_destroy(new);
            let answer = answer?;
            let result = sys::rd_kafka_event_CreateTopics_result(answer.ptr());
            if result.is_null() {
                return Err((NO_ANSWER, "the cluster's answer is of another kind".to_owned()));
            }
            let mut length = 0;
            let topics = sys::rd_kafka_CreateTopics_result_topics(result, &raw mut length);
            if topics.is_null() || length == 0 {
                return Ok(());
            }
            match sys::rd_kafka_topic_result_error(*topics) as i32 {
                0 => Ok(()),
                code => Err((code, owned(sys::rd_kafka_topic_result_error_string(*topics)))),
            }
        }
    }
}

/// Asks and waits for the one event that answers.
fn wait(
    client: &Arc<Client>,
    operation: sys::rd_kafka_admin_op_t,
    timeout_ms: i32,
    ask: impl FnOnce(*const sys::rd_kafka_AdminOptions_t, &Queue),
) -> Result<Event, Failure> {
    let queue = Queue::fresh(client).ok_or((NO_ANSWER, "no memory for a queue".to_owned()))?;
    // SAFETY: the options are copied by the call that `ask` makes and destroyed afterwards.
    unsafe {
        let options = sys::rd_kafka_AdminOptions_new(client.ptr(), operation);
        sys::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ptr::null_mut(), 0);
        ask(options, &queue);
        sys::rd_kafka_AdminOptions_destroy(options);
    }
    // The library answers by itself when its own limit is reached; the second is for its thread to get there.
    let answer = queue.poll(timeout_ms.saturating_add(1000));
    let answer = answer.ok_or((NO_ANSWER, format!("no answer within {timeout_ms} ms")))?;
    match answer.code() {
        0 => Ok(answer),
        code => Err((code, answer.text())),
    }
}
