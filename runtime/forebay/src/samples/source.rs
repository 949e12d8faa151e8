//! Where lines come from: a file, the one file of samples beside the manifest, or standard input.

use std::fs::File;
use std::io::{Cursor, Read};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::mpsc;

use crate::error::{Error, ErrorKind};
use crate::samples::document;
use crate::samples::line::{self, BadLine, Input};

/// Lines that were read ahead.
const LINES: usize = 256;

/// Partitions of the topics where the lines are not known beforehand.
const PARTITIONS: i32 = 6;

/// The most partitions that a line can ask for.
const PARTITIONS_MAX: i32 = 1000;

/// Where lines come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file.
    File(Utf8PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// Finds what is to be fed to `topic`.
    ///
    /// # Errors
    /// Where it can not be told.
    pub(crate) fn find(asked: Option<&Utf8Path>, manifest: &Utf8Path, topic: &str) -> Result<Self, Error> {
        match asked {
            Some(path) if path == "-" => return Ok(Self::Stdin),
            Some(path) => return Ok(Self::File(path.to_owned())),
            None => {}
        }
        let folder = manifest.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
        let named = folder.join(format!("{topic}.jsonl"));
        if named.is_file() {
            return Ok(Self::File(named));
        }
        let entries = folder.read_dir_utf8().into_iter().flatten().flatten().map(|entry| entry.into_path());
        let mut files: Vec<Utf8PathBuf> = entries.filter(|path| path.extension() == Some("jsonl")).collect();
        files.sort_unstable();
        match files.as_slice() {
            [] => Ok(Self::Stdin),
            [file] => Ok(Self::File(file.clone())),
            files => {
                let names: Vec<&str> = files.iter().filter_map(|file| file.file_name()).collect();
                let message = format!(
                    "`{folder}` has several files of samples ({}), and none is called `{topic}.jsonl`; say which one: `--input \
                     FILE`, or `--input -` for standard input",
                    names.join(", ")
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    /// Returns how it is called.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::File(path) => path.as_str(),
            Self::Stdin => "standard input",
        }
    }

    /// Returns how many partitions the topics need for it: a look through the file.
    ///
    /// # Errors
    /// Where the file can not be read, or a line asks for too many.
    pub(crate) fn partitions(&self) -> Result<i32, Error> {
        let Self::File(path) = self else { return Ok(PARTITIONS) };
        let mut largest = 0;
        line::read(path.as_str(), self.open()?, |input| {
            largest = largest.max(input.ok().and_then(|input| input.partition).unwrap_or_default());
            true
        });
        if largest >= PARTITIONS_MAX {
            let message =
                format!("`{path}` names partition {largest}; the in-process cluster has at most {PARTITIONS_MAX}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(largest + 1)
    }

    /// Starts reading on a thread of its own, which ends with the source or its reader.
    ///
    /// # Errors
    /// Where the file can not be read.
    pub(crate) fn lines(&self) -> Result<mpsc::Receiver<Result<Input, BadLine>>, Error> {
        let source = self.open()?;
        let name = self.name().to_owned();
        let (sender, lines) = mpsc::channel(LINES);
        let read = move || line::read(&name, source, |line| sender.blocking_send(line).is_ok());
        let spawned = std::thread::Builder::new().name("input".to_owned()).spawn(read);
        spawned.map_err(|error| Error::new(ErrorKind::Internal, format!("start a thread: {error}")))?;
        Ok(lines)
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// Where it can not be read.
    pub(crate) fn all(&self) -> Result<Vec<Result<Input, BadLine>>, Error> {
        let mut list = Vec::new();
        line::read(self.name(), self.open()?, |input| {
            list.push(input);
            true
        });
        Ok(list)
    }

    fn open(&self) -> Result<Box<dyn Read + Send>, Error> {
        match self {
            Self::Stdin => Ok(Box::new(std::io::stdin())),
            Self::File(path) => {
                let failed = |error: std::io::Error| {
                    let message = format!("read the input `{path}`: {error}; name another with `--input FILE`");
                    Error::new(ErrorKind::Config, message)
                };
                let file = File::open(path).map_err(failed)?;
                if file.metadata().map_err(failed)?.len() > document::BYTES_MAX {
                    return Ok(Box::new(file));
                }
                let bytes = std::fs::read(path).map_err(failed)?;
                let lines = std::str::from_utf8(&bytes).ok().and_then(document::lines);
                Ok(Box::new(Cursor::new(lines.map_or(bytes, String::into_bytes))))
            }
        }
    }
}
