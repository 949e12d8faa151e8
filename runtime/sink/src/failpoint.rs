//! Places where a test can kill the process: `FOREBAY_FAILPOINTS=NAME[:COUNT]`, with SIGKILL at the COUNT-th time it is
//! passed; or let the thread that passes stand still for ever: `NAME:COUNT:hang`. Without the feature `failpoints` this is
//! nothing.

/// Dies here if the environment says so.
#[cfg(not(feature = "failpoints"))]
pub fn pass(_name: &str) {}

/// Dies before the record of this offset is handled if the environment says so: `record-OFFSET`.
pub fn pass_record(_offset: i64) {
    #[cfg(feature = "failpoints")]
    pass(&format!("record-{_offset}"));
}

/// Dies here if the environment says so.
#[cfg(feature = "failpoints")]
pub fn pass(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64, bool)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    #[expect(clippy::disallowed_methods, reason = "only in builds for tests")]
    let wanted = WANTED.get_or_init(|| {
        let wanted = std::env::var("FOREBAY_FAILPOINTS").ok()?;
        let (name, rest) = wanted.split_once(':').unwrap_or((&wanted, "1"));
        let (count, action) = rest.split_once(':').unwrap_or((rest, "kill"));
        Some((name.to_owned(), count.parse().ok()?, action == "hang"))
    });
    if let Some((wanted, count, hangs)) = wanted
        && wanted == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *count
    {
        if !hangs {
            #[expect(unsafe_code, reason = "only in builds for tests")]
            // SAFETY: sends a signal to this process; no memory is involved.
            unsafe {
                libc::kill(libc::getpid(), libc::SIGKILL);
            }
        }
        // The signal may reach another thread first; nothing after the failpoint may happen.
        loop {
            std::thread::park();
        }
    }
}
