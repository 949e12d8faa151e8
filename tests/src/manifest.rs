//! A manifest for a scenario: sensible for tests, changed where the scenario cares, written to a folder of its own.
//!
//! Values of `set`, `target` and the like are TOML as it stands in the file: `.set("batch", "{ max-records = 100 }")`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::kafka::Kafka;
use crate::names::{self, Names};
use crate::place;
use crate::port::Port;
use crate::postgres::Postgres;
use crate::scratch::{OnFailure, Scratch};

/// A manifest in the making. Cloned and written twice it serves two processes of one group.
#[derive(Debug, Clone)]
pub struct Manifest {
    bootstrap: String,
    kafka: BTreeMap<String, String>,
    properties: BTreeMap<String, String>,
    database_url: Option<String>,
    sink: BTreeMap<String, String>,
    plugins: BTreeMap<String, Plugin>,
    bindings: Vec<Binding>,
    extra: String,
    scratch: Arc<Scratch>,
}

/// A plugin of the manifest.
#[derive(Debug, Clone)]
pub struct Plugin {
    component: PathBuf,
    keys: BTreeMap<String, String>,
}

/// A binding of the manifest.
#[derive(Debug, Clone)]
pub struct Binding {
    keys: BTreeMap<String, String>,
    /// Targets run in the order in which they stand.
    targets: Vec<(String, String)>,
}

/// A manifest in its file.
#[derive(Debug, Clone)]
pub struct ManifestFile {
    /// The file.
    pub path: PathBuf,
    /// The port of the admin address it names.
    pub admin: u16,
    scratch: Arc<Scratch>,
}

impl Manifest {
    /// Returns a manifest for one broker, without a sink, a plugin or a binding.
    pub fn new(kafka: &Kafka) -> Self {
        let properties = [
            // What a killed process held is given to others after this time.
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "500"),
            ("metadata.max.age.ms", "2000"),
            ("reconnect.backoff.ms", "50"),
            ("reconnect.backoff.max.ms", "500"),
        ];
        Self {
            bootstrap: kafka.bootstrap(),
            kafka: BTreeMap::new(),
            properties: properties.map(|(key, value)| (key.to_owned(), quoted(value))).into(),
            database_url: None,
            sink: BTreeMap::new(),
            plugins: BTreeMap::new(),
            bindings: Vec::new(),
            extra: String::new(),
            scratch: Arc::new(Scratch::new("manifest", OnFailure::Keep)),
        }
    }

    /// Returns the usual manifest of a scenario: the scripted plugin, the sink `warehouse` in the scenario's database, and one
    /// binding without targets yet.
    pub fn scripted(kafka: &Kafka, postgres: &Postgres, names: &Names) -> Self {
        Self::new(kafka)
            .warehouse(&postgres.url(&names.database))
            .plugin("scripted", Plugin::new(place::component("scripted")))
            .binding(Binding::new(names, "scripted"))
    }

    /// Names the sink `warehouse`.
    #[must_use]
    pub fn warehouse(mut self, url: &str) -> Self {
        self.database_url = Some(url.to_owned());
        self
    }

    /// Sets a key of the sink `warehouse`.
    #[must_use]
    pub fn sink_key(mut self, key: &str, toml: &str) -> Self {
        self.sink.insert(key.to_owned(), toml.to_owned());
        self
    }

    /// Sets a key of `[kafka]`.
    #[must_use]
    pub fn kafka_key(mut self, key: &str, toml: &str) -> Self {
        self.kafka.insert(key.to_owned(), toml.to_owned());
        self
    }

    /// Sets a setting of the Kafka client's.
    #[must_use]
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.insert(key.to_owned(), quoted(value));
        self
    }

    /// Adds a plugin.
    #[must_use]
    pub fn plugin(mut self, name: &str, plugin: Plugin) -> Self {
        self.plugins.insert(name.to_owned(), plugin);
        self
    }

    /// Adds a binding.
    #[must_use]
    pub fn binding(mut self, binding: Binding) -> Self {
        self.bindings.push(binding);
        self
    }

    /// Sets a key of the binding added last.
    #[must_use]
    pub fn set(mut self, key: &str, toml: &str) -> Self {
        self.last_binding().keys.insert(key.to_owned(), toml.to_owned());
        self
    }

    /// Adds a target to the binding added last.
    #[must_use]
    pub fn target(mut self, name: &str, toml: &str) -> Self {
        self.last_binding().targets.push((name.to_owned(), toml.to_owned()));
        self
    }

    /// Adds tables the builder does not know, such as `[limits]` and `[shutdown]`.
    #[must_use]
    pub fn extra(mut self, toml: &str) -> Self {
        self.extra.push_str(toml);
        self.extra.push('\n');
        self
    }

    /// Returns the folder where the manifest will be written.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes the manifest, with an admin address nobody else has.
    pub fn write(&self) -> ManifestFile {
        let admin = Port::free().release();
        let path = self.folder().join(format!("forebay-{}.toml", names::next()));
        fs::write(&path, self.to_toml(admin)).unwrap_or_else(|error| panic!("write `{}`: {error}", path.display()));
        ManifestFile { path, admin, scratch: Arc::clone(&self.scratch) }
    }

    /// Writes the manifest in another one's place, as a person does who edits it: the admin address stays.
    pub fn rewrite(&self, file: &ManifestFile) {
        let unfinished = file.path.with_extension("unfinished");
        let moved = fs::write(&unfinished, self.to_toml(file.admin)).and_then(|()| fs::rename(&unfinished, &file.path));
        moved.unwrap_or_else(|error| panic!("write `{}`: {error}", file.path.display()));
    }

    /// Returns the manifest as TOML.
    pub fn to_toml(&self, admin: u16) -> String {
        let mut text = String::from("manifest-version = 1\n");
        table(&mut text, "[kafka]", &self.kafka);
        line(&mut text, &format!("bootstrap-servers = [{}]", quoted(&self.bootstrap)));
        table(&mut text, "[kafka.properties]", &quoted_keys(&self.properties));
        line(&mut text, &format!("\n[admin]\nlisten = \"127.0.0.1:{admin}\""));
        if let Some(url) = &self.database_url {
            table(&mut text, "[sinks.warehouse]", &self.sink);
            line(&mut text, &format!("kind = \"postgres\"\nurl = {}", quoted(url)));
        }
        for (name, Plugin { component, keys }) in &self.plugins {
            table(&mut text, &format!("[plugins.{name}]"), keys);
            line(&mut text, &format!("component = {}", quoted(&component.display().to_string())));
        }
        line(&mut text, &format!("\n{}", self.extra));
        for Binding { keys, targets } in &self.bindings {
            table(&mut text, "[[bindings]]", keys);
            if !targets.is_empty() {
                line(&mut text, "\n[bindings.targets]");
            }
            for (name, toml) in targets {
                line(&mut text, &format!("{name} = {toml}"));
            }
        }
        text
    }

    fn last_binding(&mut self) -> &mut Binding {
        self.bindings.last_mut().expect("a binding was added")
    }
}

impl ManifestFile {
    /// Returns the folder it lies in; logs are written there.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Returns the path as an argument.
    pub fn arg(&self) -> &str {
        self.path.to_str().expect("the checkout's path is UTF-8")
    }
}

impl Plugin {
    /// Returns a plugin of that component.
    pub fn new(component: PathBuf) -> Self {
        Self { component, keys: BTreeMap::new() }
    }

    /// Sets a key: `config`, `limits`, `instances`, `sha256`.
    #[must_use]
    pub fn set(mut self, key: &str, toml: &str) -> Self {
        self.keys.insert(key.to_owned(), toml.to_owned());
        self
    }
}

impl Binding {
    /// Returns a binding of the scenario's topic, group and dead-letter topic, called as the topic is.
    pub fn new(names: &Names, plugin: &str) -> Self {
        let keys = [
            ("topic", quoted(&names.topic)),
            ("group", quoted(&names.group)),
            ("plugin", quoted(plugin)),
            ("dead-letter", format!("{{ topic = {} }}", quoted(&names.dead_letters))),
        ];
        Self { keys: keys.map(|(key, toml)| (key.to_owned(), toml)).into(), targets: Vec::new() }
    }

    /// Sets a key.
    #[must_use]
    pub fn set(mut self, key: &str, toml: &str) -> Self {
        self.keys.insert(key.to_owned(), toml.to_owned());
        self
    }

    /// Adds a target.
    #[must_use]
    pub fn target(mut self, name: &str, toml: &str) -> Self {
        self.targets.push((name.to_owned(), toml.to_owned()));
        self
    }
}

/// Returns a TOML string.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn quoted_keys(keys: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    keys.iter().map(|(key, toml)| (quoted(key), toml.clone())).collect()
}

fn table(text: &mut String, header: &str, keys: &BTreeMap<String, String>) {
    line(text, &format!("\n{header}"));
    for (key, toml) in keys {
        line(text, &format!("{key} = {toml}"));
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("text grows");
}
