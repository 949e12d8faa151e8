//! `forebay plugin test`: the arguments, and what is printed.

use forebay_core::fault::Fault;
use serde_json::json;

use crate::cli::plugin::which::Which;
use crate::error::Error;
use crate::paint::Paint;
use crate::proof::{self, Expected, Report, Violation};
use crate::{app, host, telemetry};

/// Runs handlers on samples and compares what they answer with `BINDING.expected.json`. Runs them again in other company, fresh
/// and reused, to see that the same message always has the same outcome.
#[derive(Debug, clap::Args)]
pub(super) struct Test {
    #[command(flatten)]
    which: Which,
    /// Write what handlers answer now: it is expected from now on
    #[arg(long)]
    bless: bool,
}

impl Test {
    /// Tests, prints, and fails with what is wrong.
    ///
    /// # Errors
    /// What keeps a handler from being tested, or makes its test fail.
    pub(super) fn run(self, as_json: bool) -> Result<(), Error> {
        let (host, runtime) = (host::start()?, app::runtime()?);
        let reports = runtime.block_on(proof::test(&self.which.wish(self.bless), &host))?;
        let paint = Paint::of_stdout();
        for report in &reports {
            telemetry::print(&if as_json { json(report).to_string() } else { text(report, paint) });
        }
        let errors: Vec<Error> = reports.iter().filter_map(|report| report.verdict().err()).collect();
        Error::join(errors).map_or(Ok(()), Err)
    }
}

fn text(report: &Report, paint: Paint) -> String {
    let Report { binding, plugin, digest, samples, outcomes, failures, golden, expected, passes, violations } = report;
    let counts = report.counts();
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let (expected, diff) = match expected {
        Expected::Same => (format!("{} {golden}", paint.green("as in")), None),
        Expected::None => (format!("{} {golden}", paint.red("no file")), None),
        Expected::Written(true) => (format!("{} {golden}", paint.yellow("written to")), None),
        Expected::Written(false) => (format!("{} {golden}, as it was", paint.green("written to")), None),
        Expected::Different(diff) => (format!("{} {golden}:", paint.red("other than")), Some(diff)),
    };
    let mut lines = vec![
        format!("{}  {plugin} {}", paint.bold(binding), digest.chars().take(19).collect::<String>()),
        format!("  samples   {} of {samples}: {}", outcomes.len(), counts.join(", ")),
        format!("  outcomes  {expected}"),
    ];
    let failed = |(sample, fault): &(usize, Fault)| {
        // The handler's own words come first, and the frames after them.
        let mut words = fault.message.lines().filter(|line| !line.trim().is_empty());
        let head = format!("    sample {} {} {}/{}: ", sample + 1, paint.red("failed:"), fault.class, fault.code);
        format!("{head}{}", words.next().unwrap_or_default())
    };
    lines.splice(2..2, failures.iter().map(failed));
    lines.extend(diff.map(|diff| painted(diff, paint)));
    if violations.is_empty() {
        let ways = format!("the same outcomes in {passes} more ways, in fresh and in reused instances");
        lines.push(format!("  purity    {} {ways}", paint.green("pure:")));
    } else {
        let more = match violations.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(" (and in {more} more of {passes} ways)"),
        };
        lines.push(format!("  purity    {}{more}:", paint.red("not a pure function")));
        lines.extend(violations.first().map(|violation| told(violation, samples, paint)));
    }
    lines.join("\n")
}

fn told(violation: &Violation, samples: &str, paint: Paint) -> String {
    let Violation { sample, when, .. } = violation;
    let head = format!("    sample {} of {samples}, {when}; alone (-) and then (+):", sample + 1);
    format!("{head}\n{}", painted(&violation.diff(), paint))
}

fn painted(diff: &str, paint: Paint) -> String {
    let line = |line: &str| match line.as_bytes().first() {
        Some(b'-') => format!("    {}", paint.red(line)),
        Some(b'+') => format!("    {}", paint.green(line)),
        _ => format!("    {line}"),
    };
    diff.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn json(report: &Report) -> serde_json::Value {
    let Report { binding, plugin, digest, samples, outcomes, failures, golden, expected, passes: _, violations } =
        report;
    let (expected, diff) = match expected {
        Expected::Same => ("same", None),
        Expected::None => ("none", None),
        Expected::Written(_) => ("written", None),
        Expected::Different(diff) => ("different", Some(diff)),
    };
    let violations: Vec<_> = violations
        .iter()
        .map(|Violation { sample, when, alone, then }| json!({ "sample": sample, "when": when, "alone": alone, "then": then }))
        .collect();
    let failures: Vec<_> = failures
        .iter()
        .map(|(sample, fault)| json!({ "sample": sample, "class": fault.class.as_str(), "code": fault.code, "message": fault.message }))
        .collect();
    json!({
        "failures": failures, "binding": binding, "plugin": plugin, "digest": digest, "samples": samples, "outcomes": outcomes,
        "golden": golden.as_str(), "expected": expected, "diff": diff, "pure": violations.is_empty(), "violations": violations,
    })
}
