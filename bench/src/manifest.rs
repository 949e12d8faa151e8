//! The manifest of a side: every key at its default, but for those that its row is about.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use forebay_tests::port::Port;

/// What differs between sides. Lines are TOML, as they stand in the file, and end with a newline where there are any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manifest<'a> {
    pub(crate) topic: &'a str,
    pub(crate) group: &'a str,
    /// A path, or one of the ready-made.
    pub(crate) component: &'a str,
    /// Further lines of the plugin.
    pub(crate) plugin: &'a str,
    /// Further lines of the sink.
    pub(crate) sink: &'a str,
    /// Further lines of the binding.
    pub(crate) binding: &'a str,
    /// The value of the key `dead-letter`.
    pub(crate) dead_letter: &'a str,
    /// A line for each target, in the sink `db`.
    pub(crate) targets: &'a str,
}

/// A manifest in its file.
#[derive(Debug, Clone)]
pub(crate) struct ManifestFile {
    pub(crate) path: PathBuf,
    /// The port of the admin address it names.
    pub(crate) admin: u16,
}

impl Manifest<'_> {
    /// Writes the manifest, called after the group, into a folder.
    pub(crate) fn write(&self, folder: &Path, bootstrap: &str, url: &str) -> anyhow::Result<ManifestFile> {
        let Self { topic, group, component, plugin, sink, binding, dead_letter, targets } = self;
        let admin = Port::free().release();
        let heading = if targets.is_empty() { "" } else { "[bindings.targets]\n" };
        let text = format!(
            "manifest-version = 1\n[kafka]\nbootstrap-servers = [\"{bootstrap}\"]\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n\
             [plugins.handler]\ncomponent = \"{component}\"\n{plugin}[sinks.db]\nkind = \"postgres\"\nurl = \"{url}\"\n{sink}\
             [[bindings]]\ntopic = \"{topic}\"\ngroup = \"{group}\"\nplugin = \"handler\"\nheaders = \"none\"\n\
             dead-letter = {dead_letter}\n{binding}{heading}{targets}"
        );
        let path = folder.join(format!("{group}.toml"));
        std::fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))?;
        Ok(ManifestFile { path, admin })
    }
}
