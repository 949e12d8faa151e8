//! A running `forebay run`, asked over its admin address.

use std::process::Command;
use std::time::{Duration, Instant};

use forebay_tests::metrics::Metrics;
use forebay_tests::process::Process;
use forebay_tests::{http, place};

use crate::manifest::ManifestFile;

/// How often it is asked while something is waited for.
const LOOK: Duration = Duration::from_millis(25);
/// Joining a group, compiling a component, and stopping take far less than this.
const DEADLINE: Duration = Duration::from_secs(60);

/// The runtime as it is shipped; killed when it is dropped.
pub(crate) struct Runtime {
    process: Process,
    admin: u16,
}

impl Runtime {
    /// Returns the command that starts it.
    pub(crate) fn command(manifest: &ManifestFile) -> Command {
        let mut command = Command::new(place::forebay());
        command.arg("run").arg(&manifest.path);
        command
    }

    /// Starts it; what it prints stands beside the manifest.
    pub(crate) fn start(manifest: &ManifestFile) -> Self {
        let log = manifest.path.with_extension("log");
        let process = Process::start("forebay", Self::command(manifest), &log, libc::SIGKILL);
        Self { process, admin: manifest.admin }
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Waits until it owns so many partitions and knows their positions.
    pub(crate) async fn until_owns(&self, partitions: usize) -> anyhow::Result<()> {
        let start = Instant::now();
        while self.owned().await < partitions {
            let is_over = self.process.exit().is_some();
            anyhow::ensure!(!is_over, "`forebay run` ended early:\n{}", self.process.log_tail(20));
            anyhow::ensure!(start.elapsed() < DEADLINE, "`forebay run` is stuck:\n{}", self.process.log_tail(20));
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        self.process.signal(libc::SIGTERM);
        let status = self.process.wait_exit(DEADLINE).await;
        anyhow::ensure!(status.success(), "`forebay run` stopped with {status}:\n{}", self.process.log_tail(20));
        Ok(())
    }

    async fn owned(&self) -> usize {
        let Ok(response) = http::get(self.admin, "/metrics").await else { return 0 };
        let metrics = Metrics::parse(&response.body);
        metrics.series.keys().filter(|series| series.starts_with("forebay_lag_messages{")).count()
    }
}
