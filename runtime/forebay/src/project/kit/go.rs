//! What a project in Go has. The SDK is a module without a place in the network: go.mod says that it lies beside it.

use crate::project::kit::{self, Kit};
use crate::project::template::Template;

/// A handler in Go.
pub(super) const KIT: Kit = Kit {
    source: "handler.go",
    test: "go test",
    sdk: "sdk",
    sdk_is: "the Go module `forebay`",
    instances: kit::REUSED,
    made: "/target/",
    templates: &[
        Template {
            path: "handler.go",
            purpose: "the handler: a function of one message",
            text: include_str!("../templates/go/handler.go.txt"),
        },
        Template {
            path: "handler_test.go",
            purpose: "its tests",
            text: include_str!("../templates/go/handler_test.go.txt"),
        },
        Template { path: "go.mod", purpose: "the handler's module", text: include_str!("../templates/go/go.mod.txt") },
    ],
    files: |_| kit::as_they_are(FILES),
};

kit::files! {
    "LICENSE" => "sdk/LICENSE",
    "plugins/go/README.md" => "sdk/README.md",
    "plugins/go/go.mod" => "sdk/go.mod",
    "plugins/go/decimal.go" => "sdk/decimal.go",
    "plugins/go/decode.go" => "sdk/decode.go",
    "plugins/go/failure.go" => "sdk/failure.go",
    "plugins/go/forebay.go" => "sdk/forebay.go",
    "plugins/go/guest_wasip1.go" => "sdk/guest_wasip1.go",
    "plugins/go/host_native.go" => "sdk/host_native.go",
    "plugins/go/host_wasip1.go" => "sdk/host_wasip1.go",
    "plugins/go/json.go" => "sdk/json.go",
    "plugins/go/layout_wasip1.go" => "sdk/layout_wasip1.go",
    "plugins/go/lift_wasip1.go" => "sdk/lift_wasip1.go",
    "plugins/go/log.go" => "sdk/log.go",
    "plugins/go/lower_wasip1.go" => "sdk/lower_wasip1.go",
    "plugins/go/message.go" => "sdk/message.go",
    "plugins/go/notice.go" => "sdk/notice.go",
    "plugins/go/outcome.go" => "sdk/outcome.go",
    "plugins/go/row.go" => "sdk/row.go",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_of_the_sdk_is_forgotten() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/go");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let is_taken = FILES.iter().any(|(path, _, _)| *path == format!("plugins/go/{name}"));
            assert!(is_taken || name.ends_with("_test.go"), "not in the list: {name}");
        }
    }
}
