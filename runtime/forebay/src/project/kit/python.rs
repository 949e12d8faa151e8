//! What a project in Python has.

use crate::project::kit::{self, Kit};
use crate::project::template::Template;

/// A handler in Python. The SDK is a package in the project's own folder, where Python looks for it by itself.
pub(super) const KIT: Kit = Kit {
    source: "handler.py",
    test: "python3 -m unittest",
    sdk: "forebay_plugin",
    sdk_is: "the package `forebay_plugin`, with the contract",
    instances: kit::REUSED,
    made: "/.venv/\n__pycache__/",
    templates: &[
        Template {
            path: "handler.py",
            purpose: "the handler: a function of one message",
            text: include_str!("../templates/python/handler.py"),
        },
        Template {
            path: "test_handler.py",
            purpose: "its tests",
            text: include_str!("../templates/python/test_handler.py"),
        },
        Template {
            path: "pyproject.toml",
            purpose: "the handler's package",
            text: include_str!("../templates/python/pyproject.toml"),
        },
    ],
    files: |_| kit::as_they_are(FILES),
};

kit::files! {
    "LICENSE" => "forebay_plugin/LICENSE",
    "wit/handler.wit" => "forebay_plugin/wit/handler.wit",
    "plugins/python/README.md" => "forebay_plugin/README.md",
    "plugins/python/forebay_plugin/__init__.py" => "forebay_plugin/__init__.py",
    "plugins/python/forebay_plugin/depth.py" => "forebay_plugin/depth.py",
    "plugins/python/forebay_plugin/failure.py" => "forebay_plugin/failure.py",
    "plugins/python/forebay_plugin/host.py" => "forebay_plugin/host.py",
    "plugins/python/forebay_plugin/log.py" => "forebay_plugin/log.py",
    "plugins/python/forebay_plugin/message.py" => "forebay_plugin/message.py",
    "plugins/python/forebay_plugin/metrics.py" => "forebay_plugin/metrics.py",
    "plugins/python/forebay_plugin/outcome.py" => "forebay_plugin/outcome.py",
    "plugins/python/forebay_plugin/py.typed" => "forebay_plugin/py.typed",
    "plugins/python/forebay_plugin/reading.py" => "forebay_plugin/reading.py",
    "plugins/python/forebay_plugin/value.py" => "forebay_plugin/value.py",
    "plugins/python/forebay_plugin/guest/__init__.py" => "forebay_plugin/guest/__init__.py",
    "plugins/python/forebay_plugin/guest/chance.py" => "forebay_plugin/guest/chance.py",
    "plugins/python/forebay_plugin/guest/clock.py" => "forebay_plugin/guest/clock.py",
    "plugins/python/forebay_plugin/guest/component.py" => "forebay_plugin/guest/component.py",
    "plugins/python/forebay_plugin/guest/serve.py" => "forebay_plugin/guest/serve.py",
    "plugins/python/forebay_plugin/guest/trouble.py" => "forebay_plugin/guest/trouble.py",
    "plugins/python/forebay_plugin/guest/wit.py" => "forebay_plugin/guest/wit.py",
    "plugins/python/forebay_plugin/guest/world.py" => "forebay_plugin/guest/world.py",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_of_the_sdk_is_forgotten() {
        let folders = ["plugins/python/forebay_plugin", "plugins/python/forebay_plugin/guest", "wit"];
        kit::assert_complete(FILES, &folders);
    }
}
