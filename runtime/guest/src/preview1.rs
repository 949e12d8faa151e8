//! What stands for WASI in a component of Go: a core module whose functions answer inside the component.
//!
//! Go has no target without an operating system. For `wasip1` its runtime asks for a clock, randomness and output; the
//! adapter in `go/preview1.wat` has them of the message alone, so the component imports nothing but the contract.

use wit_component::StringEncoding;
use wit_parser::Resolve;

use crate::error::ComponentError;

/// The contract, for modules that do not carry it.
pub(crate) const CONTRACT: &str = include_str!("../../../wit/handler.wit");

const MODULE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/preview1.wasm"));

/// The adapter's own world: it writes into the log what Go says before it ends.
const WORLD: &str = "package forebay:preview1; world preview1 { import forebay:handler/log@0.1.0; }";

/// Returns the adapter with its component type.
///
/// # Errors
/// Where the contract has no log any more.
pub(crate) fn adapter() -> Result<Vec<u8>, ComponentError> {
    let mut resolve = Resolve::default();
    let mut module = MODULE.to_vec();
    let contract = resolve.push_str("handler.wit", CONTRACT);
    let package = contract.and_then(|_| resolve.push_str("preview1.wit", WORLD));
    let world = package.and_then(|package| resolve.select_world(&[package], None));
    let embedded = world
        .and_then(|world| wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8));
    embedded.map(|()| module).map_err(|error| ComponentError::Encode(format!("{error:#}")))
}
