//! From core modules to components, and the check that a component asks for nothing but the contract.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding};
use wit_parser::Resolve;

use crate::error::{ComponentError, Error};
use crate::language::Language;

/// What a component may import: the contract's functions, and the types that they are made of.
const ALLOWED: [&str; 3] =
    ["forebay:handler/types@0.1.0", "forebay:handler/log@0.1.0", "forebay:handler/metrics@0.1.0"];

/// What a component must export.
pub(crate) const HANDLER: &str = "forebay:handler/handler@0.1.0";

/// The contract's world, and the name by which modules ask for WASI.
const WORLD: &str = "pure";
const WASI: &str = "wasi_snapshot_preview1";

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
        let module = read(path, "read the module")?;
        Self::of_bytes(&module).map_err(|error| refused(path, Language::Rust, error))
    }

    /// Makes a component of a core module that a compiler left, whatever language it is of. `contract` is the text of the
    /// contract, for a module that does not carry its component type; `adapter` is a core module that stands where WASI
    /// is asked for.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn of_core(
        path: &Path,
        language: Language,
        contract: Option<&str>,
        adapter: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let mut module = read(path, "read the module")?;
        let fault = |error| refused(path, language, error);
        if let Some(contract) = contract {
            module = embed(module, contract).map_err(fault)?;
        }
        let Some(adapter) = adapter else { return Self::of_bytes(&module).map_err(fault) };
        let encoder = ComponentEncoder::default().module(&module).map(|encoder| encoder.validate(true));
        let encoder = encoder.and_then(|encoder| encoder.adapter(WASI, adapter));
        let bytes = encoder.and_then(|mut encoder| encoder.encode());
        let bytes = bytes.map_err(|error| fault(ComponentError::Encode(format!("{error:#}"))))?;
        Self::of_encoded(bytes).map_err(fault)
    }

    /// Takes a component that a language's own tool made.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn of_component(path: &Path, language: Language) -> Result<Self, Error> {
        let bytes = read(path, "read the component")?;
        Self::of_encoded(bytes).map_err(|error| refused(path, language, error))
    }

    fn of_bytes(module: &[u8]) -> Result<Self, ComponentError> {
        match encode(module) {
            Ok(bytes) => Self::of_encoded(bytes),
            // What is missing from the contract is named before what that makes of the whole.
            Err(error) => {
                let imports = foreign_of_module(module);
                Err(if imports.is_empty() { error } else { ComponentError::Imports { imports } })
            }
        }
    }

    fn of_encoded(bytes: Vec<u8>) -> Result<Self, ComponentError> {
        let (imports, exports) = names(&bytes)?;
        let foreign = imports.iter().filter(|name| !is_allowed(name));
        let imports: Vec<String> = foreign.map(|name| format!("`{name}`")).collect();
        if !imports.is_empty() {
            return Err(ComponentError::Imports { imports });
        }
        if !exports.iter().any(|name| name == HANDLER) {
            return Err(ComponentError::NoHandler);
        }
        Ok(Self { bytes })
    }

    /// Notes the language of its source where tools do: an interpreter's component says otherwise only what the interpreter is
    /// written in.
    pub(crate) fn signed(mut self, language: Language) -> Self {
        let signature = signature(&language.to_string());
        // What was signed already and not built anew stays as it is.
        if !self.bytes.ends_with(&signature) {
            self.bytes.extend(signature);
        }
        self
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

/// Returns a section `producers` with one field, `language`, of one value without a version. All lengths are below 128 and take
/// one byte.
pub(crate) fn signature(language: &str) -> Vec<u8> {
    fn name(bytes: &mut Vec<u8>, text: &str) {
        bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        bytes.extend(text.as_bytes());
    }
    let mut content = Vec::new();
    name(&mut content, "producers");
    content.push(1);
    name(&mut content, "language");
    content.push(1);
    name(&mut content, language);
    name(&mut content, "");
    let mut section = vec![0];
    section.push(u8::try_from(content.len()).unwrap_or(u8::MAX));
    section.extend(content);
    section
}

/// Returns whether a handler may have what is called so.
pub(crate) fn is_allowed(import: &str) -> bool {
    ALLOWED.contains(&import)
}

fn read(path: &Path, act: &'static str) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::File { act, path: path.to_owned(), error })
}

fn refused(path: &Path, language: Language, error: ComponentError) -> Error {
    Error::Component { module: path.to_owned(), language, error }
}

/// Puts the component type of the contract's world into a core module.
fn embed(mut module: Vec<u8>, contract: &str) -> Result<Vec<u8>, ComponentError> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("handler.wit", contract);
    let world = package.and_then(|package| resolve.select_world(&[package], Some(WORLD)));
    let embedded = world
        .and_then(|world| wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8));
    embedded.map(|()| module).map_err(|error| ComponentError::Encode(format!("{error:#}")))
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
pub(crate) fn names(component: &[u8]) -> Result<(Vec<String>, Vec<String>), ComponentError> {
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
    use wit_parser::{LiftLowerAbi, ManglingAndAbi};

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
        let whole = super::refused(Path::new("a.wasm"), Language::Rust, ComponentError::NoHandler).to_string();
        assert!(whole.contains("forebay_plugin::handler!("), "{whole}");
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
