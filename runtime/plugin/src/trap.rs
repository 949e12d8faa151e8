//! What a failed call means: a fault of the message, or a trouble of the host that convicts no message.

use std::fmt::Write;

use forebay_core::fault::{Class, Fault};
use rustc_demangle::demangle;
use wasmtime::{FrameInfo, ThrownException, Trap, WasmBacktrace};

use crate::error::HandleError;
use crate::imports::cut;
use crate::instance::State;
use crate::limits::OUTPUT_BYTES_MAX;
use crate::watch::Stop;

/// The most bytes of a fault's message.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// How many frames make a site where a component has no function names.
const UNNAMED_FRAMES: usize = 8;
/// Functions between a panic and its cause. They are the same for every panic, so they say nothing about where it was.
const PLUMBING: [&str; 14] = [
    "core::panicking::",
    "core::result::unwrap_failed",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::slice::index::",
    "core::str::slice_error_fail",
    "std::panicking::",
    "std::rt::",
    "std::sys::",
    "std::process::abort",
    "alloc::alloc::",
    "alloc::raw_vec::",
    "rust_",
    "__rust",
];

/// What the files of handlers are called.
const SOURCES: [&str; 9] = ["rs", "js", "mjs", "ts", "py", "go", "c", "h", "cpp"];

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The message's fault.
    Fault(Fault),
    /// The host's trouble, which convicts no message.
    Host(HandleError),
}

/// How much of a fault is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Class and code: what comes of a record that runs once more. Names of functions cost more than an instance does.
    Name,
    /// Everything that a dead letter says.
    Full,
}

/// Returns whether the guest's own code was running when `error` came about.
pub(crate) fn is_guest_code(error: &wasmtime::Error) -> bool {
    error.is::<Trap>() || error.is::<ThrownException>() || error.downcast_ref::<WasmBacktrace>().is_some()
}

/// Says what the failed call of a store with this `state` means.
pub(crate) fn explain(error: &wasmtime::Error, state: &State, telling: Telling) -> Failed {
    match state.watch.stop() {
        Some(Stop::Host) => return Failed::Host(HandleError::Stopped),
        Some(Stop::Wall) => {
            return Failed::Host(HandleError::WallClock { after: state.watch.limits().wall });
        }
        Some(Stop::Cpu) => return Failed::Fault(cpu_fault(error, state, telling)),
        None => {}
    }
    if state.memory.was_starved() {
        let reason = "the operating system has no memory for a handler";
        return Failed::Host(HandleError::Internal(reason.to_owned()));
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        let is_memory = state.memory.was_refused() && *trap != Trap::StackOverflow;
        return Failed::Fault(if is_memory {
            memory_fault(error, state, telling)
        } else {
            trap_fault(*trap, error, state, telling)
        });
    }
    if error.is::<ThrownException>() {
        let what = "the handler threw an exception that nothing caught";
        let code = "uncaught-exception";
        return Failed::Fault(fault(Class::Trap, code, message(what, error, state, telling), code.to_owned()));
    }
    Failed::Fault(lift_fault(error, state, telling))
}

fn cpu_fault(error: &wasmtime::Error, state: &State, telling: Telling) -> Fault {
    let limit = state.watch.limits().cpu;
    let what = format!("the message took more CPU time than `limits.cpu` ({limit:?})");
    // Where the clock catches a loop is chance, so it is no part of the site.
    fault(Class::Cpu, "cpu-limit", message(&what, error, state, telling), "cpu-limit".to_owned())
}

fn memory_fault(error: &wasmtime::Error, state: &State, telling: Telling) -> Fault {
    let (used, limit) = (state.memory.used(), state.memory.limit());
    let what =
        format!("the handler asked for more memory than `limits.memory` ({limit} bytes, {used} in use) and died of it");
    fault(Class::Memory, "memory-limit", message(&what, error, state, telling), "memory-limit".to_owned())
}

fn trap_fault(trap: Trap, error: &wasmtime::Error, state: &State, telling: Telling) -> Fault {
    let (code, what) = (trap_name(trap), trap.to_string());
    if telling == Telling::Name {
        return fault(Class::Trap, &code, what, String::new());
    }
    let trace = Trace::of(error);
    let mut site = site(&code, trap, &trace);
    // All bugs of an interpreter's guest trap in one place of the interpreter.
    if let Some(place) = state.log.last_error().and_then(source_place).filter(|_| trap != Trap::StackOverflow) {
        write!(site, " ({place})").ok();
    }
    fault(Class::Trap, &code, words(&what, &trace, state), site)
}

/// The call failed without a trap: what the guest gave back, or where it wanted arguments, breaks the component model's
/// rules.
fn lift_fault(error: &wasmtime::Error, state: &State, telling: Telling) -> Fault {
    let reason = error.root_cause().to_string();
    if reason.contains("fuel allocated for hostcalls") {
        let what = format!("the handler gave back more than {} MiB for one message", OUTPUT_BYTES_MAX >> 20);
        return fault(Class::Contract, "output-too-large", what, "output-too-large".to_owned());
    }
    if is_not_utf8(error) {
        let what = format!("the handler gave back text that is not UTF-8: {reason}");
        return fault(Class::Contract, "not-utf8", what, "not-utf8".to_owned());
    }
    if state.memory.was_refused() {
        return memory_fault(error, state, telling);
    }
    let what = format!("what the handler gave back can not be read: {reason}");
    fault(Class::Contract, "lift", message(&what, error, state, telling), "lift".to_owned())
}

fn is_not_utf8(error: &wasmtime::Error) -> bool {
    error.is::<std::str::Utf8Error>()
        || error.is::<std::string::FromUtf8Error>()
        || error.is::<std::char::DecodeUtf16Error>()
        || error.root_cause().is::<std::str::Utf8Error>()
}

fn fault(class: Class, code: &str, message: String, site: String) -> Fault {
    Fault { class, code: code.to_owned(), message, site }
}

fn message(what: &str, error: &wasmtime::Error, state: &State, telling: Telling) -> String {
    match telling {
        Telling::Name => what.to_owned(),
        Telling::Full => words(what, &Trace::of(error), state),
    }
}

/// The guest's own last words first, then what happened, then where.
fn words(what: &str, trace: &Trace<'_>, state: &State) -> String {
    let mut text = String::new();
    if let Some(words) = state.log.last_error() {
        text.push_str(words.trim_end());
        text.push('\n');
    }
    text.push_str(what);
    for frame in trace.frames {
        if write!(text, "\n  at {}", Shown(frame)).is_err() || text.len() > MESSAGE_BYTES_MAX {
            break;
        }
    }
    text.truncate(cut(&text, MESSAGE_BYTES_MAX).len());
    text
}

/// A backtrace without what lies between a panic and its cause.
struct Trace<'a> {
    frames: &'a [FrameInfo],
    /// The function of the first frame that is more than plumbing, and where in it; all frames stand where there is none.
    cause: Option<(String, usize)>,
}

impl<'a> Trace<'a> {
    fn of(error: &'a wasmtime::Error) -> Self {
        let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
        let found = frames.iter().enumerate().find_map(|(index, frame)| {
            let offset = frame.func_offset().unwrap_or_default();
            cause(frame).map(|name| (frames.get(index..).unwrap_or_default(), (name, offset)))
        });
        match found {
            Some((frames, cause)) => Self { frames, cause: Some(cause) },
            None => Self { frames, cause: None },
        }
    }
}

/// Returns the frame's innermost function that is more than plumbing.
fn cause(frame: &FrameInfo) -> Option<String> {
    names(frame).map(|name| format!("{:#}", demangle(name))).find(|name| !is_plumbing(name))
}

/// A frame as people read it.
struct Shown<'a>(&'a FrameInfo);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match names(self.0).next() {
            Some(name) => write!(formatter, "{:#}", demangle(name))?,
            None => write!(formatter, "function[{}]", self.0.func_index())?,
        }
        if let Some((file, line)) = self.0.symbols().first().and_then(|symbol| symbol.file().zip(symbol.line())) {
            return write!(formatter, " ({file}:{line})");
        }
        match self.0.module_offset() {
            Some(offset) => write!(formatter, " (+{offset:#x})"),
            None => Ok(()),
        }
    }
}

/// A frame's function names, the innermost inlined one first, mangled as they stand in the component.
fn names(frame: &FrameInfo) -> impl Iterator<Item = &str> {
    frame.symbols().iter().filter_map(|symbol| symbol.name()).chain(frame.func_name())
}

/// Says where a trap happened, in words that stay the same from message to message.
fn site(code: &str, trap: Trap, trace: &Trace<'_>) -> String {
    // How deep a recursion was where the stack ended depends on the message.
    if trap == Trap::StackOverflow {
        return code.to_owned();
    }
    match &trace.cause {
        Some((name, offset)) => format!("{code} in {name}+{offset:#x}"),
        None => unnamed_site(code, trace.frames),
    }
}

/// Returns the first `FILE:LINE` of a source file that a guest's last words name.
fn source_place(words: &str) -> Option<&str> {
    let is_of_place = |letter: char| letter.is_ascii_alphanumeric() || "/._-:".contains(letter);
    words.split(|letter| !is_of_place(letter)).find_map(|token| {
        let (file, rest) = token.split_once(':')?;
        let extension = file.rsplit_once('.')?.1;
        let line = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let is_place = SOURCES.contains(&extension) && line > 0;
        is_place.then(|| token.get(..file.len() + 1 + line))?
    })
}

fn is_plumbing(name: &str) -> bool {
    PLUMBING.iter().any(|prefix| name.starts_with(prefix))
}

fn unnamed_site(code: &str, frames: &[FrameInfo]) -> String {
    let mut site = format!("{code} at");
    for frame in frames.iter().take(UNNAMED_FRAMES) {
        if write!(site, " {:#x}", frame.module_offset().unwrap_or_default()).is_err() {
            break; // Writing to a string does not fail.
        }
    }
    site
}

/// Returns the trap's name as dead letters and metrics carry it.
fn trap_name(trap: Trap) -> String {
    match trap {
        Trap::UnreachableCodeReached => "unreachable".to_owned(),
        Trap::IntegerDivisionByZero => "integer-divide-by-zero".to_owned(),
        other => kebab(&format!("{other:?}")),
    }
}

fn kebab(name: &str) -> String {
    let mut kebab = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_traps_in_kebab_case() {
        assert_eq!(trap_name(Trap::UnreachableCodeReached), "unreachable");
        assert_eq!(trap_name(Trap::StackOverflow), "stack-overflow");
        assert_eq!(trap_name(Trap::MemoryOutOfBounds), "memory-out-of-bounds");
        assert_eq!(trap_name(Trap::IntegerDivisionByZero), "integer-divide-by-zero");
    }

    #[test]
    fn finds_where_in_its_source_a_guest_says_that_it_failed() {
        let places = [
            ("panicked at src/lib.rs:64: boom", Some("src/lib.rs:64")),
            ("uncaught at rules/reason.ts:5: RangeError: in a rule\n  at handler.js:9", Some("rules/reason.ts:5")),
            ("panic: it broke\n\tmain.fail()\n\t\tmy-app/handler.go:7 +0x9", Some("my-app/handler.go:7")),
            ("TypeError: it broke (handler.py:34 in handle)", Some("handler.py:34")),
            ("no answer from db.example.com:5432, handler.js: gone", None),
        ];
        for (words, place) in places {
            assert_eq!(source_place(words), place, "{words}");
        }
    }

    #[test]
    fn knows_the_plumbing_of_a_panic_from_its_cause() {
        assert!(is_plumbing("core::panicking::panic_fmt"));
        assert!(is_plumbing("rust_begin_unwind"));
        assert!(!is_plumbing("orders::handle"));
    }
}
