//! Components of worlds that no handler has, for the tests of what is refused.

use std::path::Path;

use anyhow::Context as _;
use wit_component::StringEncoding;
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

/// Makes a component of each world in `worlds.wit`, by the world's name. All their functions trap.
///
/// # Errors
/// When the worlds do not parse.
pub(super) fn components(contract: &Path, folder: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut resolve = Resolve::default();
    resolve.push_file(contract)?;
    for file in ["clocks.wit", "later.wit"] {
        resolve.push_file(folder.join(file))?;
    }
    let package = resolve.push_file(folder.join("worlds.wit"))?;
    let worlds = resolve.packages.get(package).with_context(|| "find the package of worlds.wit")?.worlds.clone();
    worlds.into_iter().map(|(name, world)| Ok((name, component(&resolve, world)?))).collect()
}

fn component(resolve: &Resolve, world: WorldId) -> anyhow::Result<Vec<u8>> {
    let mut module = wit_component::dummy_module(resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    wit_component::embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)?;
    Ok(forebay_guest_build::encode(&module)?)
}
