//! `forebay plugin bench`: the arguments, and what is printed.

use std::time::Duration;

use serde_json::json;

use crate::cli::plugin::which::Which;
use crate::error::Error;
use crate::proof::{self, Figures, Measured};
use crate::{app, telemetry};

/// Measures handlers on samples, beside a reference handler (`builtin:json-to-rows`, a row of five columns) in the same minute.
#[derive(Debug, clap::Args)]
pub(super) struct Bench {
    #[command(flatten)]
    which: Which,
}

impl Bench {
    /// Measures and prints.
    ///
    /// # Errors
    /// What keeps a handler from being measured.
    pub(super) fn run(self, as_json: bool) -> Result<(), Error> {
        let figures = app::runtime()?.block_on(proof::bench(&self.which.wish(false)))?;
        for figures in &figures {
            telemetry::print(&if as_json { json(figures).to_string() } else { text(figures) });
        }
        Ok(())
    }
}

fn text(figures: &Figures) -> String {
    let Figures { binding, plugin, digest, handler, reference, ratio, .. } = figures;
    let size = figures.bytes.map_or_else(String::new, |bytes| format!(", {} KiB", bytes.div_ceil(1024)));
    let row =
        |name: &str, show: fn(&Measured) -> String| format!("  {name:<34}{:>12}{:>12}", show(handler), show(reference));
    let mut lines = vec![
        format!("{binding}  {plugin} {}{size}", digest.chars().take(19).collect::<String>()),
        format!("  {:<34}{:>12}{:>12}", "", "this", "reference"),
        row("messages per second of one core", |measured| format!("{:.0}", measured.per_second)),
        row("compiled in", |measured| span(measured.compile)),
        row("from the cache in", |measured| span(measured.cached)),
        row("fresh instance and first message", |measured| span(measured.first)),
        row("memory at the most", |measured| format!("{:.1} MiB", mebibytes(measured.memory))),
        format!("  {ratio:.2} of the reference's messages per second (builtin:json-to-rows, a row of five columns)"),
    ];
    if figures.failed > 0 {
        lines.push(format!("  {} of the samples fail and were left out", figures.failed));
    }
    lines.join("\n")
}

fn span(span: Duration) -> String {
    let micros = span.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", span.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", span.as_secs_f64()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn json(figures: &Figures) -> serde_json::Value {
    json!({
        "binding": figures.binding, "plugin": figures.plugin, "digest": figures.digest, "bytes": figures.bytes,
        "ratio": figures.ratio, "failed_samples": figures.failed,
        "handler": measured(&figures.handler), "reference": measured(&figures.reference),
    })
}

fn measured(measured: &Measured) -> serde_json::Value {
    let Measured { per_second, compile, cached, first, memory } = measured;
    json!({
        "messages_per_second": per_second, "compile_seconds": compile.as_secs_f64(),
        "cached_seconds": cached.as_secs_f64(), "first_message_seconds": first.as_secs_f64(), "memory_bytes": memory,
    })
}
