//! What people read when their manifest is wrong: each `NAME.toml` in `tests/goldens/manifest` with the errors it gives in
//! `NAME.err`, or with the settings it means in `NAME.settings`. `BLESS=1` writes them anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use forebay_core::manifest::{Environment, Origin, parse};

/// What must never be printed.
const SECRETS: [&str; 2] = ["hunter2", "s3cret"];

/// An environment in which two references can be resolved, both to secrets.
struct Fixed;

impl Environment for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "DATABASE_URL").then(|| "postgres://forebay:hunter2@db/orders".to_owned())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("/run/secrets/token") => Ok("s3cret\n".to_owned()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }
}

#[test]
fn says_what_is_wrong_and_where_and_what_to_do() {
    let is_blessing = std::env::var_os("BLESS").is_some();
    let (mut seen, mut differing) = (BTreeSet::new(), Vec::new());
    for manifest in files("toml").unwrap() {
        let (kind, printed) = printed(&manifest).unwrap();
        assert!(!SECRETS.iter().any(|secret| printed.contains(secret)), "{}: a secret is shown", manifest.display());
        let golden = manifest.with_extension(kind);
        if is_blessing {
            fs::write(&golden, &printed).unwrap();
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(&printed) {
            differing.push(format!("{}:\n{printed}", golden.display()));
        }
        seen.insert(golden);
    }
    assert!(differing.is_empty(), "BLESS=1 writes these anew:\n{}", differing.join("\n"));
    let stale: Vec<PathBuf> = files("err")
        .unwrap()
        .into_iter()
        .chain(files("settings").unwrap())
        .filter(|file| !seen.contains(file))
        .collect();
    assert!(stale.is_empty(), "no manifest gives these any more: {stale:?}");
    assert!(seen.len() > 25);
}

/// Returns the golden's extension and its text.
fn printed(manifest: &Path) -> io::Result<(&'static str, String)> {
    let text = fs::read_to_string(manifest)?;
    let origin = Origin::new("forebay.toml", "/etc/forebay");
    Ok(match parse(&text, &origin, &Fixed) {
        Ok(settings) => ("settings", format!("{settings:#?}\n")),
        Err(errors) => ("err", format!("{errors}\n")),
    })
}

fn files(extension: &str) -> io::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/manifest");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
