//! The files of a project, with `{{name}}`, `{{table}}` and what its language says to be filled in.

use crate::project::kit::Kit;
use crate::project::name::Name;

/// A file of a project.
pub(super) struct Template {
    /// Its path in the project.
    pub(super) path: &'static str,
    /// What it is for, in a few words.
    pub(super) purpose: &'static str,
    /// What it says.
    pub(super) text: &'static str,
}

/// The files that projects of all languages have.
pub(super) const TEMPLATES: &[Template] = &[
    Template {
        path: "forebay.toml",
        purpose: "the manifest: what is read, what runs, where rows go",
        text: include_str!("templates/common/forebay.toml"),
    },
    Template {
        path: "{{name}}.jsonl",
        purpose: "sample messages: good ones and bad ones",
        text: include_str!("templates/common/samples.jsonl"),
    },
    Template {
        path: "{{name}}.expected.json",
        purpose: "what the handler is to answer to each; see `forebay plugin test`",
        text: include_str!("templates/common/expected.json"),
    },
    Template {
        path: "schema.sql",
        purpose: "the table, for PostgreSQL",
        text: include_str!("templates/common/schema.sql"),
    },
    Template {
        path: "schema.sqlite.sql",
        purpose: "the table, for `forebay dev`",
        text: include_str!("templates/common/schema.sqlite.sql"),
    },
    Template { path: "README.md", purpose: "what to do next", text: include_str!("templates/common/README.md") },
    Template { path: ".gitignore", purpose: "what is built", text: include_str!("templates/common/gitignore.txt") },
];

impl Template {
    /// Returns the path and the text for a project of this name and language.
    pub(super) fn fill(&self, name: &Name, kit: &Kit) -> (String, String) {
        (fill(self.path, name, kit), fill(self.text, name, kit))
    }
}

fn fill(text: &str, name: &Name, kit: &Kit) -> String {
    let table = name.table();
    let values = [
        ("{{name}}", name.as_str()),
        ("{{table}}", &table),
        ("{{source}}", kit.source),
        ("{{test}}", kit.test),
        ("{{sdk}}", kit.sdk),
        ("{{sdk-is}}", kit.sdk_is),
        ("{{instances}}", kit.instances),
        ("{{made}}", kit.made),
    ];
    values.into_iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::project::kit;
    use forebay_core::manifest::{Environment, Origin, parse};

    use forebay_guest_build::Language;

    struct Nothing;

    impl Environment for Nothing {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "DATABASE_URL").then(|| "postgres://localhost/x".to_owned())
        }

        fn file(&self, path: &Path) -> std::io::Result<String> {
            Err(std::io::Error::other(format!("`{}` is not asked for", path.display())))
        }
    }

    fn files_in(name: &str, kit: &Kit) -> Vec<(String, String)> {
        let name: Name = name.parse().unwrap();
        kit.templates.iter().chain(TEMPLATES).map(|template| template.fill(&name, kit)).collect()
    }

    fn files(name: &str) -> Vec<(String, String)> {
        files_in(name, kit::of(Language::Rust))
    }

    /// Whether there is a place such as `{{name}}`. Two braces alone may be anything of a language's own.
    fn has_place(text: &str) -> bool {
        let mut names = text.split("{{").skip(1).filter_map(|after| Some(after.split_once("}}")?.0));
        names.any(|name| !name.is_empty() && name.chars().all(|char| char.is_ascii_lowercase() || char == '-'))
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for kit in Language::ALL.into_iter().map(kit::of) {
            for (path, text) in files_in("my-app", kit) {
                assert!(!has_place(&path) && !has_place(&text), "{path}");
            }
        }
    }

    #[test]
    fn every_project_has_its_languages_mark_and_the_file_that_is_shown() {
        for language in Language::ALL {
            let kit = kit::of(language);
            let files = files_in("my-app", kit);
            for wanted in [language.mark(), kit.source] {
                assert!(files.iter().any(|(path, _)| path == wanted), "{language}: {wanted}");
            }
            let readme = format!("{}/README.md", kit.sdk);
            assert!((kit.files)(&"my-app".parse().unwrap()).iter().any(|(path, _)| *path == readme), "{language}");
        }
    }

    #[test]
    fn the_manifest_is_one_for_every_name() {
        for name in ["my-app", "order", "a1"] {
            let files = files(name);
            let (path, text) = files.iter().find(|(path, _)| path == "forebay.toml").unwrap();
            let manifest = parse(text, &Origin::new(path, Path::new("")), &Nothing).unwrap();
            assert_eq!(manifest.bindings[0].topics, [name.to_owned()]);
        }
    }

    #[test]
    fn both_schemas_have_the_same_columns() {
        let columns = |file: &str| -> Vec<String> {
            let files = files("my-app");
            let (_, text) = files.iter().find(|(path, _)| path == file).unwrap();
            let lines = text.lines().filter(|line| line.starts_with("    "));
            lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
        };
        assert_eq!(columns("schema.sql"), ["id", "title", "amount", "updated_at"]);
        assert_eq!(columns("schema.sql"), columns("schema.sqlite.sql"));
    }
}
