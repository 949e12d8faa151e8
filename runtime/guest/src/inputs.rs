//! A digest of all that goes into a component, for tools that make other bytes of the same source each time.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::Error;

/// Returns the digest of all files below the folders: their paths and what is in them. What is hidden, what Python keeps for
/// itself, and components are no inputs.
///
/// # Errors
/// Where a file can not be read.
pub(crate) fn digest(folders: &[&Path]) -> Result<String, Error> {
    let mut hash = Sha256::new();
    for folder in folders {
        let mut paths = Vec::new();
        collect(folder, &mut paths)?;
        paths.sort_unstable();
        for path in paths {
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            let failed = |error| Error::File { act: "read", path: path.clone(), error };
            let length = fs::metadata(&path).map_err(failed)?.len();
            // With their lengths, no two lists of files are one text.
            hash.update(format!("{}:{name}{length}:", name.len()));
            io::copy(&mut File::open(&path).map_err(failed)?, &mut hash).map_err(failed)?;
        }
    }
    Ok(format!("{:x}", hash.finalize()))
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |error| Error::File { act: "read the folder", path: folder.to_owned(), error };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name == "__pycache__" || name.ends_with(".wasm") {
            continue;
        }
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_goes_into_the_component_changes_the_digest() {
        let folder = std::env::temp_dir().join(format!("forebay-inputs-{}", std::process::id()));
        fs::create_dir_all(folder.join("rules/__pycache__")).unwrap();
        let write = |path: &str, text: &str| fs::write(folder.join(path), text).unwrap();
        let digest = || digest(&[&folder]).unwrap();
        write("handler.py", "1");
        let first = digest();
        for path in ["a.wasm", ".hidden", "rules/__pycache__/a.pyc"] {
            write(path, "x");
        }
        assert_eq!(digest(), first);
        write("rules/tax.py", "");
        let second = digest();
        write("handler.py", "2");
        assert!(first != second && second != digest());
        fs::remove_dir_all(&folder).unwrap();
    }
}
