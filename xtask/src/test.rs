//! `cargo xtask test`: everything that must hold, and one line at the end that says whether it does.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;

use crate::{demo, guests, setup, shell};

/// The tests kill the runtime where they like, so it is built with its failpoints. Every step names the same packages
/// and features: another choice would build the dependencies a second time.
const SELECTION: &[&str] = &["--workspace", "--features", "forebay/failpoints"];

/// How many tests run at once, as their harness reads it.
const THREADS: &str = "RUST_TEST_THREADS";

/// What `cargo test` counted, over all its binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Sets the machine up, then runs all checks and tests, or only the tests that `name` chooses.
///
/// # Errors
/// When anything fails. Everything else has been run then all the same, unless the runtime does not even build.
pub(crate) fn run(root: &Path, name: Option<&str>) -> anyhow::Result<()> {
    let start = Instant::now();
    setup::run(root)?;
    let mut failures: Vec<String> = Vec::new();
    if name.is_none() {
        failures.extend(failure(&mut shell::cargo(root, &["fmt", "--all", "--check"])));
    }
    let build = [&["build"][..], SELECTION].concat();
    shell::run(&mut shell::cargo(root, &build)).context("xtask test: FAILED before any test ran")?;
    shell::say(&format!("xtask test: built after {} s", start.elapsed().as_secs()))?;
    let mut lints = None;
    // Cargo lets one build at a time: linting begins once the tests have been built.
    let counts = tests(root, name, &mut failures, || {
        if name.is_none() {
            lints = Some(Lints::start(root)?);
        }
        Ok(())
    })?;
    shell::say(&format!("xtask test: tests ended after {} s", start.elapsed().as_secs()))?;
    if name.is_none() {
        let lints = lints.context("the tests did not begin").and_then(Lints::end);
        failures.extend(lints.err().map(|error| format!("{error:#}")));
        failures.extend(guests::test_all(root).err().map(|error| format!("{error:#}")));
        failures.extend(demo::check(root, &build).err().map(|error| format!("{error:#}")));
    }
    let Counts { passed, failed } = counts;
    let seconds = start.elapsed().as_secs();
    let scope = if name.is_none() { ", formatting and lints checked" } else { "" };
    if failures.is_empty() {
        shell::say(&format!("xtask test: ok: {passed} tests passed{scope}, in {seconds} s"))?;
        return Ok(());
    }
    let all = failures.join("; ");
    anyhow::bail!("xtask test: FAILED: {passed} tests passed, {failed} failed, in {seconds} s: {all}")
}

fn failure(command: &mut Command) -> Option<String> {
    shell::run(command).err().map(|error| format!("{error:#}"))
}

/// Runs the tests, shows their output as it comes, and counts.
fn tests(
    root: &Path,
    name: Option<&str>,
    failures: &mut Vec<String>,
    begun: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Counts> {
    let mut begun = Some(begun);
    let args = [&["test"][..], SELECTION, &["--no-fail-fast"], name.as_slice()].concat();
    let mut command = shell::cargo(root, &args);
    // Most scenarios wait for servers and deadlines half of the time: as many at once as the machine has cores would leave it idle.
    if env::var_os(THREADS).is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        command.env(THREADS, (cores + cores.div_ceil(2)).to_string());
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("start `cargo test`")?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.context("read the output of `cargo test`")?;
            counts = counts.with(&line);
            if line.starts_with("running ")
                && let Some(begun) = begun.take()
            {
                failures.extend(begun().err().map(|error| format!("{error:#}")));
            }
            writeln!(io::stdout(), "{line}")?;
        }
    }
    let status = child.wait().context("wait for `cargo test`")?;
    if !status.success() {
        failures.push(format!("`{}` failed ({status})", shell::line_of(&command)));
    } else if counts.passed == 0 {
        failures.push(format!("no test has `{}` in its name", name.unwrap_or_default()));
    }
    Ok(counts)
}

/// The lints, beside the tests and behind them in every queue for a processor: tests wait for servers much of the time.
struct Lints {
    clippy: Child,
    log: PathBuf,
}

impl Lints {
    fn start(root: &Path) -> anyhow::Result<Self> {
        let log = shell::target()?.join("clippy.log");
        let file = File::create(&log).with_context(|| format!("write `{}`", log.display()))?;
        let args = [&["clippy"][..], SELECTION, &["--all-targets", "--", "-D", "warnings"]].concat();
        let cargo = shell::cargo(root, &args);
        let mut nice = Command::new("nice");
        nice.args(["-n", "19"]).arg(cargo.get_program()).args(cargo.get_args()).current_dir(root);
        let clippy = nice.stdout(file.try_clone()?).stderr(file).spawn().context("start `nice cargo clippy`")?;
        Ok(Self { clippy, log })
    }

    fn end(mut self) -> anyhow::Result<()> {
        let status = self.clippy.wait().context("wait for `cargo clippy`")?;
        let said = fs::read_to_string(&self.log).with_context(|| format!("read `{}`", self.log.display()))?;
        write!(io::stderr(), "{said}")?;
        anyhow::ensure!(status.success(), "`cargo clippy` failed ({status})");
        Ok(())
    }
}

impl Counts {
    /// Adds a line such as `test result: ok. 5 passed; 0 failed; 0 ignored; …`; any other changes nothing.
    fn with(self, line: &str) -> Self {
        let Some(result) = line.strip_prefix("test result: ") else {
            return self;
        };
        let count = |what: &str| {
            let part = result.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
            part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        Self { passed: self.passed + count(" passed"), failed: self.failed + count(" failed") }
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn counts_the_results_of_all_binaries() {
        let lines = [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.10s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ];
        let counts = lines.iter().fold(Counts::default(), |counts, line| counts.with(line));
        assert_eq!(counts, Counts { passed: 7, failed: 2 });
    }
}
