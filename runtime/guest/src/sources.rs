//! The source files of a package, and the digest by which one plugin's random numbers differ from another's.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// Where the build's own files lie in a package's folder.
pub(crate) const TARGET: &str = "target";

/// The source files of a package, in the order of their paths.
#[derive(Debug)]
pub(crate) struct Sources {
    folder: PathBuf,
    /// The files.
    pub(crate) files: Vec<PathBuf>,
}

impl Sources {
    /// Finds the files whose names are a source's, in the folder and below; nothing in folders that begin with `.` or `_`,
    /// and nothing that was built.
    ///
    /// # Errors
    /// Where a folder can not be read.
    pub(crate) fn of(folder: &Path, is_source: &dyn Fn(&str) -> bool) -> Result<Self, Error> {
        let mut files = Vec::new();
        collect(folder, is_source, &mut files)?;
        files.sort();
        Ok(Self { folder: folder.to_owned(), files })
    }

    /// Returns the digest of all files with their names, in hex digits.
    ///
    /// # Errors
    /// Where a file can not be read.
    pub(crate) fn digest(&self) -> Result<String, Error> {
        let mut hash = Sha256::new();
        for path in &self.files {
            let text = fs::read(path).map_err(|error| Error::File { act: "read", path: path.clone(), error })?;
            let name = path.strip_prefix(&self.folder).unwrap_or(path).to_string_lossy().into_owned();
            hash.update(format!("{name}\0{}\0", text.len()));
            hash.update(text);
        }
        Ok(format!("{:x}", hash.finalize()))
    }
}

fn collect(folder: &Path, is_source: &dyn Fn(&str) -> bool, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |error| Error::File { act: "read the folder", path: folder.to_owned(), error };
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if !name.starts_with(['.', '_']) && name != TARGET && name != "testdata" {
                collect(&path, is_source, files)?;
            }
        } else if is_source(&name) {
            files.push(path);
        }
    }
    Ok(())
}
