//! Every table of the manifest and the keys it may have.

/// A table and its keys.
pub(super) type Keys = &'static [&'static str];

pub(super) const ROOT: Keys =
    &["manifest-version", "kafka", "admin", "shutdown", "limits", "sinks", "plugins", "bindings"];
pub(super) const KAFKA: Keys = &["name", "bootstrap-servers", "properties"];
pub(super) const ADMIN: Keys = &["listen", "token"];
pub(super) const SHUTDOWN: Keys = &["deadline"];
pub(super) const LIMITS: Keys = &["buffered-bytes"];
pub(super) const SINK: Keys = &["kind", "url", "pool-size", "timeouts"];
pub(super) const TIMEOUTS: Keys = &["connect", "statement", "lock", "idle"];
pub(super) const PLUGIN: Keys = &["component", "sha256", "config", "limits", "instances"];
pub(super) const PLUGIN_LIMITS: Keys = &["memory", "cpu"];
pub(super) const INSTANCES: Keys = &["reuse"];
pub(super) const BINDING: Keys = &[
    "name",
    "topic",
    "topics",
    "group",
    "plugin",
    "start",
    "headers",
    "batch",
    "retry",
    "dead-letter",
    "rate",
    "alerts",
    "targets",
];
pub(super) const BATCH: Keys = &["max-records", "max-bytes", "linger"];
pub(super) const RETRY: Keys = &["attempts", "backoff"];
pub(super) const DEAD_LETTER: Keys = &["topic", "create", "pause-above"];
pub(super) const RATE: Keys = &["max", "scope", "catch-up"];
pub(super) const CATCH_UP: Keys = &["target-latency"];
pub(super) const ALERTS: Keys = &["lag", "retention-left", "stuck"];
pub(super) const TARGET: Keys = &["sink", "table", "key", "columns", "on-conflict", "missing", "fold", "topic"];

/// All of them, so that a test can hold the documentation against them.
#[cfg(test)]
pub(super) const TABLES: &[Keys] = &[
    ROOT,
    KAFKA,
    ADMIN,
    SHUTDOWN,
    LIMITS,
    SINK,
    TIMEOUTS,
    PLUGIN,
    PLUGIN_LIMITS,
    INSTANCES,
    BINDING,
    BATCH,
    RETRY,
    DEAD_LETTER,
    RATE,
    CATCH_UP,
    ALERTS,
    TARGET,
];
