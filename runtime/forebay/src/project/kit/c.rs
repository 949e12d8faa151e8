//! What a project in C has. The SDK is compiled with the handler.

use crate::project::kit::{self, Kit};
use crate::project::template::Template;

/// A handler in C.
pub(super) const KIT: Kit = Kit {
    source: "handler.c",
    test: "make test",
    sdk: "sdk",
    sdk_is: "`forebay.h` and its sources",
    instances: "",
    made: "/target/",
    templates: &[
        Template {
            path: "handler.c",
            purpose: "the handler: a function of one message",
            text: include_str!("../templates/c/handler.c.txt"),
        },
        Template {
            path: "handler_test.c",
            purpose: "its tests",
            text: include_str!("../templates/c/handler_test.c.txt"),
        },
        Template { path: "Makefile", purpose: "runs the tests", text: include_str!("../templates/c/Makefile.txt") },
    ],
    files: |_| kit::as_they_are(FILES),
};

kit::files! {
    "LICENSE" => "sdk/LICENSE",
    "plugins/c/README.md" => "sdk/README.md",
    "plugins/c/forebay.h" => "sdk/forebay.h",
    "plugins/c/guest.c" => "sdk/guest.c",
    "plugins/c/json.c" => "sdk/json.c",
    "plugins/c/layout.h" => "sdk/layout.h",
    "plugins/c/libc.c" => "sdk/libc.c",
    "plugins/c/native.c" => "sdk/native.c",
    "plugins/c/outcome.c" => "sdk/outcome.c",
    "plugins/c/shown.c" => "sdk/shown.c",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_of_the_sdk_is_forgotten() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/c");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let is_taken = FILES.iter().any(|(path, _, _)| *path == format!("plugins/c/{name}"));
            assert!(is_taken || name == "tests", "not in the list: {name}");
        }
    }
}
