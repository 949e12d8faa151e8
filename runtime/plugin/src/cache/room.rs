//! How much the compile cache may hold: what was unused for longest goes first.
//!
//! Every process with the same cache makes room in it, without a lock: a file that another one took away is gone as
//! well, and one that another one is just reading stays readable to it.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::debug;

/// The ends of names: an entry, and one that is being written.
pub(super) const ENTRY: &str = "bin";
pub(super) const UNFINISHED: &str = "tmp";
/// When a file that is being written belongs to nobody any more.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// An entry as its folder shows it.
struct Entry {
    path: PathBuf,
    bytes: u64,
    used_at: SystemTime,
}

/// Removes the entries that were unused for longest until all together have at most `bytes_max`, but never `written`; and
/// what was left behind by processes that were killed while they wrote.
pub(super) fn make(folder: &Path, bytes_max: u64, written: &Path, now: SystemTime) -> io::Result<()> {
    let mut entries = Vec::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        // Taken away by another process since.
        let Ok(metadata) = file.metadata() else { continue };
        look(&file, &metadata, now, &mut entries);
    }
    entries.sort_by_key(|entry| (entry.path != written, std::cmp::Reverse(entry.used_at)));
    let mut bytes = 0_u64;
    for entry in entries {
        bytes = bytes.saturating_add(entry.bytes);
        if bytes > bytes_max && entry.path != written {
            remove(&entry.path, "a compile cache entry made room for others");
        }
    }
    Ok(())
}

fn look(file: &DirEntry, metadata: &Metadata, now: SystemTime, entries: &mut Vec<Entry>) {
    let (path, used_at) = (file.path(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
    let Some(end) = path.extension().filter(|_| metadata.is_file()) else { return };
    if end == ENTRY {
        entries.push(Entry { path, bytes: metadata.len(), used_at });
    } else if end == UNFINISHED && now.duration_since(used_at).is_ok_and(|age| age > ABANDONED_AFTER) {
        remove(&path, "an abandoned file of the compile cache is removed");
    }
}

fn remove(path: &Path, what: &str) {
    match fs::remove_file(path) {
        Ok(()) => debug!(path = %path.display(), "{what}"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => debug!(path = %path.display(), %error, "a file of the compile cache can not be removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Folder;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// A folder of files of 100 bytes each, used so many days after the epoch.
    fn folder(files: &[(&str, u32)]) -> Folder {
        let folder = Folder::new();
        for (name, day) in files {
            let path = folder.write(name, &[0; 100]);
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + DAY * *day).unwrap();
        }
        folder
    }

    fn made(folder: &Folder, bytes_max: u64, written: &str) -> Vec<String> {
        make(&folder.0, bytes_max, &folder.0.join(written), SystemTime::UNIX_EPOCH + DAY * 10).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn removes_what_was_unused_for_longest() {
        let folder = folder(&[("a.bin", 3), ("b.bin", 1), ("c.bin", 4), ("d.bin", 2)]);
        assert_eq!(made(&folder, 400, "c.bin"), ["a.bin", "b.bin", "c.bin", "d.bin"]);
        assert_eq!(made(&folder, 399, "c.bin"), ["a.bin", "c.bin", "d.bin"]);
        assert_eq!(made(&folder, 200, "c.bin"), ["a.bin", "c.bin"]);
    }

    #[test]
    fn never_removes_what_was_just_written() {
        let folder = folder(&[("new.bin", 1), ("old.bin", 2)]);
        assert_eq!(made(&folder, 50, "new.bin"), ["new.bin"]);
    }

    #[test]
    fn removes_what_killed_processes_left_and_nothing_that_is_not_its_own() {
        let folder = folder(&[(".1-0.tmp", 8), (".1-1.tmp", 9), ("new.bin", 1), ("notes.txt", 0)]);
        assert_eq!(made(&folder, 50, "new.bin"), [".1-1.tmp", "new.bin", "notes.txt"]);
    }

    #[test]
    fn makes_room_while_others_do() {
        let names: Vec<_> = (0..60).map(|number| (format!("{number:02}.bin"), number)).collect();
        let files: Vec<_> = names.iter().map(|(name, number)| (name.as_str(), *number)).collect();
        let folder = folder(&files);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| made(&folder, 1000, "59.bin"));
            }
        });
        let left: Vec<_> = names.iter().skip(50).map(|(name, _)| name.clone()).collect();
        assert_eq!(made(&folder, 1000, "59.bin"), left);
    }
}
