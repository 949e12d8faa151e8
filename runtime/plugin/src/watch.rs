//! The watch over one store's CPU time, driven by the engine's epochs.
//!
//! A message moves a serial number and nothing else; no clock is read for it. Once per tick the engine calls
//! [`Watch::tick`] on the guest's thread, and only there the thread's CPU clock is read: the first tick inside a message
//! notes where the clock stands, later ticks of the same message compare. So a message gets its budget and at most two
//! ticks more, never less, and time that the thread only waited for a processor does not count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::clock::thread_cpu_time;

/// CPU time and wall time allowed for one message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimits {
    /// CPU time; overrunning it is the message's fault.
    pub(crate) cpu: Duration,
    /// Wall time, far above the CPU time; overrunning it is the machine's.
    pub(crate) wall: Duration,
}

/// Why the guest was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It used up its CPU time.
    Cpu,
    /// It was not done in the wall time.
    Wall,
    /// The host is being stopped.
    Host,
}

/// One store's watch.
#[derive(Debug)]
pub(crate) struct Watch {
    limits: TimeLimits,
    /// Set once when the host stops.
    stopping: Arc<AtomicBool>,
    /// Moves with each message.
    serial: u64,
    /// The serial of the last tick.
    seen: u64,
    /// The thread's CPU time at the first tick of the message `seen`.
    cpu_start: Duration,
    /// The time of that tick.
    wall_start: Instant,
    /// Set by the tick that stops the guest.
    stop: Option<Stop>,
}

impl TimeLimits {
    /// Returns the limits for a CPU budget: the wall clock gets a hundred times as much, and a minute at the least.
    pub(crate) fn of(cpu: Duration) -> Self {
        Self { cpu, wall: cpu.saturating_mul(100).max(Duration::from_secs(60)) }
    }
}

impl Watch {
    /// Returns a watch that counts nothing yet.
    pub(crate) fn new(limits: TimeLimits, stopping: Arc<AtomicBool>) -> Self {
        let wall_start = Instant::now();
        Self { limits, stopping, serial: 1, seen: 0, cpu_start: Duration::ZERO, wall_start, stop: None }
    }

    /// Says that another message begins.
    pub(crate) fn begin(&mut self) {
        self.serial = self.serial.wrapping_add(1);
    }

    /// Returns why the guest was stopped, if it was.
    pub(crate) fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Returns the limits.
    pub(crate) fn limits(&self) -> TimeLimits {
        self.limits
    }

    /// Looks at the clocks; called by the engine once per epoch while the guest runs. Returns whether it has to stop.
    pub(crate) fn tick(&mut self) -> bool {
        self.stop = self.verdict();
        self.stop.is_some()
    }

    fn verdict(&mut self) -> Option<Stop> {
        if self.stopping.load(Ordering::Relaxed) {
            return Some(Stop::Host);
        }
        if self.seen != self.serial {
            self.seen = self.serial;
            self.cpu_start = thread_cpu_time();
            self.wall_start = Instant::now();
            return None;
        }
        if thread_cpu_time().saturating_sub(self.cpu_start) > self.limits.cpu {
            return Some(Stop::Cpu);
        }
        (self.wall_start.elapsed() > self.limits.wall).then_some(Stop::Wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(cpu: Duration, wall: Duration) -> Watch {
        Watch::new(TimeLimits { cpu, wall }, Arc::default())
    }

    #[test]
    fn stops_a_message_that_used_its_cpu_time_and_none_before() {
        let mut watch = watch(Duration::from_millis(3), Duration::from_secs(60));
        watch.begin();
        assert!(!watch.tick());
        let start = thread_cpu_time();
        while !watch.tick() {}
        assert!(thread_cpu_time() - start > Duration::from_millis(2));
        assert_eq!(watch.stop(), Some(Stop::Cpu));
    }

    #[test]
    fn gives_each_message_its_own_budget() {
        let mut watch = watch(Duration::ZERO, Duration::from_secs(60));
        for _ in 0..3 {
            watch.begin();
            assert!(!watch.tick());
        }
    }

    #[test]
    fn blames_the_machine_for_wall_time() {
        let mut watch = watch(Duration::from_secs(60), Duration::ZERO);
        watch.begin();
        assert!(!watch.tick());
        while !watch.tick() {}
        assert_eq!(watch.stop(), Some(Stop::Wall));
    }

    #[test]
    fn stops_when_the_host_stops() {
        let stopping = Arc::new(AtomicBool::new(true));
        let mut watch = Watch::new(TimeLimits::of(Duration::from_secs(1)), stopping);
        assert!(watch.tick());
        assert_eq!(watch.stop(), Some(Stop::Host));
    }
}
