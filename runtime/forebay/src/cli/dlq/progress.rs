//! How far a large topic is read, where a terminal shows it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Fewer offsets than this are read before anybody looks.
const LARGE: i64 = 10_000;
const LOOK: Duration = Duration::from_millis(200);

/// A bar on stderr, or nothing.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    /// What was read of partitions that are done.
    done: u64,
    now: u64,
}

impl Progress {
    /// Starts with nothing of `total` offsets.
    pub(super) fn new(topic: &str, total: i64) -> Self {
        let bar = (total >= LARGE).then(|| {
            let bar = ProgressBar::with_draw_target(u64::try_from(total).ok(), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {percent} %, {eta} left") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(format!("reading {topic}"));
            bar.enable_steady_tick(LOOK);
            bar
        });
        Self { bar, done: 0, now: 0 }
    }

    /// Notes how far the partitions are that are being read.
    pub(super) fn look(&mut self, partitions: impl Iterator<Item = forebay_kafka::Progress>) {
        let Some(bar) = &self.bar else { return };
        self.now = partitions.filter_map(|one| u64::try_from(one.next - one.stretch.from).ok()).sum();
        bar.set_position(self.done + self.now);
    }

    /// Notes that those partitions are done.
    pub(super) fn keep(&mut self) {
        self.done += std::mem::take(&mut self.now);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
