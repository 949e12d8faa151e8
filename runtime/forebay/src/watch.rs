//! Files that a person edits while the process runs.

use std::fs;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often the files are looked at. A change counts once it has stood for that long: a build writes in pieces.
const LOOK: Duration = Duration::from_millis(250);

type Seen = Option<(u64, Option<SystemTime>)>;

/// The files that are watched, as they were last seen.
pub struct Watch {
    files: Vec<(Utf8PathBuf, Seen)>,
    /// A change that has not stood for long yet.
    pending: Option<(usize, Seen)>,
    /// Kept between calls: whoever waits for other things as well gives this one up again and again.
    looks: Interval,
}

impl Watch {
    /// Watches files from how they are now; one that is not there may come.
    pub fn new(files: Vec<Utf8PathBuf>) -> Self {
        let files = files.into_iter().map(|file| (look(&file), file)).map(|(seen, file)| (file, seen)).collect();
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { files, pending: None, looks }
    }

    /// Returns the file that changed, once it did. Cancel-safe: what was seen stays seen, and time goes on.
    pub async fn changed(&mut self) -> Utf8PathBuf {
        loop {
            self.looks.tick().await;
            let now: Vec<Seen> = self.files.iter().map(|(file, _)| look(file)).collect();
            let changed = now.iter().enumerate().find(|(index, seen)| {
                // A file that is gone is being written anew.
                seen.is_some() && self.files.get(*index).is_some_and(|(_, before)| before != *seen)
            });
            let Some((index, seen)) = changed else {
                self.pending = None;
                continue;
            };
            if self.pending.replace((index, *seen)) == Some((index, *seen))
                && let Some((file, before)) = self.files.get_mut(index)
            {
                *before = *seen;
                return file.clone();
            }
        }
    }
}

fn look(file: &Utf8Path) -> Seen {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its loop looks at the lanes more often than files are looked at: each look used to start the wait anew, for ever.
    #[tokio::test]
    async fn a_change_is_seen_by_one_who_waits_for_other_things_as_well() {
        let name = format!("forebay-watch-{}", std::process::id());
        let file = Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap().join(name);
        fs::write(&file, "a").unwrap();
        let mut watch = Watch::new(vec![file.clone()]);
        fs::write(&file, "ab").unwrap();
        let mut other = interval(LOOK / 3);
        let changed = loop {
            tokio::select! {
                changed = watch.changed() => break changed,
                _ = other.tick() => {}
            }
        };
        assert_eq!(changed, file);
        fs::remove_file(&file).unwrap();
    }
}
