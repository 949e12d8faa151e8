//! Files that a person edits while `forebay dev` runs.

use std::fs;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};

/// How often the files are looked at. A change counts once it has stood for that long: a build writes in pieces.
const LOOK: Duration = Duration::from_millis(250);

type Seen = Option<(u64, Option<SystemTime>)>;

/// The files that are watched, as they were last seen.
pub(super) struct Watch {
    files: Vec<(Utf8PathBuf, Seen)>,
}

impl Watch {
    /// Watches files from how they are now; one that is not there may come.
    pub(super) fn new(files: Vec<Utf8PathBuf>) -> Self {
        let files = files.into_iter().map(|file| (look(&file), file)).map(|(seen, file)| (file, seen)).collect();
        Self { files }
    }

    /// Returns the file that changed, once it did. Cancel-safe: what was seen stays seen.
    pub(super) async fn changed(&mut self) -> Utf8PathBuf {
        let mut pending: Option<(usize, Seen)> = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let now: Vec<Seen> = self.files.iter().map(|(file, _)| look(file)).collect();
            let changed = now.iter().enumerate().find(|(index, seen)| {
                // A file that is gone is being written anew.
                seen.is_some() && self.files.get(*index).is_some_and(|(_, before)| before != *seen)
            });
            let Some((index, seen)) = changed else {
                pending = None;
                continue;
            };
            if pending == Some((index, *seen))
                && let Some((file, before)) = self.files.get_mut(index)
            {
                *before = *seen;
                return file.clone();
            }
            pending = Some((index, *seen));
        }
    }
}

fn look(file: &Utf8Path) -> Seen {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}
