//! Which binding reads which topic of a group.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use forebay_sink::Database;

use crate::consumer::binding::Binding;

/// The bindings of one consumer group, by topic.
#[derive(Clone, Default)]
pub struct Registry {
    by_topic: HashMap<String, Arc<Binding>>,
}

impl Registry {
    /// Sorts bindings by their group. A topic is in a group once: the manifest saw to it.
    pub fn by_group(bindings: Vec<Arc<Binding>>) -> BTreeMap<String, Self> {
        let mut groups: BTreeMap<String, Self> = BTreeMap::new();
        for binding in bindings {
            let registry = groups.entry(binding.settings.group.clone()).or_default();
            for topic in &binding.settings.topics {
                registry.by_topic.insert(topic.clone(), binding.clone());
            }
        }
        groups
    }

    /// Returns the binding that reads a topic.
    pub fn binding(&self, topic: &str) -> Option<&Arc<Binding>> {
        self.by_topic.get(topic)
    }

    /// Returns the databases that hold the group's positions, each with what its ledger calls the cluster.
    pub fn sinks(&self) -> Vec<(Database, String)> {
        let mut sinks: Vec<(Database, String)> = Vec::new();
        for binding in self.by_topic.values() {
            let Some(sink) = &binding.needs.sink else { continue };
            if !sinks.iter().any(|(known, _)| known.name() == sink.name()) {
                sinks.push((sink.clone(), binding.needs.source.clone()));
            }
        }
        sinks
    }

    /// Returns the group's bindings that write to a sink.
    pub fn bindings_of(&self, sink: &Database) -> Vec<Arc<Binding>> {
        let mut bindings: Vec<Arc<Binding>> = Vec::new();
        for binding in self.by_topic.values() {
            let is_meant = binding.needs.sink.as_ref().is_some_and(|own| own.name() == sink.name());
            if is_meant && !bindings.iter().any(|known| Arc::ptr_eq(known, binding)) {
                bindings.push(binding.clone());
            }
        }
        bindings
    }

    /// Returns the group's topics.
    pub fn topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = self.by_topic.keys().cloned().collect();
        topics.sort_unstable();
        topics
    }
}
