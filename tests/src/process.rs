//! Child processes that never outlive the test process.
//!
//! Three nets: a [`Process`] kills its process group when it is dropped; what a static still holds is killed when the test
//! process exits; and the kernel sends a signal when the test process itself is killed. The kernel takes the end of the
//! *thread* that started a child for the parent's death, so one thread that never ends starts them all.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError, mpsc};
use std::time::Duration;
use std::{fs, thread};

use crate::{scratch, wait};

/// A command, and where its child goes.
type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Children that live, with the signal that ends each at exit.
static LIVE: Mutex<Vec<(i32, i32)>> = Mutex::new(Vec::new());

/// A child process, leader of a process group of its own, its output in a log file.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: i32,
    child: Mutex<Child>,
    log: PathBuf,
    last_signal: i32,
}

impl Process {
    /// Starts `command`; what it prints is appended to `log`. `last_signal` is what ends it when it is dropped:
    /// `SIGKILL`, unless it needs to clean up.
    pub fn start(name: &str, mut command: Command, log: &Path, last_signal: i32) -> Self {
        at_exit();
        let line = format!("{command:?}");
        let output = File::options().create(true).append(true).open(log);
        let output = output.unwrap_or_else(|error| panic!("open `{}`: {error}", log.display()));
        let errors = output.try_clone().expect("a file can be opened twice");
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        // SAFETY: between fork and exec only `prctl` is called, which is a bare system call.
        unsafe {
            command.pre_exec(move || match libc::prctl(libc::PR_SET_PDEATHSIG, last_signal) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        let child = nursery(command).unwrap_or_else(|error| panic!("start {name} by {line}: {error}"));
        let pid = i32::try_from(child.id()).expect("process ids fit");
        live().push((pid, last_signal));
        Self { name: name.to_owned(), pid, child: Mutex::new(child), log: log.to_owned(), last_signal }
    }

    /// Returns the process id, which is also the id of its group.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends `signal` to the process alone.
    pub fn signal(&self, signal: i32) {
        let mut child = self.child();
        if matches!(child.try_wait(), Ok(None)) {
            // SAFETY: a bare system call; the child has not been waited for, so its id is still its own.
            unsafe { libc::kill(self.pid, signal) };
        }
    }

    /// Sends `signal` to the process and all it started in its group.
    pub fn signal_group(&self, signal: i32) {
        let mut child = self.child();
        if matches!(child.try_wait(), Ok(None)) {
            // SAFETY: as above, and the group's id is the leader's.
            unsafe { libc::kill(-self.pid, signal) };
        }
    }

    /// Kills the group with `SIGKILL` and waits until the process is gone.
    pub fn kill(&self) {
        self.signal_group(libc::SIGKILL);
        self.child().wait().unwrap_or_else(|error| panic!("wait for {}: {error}", self.name));
    }

    /// Returns how it ended, if it has.
    pub fn exit(&self) -> Option<ExitStatus> {
        self.child().try_wait().unwrap_or_else(|error| panic!("wait for {}: {error}", self.name))
    }

    /// Waits until it ends by itself; panics with the end of its log when it does not within `deadline`.
    pub async fn wait_exit(&self, deadline: Duration) -> ExitStatus {
        let what = format!("{} to exit", self.name);
        wait::some_or_dump(deadline, &what, async || self.exit(), || self.log_tail(40)).await
    }

    /// Returns the last `lines` of what it printed.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned();
        let all: Vec<&str> = text.lines().collect();
        let tail = all[all.len().saturating_sub(lines)..].join("\n");
        format!("--- the end of {}'s log, `{}`\n{tail}\n---", self.name, self.log.display())
    }

    /// Returns all it printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        live().retain(|(pid, _)| *pid != self.pid);
        if self.last_signal != libc::SIGKILL {
            // A stopped process hears nothing but these two.
            self.signal(libc::SIGCONT);
            self.signal(self.last_signal);
            let is_gone = (0..200).any(|_| {
                thread::sleep(Duration::from_millis(25));
                !matches!(self.child().try_wait(), Ok(None))
            });
            if is_gone {
                return;
            }
        }
        self.signal_group(libc::SIGKILL);
        self.child().wait().ok();
    }
}

/// Starts a child from the one thread that never ends.
fn nursery(command: Command) -> io::Result<Child> {
    static NURSERY: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let orders = NURSERY.get_or_init(|| {
        let (tx, rx) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in rx {
                reply.send(command.spawn()).ok();
            }
        });
        Mutex::new(tx)
    });
    let (tx, rx) = mpsc::channel();
    orders.lock().unwrap_or_else(PoisonError::into_inner).send((command, tx)).expect("the nursery never ends");
    rx.recv().expect("the nursery answers")
}

/// Sees to it that what lives when the test process exits is ended and its folders removed.
pub(crate) fn at_exit() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: registers a function that may run at any time after this and does not unwind.
        unsafe { libc::atexit(end_all) };
    });
}

extern "C" fn end_all() {
    if let Ok(mut live) = LIVE.lock() {
        for (pid, signal) in live.drain(..) {
            // SAFETY: bare system calls on children of ours that nobody waited for.
            unsafe {
                libc::kill(pid, libc::SIGCONT);
                libc::kill(pid, signal);
                libc::waitpid(pid, std::ptr::null_mut(), 0);
            }
        }
    }
    scratch::remove_all();
}

fn live() -> MutexGuard<'static, Vec<(i32, i32)>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}
