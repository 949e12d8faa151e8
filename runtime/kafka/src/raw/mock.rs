//! librdkafka's own broker for tests and trials, in this process.
#![expect(unsafe_code, reason = "calls into librdkafka")]

use std::ffi::CString;
use std::ptr::NonNull;

use rdkafka::bindings as sys;

use super::client::{Client, Role};
use super::code::owned;

/// A cluster in this process. Its client keeps it alive.
#[derive(Debug)]
pub(crate) struct MockCluster {
    cluster: NonNull<sys::rd_kafka_mock_cluster_t>,
    _client: Client,
}

// SAFETY: the cluster's calls are messages to its own thread.
unsafe impl Send for MockCluster {}
// SAFETY: see above.
unsafe impl Sync for MockCluster {}

impl MockCluster {
    pub(crate) fn new(brokers: i32) -> Result<Self, String> {
        let client = Client::new(Role::Producer, &[])?;
        // SAFETY: the client is alive and outlives the cluster.
        let cluster = unsafe { sys::rd_kafka_mock_cluster_new(client.ptr(), brokers) };
        let cluster = NonNull::new(cluster).ok_or_else(|| "the in-process cluster did not start".to_owned())?;
        // SAFETY: the cluster is alive. Its first join would otherwise wait for three seconds for other members.
        unsafe { sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster.as_ptr(), 0) };
        Ok(Self { cluster, _client: client })
    }

    pub(crate) fn bootstrap_servers(&self) -> String {
        // SAFETY: the string lives as long as the cluster and is copied.
        unsafe { owned(sys::rd_kafka_mock_cluster_bootstraps(self.cluster.as_ptr())) }
    }

    pub(crate) fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), String> {
        let name = CString::new(topic).map_err(|_| "a topic's name cannot hold a NUL byte".to_owned())?;
        // SAFETY: the name ends with NUL and is copied.
        let code = unsafe { sys::rd_kafka_mock_topic_create(self.cluster.as_ptr(), name.as_ptr(), partitions, 1) };
        match code as i32 {
            0 => Ok(()),
            code => Err(super::describe_code(code).text),
        }
    }

    pub(crate) fn move_coordinator(&self, group: &str, id: i32) -> Result<(), String> {
        let group = CString::new(group).map_err(|_| "a group's name cannot hold a NUL byte".to_owned())?;
        // SAFETY: the strings end with NUL and are copied.
        let code =
            unsafe { sys::rd_kafka_mock_coordinator_set(self.cluster.as_ptr(), c"group".as_ptr(), group.as_ptr(), id) };
        match code as i32 {
            0 => Ok(()),
            code => Err(super::describe_code(code).text),
        }
    }

    pub(crate) fn set_broker(&self, id: i32, is_up: bool) {
        // SAFETY: the cluster is alive.
        unsafe {
            if is_up {
                sys::rd_kafka_mock_broker_set_up(self.cluster.as_ptr(), id);
            } else {
                sys::rd_kafka_mock_broker_set_down(self.cluster.as_ptr(), id);
            }
        }
    }
}

impl Drop for MockCluster {
    fn drop(&mut self) {
        // SAFETY: the cluster is ours; its client is dropped after it.
        unsafe { sys::rd_kafka_mock_cluster_destroy(self.cluster.as_ptr()) };
    }
}
