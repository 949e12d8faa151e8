//! The CPU time of processes, as the kernel counts it.

use std::fs;
use std::process::Command;

use anyhow::Context as _;

/// Ticks of the kernel's clock in a second, as `/proc` counts on every Linux of today.
const TICKS: f64 = 100.0;

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy)]
struct Stat {
    parent: i32,
    own: f64,
    /// Of its children that have ended.
    ended: f64,
}

/// Returns the CPU seconds of a process so far, all its threads together; none where it has ended.
pub(crate) fn seconds(pid: i32) -> Option<f64> {
    Stat::of(pid).map(|stat| stat.own)
}

/// Returns the CPU seconds of a process and of all the children it ever had: a server that forks for each connection.
pub(crate) fn seconds_with_children(pid: i32) -> Option<f64> {
    let server = Stat::of(pid)?;
    let children: f64 = processes().filter_map(Stat::of).filter(|stat| stat.parent == pid).map(|stat| stat.own).sum();
    Some(server.own + server.ended + children)
}

/// Returns the id of this process's child whose command line has that word.
pub(crate) fn child(word: &str) -> Option<i32> {
    let own = i32::try_from(std::process::id()).ok()?;
    let is_called = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
    };
    processes().filter(|pid| Stat::of(*pid).is_some_and(|stat| stat.parent == own)).find(is_called)
}

/// Returns the first two of the cores that this process may run on, or the only one.
pub(crate) fn two_cores() -> anyhow::Result<Vec<u32>> {
    let status = fs::read_to_string("/proc/self/status").context("read which cores there are")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).context("a list of cores")?;
    let mut cores = Vec::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cores.extend(first.parse::<u32>()?..=last.parse::<u32>()?);
    }
    cores.truncate(2);
    Ok(cores)
}

/// Lets a process and its children run on these cores only, and whatever they start from now on.
pub(crate) fn pin(pid: i32, cores: &str) -> anyhow::Result<()> {
    let children = processes().filter(|child| Stat::of(*child).is_some_and(|stat| stat.parent == pid));
    for one in children.chain([pid]) {
        let args = ["--all-tasks", "--cpu-list", "--pid", cores, &one.to_string()];
        let output = Command::new("taskset").args(args).output().context("start `taskset`")?;
        // A child may have ended meanwhile.
        anyhow::ensure!(output.status.success() || one != pid, "`taskset` failed: {output:?}");
    }
    Ok(())
}

/// Lets the calling thread run on these cores only.
pub(crate) fn pin_thread(cores: &str) -> anyhow::Result<()> {
    let own = fs::read_link("/proc/thread-self").context("find the thread's number")?;
    let thread = own.file_name().and_then(|name| name.to_str()).context("a thread has a number")?;
    let args = ["--cpu-list", "--pid", cores, thread];
    let output = Command::new("taskset").args(args).output().context("start `taskset`")?;
    anyhow::ensure!(output.status.success(), "`taskset` failed: {output:?}");
    Ok(())
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything; behind its parenthesis the fields are plain. The parent is the 4th; utime, stime and
        // those of ended children are the 14th to the 17th.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let seconds =
            |fields: &[&str]| fields.iter().filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS;
        let parent = fields.get(1)?.parse().ok()?;
        Some(Self { parent, own: seconds(fields.get(11..13)?), ended: seconds(fields.get(13..15)?) })
    }
}
