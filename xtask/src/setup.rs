//! `cargo xtask setup`: from a fresh machine to one where everything can be built and tested, or one example shown.

use std::path::Path;

use crate::{golang, guests, kafka, machine, shell};

/// Installs and builds what is missing. A second run changes nothing and needs no network.
///
/// # Errors
/// When something is missing and can not be had, or a component does not build.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let maven = kafka::is_missing(root)?.then_some(&machine::MAVEN);
    machine::ensure(machine::BUILD.iter().chain(machine::SERVERS).chain(machine::LANGUAGES).chain(maven))?;
    kafka::ensure_jars(root)?;
    golang::ensure()?;
    guests::build_all(root)?;
    shell::say("setup: everything is in place")?;
    Ok(())
}

/// Installs and builds what one example needs without servers, the runtime left out.
///
/// # Errors
/// As above.
pub(crate) fn for_example(root: &Path, example: &Path) -> anyhow::Result<()> {
    machine::ensure(machine::BUILD)?;
    guests::build_example(root, &root.join(example))
}
