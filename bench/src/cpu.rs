//! The CPU time of processes, as the kernel counts it.

use std::fs;

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
