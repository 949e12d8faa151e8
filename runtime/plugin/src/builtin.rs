//! The components that come with forebay: built of `plugins/`, and part of the binary.

use forebay_core::manifest::settings::BuiltIn;

/// Returns a component's bytes.
pub fn bytes(built_in: BuiltIn) -> &'static [u8] {
    match built_in {
        BuiltIn::JsonToRows => include_bytes!("../builtin/json-to-rows.wasm"),
        BuiltIn::Router => include_bytes!("../builtin/router.wasm"),
    }
}
