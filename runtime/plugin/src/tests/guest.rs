//! Components, settings, records and jobs for the tests.

use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use forebay_core::budget::Permit;
use forebay_core::fault::{Class, Fault};
use forebay_core::manifest::settings::{Component, Headers, Instances, Plugin as Settings, PluginLimits};
use forebay_core::outcome::Outcome;
use forebay_core::record::{At, RawHeader, Record};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

use forebay_core::outcome::Handled;

use crate::{Check, Compiler, Host, HostSettings, Job, Plugin};

/// A folder of its own, removed at the end.
pub(crate) struct Folder(pub(crate) PathBuf);

/// A host with one plugin loaded from `guest.wat`.
pub(super) struct Rig {
    pub(super) host: Host,
    pub(super) plugin: Arc<Plugin>,
    _folder: Folder,
}

/// Accepts every outcome but a skip for the reason `vbad`.
struct Checked;

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("forebay-plugin-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

impl Rig {
    pub(super) fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = Folder::new();
        let host = host(None);
        let mut settings = settings(&folder.write("guest.wasm", &handler()));
        change(&mut settings);
        let plugin = host.load(&settings).unwrap();
        Self { host, plugin, _folder: folder }
    }

    /// Runs one batch with these values.
    pub(super) async fn run(&self, values: &[&str]) -> Vec<Handled> {
        self.host.handle(&self.plugin, job(values, 0..values.len())).await.unwrap()
    }
}

impl Check for Checked {
    fn check(&self, outcome: &Outcome) -> Result<(), Fault> {
        if *outcome != Outcome::Skip("vbad".to_owned()) {
            return Ok(());
        }
        let text = |text: &str| text.to_owned();
        Err(Fault { class: Class::Contract, code: text("type"), message: text("no such type"), site: text("column") })
    }
}

/// Starts a host of one worker that compiles in this process.
pub(super) fn host(cache_dir: Option<PathBuf>) -> Host {
    host_with(cache_dir, Compiler::Here)
}

/// Starts a host of one worker.
pub(super) fn host_with(cache_dir: Option<PathBuf>, compiler: Compiler) -> Host {
    let cache_bytes = HostSettings::CACHE_BYTES;
    Host::start(HostSettings { threads: NonZeroUsize::MIN, cache_dir, cache_bytes, compiler }).unwrap()
}

/// Settings of a plugin in `file` with the defaults of a manifest.
pub(super) fn settings(file: &Path) -> Settings {
    Settings {
        name: "orders".to_owned(),
        component: Component::File(file.to_owned()),
        sha256: None,
        config: "{}".to_owned(),
        limits: PluginLimits { memory: 64 << 20, cpu: Duration::from_millis(250) },
        instances: Instances::PerBatch,
    }
}

/// An instance that serves `batches`.
pub(super) fn reuse(batches: u32) -> Instances {
    Instances::Reuse(NonZeroU32::new(batches).unwrap())
}

/// A job of records with these values, one header each.
pub(super) fn job(values: &[&str], range: Range<usize>) -> Job {
    let records = values.iter().enumerate().map(|(index, value)| {
        let offset = i64::try_from(index).unwrap();
        let at = At { topic: "t".into(), partition: 0, offset, timestamp_ms: Some(1), leader_epoch: None };
        let headers: [RawHeader<'_>; 1] = [(b"trace\xff", Some(b"1"))];
        Record::copy(at, Some(b"k"), Some(value.as_bytes()), &headers, |_| Permit::free())
    });
    Job {
        records: records.collect::<Vec<_>>().into(),
        range,
        headers: Arc::new(Headers::All),
        check: Arc::new(Checked),
        binding: "orders".into(),
        output_bytes: 64 << 20,
        is_whole: true,
    }
}

/// The component of `guest.wat`.
pub(super) fn handler() -> Vec<u8> {
    component(include_str!("guest.wat"), &[], "forebay:handler/pure@0.1.0")
}

/// The text of `guest.wat`, for changed guests.
pub(super) fn handler_text() -> &'static str {
    include_str!("guest.wat")
}

/// Makes a component of a core module's text, for a world of the published package or of further WIT packages.
pub(super) fn component(text: &str, packages: &[&str], world: &str) -> Vec<u8> {
    component_with(text, packages, world, StringEncoding::UTF8)
}

/// The same with another encoding of text.
pub(super) fn component_with(text: &str, packages: &[&str], world: &str, encoding: StringEncoding) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    resolve.push_dir(&published).unwrap();
    encode(resolve, text, packages, world, encoding)
}

/// The same without the published package.
pub(super) fn foreign_component(text: &str, packages: &[&str], world: &str) -> Vec<u8> {
    encode(Resolve::default(), text, packages, world, StringEncoding::UTF8)
}

/// A component that is text itself.
pub(super) fn component_of_text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn encode(mut resolve: Resolve, text: &str, packages: &[&str], world: &str, encoding: StringEncoding) -> Vec<u8> {
    let mut last = None;
    for (index, package) in packages.iter().enumerate() {
        last = Some(resolve.push_str(format!("package-{index}.wit"), package).unwrap());
    }
    let package = last.unwrap_or_else(|| resolve.packages.iter().next().unwrap().0);
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(text).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(false).encode().unwrap()
}
