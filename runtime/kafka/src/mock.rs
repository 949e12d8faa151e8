//! A Kafka cluster inside this process, for tests and for trying Forebay without servers.
//!
//! It keeps at most 5 MiB of each partition and drops the oldest silently, knows neither compaction nor retention by
//! time, makes up a new cluster id at every start, and forgets everything when it is dropped.

use forebay_core::manifest::settings::Kafka;

use crate::error::Error;
use crate::raw::MockCluster;

/// A running cluster. It ends when this is dropped.
#[derive(Debug)]
pub struct Broker {
    cluster: MockCluster,
}

impl Broker {
    /// Starts a cluster of `brokers` brokers on loopback ports.
    ///
    /// # Errors
    /// If the cluster's thread or sockets cannot be had.
    pub fn start(brokers: i32) -> Result<Self, Error> {
        Ok(Self { cluster: MockCluster::new(brokers).map_err(Error::fatal)? })
    }

    /// Returns settings that lead to this cluster.
    pub fn settings(&self) -> Kafka {
        let bootstrap_servers = self.cluster.bootstrap_servers().split(',').map(str::to_owned).collect();
        Kafka { name: "in-process".to_owned(), bootstrap_servers, properties: std::collections::BTreeMap::new() }
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// If it is there already.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), Error> {
        self.cluster.create_topic(topic, partitions).map_err(Error::fatal)
    }

    /// Makes a broker the coordinator of a group.
    ///
    /// # Errors
    /// If there is no such broker.
    pub fn move_coordinator(&self, group: &str, id: i32) -> Result<(), Error> {
        self.cluster.move_coordinator(group, id).map_err(Error::fatal)
    }

    /// Cuts a broker off or brings it back; they count from 1.
    pub fn set_broker_up(&self, id: i32, is_up: bool) {
        self.cluster.set_broker(id, is_up);
    }
}
