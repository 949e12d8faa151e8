//! From core modules to components, and the check that a component asks for nothing but the contract.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::error::{ComponentError, Error};

/// What a component may import: the contract's functions, and the types that they are made of.
const ALLOWED: [&str; 3] =
    ["forebay:handler/types@0.1.0", "forebay:handler/log@0.1.0", "forebay:handler/metrics@0.1.0"];

/// What a component must export.
pub(crate) const HANDLER: &str = "forebay:handler/handler@0.1.0";

/// A handler's component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    bytes: Vec<u8>,
}

impl Component {
    /// Makes a component of a core module that carries its component type, as bindings generators leave it.
    ///
    /// # Errors
    /// Where it is no such module, imports what a handler may not have, or has no handler inside.
    pub fn of_module(path: &Path) -> Result<Self, Error> {
        let module =
            fs::read(path).map_err(|error| Error::File { act: "read the module", path: path.to_owned(), error })?;
        Self::of_bytes(&module).map_err(|error| Error::Component { module: path.to_owned(), error })
    }

    fn of_bytes(module: &[u8]) -> Result<Self, ComponentError> {
        let bytes = match encode(module) {
            Ok(bytes) => bytes,
            // What is missing from the contract is named before what that makes of the whole.
            Err(error) => {
                let imports = foreign_of_module(module);
                return Err(if imports.is_empty() { error } else { ComponentError::Imports { imports } });
            }
        };
        let (imports, exports) = names(&bytes)?;
        let foreign = imports.iter().filter(|name| !ALLOWED.contains(&name.as_str()));
        let imports: Vec<String> = foreign.map(|name| format!("`{name}`")).collect();
        if !imports.is_empty() {
            return Err(ComponentError::Imports { imports });
        }
        if !exports.iter().any(|name| name == HANDLER) {
            return Err(ComponentError::NoHandler);
        }
        Ok(Self { bytes })
    }

    /// Returns the component itself.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns its digest: `sha256:` and 64 hex digits.
    pub fn digest(&self) -> String {
        format!("sha256:{:x}", Sha256::digest(&self.bytes))
    }
}

/// Makes a component of a core module that carries its component type, whatever it imports and exports.
///
/// # Errors
/// Where it is no such module.
pub fn encode(module: &[u8]) -> Result<Vec<u8>, ComponentError> {
    let encoder = ComponentEncoder::default().module(module).map(|encoder| encoder.validate(true));
    encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| ComponentError::Encode(format!("{error:#}")))
}

/// Writes a file whole or not at all, unless the very same bytes are there. Returns whether it changed.
///
/// # Errors
/// Where it can not be written.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(false);
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let moved = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    moved.map(|()| true).map_err(|error: io::Error| {
        // What is left of it is of no use; the error that is told is the first one.
        fs::remove_file(&unfinished).ok();
        Error::File { act: "write", path: path.to_owned(), error }
    })
}

/// Returns what a component imports, and what it exports.
fn names(component: &[u8]) -> Result<(Vec<String>, Vec<String>), ComponentError> {
    let decoded = wit_component::decode(component).map_err(|error| ComponentError::Encode(format!("{error:#}")))?;
    let world = match &decoded {
        DecodedWasm::Component(resolve, world) => resolve.worlds.get(*world).map(|world| (resolve, world)),
        DecodedWasm::WitPackage(..) => None,
    };
    let Some((resolve, world)) = world else {
        return Err(ComponentError::Encode("it is a package of types".to_owned()));
    };
    let imports = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    Ok((imports, world.exports.keys().map(|key| resolve.name_world_key(key)).collect()))
}

/// Returns what a core module imports and no contract offers, as `MODULE::NAME`.
fn foreign_of_module(module: &[u8]) -> Vec<String> {
    let mut foreign: Vec<String> = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Ok(Payload::ImportSection(section)) = payload else { continue };
        for import in section.into_imports().flatten() {
            if !ALLOWED.contains(&import.module) {
                foreign.push(format!("`{}::{}`", import.module, import.name));
            }
        }
    }
    foreign
}

#[cfg(test)]
mod tests {
    use wit_component::StringEncoding;
    use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

    use super::*;

    /// A module of a world in this package, every function of which traps.
    fn module(world: &str) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/handler.wit");
        resolve.push_file(contract).unwrap();
        let text = format!("package test:guest; interface clock {{ now: func() -> u64; }} world guest {{ {world} }}");
        let package = resolve.push_str("guest.wit", &text).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let mut module = wit_component::dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    fn refusal(module: &[u8]) -> String {
        Component::of_bytes(module).unwrap_err().to_string()
    }

    const PURE: &str = "import forebay:handler/log@0.1.0; export forebay:handler/handler@0.1.0;";

    #[test]
    fn a_handler_becomes_a_component_with_a_digest() {
        let component = Component::of_bytes(&module(PURE)).unwrap();
        assert!(component.bytes().starts_with(b"\0asm\x0d\0\x01\0"));
        let digest = component.digest();
        assert_eq!(digest.strip_prefix("sha256:").map(str::len), Some(64), "{digest}");
        assert_eq!(digest, Component::of_bytes(&module(PURE)).unwrap().digest());
    }

    #[test]
    fn what_it_imports_besides_the_contract_is_named() {
        let refused = refusal(&module(&format!("import clock; {PURE}")));
        assert!(
            refused.starts_with("imports `test:guest/clock`: a handler may import log and metrics only"),
            "{refused}"
        );
        assert!(foreign_of_module(&module(PURE)).is_empty());
        // As a library leaves it that expects another host: `(import "env" "f" (func))`.
        let foreign = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x09\x01\x03env\x01f\0\0";
        assert!(refusal(foreign).starts_with("imports `env::f`: a handler may"), "{}", refusal(foreign));
    }

    #[test]
    fn without_a_handler_inside_it_says_what_is_missing() {
        let refused = refusal(&module("import forebay:handler/log@0.1.0;"));
        assert!(refused.contains("exports no `forebay:handler/handler@0.1.0`"), "{refused}");
        assert!(refused.contains("forebay_plugin::handler!("), "{refused}");
        assert!(refusal(b"no module").starts_with("can not be made a component"));
    }

    #[test]
    fn a_file_is_replaced_only_by_other_bytes() {
        let folder = std::env::temp_dir().join(format!("forebay-guest-build-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.wasm");
        assert_eq!(
            [replace(&path, b"1").unwrap(), replace(&path, b"1").unwrap(), replace(&path, b"2").unwrap()],
            [true, false, true]
        );
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        let refused = replace(&folder.join("gone/a.wasm"), b"1").unwrap_err().to_string();
        assert!(refused.starts_with("write `") && refused.contains("No such file"), "{refused}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
