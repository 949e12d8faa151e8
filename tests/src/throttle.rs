//! A processor's quota for the runtime: its process is stopped and let go on, so that it runs for a share of the time only.
//!
//! The kernel's own quotas need rights that a test does not have. What they do to a process is this: all of its threads
//! stand still at once, at any instruction, again and again.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::forebay::Forebay;

/// How long a process runs, and how long it then stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How long all its threads run.
    pub running: Duration,
    /// How long none of them does.
    pub stopped: Duration,
}

/// Holds a process to its quota until it is dropped; then it goes on unhindered.
#[derive(Debug)]
pub struct Throttle<'a> {
    pid: i32,
    is_over: Arc<AtomicBool>,
    stops: Arc<AtomicU64>,
    /// Taken when it is joined.
    thread: Option<JoinHandle<()>>,
    /// The process may not be dropped, and its id not be another's, as long as signals go there.
    process: PhantomData<&'a Forebay>,
}

impl Quota {
    /// 10 ms in 100 ms.
    pub const TENTH: Self = Self { running: Duration::from_millis(10), stopped: Duration::from_millis(90) };
}

impl<'a> Throttle<'a> {
    /// Holds `process` to `quota` from now on.
    pub fn start(process: &'a Forebay, quota: Quota) -> Self {
        let (pid, is_over, stops) = (process.pid(), Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let thread = thread::spawn({
            let (is_over, stops) = (Arc::clone(&is_over), Arc::clone(&stops));
            move || {
                while !is_over.load(Ordering::Acquire) {
                    signal(pid, libc::SIGSTOP);
                    stops.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(quota.stopped);
                    signal(pid, libc::SIGCONT);
                    thread::sleep(quota.running);
                }
            }
        });
        Self { pid, is_over, stops, thread: Some(thread), process: PhantomData }
    }

    /// Returns how often the process was stopped so far.
    pub fn stops(&self) -> u64 {
        self.stops.load(Ordering::Relaxed)
    }
}

impl Drop for Throttle<'_> {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        // However the thread ended.
        signal(self.pid, libc::SIGCONT);
    }
}

/// Returns the CPU time that a process has used so far, all its threads together.
pub fn cpu_time(pid: i32) -> Duration {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("read `{path}`: {error}"));
    // The second field is a name in parentheses, which may hold anything; user and system time are the 14th and 15th.
    let (_, rest) = stat.rsplit_once(')').unwrap_or_else(|| panic!("no name in `{stat}`"));
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum();
    // SAFETY: a bare system call.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::from_millis(ticks * 1000 / u64::try_from(per_second).expect("a clock ticks"))
}

fn signal(pid: i32, signal: i32) {
    // SAFETY: a bare system call on a child of ours; the borrow of its owner lasts as long as the throttle.
    unsafe { libc::kill(pid, signal) };
}
