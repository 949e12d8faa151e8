//! From a component to machine code, bounded.
//!
//! Compiling is the one thing done with a component before anything of it runs, and a component can be made so that it
//! takes for ever, all memory, or the compiler's stack. So it is done in a process of its own: one that limits itself
//! before it reads the first byte, works at a low priority, knows no secret of ours, and is killed where it does not
//! end. `child` is that process, `process` is our side of it.

mod child;
mod error;
mod process;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::debug;
use wasmtime::Engine;
use wasmtime::component::Component;

pub use child::answer;
#[cfg(test)]
pub(crate) use child::{Limits, answer_within};
pub use error::CompileError;
pub(crate) use process::Bounds;
#[cfg(test)]
pub(crate) use process::compile as process_compile;

use crate::error::Problem;
use crate::imports::cut;

/// The most machine code that is taken. It is two or three times as large as its component.
const CODE_BYTES_MAX: usize = 768 << 20;
/// The CPU time of a compile, over all its threads. An interpreter's component of 18 MiB takes 8 s, and 23 s where
/// forebay itself was built without its optimiser.
const CPU: Duration = Duration::from_secs(120);
/// The memory of a compile. An interpreter's component of 18 MiB takes 0.45 GiB.
const MEMORY: u64 = 2 << 30;
/// When a compile is given up that has CPU time left. Its priority is low: where all processors are busy with records it
/// gets a fourth of one.
const WALL: Duration = Duration::from_secs(900);

/// The most bytes of what the compiler has against a component. It quotes names of the component's own.
const REASON_BYTES_MAX: usize = 2 << 10;

/// Where components are compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process and without bounds: for components that one has made oneself, as in tests and benchmarks.
    Here,
    /// In a process of its own, with bounds on time and memory. The program runs [`answer`] and nothing else.
    Process {
        /// The program.
        program: PathBuf,
        /// What it is called with.
        arguments: Vec<OsString>,
    },
}

/// A component's machine code, and the component that was made of it.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    pub(crate) code: Vec<u8>,
}

impl Compiler {
    /// Compiles a component. Blocks meanwhile.
    pub(crate) fn compile(&self, engine: &Engine, component: &[u8]) -> Result<Compiled, Problem> {
        let start = Instant::now();
        let compiled = match self {
            Self::Here => here(engine, component)?,
            Self::Process { program, arguments } => {
                let code = process::compile(program, arguments, component, Bounds::DEFAULT)?;
                Compiled { component: load(engine, &code)?, code }
            }
        };
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        debug!(bytes = component.len(), code_bytes = compiled.code.len(), milliseconds, "component compiled");
        Ok(compiled)
    }
}

fn here(engine: &Engine, component: &[u8]) -> Result<Compiled, Problem> {
    let component = Component::from_binary(engine, component).map_err(|error| refused(&error))?;
    let code = component.serialize().map_err(|error| Problem::Host { reason: format!("{error:#}") })?;
    Ok(Compiled { component, code })
}

fn load(engine: &Engine, code: &[u8]) -> Result<Component, Problem> {
    #[expect(unsafe_code, reason = "wasmtime can not check machine code; this came from our own compiler just now")]
    // SAFETY: `code` was made by `Engine::precompile_component` in `child`, which is this program itself, started by us,
    // and came over a pipe that nobody else holds. `deserialize` checks the engine's version and settings once more.
    let component = unsafe { Component::deserialize(engine, code) };
    // More instances, memories or tables than there are slots for is found here.
    component.map_err(|error| refused(&error))
}

fn refused(error: &wasmtime::Error) -> Problem {
    Problem::Compile { reason: cut(&format!("{error:#}"), REASON_BYTES_MAX).to_owned() }
}
