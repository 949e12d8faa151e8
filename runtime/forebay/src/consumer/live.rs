//! The bindings in force: a reload replaces them while the lanes run.

use std::collections::BTreeSet;
use std::sync::Arc;

use forebay_sink::Database;
use tokio::sync::watch;

use crate::consumer::access::Share;
use crate::consumer::binding::Binding;
use crate::consumer::steering::Steering;

/// Every binding of the process, in the manifest's order.
pub(super) type Bindings = Arc<[Arc<Binding>]>;

/// A database, with a share of it for whoever asks it beside the lanes.
pub(super) type Sink = (Database, Option<Arc<Share>>);

/// The bindings in force, for whoever asks.
#[derive(Clone)]
pub struct Live(watch::Sender<Bindings>);

impl Live {
    pub(super) fn new(bindings: Vec<Arc<Binding>>) -> Self {
        Self(watch::Sender::new(bindings.into()))
    }

    /// Returns all of them.
    pub fn all(&self) -> Arc<[Arc<Binding>]> {
        self.0.borrow().clone()
    }

    /// Tells of every change.
    pub(super) fn follow(&self) -> watch::Receiver<Bindings> {
        self.0.subscribe()
    }

    pub(super) fn replace(&self, bindings: Vec<Arc<Binding>>) {
        self.0.send_replace(bindings.into());
    }

    /// Returns the groups' names.
    pub(super) fn groups(&self) -> BTreeSet<String> {
        self.all().iter().map(|binding| binding.settings.group.clone()).collect()
    }

    /// Returns the binding that reads a topic in a group. A topic is in a group once: the manifest saw to it.
    pub(super) fn reads(&self, group: &str, topic: &str) -> Option<Arc<Binding>> {
        let all = self.0.borrow();
        let reads = |binding: &&Arc<Binding>| {
            binding.settings.group == group && binding.settings.topics.iter().any(|own| own == topic)
        };
        all.iter().find(reads).cloned()
    }

    /// Returns a group's topics.
    pub(super) fn topics(&self, group: &str) -> Vec<String> {
        let of_group = self.all();
        let of_group = of_group.iter().filter(|binding| binding.settings.group == group);
        let mut topics: Vec<String> = of_group.flat_map(|binding| binding.settings.topics.clone()).collect();
        topics.sort_unstable();
        topics
    }

    /// Returns the databases that hold a group's positions, each with who may use it and what its ledger calls the cluster.
    pub(super) fn sinks(&self, group: &str) -> Vec<(Sink, String)> {
        let mut sinks: Vec<(Sink, String)> = Vec::new();
        for binding in self.all().iter().filter(|binding| binding.settings.group == group) {
            let Some(sink) = &binding.needs.sink else { continue };
            if !sinks.iter().any(|((known, _), _)| known.name() == sink.name()) {
                sinks.push(((sink.clone(), binding.share.clone()), binding.needs.source.clone()));
            }
        }
        sinks
    }

    /// Returns what is wanted of a group's bindings that write to a sink. It outlives their versions.
    pub(super) fn steerings(&self, group: &str, sink: &Database) -> Vec<Arc<Steering>> {
        let all = self.all();
        let own = all.iter().filter(|binding| binding.settings.group == group);
        let own = own.filter(|binding| binding.needs.sink.as_ref().is_some_and(|own| own.name() == sink.name()));
        own.map(|binding| binding.steering.clone()).collect()
    }
}
