//! What a project in JavaScript has.

use crate::project::kit::{self, Kit};
use crate::project::template::Template;

/// A handler in JavaScript.
pub(super) const KIT: Kit = Kit {
    source: "handler.js",
    test: "npm test",
    sdk: "sdk",
    sdk_is: "the package `forebay-plugin`, with the contract",
    instances: kit::REUSED,
    made: "/node_modules/",
    templates: &[
        Template {
            path: "handler.js",
            purpose: "the handler: a function of one message",
            text: include_str!("../templates/js/handler.js"),
        },
        Template {
            path: "handler.test.js",
            purpose: "its tests",
            text: include_str!("../templates/js/handler.test.js"),
        },
        Template {
            path: "package.json",
            purpose: "the handler's package",
            text: include_str!("../templates/js/package.json"),
        },
    ],
    files: |_| kit::as_they_are(FILES),
};

kit::files! {
    "LICENSE" => "sdk/LICENSE",
    "wit/handler.wit" => "sdk/wit/handler.wit",
    "plugins/js/README.md" => "sdk/README.md",
    "plugins/js/package.json" => "sdk/package.json",
    "plugins/js/index.js" => "sdk/index.js",
    "plugins/js/index.d.ts" => "sdk/index.d.ts",
    "plugins/js/src/depth.js" => "sdk/src/depth.js",
    "plugins/js/src/failure.js" => "sdk/src/failure.js",
    "plugins/js/src/handler.js" => "sdk/src/handler.js",
    "plugins/js/src/host.js" => "sdk/src/host.js",
    "plugins/js/src/json.js" => "sdk/src/json.js",
    "plugins/js/src/message.js" => "sdk/src/message.js",
    "plugins/js/src/outcome.js" => "sdk/src/outcome.js",
    "plugins/js/src/utf8.js" => "sdk/src/utf8.js",
    "plugins/js/src/value.js" => "sdk/src/value.js",
    "plugins/js/guest/clock.js" => "sdk/guest/clock.js",
    "plugins/js/guest/random.js" => "sdk/guest/random.js",
    "plugins/js/guest/serve.js" => "sdk/guest/serve.js",
    "plugins/js/guest/stack.js" => "sdk/guest/stack.js",
    "plugins/js/guest/world.js" => "sdk/guest/world.js",
    "plugins/js/build/lines.js" => "sdk/build/lines.js",
    "plugins/js/build/main.js" => "sdk/build/main.js",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_of_the_sdk_is_forgotten() {
        kit::assert_complete(FILES, &["plugins/js/src", "plugins/js/guest", "plugins/js/build", "wit"]);
    }
}
