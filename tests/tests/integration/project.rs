//! A newcomer's path: `forebay plugin new`, `forebay plugin build`, and what follows; and what is refused on the way.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use forebay_tests::place;
use forebay_tests::scratch::{OnFailure, Scratch};
use serde_json::Value;
use tokio::task;

/// A folder outside of any checkout.
pub(crate) fn outside(name: &str) -> Scratch {
    Scratch::within(&env::temp_dir(), name, OnFailure::Keep)
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    code: Option<i32>,
    pub(crate) out: String,
    err: String,
}

impl Said {
    pub(crate) fn assert(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in parts {
            assert!(self.out.contains(part) || self.err.contains(part), "no `{part}` in {self:?}");
        }
        assert!(!self.err.contains("thread '"), "{self:?}");
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) async fn run(mut command: Command) -> Said {
    let output = task::spawn_blocking(move || command.output()).await.expect("the thread ends");
    let Output { status, stdout, stderr } = output.expect("the command starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: status.code(), out: text(&stdout), err: text(&stderr) }
}

/// `forebay ARGS` as it is typed in a folder. All projects share one folder to build into.
pub(crate) fn forebay(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(place::forebay());
    command.args(args).current_dir(folder).env("CARGO_TARGET_DIR", place::target().join("projects"));
    // What the tests themselves run under is no newcomer's environment.
    for (name, _) in env::vars_os() {
        let is_cargos = name.to_string_lossy().starts_with("CARGO_");
        if is_cargos && name != "CARGO_HOME" && name != "CARGO_TARGET_DIR" {
            command.env_remove(name);
        }
    }
    command
}

async fn say(folder: &Path, args: &[&str]) -> Said {
    run(forebay(folder, args)).await
}

/// Makes a project and returns its folder.
async fn project(scratch: &Scratch, name: &str) -> PathBuf {
    say(scratch.path(), &["plugin", "new", name]).await.assert(0, &[]);
    scratch.path().join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_project_builds_checks_and_tries_its_samples() {
    let scratch = outside("project");
    let said = say(scratch.path(), &["plugin", "new", "my-greetings"]).await;
    said.assert(0, &["src/lib.rs", "forebay.toml", "cd my-greetings && forebay plugin build", "forebay dev --once"]);
    let folder = scratch.path().join("my-greetings");
    let lock = || fs::read_to_string(folder.join("Cargo.lock")).unwrap();
    let locked = lock();

    let said = say(&folder, &["plugin", "build", "--output", "json"]).await;
    said.assert(0, &["Compiling my-greetings-handler"]);
    let component = folder.join("my-greetings.wasm").canonicalize().unwrap();
    let mut sum = Command::new("sha256sum");
    sum.arg(&component);
    let digest = format!("sha256:{}", &run(sum).await.out[..64]);
    let built = &said.json()["components"][0];
    assert_eq!(built["path"], component.to_str().unwrap());
    assert_eq!((&built["digest"], &built["plugin"]), (&digest.as_str().into(), &"my-greetings".into()));
    assert_eq!(built["bytes"], fs::metadata(&component).unwrap().len());
    assert_eq!(lock(), locked, "the lock file that came with it holds");
    // A second time nothing changes, and people read a line of it.
    say(&folder, &["plugin", "build"]).await.assert(0, &["my-greetings.wasm  ", " KiB  ", &digest, "as it was"]);

    let mut check = forebay(&folder, &["check", "--offline"]);
    check.env("DATABASE_URL", "postgres://u@127.0.0.1:1/d");
    run(check).await.assert(0, &["binding `my-greetings`", "exactly once"]);

    // The README's own figures: six applied, three dead letters of three kinds.
    let said = say(&folder, &["dev", "--once"]).await;
    said.assert(0, &["rejected/malformed", "rejected/too-much", "data/", "6 applied, 0 skipped, 3 dead-lettered"]);

    let mut test = Command::new("cargo");
    test.args(["test", "--quiet", "--locked"]).current_dir(&folder);
    test.env("CARGO_TARGET_DIR", place::target().join("guests-native"));
    run(test).await.assert(0, &["4 passed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_made_in_an_empty_folder_only_and_under_a_name_that_all_can_take() {
    let scratch = outside("project-new");
    let folder = scratch.path();
    say(folder, &["plugin", "new", "My App"]).await.assert(2, &["`My App`", "try `my-app`"]);
    say(folder, &["plugin", "new", "x", "--lang", "cobol"]).await.assert(2, &["cobol"]);
    for verb in ["test", "bench"] {
        say(folder, &["plugin", verb]).await.assert(78, &["read manifest `./forebay.toml`"]);
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "nothing was made");

    let made = say(folder, &["plugin", "new", "x", "--dir", "deep/er", "--output", "json"]).await;
    made.assert(0, &[]);
    assert_eq!(made.json()["folder"], "deep/er");
    let files = made.json()["files"].as_array().unwrap().clone();
    assert!(files.iter().all(|path| folder.join("deep/er").join(path.as_str().unwrap()).exists()), "{made:?}");
    say(folder, &["plugin", "new", "x", "--dir", "deep/er"]).await.assert(78, &["`deep/er` is not empty", "--dir"]);
    fs::write(folder.join("file"), "").unwrap();
    say(folder, &["plugin", "new", "x", "--dir", "file"]).await.assert(78, &["`file`", "Not a directory"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_built_says_why_and_leaves_no_component() {
    let scratch = outside("project-refused");
    say(scratch.path(), &["plugin", "build"]).await.assert(78, &["nothing to build", "forebay plugin new NAME"]);
    say(scratch.path(), &["plugin", "build", "gone"]).await.assert(78, &["`gone`", "No such file"]);
    let folder = project(&scratch, "broken").await;
    let component = folder.join("broken.wasm");
    let source = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
    let write = |change: &dyn Fn(&str) -> String| fs::write(folder.join("src/lib.rs"), change(&source)).unwrap();

    let mut without = forebay(&folder, &["plugin", "build"]);
    without.env("PATH", folder.join("src")).env_remove("CARGO");
    run(without).await.assert(78, &["start `rustc`", "install Rust"]);

    write(&|source| source.replace("item.title", "item.titel"));
    // Cargo's own words, then ours.
    let parts = ["no field `titel`", "src/lib.rs:", "`cargo build --release --target wasm32-unknown-unknown"];
    say(&folder, &["plugin", "build"]).await.assert(65, &parts);

    write(&|source| {
        let clock = "#[link(wasm_import_module = \"env\")]\nunsafe extern \"C\" {\n    fn now() -> i64;\n}\n";
        source.replace("fn handle(", &format!("{clock}\nfn handle(")).replace("item.updated_at)", "unsafe { now() })")
    });
    let parts = ["imports `env::now`", "may import log and metrics only", "cargo tree"];
    say(&folder, &["plugin", "build"]).await.assert(65, &parts);

    write(&|source| source.replace("forebay_plugin::handler!(handle, config = Settings);", ""));
    say(&folder, &["plugin", "build"]).await.assert(65, &["forebay_plugin::handler!("]);
    assert!(!component.exists() && !component.with_extension("wasm.unfinished").exists());

    // From the plugin's own folder, below a manifest that calls the component by another name.
    write(&|source| source.to_owned());
    let inner = folder.join("handlers");
    fs::create_dir(&inner).unwrap();
    for path in ["Cargo.toml", "Cargo.lock", "src", "sdk"] {
        fs::rename(folder.join(path), inner.join(path)).unwrap();
    }
    let manifest = fs::read_to_string(folder.join("forebay.toml")).unwrap();
    fs::write(folder.join("forebay.toml"), manifest.replace("broken.wasm", "handlers/mended.wasm")).unwrap();
    say(&inner, &["plugin", "build"]).await.assert(0, &["mended.wasm  "]);
    let names = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension() == Some(OsStr::new("wasm"))).collect()
    };
    assert_eq!((names(&inner), names(&folder)), (vec![inner.join("mended.wasm")], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn inspect_says_what_a_component_is_and_why_it_is_refused() {
    let scratch = outside("inspect");
    let inspect = async |name: &str, more: &[&str]| {
        let path = place::component(name);
        say(scratch.path(), &[&["plugin", "inspect", path.to_str().unwrap()], more].concat()).await
    };
    let parts = ["forebay:handler/pure@0.1.0", "made by   rustc", "sha256:", "forebay:handler/log@0.1.0"];
    inspect("scripted", &[]).await.assert(0, &parts);
    let json = inspect("scripted", &["--output", "json"]).await.json();
    assert_eq!((&json["world"], &json["refusals"]), (&"forebay:handler/pure@0.1.0".into(), &serde_json::json!([])));
    let built_in = say(scratch.path(), &["plugin", "inspect", "builtin:router"]).await;
    built_in.assert(0, &["builtin:router", "  language  Rust\n", "forebay:handler/pure@0.1.0", "sha256:"]);
    inspect("imports-clock", &[]).await.assert(65, &["is refused: it imports `wasi:clocks", "a handler has no WASI"]);
    inspect("imports-unknown", &[]).await.assert(65, &["is refused: it imports `", "log and metrics only"]);
    inspect("no-handler", &[]).await.assert(65, &["exports no `forebay:handler/handler@0.1.0`"]);
    inspect("core-module", &[]).await.assert(65, &["a core module, not a component; `forebay plugin build`"]);
    inspect("not-a-component", &[]).await.assert(65, &["no WebAssembly"]);
    say(scratch.path(), &["plugin", "inspect", "gone.wasm"]).await.assert(78, &["read the component `gone.wasm`"]);
}
