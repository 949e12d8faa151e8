//! What can go wrong in a compile beside a component that is not valid.

use std::io;
use std::time::Duration;

/// Why a component was not compiled, though nobody found it invalid.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It used up the CPU time of a compile.
    #[error(
        "takes more than {} s of CPU time to compile, and was stopped; build it smaller: optimised, without what it does not use",
        .limit.as_secs()
    )]
    Cpu {
        /// The CPU time.
        limit: Duration,
    },
    /// It was not done after a long time, though it had CPU time left.
    #[error(
        "was not compiled within {} s, though it used less CPU time than it may; this machine is starved: try again when it is less busy",
        .limit.as_secs()
    )]
    Wall {
        /// The time.
        limit: Duration,
    },
    /// It used up the memory of a compile.
    #[error(
        "takes more than {} MiB of memory to compile, and was stopped; build it smaller: optimised, without what it does not use",
        .limit >> 20
    )]
    Memory {
        /// The memory in bytes.
        limit: u64,
    },
    /// It makes more machine code than is taken.
    #[error("compiles to more than {} MiB of machine code, which is not taken; build it smaller", .limit >> 20)]
    Code {
        /// The bytes that are taken.
        limit: usize,
    },
    /// The kernel ended the compile.
    #[error(
        "was not compiled: its process was killed from outside, as the system does where memory runs out; give this machine more memory, or build the component smaller"
    )]
    Killed,
    /// The compiler itself failed.
    #[error("brings the compiler down ({status}): {words}; nothing else is affected, and it is a bug to be reported")]
    Crash {
        /// How its process ended.
        status: String,
        /// What it wrote before.
        words: String,
    },
    /// There is no process to compile it in.
    #[error(
        "can not be compiled: `{program}` does not start as a process of its own ({error}); raise the limit of processes, and see that `/proc` is there"
    )]
    Start {
        /// The program.
        program: String,
        /// The operating system's answer.
        error: io::Error,
    },
}
