//! The memory of a process as the kernel counts it, and what it was at its highest.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a sampler looks.
const INTERVAL: Duration = Duration::from_millis(20);

/// A process's resident memory at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// All of it (`VmRSS`).
    pub resident: u64,
    /// What lies in no file (`RssAnon`): the rest is mostly the binary itself.
    pub anonymous: u64,
    /// The most that was ever resident (`VmHWM`); the kernel misses no moment.
    pub peak: u64,
}

/// What was sampled, and when after the start.
pub type Sample = (Duration, Memory);

/// A thread that looks at a process's memory until it is dropped.
#[derive(Debug)]
pub struct Sampler {
    pid: i32,
    samples: Arc<Mutex<Vec<Sample>>>,
    is_over: Arc<AtomicBool>,
    /// Taken when it is joined.
    thread: Option<JoinHandle<()>>,
}

impl Memory {
    /// Returns the memory of a process; none where it has ended.
    pub fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    fn parse(status: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            Some(value.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
        };
        Some(Self { resident: bytes("VmRSS")?, anonymous: bytes("RssAnon")?, peak: bytes("VmHWM")? })
    }
}

impl Sampler {
    /// Looks at the process `pid` from now on.
    pub fn start(pid: i32) -> Self {
        let (samples, is_over) = (Arc::<Mutex<Vec<Sample>>>::default(), Arc::<AtomicBool>::default());
        let thread = thread::spawn({
            let (samples, is_over) = (Arc::clone(&samples), Arc::clone(&is_over));
            move || {
                let start = Instant::now();
                while !is_over.load(Ordering::Acquire) {
                    let sample = Memory::of(pid).map(|memory| (start.elapsed(), memory));
                    samples.lock().unwrap_or_else(PoisonError::into_inner).extend(sample);
                    thread::sleep(INTERVAL);
                }
            }
        });
        Self { pid, samples, is_over, thread: Some(thread) }
    }

    /// Returns the most that was ever resident; panics where the process has ended.
    pub fn peak(&self) -> u64 {
        Memory::of(self.pid).unwrap_or_else(|| panic!("process {} has ended", self.pid)).peak
    }

    /// Returns the largest sample so far by what lies in no file, and when it was taken.
    pub fn largest(&self) -> Sample {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.iter().copied().max_by_key(|(_, memory)| memory.anonymous).unwrap_or_default()
    }

    /// Returns one sample of each stretch of `every`, its largest: what a person reads.
    pub fn outline(&self, every: Duration) -> Vec<Sample> {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let stretch = |sample: &Sample| sample.0.as_millis() / every.as_millis();
        let stretches = samples.chunk_by(|a, b| stretch(a) == stretch(b));
        stretches.filter_map(|chunk| chunk.iter().copied().max_by_key(|(_, memory)| memory.resident)).collect()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Returns bytes as whole mebibytes.
pub fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}

#[cfg(test)]
mod tests {
    use super::{Memory, Sampler};

    #[test]
    fn reads_what_the_kernel_says() {
        let status = "Name:\tforebay\nVmHWM:\t  9 kB\nVmRSS:\t       7 kB\nRssAnon:\t  5 kB\nRssFile:\t 2 kB\n";
        let memory = Memory { resident: 7 << 10, anonymous: 5 << 10, peak: 9 << 10 };
        assert_eq!(Memory::parse(status), Some(memory));
        assert_eq!(Memory::parse("Name:\tforebay\n"), None);
    }

    #[test]
    fn sees_memory_that_is_taken_and_given_back() {
        let own = i32::try_from(std::process::id()).unwrap();
        let before = Memory::of(own).unwrap();
        let sampler = Sampler::start(own);
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        assert!(sampler.peak() >= before.resident + (60 << 20), "{before:?}, then a peak of {}", sampler.peak());
    }
}
