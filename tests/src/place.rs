//! Where things lie: the checkout and the folder that cargo builds into.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package `tests` lies in the checkout")
}

/// Returns the folder that cargo builds into, seen from the running test (`target/debug/deps/TEST`).
pub fn target() -> PathBuf {
    profile().parent().expect("the profile's folder lies in the target folder").to_owned()
}

/// Returns the binary under test: the one that `FOREBAY_BINARY` names, or the one that was built beside the tests.
pub fn forebay() -> PathBuf {
    if let Some(path) = env::var_os("FOREBAY_BINARY") {
        return path.into();
    }
    let path = profile().join("forebay");
    assert!(path.is_file(), "`{}` is not built: `cargo xtask test` builds it with its failpoints", path.display());
    path
}

/// Returns the component `name` of those that `cargo xtask setup` builds for the tests.
pub fn component(name: &str) -> PathBuf {
    let path = target().join("guests/components").join(format!("{name}.wasm"));
    assert!(path.is_file(), "`{}` is not built: run `cargo xtask setup`", path.display());
    path
}

fn profile() -> PathBuf {
    let own = env::current_exe().expect("the running test has a path");
    own.ancestors().nth(2).expect("a test lies in the profile's folder `deps`").to_owned()
}
