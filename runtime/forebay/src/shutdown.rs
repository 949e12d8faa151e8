//! Signals: the first one stops gracefully, a second one ends at once; SIGHUP reads the manifest again.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What a shell reports for a process that ended by SIGINT.
const ENDED_AT_ONCE: i32 = 130;

/// The process's signals.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// Where the system does not allow it.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Cancels `stop` at the first signal and ends the process at the second. Never returns before that.
    /// A SIGHUP asks for `reload`.
    pub async fn watch(mut self, stop: CancellationToken, reload: impl Fn()) {
        let name = self.next(&reload).await;
        info!(signal = name, "stopping: finishing what is in flight; a second signal ends at once");
        stop.cancel();
        let name = self.next(&reload).await;
        warn!(signal = name, "ending at once");
        std::process::exit(ENDED_AT_ONCE);
    }

    async fn next(&mut self, reload: &impl Fn()) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => reload(),
            }
        }
    }
}
