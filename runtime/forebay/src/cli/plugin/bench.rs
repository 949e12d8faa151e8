//! `forebay plugin bench`: the arguments, and what is printed.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde_json::json;

use crate::error::Error;
use crate::proof::{self, Figures, Wish};
use crate::{app, telemetry};

/// Measures handlers on samples, beside a reference handler (`builtin:json-to-rows`, a row of five columns) in the same minute.
#[derive(Debug, clap::Args)]
pub(super) struct Bench {
    /// The manifest, or its folder
    #[arg(default_value = ".", value_name = "DIR or MANIFEST")]
    manifest: Utf8PathBuf,
    /// One binding alone
    #[arg(long)]
    binding: Option<String>,
    /// The samples: a file of lines or of JSON documents [default: TOPIC.jsonl beside the manifest]
    #[arg(long, value_name = "FILE")]
    input: Option<Utf8PathBuf>,
}

impl Bench {
    /// Measures and prints.
    ///
    /// # Errors
    /// What keeps a handler from being measured.
    pub(super) fn run(self, as_json: bool) -> Result<(), Error> {
        let Self { manifest, binding, input } = self;
        let figures = app::runtime()?.block_on(proof::bench(&Wish { manifest, binding, input, bless: false }))?;
        for figures in &figures {
            telemetry::print(&if as_json { json(figures).to_string() } else { text(figures) });
        }
        Ok(())
    }
}

fn text(figures: &Figures) -> String {
    let Figures { binding, plugin, digest, .. } = figures;
    let size = figures.bytes.map_or_else(String::new, |bytes| format!(", {} KiB", bytes.div_ceil(1024)));
    let left_out = match figures.failed {
        0 => String::new(),
        failed => format!(" ({failed} failing samples left out)"),
    };
    [
        format!("{binding}  {plugin} {}{size}", digest.chars().take(19).collect::<String>()),
        format!("  messages  {:.0}/s on one core{left_out}", figures.per_second),
        format!("  reference {:.0}/s, builtin:json-to-rows; ratio {:.2}", figures.reference_per_second, figures.ratio),
        format!("  start     {} to compile, {} from the cache", span(figures.compile), span(figures.cached)),
        format!("  first     {} for a fresh instance with its first message", span(figures.first)),
        format!("  memory    {:.1} MiB at the most", mebibytes(figures.memory)),
    ]
    .join("\n")
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
        "messages_per_second": figures.per_second, "reference_per_second": figures.reference_per_second,
        "ratio": figures.ratio, "compile_seconds": figures.compile.as_secs_f64(),
        "cached_seconds": figures.cached.as_secs_f64(), "first_message_seconds": figures.first.as_secs_f64(),
        "memory_bytes": figures.memory, "failed_samples": figures.failed,
    })
}
