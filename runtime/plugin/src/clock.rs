//! The thread's CPU clock: the only judge of a message's budget, because it stands still while a starved thread waits.

use std::time::Duration;

/// Returns the CPU time that the calling thread has used so far. A clock that can not be read stands still.
pub(crate) fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "the standard library has no access to a thread's CPU clock")]
    // SAFETY: `time` is a valid, writable timespec for the whole call, and the call writes nothing else.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    if answer != 0 {
        return Duration::ZERO;
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_while_the_thread_works() {
        let start = thread_cpu_time();
        let mut rounds = 0_u64;
        while thread_cpu_time() - start < Duration::from_millis(2) {
            rounds = std::hint::black_box(rounds + 1);
        }
        assert!(rounds > 0);
    }
}
