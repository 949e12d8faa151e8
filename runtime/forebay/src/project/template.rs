//! The files of a project, with `{{name}}` and `{{table}}` to be filled in.

use crate::project::name::Name;

/// A file of a project.
pub(super) struct Template {
    /// Its path in the project.
    pub(super) path: &'static str,
    /// What it is for, in a few words.
    pub(super) purpose: &'static str,
    text: &'static str,
}

/// All files but those of the SDK.
pub(super) const TEMPLATES: &[Template] = &[
    Template {
        path: "src/lib.rs",
        purpose: "the handler: a function of one message, with its tests",
        text: include_str!("templates/lib.rs"),
    },
    Template {
        path: "forebay.toml",
        purpose: "the manifest: what is read, what runs, where rows go",
        text: include_str!("templates/forebay.toml"),
    },
    Template {
        path: "{{name}}.jsonl",
        purpose: "sample messages: good ones and bad ones",
        text: include_str!("templates/samples.jsonl"),
    },
    Template { path: "schema.sql", purpose: "the table, for PostgreSQL", text: include_str!("templates/schema.sql") },
    Template {
        path: "schema.sqlite.sql",
        purpose: "the table, for `forebay dev`",
        text: include_str!("templates/schema.sqlite.sql"),
    },
    Template { path: "README.md", purpose: "what to do next", text: include_str!("templates/README.md") },
    Template { path: "Cargo.toml", purpose: "the handler's package", text: include_str!("templates/Cargo.toml") },
    Template { path: ".gitignore", purpose: "what is built", text: include_str!("templates/gitignore.txt") },
];

impl Template {
    /// Returns the path and the text for a project of this name.
    pub(super) fn fill(&self, name: &Name) -> (String, String) {
        (fill(self.path, name), fill(self.text, name))
    }
}

fn fill(text: &str, name: &Name) -> String {
    text.replace("{{name}}", name.as_str()).replace("{{table}}", &name.table())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use forebay_core::manifest::{Environment, Origin, parse};

    struct Nothing;

    impl Environment for Nothing {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "DATABASE_URL").then(|| "postgres://localhost/x".to_owned())
        }

        fn file(&self, path: &Path) -> std::io::Result<String> {
            Err(std::io::Error::other(format!("`{}` is not asked for", path.display())))
        }
    }

    fn files(name: &str) -> Vec<(String, String)> {
        let name: Name = name.parse().unwrap();
        TEMPLATES.iter().map(|template| template.fill(&name)).collect()
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for (path, text) in files("my-app") {
            assert!(!path.contains("{{") && !text.contains("{{n") && !text.contains("{{t"), "{path}");
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
