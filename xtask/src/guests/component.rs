//! From core modules to components, and the check that a component asks for nothing but the contract.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

/// What a component may import: the contract's functions, and the types that they are made of.
const ALLOWED: [&str; 3] =
    ["forebay:handler/types@0.1.0", "forebay:handler/log@0.1.0", "forebay:handler/metrics@0.1.0"];

/// Makes a component of a core module that carries its component type, as bindings generators leave it.
///
/// # Errors
/// When it is no such module, or imports what a handler may not have.
pub(super) fn of_module(path: &Path) -> anyhow::Result<Vec<u8>> {
    let module = fs::read(path).with_context(|| format!("read `{}`", path.display()))?;
    let bytes = encode(&module).with_context(|| format!("make a component of `{}`", path.display()))?;
    let foreign: Vec<String> = imports(&bytes)?.into_iter().filter(|name| !ALLOWED.contains(&name.as_str())).collect();
    anyhow::ensure!(
        foreign.is_empty(),
        "`{}` imports {}: a handler may import log and metrics only; look for what in it asks for a clock, randomness, files or the environment",
        path.display(),
        foreign.join(", ")
    );
    Ok(bytes)
}

/// Makes a component of each world in `worlds.wit`, by the world's name. All their functions trap.
///
/// # Errors
/// When the worlds do not parse.
pub(super) fn of_worlds(contract: &Path, folder: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut resolve = Resolve::default();
    resolve.push_file(contract)?;
    for file in ["clocks.wit", "later.wit"] {
        resolve.push_file(folder.join(file))?;
    }
    let package = resolve.push_file(folder.join("worlds.wit"))?;
    let worlds = resolve.packages.get(package).with_context(|| "find the package of worlds.wit")?.worlds.clone();
    worlds.into_iter().map(|(name, world)| Ok((name, of_world(&resolve, world)?))).collect()
}

fn of_world(resolve: &Resolve, world: WorldId) -> anyhow::Result<Vec<u8>> {
    let mut module = wit_component::dummy_module(resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    wit_component::embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)?;
    encode(&module)
}

fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default().module(module)?.validate(true).encode()
}

fn imports(component: &[u8]) -> anyhow::Result<Vec<String>> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        anyhow::bail!("it is a package of types, not a component");
    };
    let world = resolve.worlds.get(world).with_context(|| "find the component's world")?;
    Ok(world.imports.keys().map(|key| resolve.name_world_key(key)).collect())
}
