//! The process that compiles: what comes of it, and of each way in which it can fail.

use std::fs::{self, File};
use std::io;
use std::time::{Duration, Instant};

use super::guest::{Folder, component, handler, host_with, settings};
use crate::compile::{Bounds, CompileError, Limits, answer_within};
use crate::{Compiler, Problem};

/// Names the limits of the process under test: `CPU-SECONDS:BYTES`.
const LIMITS: &str = "FOREBAY_TEST_COMPILES_WITHIN";

/// Not a test of its own: this program as the process that compiles, answering on descriptor 3, because what runs tests
/// writes to the standard output.
#[test]
fn compiles_if_called_by_another_test() {
    let Some(limits) = std::env::var_os(LIMITS) else { return };
    let limits = limits.into_string().unwrap();
    let (seconds, memory) = limits.split_once(':').unwrap();
    let limits = Limits { cpu: Duration::from_secs(seconds.parse().unwrap()), memory: memory.parse().unwrap() };
    answer_within(limits, io::stdin(), File::options().write(true).open("/dev/fd/3").unwrap()).unwrap();
    std::process::exit(0);
}

/// Compiles in a process of its own.
pub(super) fn in_process() -> Compiler {
    within(60, 4 << 30)
}

fn within(cpu_seconds: u64, memory: u64) -> Compiler {
    let tests = std::env::current_exe().unwrap();
    script(&format!(
        "{LIMITS}={cpu_seconds}:{memory} exec '{}' --exact --nocapture \
         tests::compiling::compiles_if_called_by_another_test 3>&1 >/dev/null",
        tests.display()
    ))
}

/// A process that does something else.
fn script(text: &str) -> Compiler {
    Compiler::Process { program: "/bin/sh".into(), arguments: vec!["-c".into(), text.into()] }
}

fn compiled(compiler: &Compiler, component: &[u8], bounds: Bounds) -> Result<Vec<u8>, Problem> {
    let Compiler::Process { program, arguments } = compiler else { panic!("it is a process") };
    crate::compile::process_compile(program, arguments, component, bounds)
}

fn failure(compiler: &Compiler, bounds: Bounds) -> CompileError {
    match compiled(compiler, &handler(), bounds) {
        Err(Problem::Compiler(error)) => error,
        other => panic!("{:?}", other.map(|code| code.len())),
    }
}

/// A component with so much code that an optimising compiler needs seconds for it.
fn large() -> Vec<u8> {
    let body = "(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 7)) (i32.load (local.get 0))))".repeat(20_000);
    let functions = format!("(func (param i32) {body})").repeat(10);
    let text = super::guest::handler_text().replacen("(global $bump", &format!("{functions} (global $bump"), 1);
    component(&text, &[], "forebay:handler/pure@0.1.0")
}

#[test]
fn compiles_in_a_process_of_its_own_what_this_one_runs() {
    let folder = Folder::new();
    let plugin = host_with(None, in_process()).load(&settings(&folder.write("plugin.wasm", &handler()))).unwrap();
    assert_eq!(plugin.world(), "forebay:handler/pure@0.1.0");
}

#[test]
fn tells_what_the_compiler_has_against_a_component() {
    let mut torn = handler();
    torn.truncate(torn.len() / 2);
    let error = compiled(&in_process(), &torn, Bounds::DEFAULT).unwrap_err();
    assert!(
        error.to_string().starts_with("does not compile: failed to parse WebAssembly module: unexpected end"),
        "{error}"
    );
}

#[test]
fn starts_no_process_for_what_is_in_the_cache() {
    let folder = Folder::new();
    let (cache, settings) = (folder.0.join("cache"), settings(&folder.write("plugin.wasm", &handler())));
    let nobody = Compiler::Process { program: "/nowhere/forebay".into(), arguments: Vec::new() };

    let error = host_with(Some(cache.clone()), nobody.clone()).load(&settings).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("can not be compiled: `/nowhere/forebay` does not start as a process of its own (No such file"),
        "{error}"
    );
    host_with(Some(cache.clone()), in_process()).load(&settings).unwrap();
    host_with(Some(cache), nobody).load(&settings).unwrap();
}

#[test]
fn keeps_within_its_limits_of_time_and_memory() {
    let large = large();
    let failure = |compiler: &Compiler| match compiled(compiler, &large, Bounds::DEFAULT) {
        Err(Problem::Compiler(error)) => error,
        other => panic!("{:?}", other.map(|code| code.len())),
    };
    assert!(matches!(failure(&within(1, 4 << 30)), CompileError::Cpu { .. }));
    assert!(matches!(failure(&within(60, 96 << 20)), CompileError::Memory { .. }));
}

#[test]
fn ends_a_process_that_does_not_end() {
    let folder = Folder::new();
    let pid = folder.0.join("pid");
    let hangs = script(&format!("echo $$ > '{}'; exec sleep 1000", pid.display()));
    let start = Instant::now();
    let bounds = Bounds { wall: Duration::from_millis(300), ..Bounds::DEFAULT };
    // More than a pipe holds: it is not even fed to its end.
    let error = compiled(&hangs, &vec![0; 1 << 20], bounds).unwrap_err();
    assert!(matches!(error, Problem::Compiler(CompileError::Wall { .. })), "{error}");
    assert!(start.elapsed() < Duration::from_secs(100));
    let pid = fs::read_to_string(pid).unwrap();
    assert!(!fs::exists(format!("/proc/{}", pid.trim())).unwrap(), "ended and reaped");
}

#[test]
fn takes_no_more_than_it_bears() {
    // A head that announces 2^56 bytes, and a process that would deliver them.
    let endless = script(r"cat > /dev/null; printf 'c\0\0\0\0\0\0\0\1'; exec cat /dev/zero");
    assert!(matches!(failure(&endless, Bounds::DEFAULT), CompileError::Code { .. }));
    let few = Bounds { code_bytes: 1000, ..Bounds::DEFAULT };
    assert!(matches!(failure(&in_process(), few), CompileError::Code { limit: 1000 }));
    let talks = script("head -c 1000000 /dev/zero >&2; exec sleep 1000");
    let error = failure(&talks, Bounds { wall: Duration::from_millis(300), ..few });
    assert!(matches!(error, CompileError::Wall { .. }), "{error}");
}

#[test]
fn says_how_a_process_fell() {
    let fallen = |text: &str| failure(&script(text), Bounds::DEFAULT);
    assert!(matches!(fallen("kill -XCPU $$"), CompileError::Cpu { .. }));
    assert!(matches!(fallen("kill -KILL $$"), CompileError::Killed));
    let crash = fallen("echo a bug in the compiler >&2; kill -SEGV $$").to_string();
    assert!(crash.starts_with("brings the compiler down (signal: 11 (SIGSEGV)): a bug in the compiler; "), "{crash}");
    let torn = fallen(r"printf 'c\5\0\0'; exit 3").to_string();
    assert!(torn.starts_with("brings the compiler down (exit status: 3): it said nothing; "), "{torn}");
}

#[test]
fn shows_a_compile_no_secret() {
    let shows = script("cat > /dev/null; env >&2; exit 1");
    let shown = failure(&shows, Bounds::DEFAULT).to_string();
    assert!(shown.contains("PWD=") && !shown.contains("CARGO") && !shown.contains("HOME="), "{shown}");
}
