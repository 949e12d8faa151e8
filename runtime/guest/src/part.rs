//! What is to be built: a manifest says which components there are, and the folder of each has the package that makes it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::language::Language;

const MANIFEST: &str = "forebay.toml";

/// A component and the package that makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The plugin's name in the manifest; `None` where no manifest names it.
    pub plugin: Option<String>,
    /// What the package is written in.
    pub language: Language,
    /// The package's folder.
    pub package: PathBuf,
    /// The component's file; beside the package and called like it if `None`.
    pub component: Option<PathBuf>,
}

impl Part {
    /// Returns all that is to be built for a folder: of a project, or of one plugin.
    ///
    /// # Errors
    /// Where there is nothing to build, or the manifest can not be read.
    pub fn of_folder(folder: &Path) -> Result<Vec<Self>, Error> {
        let file = |error| Error::File { act: "find the folder", path: folder.to_owned(), error };
        // A manifest may be named as well.
        let folder = if folder.is_file() { folder.parent().unwrap_or(folder) } else { folder };
        let folder = folder.canonicalize().map_err(file)?;
        let manifest = folder.join(MANIFEST);
        if manifest.is_file() {
            let parts = Self::of_manifest(&manifest)?;
            if !parts.is_empty() {
                return Ok(parts);
            }
        }
        let Some(language) = Language::of_folder(&folder) else { return Err(Error::Nothing { folder }) };
        // A plugin's own folder: the nearest manifest above says what its component is called.
        if let Some(manifest) = folder.ancestors().skip(1).map(|above| above.join(MANIFEST)).find(|path| path.is_file())
        {
            let mut parts = Self::of_manifest(&manifest)?;
            parts.retain(|part| part.package == folder);
            if !parts.is_empty() {
                return Ok(parts);
            }
        }
        Ok(vec![Self { plugin: None, language, package: folder, component: None }])
    }

    /// Returns the components that a manifest names and that lie beside a package.
    ///
    /// # Errors
    /// Where the manifest can not be read.
    pub fn of_manifest(manifest: &Path) -> Result<Vec<Self>, Error> {
        let text = fs::read_to_string(manifest).map_err(|error| Error::File {
            act: "read the manifest",
            path: manifest.to_owned(),
            error,
        })?;
        let table: toml::Table = toml::from_str(&text)
            .map_err(|error| Error::Manifest { path: manifest.to_owned(), reason: error.to_string() })?;
        let folder = manifest.parent().unwrap_or(manifest);
        let mut parts: Vec<Self> = Vec::new();
        for (name, plugin) in table.get("plugins").and_then(toml::Value::as_table).into_iter().flatten() {
            let component = plugin.get("component").and_then(toml::Value::as_str);
            let Some(component) = component.filter(|path| !path.starts_with("builtin:")) else { continue };
            let component = folder.join(component);
            let package = component.parent().and_then(|package| Some((package, Language::of_folder(package)?)));
            let Some((package, language)) = package else { continue };
            // A component that two plugins share is built once.
            if !parts.iter().any(|part| part.component.as_ref() == Some(&component)) {
                let package = package.canonicalize().unwrap_or_else(|_| package.to_owned());
                parts.push(Self { plugin: Some(name.clone()), language, package, component: Some(component) });
            }
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder of its own, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(files: &[(&str, &str)]) -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("forebay-part-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let folder = std::env::temp_dir().join(name);
            for (path, text) in files {
                let path = folder.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(folder.canonicalize().unwrap())
        }

        fn part(&self, plugin: &str, package: &str, component: &str) -> Part {
            let package = self.0.join(package).canonicalize().unwrap();
            let language = Language::of_folder(&package).unwrap();
            Part { plugin: Some(plugin.to_owned()), language, package, component: Some(self.0.join(component)) }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    const TWO: &str = r#"
[plugins.a]
component = "a/a.wasm"
[plugins.b]
component = "b.wasm"
[plugins.again]
component = "a/a.wasm"
[plugins.bought]
component = "bought/c.wasm"
[plugins.own]
component = "builtin:x"
"#;

    #[test]
    fn a_projects_folder_has_all_components_that_lie_beside_a_package() {
        let folder = Folder::new(&[("forebay.toml", TWO), ("a/Cargo.toml", ""), ("Cargo.toml", ""), ("bought/x", "")]);
        let all = [folder.part("a", "a", "a/a.wasm"), folder.part("b", "", "b.wasm")];
        assert_eq!(Part::of_folder(&folder.0).unwrap(), all);
        assert_eq!(Part::of_folder(&folder.0.join("forebay.toml")).unwrap(), all);
    }

    #[test]
    fn a_plugins_own_folder_has_what_the_manifest_above_says() {
        let folder = Folder::new(&[("forebay.toml", TWO), ("a/Cargo.toml", ""), ("other/Cargo.toml", "")]);
        assert_eq!(Part::of_folder(&folder.0.join("a")).unwrap(), [folder.part("a", "a", "a/a.wasm")]);
        let other = folder.0.join("other");
        let expected = Part { plugin: None, language: Language::Rust, package: other.clone(), component: None };
        assert_eq!(Part::of_folder(&other).unwrap(), [expected]);
    }

    #[test]
    fn a_package_may_be_of_any_language() {
        for language in Language::ALL {
            let folder = Folder::new(&[("forebay.toml", TWO), (&format!("a/{}", language.mark()), "")]);
            let parts = Part::of_folder(&folder.0).unwrap();
            assert_eq!((parts.len(), parts[0].language), (1, language));
        }
    }

    #[test]
    fn a_folder_without_either_is_refused_with_what_to_do() {
        let folder = Folder::new(&[("forebay.toml", "[plugins.a]\ncomponent = \"gone/a.wasm\""), ("x/y", "")]);
        for path in [folder.0.clone(), folder.0.join("x")] {
            let refused = Part::of_folder(&path).unwrap_err().to_string();
            assert!(refused.starts_with("nothing to build in `") && refused.contains("plugin new NAME"), "{refused}");
        }
        let refused = Part::of_folder(&folder.0.join("gone")).unwrap_err().to_string();
        assert!(refused.contains("gone`: No such file"), "{refused}");
        fs::write(folder.0.join("forebay.toml"), "a b").unwrap();
        assert!(Part::of_folder(&folder.0).unwrap_err().to_string().contains("forebay check"));
    }
}
