//! The compile cache on disk: machine code by component, engine settings and version.
//!
//! Only this module writes into its folder, and nothing else is ever loaded as machine code. An entry carries the
//! SHA-256 of its key and content; one that does not verify is as good as none and is written anew. The digest guards
//! against torn writes and rot. Against people it is the folder that guards: it must belong to us, and nobody else may
//! write to it. It grows to a limit; then what was unused for longest goes (`room`).

mod room;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tracing::{debug, warn};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Opens every entry; another layout gets another number.
const MAGIC: &[u8; 8] = b"fbcache1";
/// Bytes of a SHA-256.
const DIGEST_BYTES: usize = 32;

/// A folder of compiled components.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// What all entries together may have.
    bytes_max: u64,
}

/// Names one entry: component, engine settings, target and version.
#[derive(Debug)]
pub(crate) struct Key(String);

impl Key {
    /// Returns the key of a component, given by its digest in hex, under `engine`'s settings.
    pub(crate) fn new(engine: &Engine, component_digest: &str) -> Self {
        let mut digest = Feed(Sha256::new());
        digest.write(MAGIC);
        digest.write(env!("CARGO_PKG_VERSION").as_bytes());
        digest.write(component_digest.as_bytes());
        engine.precompile_compatibility_hash().hash(&mut digest);
        Self(crate::loader::hex(&digest.0.finalize()))
    }
}

impl Cache {
    /// Opens the folder, made if missing. A folder that can not be trusted or written is not used, and it is said why.
    pub(crate) fn open(folder: PathBuf, bytes_max: u64) -> Option<Self> {
        match prepare(&folder) {
            Ok(()) => Some(Self { folder, bytes_max }),
            Err(error) => {
                warn!(folder = %folder.display(), %error, "no compile cache: components are compiled at every start");
                None
            }
        }
    }

    /// Returns the compiled component of `key`, if there is one that verifies.
    pub(crate) fn load(&self, engine: &Engine, key: &Key) -> Option<Component> {
        let path = self.path(key);
        let entry = match read(&path) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(path = %path.display(), %error, "a compile cache entry can not be read");
                return None;
            }
        };
        let Some(code) = verified(key, &entry) else {
            warn!(path = %path.display(), "a compile cache entry is damaged; the component is compiled again");
            return None;
        };
        #[expect(unsafe_code, reason = "wasmtime can not check machine code; this is what our own compiler made")]
        // SAFETY: `code` came from our own compiler (see `compile`) and has not changed since: its SHA-256
        // verifies, and it was read from a folder that belongs to us and that nobody else can write to. The key holds
        // the engine's compatibility hash, and `deserialize` checks version and settings once more.
        let component = unsafe { Component::deserialize(engine, code) };
        match component {
            Ok(component) => Some(component),
            Err(error) => {
                warn!(path = %path.display(), error = format!("{error:#}"), "a compile cache entry does not load");
                None
            }
        }
    }

    /// Writes the machine code of `key`, and makes room for it. A failure costs only the next start's time.
    pub(crate) fn store(&self, key: &Key, code: &[u8]) {
        let path = self.path(key);
        match self.write(&path, key, code) {
            Ok(()) => debug!(path = %path.display(), "compile cache entry written"),
            Err(error) => warn!(path = %path.display(), %error, "a compile cache entry can not be written"),
        }
        if let Err(error) = room::make(&self.folder, self.bytes_max, &path, now()) {
            warn!(folder = %self.folder.display(), %error, "the compile cache is not kept within its limit");
        }
    }

    fn write(&self, path: &Path, key: &Key, code: &[u8]) -> io::Result<()> {
        let temporary = self.folder.join(temporary_name());
        let written = create_new(&temporary).and_then(|mut file| {
            file.write_all(MAGIC)?;
            file.write_all(&digest(key, code))?;
            file.write_all(code)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            File::open(&self.folder)?.sync_all()
        });
        if written.is_err() {
            discard(&temporary);
        }
        written
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.{}", key.0, room::ENTRY))
    }
}

/// Makes the folder and checks that it is ours alone.
fn prepare(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // A file made here has our user id, which the standard library does not tell otherwise.
    let probe = folder.join(temporary_name());
    let owner = create_new(&probe).and_then(|file| file.metadata()).map(|metadata| metadata.uid());
    discard(&probe);
    let metadata = fs::metadata(folder)?;
    if metadata.uid() != owner? {
        return Err(io::Error::other("the folder belongs to another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write to the folder; take that right away (`chmod go-w`)"));
    }
    Ok(())
}

/// Reads an entry, and notes that it was used.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut entry = Vec::new();
    file.read_to_end(&mut entry)?;
    if let Err(error) = file.set_modified(now()) {
        debug!(path = %path.display(), %error, "a compile cache entry does not show that it was used");
    }
    Ok(entry)
}

#[expect(clippy::disallowed_methods, reason = "files carry the time of day")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn discard(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            debug!(path = %path.display(), %error, "a temporary file of the compile cache stays behind");
        }
        _ => {}
    }
}

fn temporary_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(".{}-{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed), room::UNFINISHED)
}

fn verified<'a>(key: &Key, entry: &'a [u8]) -> Option<&'a [u8]> {
    let rest = entry.strip_prefix(MAGIC)?;
    let (expected, code) = rest.split_at_checked(DIGEST_BYTES)?;
    (digest(key, code).as_slice() == expected).then_some(code)
}

fn digest(key: &Key, code: &[u8]) -> [u8; DIGEST_BYTES] {
    Sha256::new().chain_update(key.0.as_bytes()).chain_update(code).finalize().into()
}

/// Feeds what is hashed into a SHA-256, so that the key is the same in every process.
struct Feed(Sha256);

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0 // Nobody asks: the digest itself is the answer.
    }
}
