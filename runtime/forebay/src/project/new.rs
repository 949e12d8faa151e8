//! `forebay plugin new`: a folder in which everything is there to build a handler and to try it.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::{Error, ErrorKind};
use crate::project::build::Language;
use crate::project::kit;
use crate::project::name::Name;
use crate::project::template::TEMPLATES;

/// A project that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its folder.
    pub folder: Utf8PathBuf,
    /// Its files, and what each is for. The SDK is one entry, with a `/` at its end.
    pub files: Vec<(String, &'static str)>,
}

/// Makes a project in `folder`, which is made, too, or empty.
///
/// # Errors
/// Where the folder has something in it, or can not be written, or where no project of the language is built yet.
pub fn new(name: &Name, language: Language, folder: &Utf8Path) -> Result<Made, Error> {
    let kit = kit::of(language);
    expect_empty(folder)?;
    let mut made = Vec::new();
    for template in kit.templates.iter().chain(TEMPLATES) {
        let (path, text) = template.fill(name, kit);
        write(folder, &path, &text)?;
        made.push((path, template.purpose));
    }
    for (path, text) in (kit.files)(name) {
        write(folder, path, &text)?;
    }
    made.push((format!("{}/", kit.sdk), kit.sdk_is));
    Ok(Made { folder: folder.to_owned(), files: made })
}

/// A repository that was just begun is as good as empty.
fn expect_empty(folder: &Utf8Path) -> Result<(), Error> {
    let entries = match folder.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read the folder", folder, &error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| failed("read the folder", folder, &error))?;
        if entry.file_name() != ".git" {
            let message = format!(
                "the folder `{folder}` is not empty (there is `{}`), and a project is made only in an empty one; choose another: \
                 `--dir DIR`",
                entry.file_name()
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
    }
    Ok(())
}

fn write(folder: &Utf8Path, path: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| failed("make the folder", parent, &error))?;
    }
    fs::write(&path, text).map_err(|error| failed("write", &path, &error))
}

fn failed(act: &str, path: &Utf8Path, error: &io::Error) -> Error {
    let advice = "choose a folder that can be written: `--dir DIR`";
    Error::new(ErrorKind::Config, format!("{act} `{path}`: {error}; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("forebay-new-{}", std::process::id()));
        let folder = Utf8PathBuf::from_path_buf(folder).unwrap();
        let name: Name = "my-app".parse().unwrap();
        fs::create_dir_all(folder.join(".git")).unwrap();
        let made = new(&name, Language::Rust, &folder).unwrap();
        assert!(made.files.iter().all(|(path, _)| folder.join(path).exists()), "{made:?}");
        assert!(folder.join("my-app.jsonl").is_file() && folder.join("sdk/src/lib.rs").is_file());
        fs::write(folder.join("src/lib.rs"), "mine").unwrap();
        let refused = new(&name, Language::Rust, &folder).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.to_string().contains("is not empty"), "{refused}");
        assert_eq!(fs::read_to_string(folder.join("src/lib.rs")).unwrap(), "mine");
        fs::remove_dir_all(&folder).unwrap();
    }
}
