//! Numbers for the host's metrics, which adds binding, plugin and digest. Natively they go nowhere.

#[cfg(target_arch = "wasm32")]
use crate::bindings::forebay::handler::metrics as host;

/// Adds `delta` to the counter `name`.
pub fn count(name: &str, delta: u64) {
    host::count(name, delta);
}

/// Enters `value` into the histogram `name`.
pub fn observe(name: &str, value: f64) {
    host::observe(name, value);
}

#[cfg(not(target_arch = "wasm32"))]
mod host {
    pub(super) fn count(_name: &str, _delta: u64) {}

    pub(super) fn observe(_name: &str, _value: f64) {}
}
