//! `cargo xtask setup`: from a fresh machine to one where everything can be built and tested.

use std::path::Path;

use crate::{guests, kafka, machine, shell};

/// Installs and builds what is missing. A second run changes nothing and needs no network.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    machine::ensure_packages(kafka::is_missing(root)?)?;
    kafka::ensure_jars(root)?;
    guests::build_all(root)?;
    shell::say("setup: everything is in place")?;
    Ok(())
}
