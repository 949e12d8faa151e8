//! The real binary as a process: started with a manifest, asked over its admin address, stopped, killed.

use std::cell::Cell;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use serde_json::Value;
use tokio::task;

use crate::http::{self, Response};
use crate::manifest::ManifestFile;
use crate::metrics::Metrics;
use crate::process::Process;
use crate::{names, place, wait};

/// The variable that names the failpoints a process acts on.
pub const FAILPOINTS: &str = "FOREBAY_FAILPOINTS";

/// A running `forebay run`. Where its test fails, the end of its log is shown.
#[derive(Debug)]
pub struct Forebay {
    process: Process,
    admin: u16,
    /// Whether a wait already showed the log.
    is_shown: Cell<bool>,
}

impl Forebay {
    /// Starts the runtime with a manifest and further environment variables, such as [`FAILPOINTS`].
    pub fn start(manifest: &ManifestFile, env: &[(&str, &str)]) -> Self {
        Self::start_with(manifest, &[], env)
    }

    /// The same with further arguments.
    pub fn start_with(manifest: &ManifestFile, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(place::forebay());
        command.arg("run").arg(&manifest.path).args(["--log", "debug"]).args(args);
        command.envs(env.iter().copied()).current_dir(manifest.folder());
        let log = manifest.folder().join(format!("forebay-{}.log", names::next()));
        let process = Process::start("forebay", command, &log, libc::SIGKILL);
        Self { process, admin: manifest.admin, is_shown: Cell::new(false) }
    }

    /// Runs a command of the binary to its end: `check`, `init`, `version`.
    pub async fn run_once(args: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = Command::new(place::forebay());
        command.args(args).envs(env.iter().copied());
        let output = task::spawn_blocking(move || command.output()).await.expect("the thread ends");
        output.expect("the binary starts")
    }

    /// Returns the process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Kills the process with `SIGKILL` and waits until it is gone.
    pub fn kill9(&self) {
        self.process.kill();
    }

    /// Asks the process to stop.
    pub fn sigterm(&self) {
        self.process.signal(libc::SIGTERM);
    }

    /// Asks the process to read its manifest again.
    pub fn sighup(&self) {
        self.process.signal(libc::SIGHUP);
    }

    /// Asks the process to stop as a terminal does.
    pub fn sigint(&self) {
        self.process.signal(libc::SIGINT);
    }

    /// Freezes the process.
    pub fn sigstop(&self) {
        self.process.signal(libc::SIGSTOP);
    }

    /// Lets a frozen process go on.
    pub fn sigcont(&self) {
        self.process.signal(libc::SIGCONT);
    }

    /// Returns how the process ended, if it has.
    pub fn exit(&self) -> Option<ExitStatus> {
        self.process.exit()
    }

    /// Waits until the process ends by itself.
    pub async fn wait_exit(&self, deadline: Duration) -> ExitStatus {
        self.is_shown.set(true);
        let status = self.process.wait_exit(deadline).await;
        self.is_shown.set(false);
        status
    }

    /// Asks the process to stop and expects it to end with 0 within `deadline`.
    pub async fn stop(&self, deadline: Duration) {
        self.sigterm();
        let status = self.wait_exit(deadline).await;
        assert_eq!(status.code(), Some(0), "a graceful stop ends with 0");
    }

    /// Asks the admin address.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Response> {
        http::get(self.admin, path).await
    }

    /// Returns `/status`; panics where there is none.
    pub async fn status(&self) -> Value {
        self.try_status().await.unwrap_or_else(|error| panic!("read /status: {error:#}\n{}", self.tail()))
    }

    /// Returns `/metrics`; panics where there are none.
    pub async fn metrics(&self) -> Metrics {
        let answer = self.get("/metrics").await;
        let answer = answer.unwrap_or_else(|error| panic!("read /metrics: {error:#}\n{}", self.tail()));
        assert_eq!(answer.status, 200, "/metrics answers: {}", answer.body);
        Metrics::parse(&answer.body)
    }

    /// Returns whether `/readyz` says that all is well.
    pub async fn ready(&self) -> bool {
        self.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
    }

    /// Waits until `/status` is as `condition` wants it; while it does not answer, the condition does not hold.
    pub async fn until(&self, deadline: Duration, what: &str, mut condition: impl FnMut(&Value) -> bool) {
        let holds = async || self.try_status().await.is_ok_and(|status| condition(&status));
        wait::until_or_dump(deadline, what, holds, || self.tail()).await;
    }

    /// Waits until every partition it owns is caught up, `partitions` in all.
    pub async fn until_caught_up(&self, deadline: Duration, partitions: usize) {
        let what = format!("{partitions} partitions to be caught up");
        self.until(deadline, &what, |status| {
            let owned: Vec<&Value> = partitions_of(status).collect();
            owned.len() == partitions && owned.iter().all(|partition| partition["lag_messages"] == 0)
        })
        .await;
    }

    /// Returns all that the process printed so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    async fn try_status(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.get("/status").await?.body)?)
    }

    /// Returns the end of the log.
    pub fn tail(&self) -> String {
        self.is_shown.set(true);
        self.process.log_tail(60)
    }
}

impl Drop for Forebay {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.is_shown.get() {
            eprintln!("{}", self.process.log_tail(60));
        }
    }
}

/// Returns the partitions of all bindings in a `/status`.
pub fn partitions_of(status: &Value) -> impl Iterator<Item = &Value> {
    let bindings = status["bindings"].as_array().into_iter().flatten();
    bindings.flat_map(|binding| binding["partitions"].as_array().into_iter().flatten())
}
