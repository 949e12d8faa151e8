//! The process that compiles. It limits itself first, then reads a component to its end, compiles it with the settings of
//! every engine of this program, and writes the machine code or the reason against it.

use std::fs;
use std::io::{self, Read, Write};
use std::time::Duration;

use super::REASON_BYTES_MAX;
use crate::engine;

/// The answer is machine code.
pub(super) const CODE: u8 = b'c';
/// The answer is the reason why there is none.
pub(super) const REFUSAL: u8 = b'r';
/// Bytes before an answer's content: its kind, and how long it is.
pub(super) const HEAD_BYTES: usize = 1 + size_of::<u64>();

/// How much lower than ours its priority is. At 5 a thread gets a third of what one at 0 gets of a busy processor: records
/// go first, and a start on a busy machine is still not slow.
const NICE: libc::c_int = 5;

/// What a compile may use. It is the child that sets it, before it reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// CPU time over all threads.
    pub(crate) cpu: Duration,
    /// Bytes of memory that is its own and can be written to.
    pub(crate) memory: u64,
}

impl Limits {
    /// What a component of any honest size needs, many times over.
    pub(crate) const DEFAULT: Self = Self { cpu: super::CPU, memory: super::MEMORY };
}

/// Compiles the component on `input` and writes the answer to `output`: what [`Compiler::Process`](super::Compiler) calls
/// a program for. It limits the whole process and lowers its priority, so the process does nothing else.
///
/// # Errors
///
/// Fails where the process can not be limited, or one of its ends is closed. A component that is refused is no failure.
pub fn answer(input: impl Read, output: impl Write) -> io::Result<()> {
    answer_within(Limits::DEFAULT, input, output)
}

/// The same within other limits.
pub(crate) fn answer_within(limits: Limits, mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    limit(limits)?;
    let mut component = Vec::new();
    input.read_to_end(&mut component)?;
    let compiled = engine::compiling().and_then(|engine| engine.precompile_component(&component));
    drop(component);
    let (kind, content) = match compiled {
        Ok(code) => (CODE, code),
        Err(error) => {
            let mut reason = format!("{error:#}").into_bytes();
            reason.truncate(REASON_BYTES_MAX);
            (REFUSAL, reason)
        }
    };
    output.write_all(&[kind])?;
    output.write_all(&(content.len() as u64).to_le_bytes())?;
    output.write_all(&content)?;
    output.flush()
}

fn limit(limits: Limits) -> io::Result<()> {
    // Where memory runs out, the system is to end this process and not the one with the records. Only a wish.
    fs::write("/proc/self/oom_score_adj", "1000").ok();
    #[expect(unsafe_code, reason = "the standard library has no priorities")]
    // SAFETY: the call takes a number, touches no memory of ours, and changes this process alone.
    unsafe {
        libc::nice(NICE)
    };
    lower(libc::RLIMIT_CPU, limits.cpu.as_secs())?;
    lower(libc::RLIMIT_DATA, limits.memory)?;
    // A compiler that crashes over a component leaves no file of its memory.
    lower(libc::RLIMIT_CORE, 0)
}

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

/// Lowers a limit to `most`; one that is lower already stays.
fn lower(resource: Resource, most: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    #[expect(unsafe_code, reason = "the standard library has no limits of resources")]
    // SAFETY: `limit` is a valid, writable `rlimit` for the whole call, and the call writes nothing else.
    let answer = unsafe { libc::getrlimit(resource, &raw mut limit) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_cur.min(most);
    // Not to be raised again. A little above, because the hard limit of CPU time has no signal of its own.
    limit.rlim_max = limit.rlim_max.min(most.saturating_add(5));
    #[expect(unsafe_code, reason = "the standard library has no limits of resources")]
    // SAFETY: `limit` is a valid `rlimit` that the call only reads.
    let answer = unsafe { libc::setrlimit(resource, &raw const limit) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
