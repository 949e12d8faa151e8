//! What a file that may be a handler's component says of itself. Nothing in it is run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use wasmparser::{Encoding, KnownCustom, Parser, Payload};

use crate::component::{self, HANDLER};
use crate::error::Error;

/// The world of a handler, with its version.
const WORLD: &str = "forebay:handler/pure@0.1.0";

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its size in bytes.
    pub size: usize,
    /// Its digest: `sha256:` and 64 hex digits.
    pub digest: String,
    /// What its source is written in, as far as it says so.
    pub language: Option<String>,
    /// The tools that made it, as they name themselves.
    pub tools: Vec<String>,
    /// The world that it is of; `None` if it is no handler.
    pub world: Option<&'static str>,
    /// What it asks for.
    pub imports: Vec<String>,
    /// What it offers.
    pub exports: Vec<String>,
    /// Why it is refused; nothing if it is a handler that asks for no more than it may.
    pub refusals: Vec<String>,
}

impl Facts {
    /// Looks into a file.
    ///
    /// # Errors
    /// Where it can not be read.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let bytes =
            fs::read(path).map_err(|error| Error::File { act: "read the component", path: path.to_owned(), error })?;
        Ok(Self::of_bytes(&bytes))
    }

    /// Looks at what a file could hold.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut facts = Self {
            size: bytes.len(),
            digest: format!("sha256:{:x}", Sha256::digest(bytes)),
            language: None,
            tools: Vec::new(),
            world: None,
            imports: Vec::new(),
            exports: Vec::new(),
            refusals: Vec::new(),
        };
        if let Some(refusal) = not_a_component(bytes) {
            facts.refusals.push(refusal.to_owned());
            return facts;
        }
        facts.tools = tools(bytes).into_iter().collect();
        facts.language = language(bytes, &facts.tools);
        match component::names(bytes) {
            Ok((imports, exports)) => (facts.imports, facts.exports) = (imports, exports),
            Err(error) => {
                facts.refusals.push(error.to_string());
                return facts;
            }
        }
        for name in facts.imports.iter().filter(|name| !component::is_allowed(name)) {
            facts.refusals.push(refusal_of_import(name));
        }
        match facts.exports.iter().any(|name| name == HANDLER) {
            true => facts.world = Some(WORLD),
            false => facts.refusals.push(format!(
                "it exports no `{HANDLER}`: it is no handler, or one of another version of the contract; build it with an SDK of \
                 this version"
            )),
        }
        facts
    }
}

fn not_a_component(bytes: &[u8]) -> Option<&'static str> {
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => None,
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => {
            Some("it is a core module, not a component; `forebay plugin build` makes a component of a project")
        }
        _ => Some("it is no WebAssembly"),
    }
}

fn refusal_of_import(name: &str) -> String {
    let advice = if name.starts_with("wasi:") {
        "a handler has no WASI: it sees one message and has no clock, files or network; `forebay plugin build` makes components \
         without"
    } else {
        "a handler may import log and metrics only"
    };
    format!("it imports `{name}`: {advice}")
}

/// The component's own section `producers` says it, or the bindings of Rust do.
fn language(bytes: &[u8], tools: &[String]) -> Option<String> {
    let mut depth = 0_usize;
    let mut found = None;
    for payload in Parser::new(0).parse_all(bytes).flatten() {
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 1 => {
                let KnownCustom::Producers(fields) = section.as_known() else { continue };
                let own = fields.into_iter().flatten().filter(|field| field.name == "language");
                found =
                    own.flat_map(|field| field.values).flatten().map(|value| value.name.to_owned()).last().or(found);
            }
            _ => {}
        }
    }
    found.or_else(|| tools.iter().any(|tool| tool.starts_with("wit-bindgen-rust")).then(|| "Rust".to_owned()))
}

/// What compilers and tools wrote into the section `producers` of any module inside.
fn tools(bytes: &[u8]) -> BTreeSet<String> {
    let mut tools = BTreeSet::new();
    for payload in Parser::new(0).parse_all(bytes).flatten() {
        let Payload::CustomSection(section) = payload else { continue };
        let KnownCustom::Producers(fields) = section.as_known() else { continue };
        // What it is written in is told by itself, and some compilers name it and some do not.
        for field in fields.into_iter().flatten().filter(|field| field.name != "language") {
            let shown = |name: &str, version: &str| format!("{name} {version}").trim_end().to_owned();
            tools.extend(field.values.into_iter().flatten().map(|value| shown(value.name, value.version)));
        }
    }
    tools
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_says_what_it_is() {
        let module = Facts::of_bytes(b"\0asm\x01\0\0\0");
        assert!(module.refusals[0].starts_with("it is a core module"), "{module:?}");
        let text = Facts::of_bytes(b"This is a text.");
        assert_eq!((text.refusals, text.size), (vec!["it is no WebAssembly".to_owned()], 15));
        assert!(text.digest.starts_with("sha256:") && text.world.is_none());
    }

    #[test]
    fn a_component_says_what_it_was_written_in() {
        let signed = [b"\0asm\x0d\0\x01\0", &component::signature("Python")[..]].concat();
        assert_eq!(Facts::of_bytes(&signed).language.as_deref(), Some("Python"));
        // What a module within was written in is not what the handler was.
        let module = [b"\0asm\x01\0\0\0", &component::signature("Rust")[..]].concat();
        let length = u8::try_from(module.len()).unwrap();
        let within = [b"\0asm\x0d\0\x01\0\x01", &[length][..], &module].concat();
        assert_eq!(Facts::of_bytes(&within).language, None);
        assert_eq!(Facts::of_bytes(&within).tools, [""; 0], "a language is no tool");
    }

    #[test]
    fn an_import_says_what_to_do() {
        assert!(refusal_of_import("wasi:clocks/wall-clock@0.2.0").contains("a handler has no WASI"));
        assert!(refusal_of_import("acme:db/query").contains("log and metrics only"));
    }
}
