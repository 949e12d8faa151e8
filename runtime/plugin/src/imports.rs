//! What a handler may call: `forebay:handler/log` and `forebay:handler/metrics`. Memory only, bounded, never failing.
//!
//! Strings are read where they lie in the guest's memory and cut before they are copied. Text that is not Unicode is
//! ignored, not punished.

use std::fmt::Write;
use std::sync::Arc;

use tracing::{Level as TracingLevel, debug, event, warn};
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, WasmList, WasmStr};

use crate::instance::State;

/// The most bytes of one line's text.
const TEXT_BYTES_MAX: usize = 2 << 10;
/// The most fields of one line.
const FIELDS_MAX: usize = 16;
/// The most bytes of one field's name, and of its value.
const FIELD_BYTES_MAX: usize = 256;

/// Interfaces that a component may import, without their version. `types` holds no functions.
const ALLOWED: [&str; 3] = ["forebay:handler/log", "forebay:handler/metrics", "forebay:handler/types"];

/// A store's log: how much of it is left, and the guest's last words.
#[derive(Debug)]
pub(crate) struct Log {
    plugin: Arc<str>,
    /// Lines that may still be forwarded in this batch.
    pub(crate) lines_left: u32,
    /// Lines of this batch that were not forwarded.
    pub(crate) lines_dropped: u32,
    /// The last line of level `error` in this message: what a panic hook wrote before its trap.
    last_error: Option<String>,
}

/// `level` of the interface `log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "values come from lifting only")]
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// Parameters of `log.write`.
type Line = (Level, WasmStr, WasmList<(WasmStr, WasmStr)>);

/// Returns whether a component may import `name`, an interface with or without its version.
pub(crate) fn is_allowed(name: &str) -> bool {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    ALLOWED.contains(&interface) && version.starts_with("0.1.")
}

/// Returns a linker that offers the imports of every world version.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    linker.instance("forebay:handler/log@0.1.0")?.func_wrap("write", |store, line: Line| {
        write(store, &line);
        Ok(())
    })?;
    let mut metrics = linker.instance("forebay:handler/metrics@0.1.0")?;
    metrics.func_wrap("count", |mut store: StoreContextMut<'_, State>, (name, delta): (WasmStr, u64)| {
        match text(&store, &name, FIELD_BYTES_MAX) {
            Some(name) => store.data_mut().metrics.count(&name, delta),
            None => store.data_mut().metrics.ignore(),
        }
        Ok(())
    })?;
    metrics.func_wrap("observe", |mut store: StoreContextMut<'_, State>, (name, value): (WasmStr, f64)| {
        match text(&store, &name, FIELD_BYTES_MAX) {
            Some(name) => store.data_mut().metrics.observe(&name, value),
            None => store.data_mut().metrics.ignore(),
        }
        Ok(())
    })?;
    Ok(linker)
}

fn write(mut store: StoreContextMut<'_, State>, (level, message, fields): &Line) {
    let wanted = level.is_enabled();
    let is_error = *level == Level::Error;
    let left = store.data().log.lines_left;
    if wanted && left == 0 {
        let log = &mut store.data_mut().log;
        log.lines_dropped = log.lines_dropped.saturating_add(1);
    }
    let forwarded = wanted && left > 0;
    if !forwarded && !is_error {
        return;
    }
    let message = text(&store, message, TEXT_BYTES_MAX).unwrap_or_else(|| "(text that is not UTF-8)".to_owned());
    if forwarded {
        let fields = join(&mut store, fields);
        let log = &mut store.data_mut().log;
        log.lines_left -= 1;
        level.emit(&log.plugin, &message, &fields);
    }
    if is_error {
        store.data_mut().log.last_error = Some(message);
    }
}

fn join(store: &mut StoreContextMut<'_, State>, fields: &WasmList<(WasmStr, WasmStr)>) -> String {
    let mut joined = String::new();
    for index in 0..fields.len().min(FIELDS_MAX) {
        let Some(Ok((name, value))) = fields.get(&mut *store, index) else {
            continue;
        };
        let (Some(name), Some(value)) = (text(store, &name, FIELD_BYTES_MAX), text(store, &value, FIELD_BYTES_MAX))
        else {
            continue;
        };
        let separator = if joined.is_empty() { "" } else { " " };
        if write!(joined, "{separator}{name}={value:?}").is_err() {
            break; // Writing to a string does not fail.
        }
    }
    joined
}

/// Copies a guest's string, cut to `bytes_max`. `None` where it is not Unicode.
fn text(store: &StoreContextMut<'_, State>, text: &WasmStr, bytes_max: usize) -> Option<String> {
    let text = text.to_str(store).ok()?;
    Some(cut(&text, bytes_max).to_owned())
}

/// Returns the longest start of `text` that has at most `bytes_max` bytes.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

impl Log {
    /// Returns a log of so many lines.
    pub(crate) fn new(plugin: Arc<str>, lines_left: u32) -> Self {
        Self { plugin, lines_left, lines_dropped: 0, last_error: None }
    }

    /// Forgets the last message's last words.
    pub(crate) fn begin(&mut self) {
        self.last_error = None;
    }

    /// Returns the last line of level `error` in this message.
    pub(crate) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

impl Level {
    fn is_enabled(self) -> bool {
        match self {
            Self::Trace => tracing::enabled!(target: "guest", TracingLevel::TRACE),
            Self::Debug => tracing::enabled!(target: "guest", TracingLevel::DEBUG),
            Self::Info => tracing::enabled!(target: "guest", TracingLevel::INFO),
            Self::Warn => tracing::enabled!(target: "guest", TracingLevel::WARN),
            Self::Error => tracing::enabled!(target: "guest", TracingLevel::ERROR),
        }
    }

    fn emit(self, plugin: &str, message: &str, fields: &str) {
        match self {
            Self::Trace => event!(target: "guest", TracingLevel::TRACE, plugin, fields, "{message}"),
            Self::Debug => debug!(target: "guest", plugin, fields, "{message}"),
            Self::Info => event!(target: "guest", TracingLevel::INFO, plugin, fields, "{message}"),
            Self::Warn => warn!(target: "guest", plugin, fields, "{message}"),
            Self::Error => event!(target: "guest", TracingLevel::ERROR, plugin, fields, "{message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_the_contracts_own_imports_only() {
        assert!(is_allowed("forebay:handler/log@0.1.0"));
        assert!(is_allowed("forebay:handler/types@0.1.3"));
        assert!(!is_allowed("forebay:handler/log@0.2.0"));
        assert!(!is_allowed("forebay:handler/log"));
        assert!(!is_allowed("wasi:clocks/wall-clock@0.2.6"));
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("grün", 3), "gr");
        assert_eq!(cut("grün", 40), "grün");
    }
}
