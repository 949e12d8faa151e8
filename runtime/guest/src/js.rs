//! Handlers in JavaScript: esbuild makes one file of all modules, componentize-qjs a component of it with QuickJS inside.
//!
//! Both come from the package's own `devDependencies`, so the package says which versions they are. The steps between
//! them are the SDK's, `build/main.js`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use crate::component::Component;
use crate::error::Error;
use crate::language::{Guest, Language, name_of};
use crate::step::Step;

const ADVICE: &str =
    "on Debian run `apt-get install nodejs npm`, or see https://nodejs.org; it wants version 20 or later";
/// Where the SDK is once the package's dependencies are installed.
const SDK: &str = "node_modules/forebay-plugin";
/// What npm writes last when it installs.
const INSTALLED: &str = "node_modules/.package-lock.json";
const SCRATCH: &str = "node_modules/.cache/forebay";

/// Makes the component of the package in `folder`, whose dependencies are installed first where they are not.
///
/// # Errors
/// Where node is missing, the dependencies can not be had, or the source is refused.
pub(crate) fn build(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<Guest, Error> {
    if !is_installed(folder) {
        install(folder, say)?;
    }
    let script = folder.join(SDK).join("build/main.js");
    if !script.is_file() {
        let reason = "has no dependency `forebay-plugin`, the SDK: it wants `\"forebay-plugin\": \"file:sdk\"` under \
                      `dependencies`, and the folder `sdk` as `forebay plugin new` makes it";
        return Err(Error::Package { path: folder.join(Language::Js.mark()), reason: reason.to_owned() });
    }
    let scratch = folder.join(SCRATCH);
    fs::create_dir_all(&scratch).map_err(|error| Error::File {
        act: "make the folder",
        path: scratch.clone(),
        error,
    })?;
    let path = scratch.join("handler.wasm");
    let step = Step {
        language: Language::Js,
        doing: "putting the handler and QuickJS into a component",
        advice: ADVICE,
        is_of_source: true,
    };
    let mut node = Command::new("node");
    node.current_dir(folder).arg(Path::new(SDK).join("build/main.js")).arg(".").arg(&path);
    step.run(&mut node, say)?;
    Ok(Guest { name: name_of(folder), component: Component::of_component(&path, Language::Js)? })
}

/// Whether npm ran after package.json and the lock file were last written.
fn is_installed(folder: &Path) -> bool {
    let changed = |path: &str| -> Option<SystemTime> { fs::metadata(folder.join(path)).ok()?.modified().ok() };
    let Some(installed) = changed(INSTALLED) else { return false };
    ["package.json", "package-lock.json"].into_iter().filter_map(changed).all(|changed| changed <= installed)
}

fn install(folder: &Path, say: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let step = Step {
        language: Language::Js,
        doing: "fetching what package.json names: `npm install`",
        advice: ADVICE,
        is_of_source: false,
    };
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
    step.run(&mut npm, say)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn dependencies_are_installed_anew_when_the_package_names_others() {
        let folder = std::env::temp_dir().join(format!("forebay-js-{}", std::process::id()));
        fs::create_dir_all(folder.join("node_modules")).unwrap();
        let write = |path: &str, seconds: u64| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            File::create(folder.join(path)).unwrap().set_modified(time).unwrap();
        };
        write("package.json", 10);
        assert!(!is_installed(&folder));
        write(INSTALLED, 20);
        assert!(is_installed(&folder));
        write("package-lock.json", 21);
        assert!(!is_installed(&folder));
        fs::remove_dir_all(&folder).unwrap();
    }
}
