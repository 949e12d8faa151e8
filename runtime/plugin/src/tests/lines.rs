//! Counts the lines that handlers bring into the log, by plugin, over the whole test process.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Once;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static LINES: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

struct Counter;

/// Finds the field `plugin` of an event.
#[derive(Default)]
struct PluginName(String);

/// Starts counting, once.
pub(super) fn count() {
    static START: Once = Once::new();
    START.call_once(|| tracing::subscriber::set_global_default(Counter).unwrap());
}

/// Returns the lines of a plugin so far.
pub(super) fn counted(plugin: &str) -> usize {
    LINES.lock().get(plugin).copied().unwrap_or_default()
}

impl Visit for PluginName {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "plugin" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "guest"
    }

    fn event(&self, event: &Event<'_>) {
        let mut plugin = PluginName::default();
        event.record(&mut plugin);
        *LINES.lock().entry(plugin.0).or_default() += 1;
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
