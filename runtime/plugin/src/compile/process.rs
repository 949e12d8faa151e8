//! Our side of a compile: the process is started, fed, read within bounds, and always ended and reaped.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, Builder, Scope};
use std::time::Duration;

use tracing::debug;

use super::REASON_BYTES_MAX;
use super::child::{CODE, HEAD_BYTES, Limits, REFUSAL};
use super::error::CompileError;
use crate::error::Problem;

/// The most that is kept of what the process writes to its standard error.
const WORDS_BYTES_MAX: u64 = 2 << 10;
/// What Rust says before it aborts for want of memory.
const OUT_OF_MEMORY: &str = "memory allocation of ";

/// What we bear of a compile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// What the process limits itself to, for what is said of it.
    pub(crate) limits: Limits,
    /// When it is given up.
    pub(crate) wall: Duration,
    /// The most machine code that is taken.
    pub(crate) code_bytes: usize,
}

/// What the process said.
enum Answer {
    Code(Vec<u8>),
    Refusal(String),
    /// More than is taken.
    TooLong,
    /// It ended before it had said all.
    Torn,
}

/// A process that ends with us.
struct Running(Child);

/// The ends of its pipes.
struct Pipes {
    input: ChildStdin,
    output: ChildStdout,
    words: ChildStderr,
}

impl Bounds {
    pub(crate) const DEFAULT: Self =
        Self { limits: Limits::DEFAULT, wall: super::WALL, code_bytes: super::CODE_BYTES_MAX };
}

/// Lets a process of its own compile `component`.
pub(crate) fn compile(
    program: &Path,
    arguments: &[OsString],
    component: &[u8],
    bounds: Bounds,
) -> Result<Vec<u8>, Problem> {
    let not_started = |error| CompileError::Start { program: program.display().to_string(), error };
    let (mut running, pipes) = Running::start(program, arguments).map_err(not_started)?;
    let exchanged = thread::scope(|scope| {
        let exchanged = exchange(scope, component, pipes, bounds, &mut running);
        if exchanged.is_err() {
            running.end().ok(); // Else the threads that did start would wait for it.
        }
        exchanged
    });
    let (answer, status, words) = exchanged.map_err(not_started)?;
    match answer {
        Some(Answer::Code(code)) => Ok(code),
        Some(Answer::Refusal(reason)) => Err(Problem::Compile { reason }),
        Some(Answer::TooLong) => Err(CompileError::Code { limit: bounds.code_bytes }.into()),
        Some(Answer::Torn) => Err(fallen(status, words, bounds).into()),
        None => Err(CompileError::Wall { limit: bounds.wall }.into()),
    }
}

/// Feeds the process and waits for its answer: `None` where there is none in time.
fn exchange<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    component: &'env [u8],
    pipes: Pipes,
    bounds: Bounds,
    running: &mut Running,
) -> io::Result<(Option<Answer>, ExitStatus, String)> {
    let Pipes { input, output, words } = pipes;
    let thread = || Builder::new().name("compile".to_owned());
    let (say, said) = mpsc::sync_channel(1);
    thread().spawn_scoped(scope, move || feed(input, component))?;
    thread().spawn_scoped(scope, move || listen(output, bounds.code_bytes, &say))?;
    let words = thread().spawn_scoped(scope, move || overhear(words))?;
    let answer = said.recv_timeout(bounds.wall).ok();
    // Whatever it says, it has said it. One that has ended by itself keeps its status.
    let status = running.end()?;
    Ok((answer, status, words.join().unwrap_or_default()))
}

fn feed(mut input: ChildStdin, component: &[u8]) {
    if let Err(error) = input.write_all(component) {
        debug!(%error, "a compile ended before it had read its component");
    }
}

fn listen(output: ChildStdout, code_bytes_max: usize, say: &SyncSender<Answer>) {
    let answer = read(output, code_bytes_max).unwrap_or(Answer::Torn);
    if say.send(answer).is_err() {
        debug!("a compile answered too late");
    }
}

fn read(mut output: ChildStdout, code_bytes_max: usize) -> io::Result<Answer> {
    let mut head = [0; HEAD_BYTES];
    output.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
    let most = if kind == REFUSAL { REASON_BYTES_MAX } else { code_bytes_max };
    if length > most {
        return Ok(Answer::TooLong);
    }
    let mut content = vec![0; length];
    output.read_exact(&mut content)?;
    Ok(match kind {
        CODE => Answer::Code(content),
        REFUSAL => Answer::Refusal(String::from_utf8_lossy(&content).into_owned()),
        _ => Answer::Torn,
    })
}

/// Returns the beginning of what the process wrote to its standard error, which is read to its end.
fn overhear(mut words: ChildStderr) -> String {
    let mut start = Vec::new();
    let read = words.by_ref().take(WORDS_BYTES_MAX).read_to_end(&mut start);
    if let Err(error) = read.and_then(|_| io::copy(&mut words, &mut io::sink())) {
        debug!(%error, "what a compile wrote can not be read");
    }
    String::from_utf8_lossy(&start).trim().to_owned()
}

/// Says why a process ended without an answer.
fn fallen(status: ExitStatus, words: String, bounds: Bounds) -> CompileError {
    match status.signal() {
        Some(libc::SIGXCPU) => CompileError::Cpu { limit: bounds.limits.cpu },
        Some(libc::SIGABRT) if words.contains(OUT_OF_MEMORY) => CompileError::Memory { limit: bounds.limits.memory },
        Some(libc::SIGKILL) => CompileError::Killed,
        _ => {
            let words = if words.is_empty() { "it said nothing".to_owned() } else { words };
            CompileError::Crash { status: status.to_string(), words }
        }
    }
}

impl Running {
    fn start(program: &Path, arguments: &[OsString]) -> io::Result<(Self, Pipes)> {
        let mut command = Command::new(program);
        command.arg0("forebay").args(arguments);
        // Secrets are in the environment. Where the libraries lie is none.
        command.env_clear().envs(std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path)));
        let mut running = Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
        let child = &mut running.0;
        let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
        let ((input, output), words) = pipes.ok_or_else(|| io::Error::other("it has no pipes"))?;
        Ok((running, Pipes { input, output, words }))
    }

    /// Ends it, whatever it does, and takes its status.
    fn end(&mut self) -> io::Result<ExitStatus> {
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            debug!(%error, "a compile can not be ended");
        }
    }
}
