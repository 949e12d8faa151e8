//! The command line without servers: what is refused, in which words and with which exit status.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use forebay_tests::forebay::Forebay;
use forebay_tests::manifest::quoted;
use forebay_tests::place;
use forebay_tests::scratch::{OnFailure, Scratch};

/// A manifest in a folder of its own; its servers do not exist.
struct Offline {
    scratch: Scratch,
}

impl Offline {
    fn new(text: &str) -> Self {
        let scratch = Scratch::new("cli", OnFailure::Keep);
        fs::write(scratch.path().join("forebay.toml"), text).unwrap();
        Self { scratch }
    }

    /// One plugin, with further keys.
    fn plugin(component: &str, keys: &str) -> Self {
        Self::new(&manifest(&[(component, keys)]))
    }

    fn path(&self) -> String {
        self.scratch.path().join("forebay.toml").to_str().unwrap().to_owned()
    }

    async fn check(&self) -> Said {
        say(&["check", "--offline", &self.path()]).await
    }

    /// `run` ends by itself for what is found wrong without a server.
    async fn run(&self) -> Said {
        say(&["run", &self.path()]).await
    }
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// Panics unless the command ended so, and its sentences on stderr contain all of these.
    fn assert(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "no `{part}` in {self:?}");
        }
        // A guest may; we may not.
        assert!(!self.err.contains("thread '"), "{self:?}");
    }
}

async fn say(args: &[&str]) -> Said {
    let Output { status, stdout, stderr } = Forebay::run_once(args, &[]).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: status.code(), out: text(&stdout), err: text(&stderr) }
}

fn component(name: &str) -> String {
    place::component(name).to_str().unwrap().to_owned()
}

/// Plugins `p0`, `p1` and so on, and a binding of the first.
fn manifest(plugins: &[(&str, &str)]) -> String {
    let plugins = plugins.iter().enumerate();
    let plugins =
        plugins.map(|(n, (component, keys))| format!("[plugins.p{n}]\ncomponent = {}\n{keys}\n", quoted(component)));
    format!(
        "manifest-version = 1\n[kafka]\nbootstrap-servers = [\"127.0.0.1:1\"]\n\n[sinks.warehouse]\nkind = \"postgres\"\n\
         url = \"postgres://u@127.0.0.1:1/d\"\n\n{}\n[[bindings]]\nname = \"orders\"\ntopic = \"orders\"\ngroup = \"g\"\n\
         plugin = \"p0\"\ndead-letter = {{ topic = \"orders.dlq\" }}\n\n[bindings.targets]\n\
         log = {{ sink = \"warehouse\", table = \"public.log\" }}\n",
        plugins.collect::<String>()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn says_all_that_is_wrong_with_a_manifest_at_once_with_line_and_caret() {
    let text = manifest(&[(&component("scripted"), "")])
        .replace("url =", "urls =")
        .replace("group = \"g\"", "group = 7\nretires = 3")
        .replace("plugin = \"p0\"", "plugin = \"p9\"");
    let offline = Offline::new(&text);
    let parts = [":7:1: unknown key `urls`", "\n7 | urls = ", "  | ^^^^ did you mean `url`?", "group", "retires", "p9"];
    offline.check().await.assert(78, &parts);
    offline.run().await.assert(78, &parts);
    say(&["init", &offline.path()]).await.assert(78, &parts);
    say(&["check", &offline.path(), "--output", "json"]).await.assert(78, &parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_manifest_variable_or_component_is_78() {
    say(&["run", "/nowhere/forebay.toml"]).await.assert(78, &["`/nowhere/forebay.toml`", "No such file"]);
    say(&["check", "/nowhere/forebay.toml"]).await.assert(78, &["`/nowhere/forebay.toml`"]);
    say(&["init", "/nowhere/forebay.toml"]).await.assert(78, &["`/nowhere/forebay.toml`"]);
    let offline = Offline::plugin("gone/plugin.wasm", "");
    // Relative to the manifest.
    let path = offline.scratch.path().join("gone/plugin.wasm");
    let parts = ["plugin `p0`", path.to_str().unwrap(), "No such file", "build it, or correct `component`"];
    offline.check().await.assert(78, &parts);
    offline.run().await.assert(78, &parts);
    let text = manifest(&[(&component("scripted"), "")]).replace("postgres://u@", "${env:FOREBAY_TESTS_NO_SUCH}");
    Offline::new(&text).check().await.assert(78, &["FOREBAY_TESTS_NO_SUCH"]);
    let text = manifest(&[(&component("scripted"), "")]).replace("postgres://u@", "${file:/nowhere/secret}");
    Offline::new(&text).check().await.assert(78, &["/nowhere/secret"]);
    // Without a name it is the folder's own.
    let empty = Scratch::new("empty", OnFailure::Remove);
    let output = Command::new(place::forebay()).arg("check").current_dir(empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`forebay.toml`"));
}

/// A component, further keys of its plugin, and what its refusal says: what is wrong, and what to do.
const REFUSED: [(&str, &str, &[&str]); 8] = [
    ("not-a-component", "", &["is not a WebAssembly component", "build the plugin"]),
    ("core-module", "", &["is a core module, not a component", "wasm-tools component new"]),
    (
        "imports-clock",
        "",
        &["imports `wasi:clocks/wall-clock@0.2.0`", "`forebay:handler/log`", "build it without WASI"],
    ),
    ("imports-unknown", "", &["imports `forebay-tests:guests/database`", "`forebay:handler/metrics` only"]),
    ("no-handler", "", &["does not export `forebay:handler/handler@0.1.0`", "build it for the world"]),
    (
        "later-version",
        "",
        &["exports `forebay:handler/handler@9.0.0`", "`forebay:handler/handler@0.1.0` only", "update"],
    ),
    ("fails-init", "", &["failed in `init`", "correct the plugin's `config`"]),
    ("traps-init", "", &["failed in `init`", "unreachable"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn refuses_what_is_no_handler_and_says_what_to_do() {
    for (name, keys, parts) in REFUSED {
        let path = component(name);
        let offline = Offline::plugin(&path, keys);
        for said in [offline.check().await, offline.run().await] {
            said.assert(65, &[parts, &["plugin `p0`", &path]].concat());
            let sentences = said.err.lines().filter(|line| line.starts_with("forebay: ")).count();
            assert_eq!(sentences, 1, "one sentence: {said:?}");
        }
    }
    // All of them at once.
    let paths: Vec<String> = REFUSED.iter().map(|(name, _, _)| component(name)).collect();
    let plugins: Vec<(&str, &str)> = paths.iter().map(|path| (&**path, "")).collect();
    let parts: Vec<&str> = REFUSED.iter().flat_map(|(_, _, parts)| *parts).copied().collect();
    Offline::new(&manifest(&plugins)).check().await.assert(65, &parts);
    // A configuration that its own `init` does not take.
    let wrong = Offline::plugin(&component("scripted"), "config = { tombstone-target = 7 }");
    wrong.check().await.assert(65, &["plugin `p0`", "failed in `init`", "`config`"]);
    let small = Offline::plugin(&component("scripted"), "limits = { memory = \"64KiB\" }");
    small.check().await.assert(65, &["`limits.memory`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_holds_the_components_digest() {
    let path = component("scripted");
    let sum = Command::new("sha256sum").arg(Path::new(&path)).output().unwrap();
    let digest = String::from_utf8(sum.stdout).unwrap()[..64].to_owned();
    let pinned = |digest: &str| Offline::plugin(&path, &format!("sha256 = \"{digest}\""));
    pinned(&digest).check().await.assert(0, &[]);
    let other = "0".repeat(64);
    let parts = ["plugin `p0`", &digest, &other, "correct `sha256`"];
    pinned(&other).check().await.assert(65, &parts);
    pinned(&other).run().await.assert(65, &parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_faults_78_goes_before_65_and_all_are_said() {
    let core = component("core-module");
    let offline = Offline::new(&manifest(&[(&core, ""), ("gone.wasm", "")]));
    let parts = ["is a core module", "gone.wasm` can not be read"];
    offline.check().await.assert(78, &parts);
    offline.run().await.assert(78, &parts);
    // What is offline can be told from what a server says: 65 goes before 69.
    say(&["check", &Offline::plugin(&core, "").path()]).await.assert(65, &["is a core module", "127.0.0.1:1"]);
    let text = manifest(&[(&core, "")]).replace("127.0.0.1:1/d", "127.0.0.1:1/d?sslmode=perhaps");
    let offline = Offline::new(&text);
    let parts = ["is a core module", "sink `warehouse`", "`perhaps`"];
    offline.check().await.assert(78, &parts);
    offline.run().await.assert(78, &parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_offline_needs_no_server_and_prints_each_guarantee() {
    let offline = Offline::plugin(&component("scripted"), "");
    let said = offline.check().await;
    said.assert(0, &[]);
    assert!(said.out.contains("binding `orders`") && said.out.contains("exactly once"), "{said:?}");
    assert!(said.out.contains("`orders.dlq`") && said.out.contains("no server was asked"), "{said:?}");
    let said = say(&["check", "--offline", "--output", "json", &offline.path()]).await;
    let facts: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    assert_eq!((&facts["ok"], &facts["bindings"][0]["name"]), (&true.into(), &"orders".into()));
    assert!(facts["bindings"][0]["guarantee"].as_str().unwrap().contains("exactly once"), "{facts}");
    let text = manifest(&[(&component("scripted"), "")]);
    let text = text.replace("log = { sink = \"warehouse\", table = \"public.log\" }", "log = { topic = \"other\" }");
    let said = Offline::new(&text.replace("{ topic = \"orders.dlq\" }", "\"drop\"")).check().await;
    said.assert(0, &[]);
    assert!(said.out.contains("at least once") && said.out.contains("DROPPED"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_built_yet_says_so_and_usage_is_2() {
    let commands: [&[&str]; 5] =
        [&["status"], &["status", "--output", "json"], &["lag"], &["why", "orders"], &["completions", "bash"]];
    for command in commands {
        say(command)
            .await
            .assert(2, &[&format!("`forebay {}", command[0]), "is not built yet", "`run`, `dev`, `check`"]);
    }
    for usage in [&["frobnicate"][..], &[], &["check", "--what"], &["run", "a", "b"], &["check", "--output", "xml"]] {
        let said = say(usage).await;
        said.assert(2, &["--"]);
        assert_eq!(said.out, "", "{usage:?}");
    }
    say(&["frobnicate"]).await.assert(2, &["frobnicate", "Usage"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn says_its_version() {
    let said = say(&["version"]).await;
    said.assert(0, &[]);
    assert_eq!(said.out, concat!("forebay ", env!("CARGO_PKG_VERSION"), "\n"));
    let said = say(&["version", "--output", "json"]).await;
    let facts: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_admin_address_is_78() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = manifest(&[(&component("scripted"), "")]);
    let offline = Offline::new(&text.replace("[sinks", &format!("[admin]\nlisten = \"{address}\"\n\n[sinks")));
    offline.run().await.assert(78, &[&address, "admin.listen"]);
}
