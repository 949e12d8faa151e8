//! Handlers in every language do the same: a new project's samples give the rows and the dead letters that they give in Rust;
//! and what goes wrong, what time it is, and what chance says, is told alike.

mod feed;
mod go_c;
mod js_python;
mod orders;
mod purity;
mod troubles;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use forebay_tests::place;
use forebay_tests::scratch::Scratch;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::project::{Said, forebay, outside, run};

/// A language, and a handler in it that does what a message says.
struct Language {
    name: &'static str,
    called: &'static str,
    /// The handler's file.
    source: &'static str,
    /// The command that runs the template's tests, and what it says when they pass.
    test: (&'static [&'static str], &'static str),
    /// A handler that rejects with the time (`now`) or with random numbers (`random`), or fails in line 7 (`fail`) with the
    /// text `it broke`.
    trouble: &'static str,
}

/// A project in a folder of its own.
struct Project {
    scratch: Scratch,
    said: Said,
}

impl Project {
    async fn new(language: &str) -> Self {
        let scratch = outside(&format!("language-{language}"));
        let args = ["plugin", "new", "my-app", "--lang", language];
        let said = run(forebay(scratch.path(), &args)).await;
        said.assert(0, &["forebay.toml", "cd my-app && forebay plugin build"]);
        Self { scratch, said }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.scratch.path().join("my-app").join(path)
    }

    /// `forebay ARGS` in the project's folder. What npm and pip fetch is kept, so that it is fetched once.
    fn forebay(&self, args: &[&str]) -> Command {
        let mut command = forebay(&self.file(""), args);
        command.envs(caches()).env_remove("VIRTUAL_ENV");
        command
    }

    async fn build(&self) {
        run(self.forebay(&["plugin", "build"])).await.assert(0, &["my-app.wasm  ", " KiB  sha256:"]);
    }

    /// Returns what became of each sample, and the tables.
    async fn dev(&self) -> Vec<Value> {
        // A row that is there already would not be inserted again.
        fs::remove_dir_all(self.file(".forebay")).ok();
        let said = run(self.forebay(&["dev", "--once", "--output", "json"])).await;
        said.assert(0, &[]);
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns why each of these messages was refused.
    async fn whys(&self, samples: &[&str]) -> Vec<Value> {
        // A text is a message's value as it is, so JSON text stands in quotes of its own.
        let sample = |what: &&str| format!("{}\n", json!({ "value": format!("\"{what}\""), "timestamp": 1500 }));
        fs::write(self.file("my-app.jsonl"), samples.iter().map(sample).collect::<String>()).unwrap();
        let mut lines = self.dev().await;
        lines.iter_mut().take(samples.len()).map(|line| line["why"].take()).collect()
    }
}

fn caches() -> [(&'static str, PathBuf); 2] {
    let folder = |name: &str| place::target().join("caches").join(name);
    [("npm_config_cache", folder("npm")), ("PIP_CACHE_DIR", folder("pip"))]
}

/// What the samples give in Rust, without the words of errors.
async fn expected() -> &'static Vec<Value> {
    static EXPECTED: OnceCell<Vec<Value>> = OnceCell::const_new();
    EXPECTED
        .get_or_init(|| async {
            let project = Project::new("rust").await;
            project.build().await;
            wordless(project.dev().await)
        })
        .await
}

/// A parser's words are its own; the handler's, and the sink's, are the same everywhere.
fn wordless(mut lines: Vec<Value>) -> Vec<Value> {
    for line in &mut lines {
        if line["why"]["code"] == "malformed" {
            let words = line["why"]["message"].take();
            assert!(words.as_str().is_some_and(|words| !words.is_empty()), "{line}");
        }
    }
    lines
}

async fn the_samples_give_what_they_give_in_rust(language: &Language) -> Project {
    let project = Project::new(language.name).await;
    project.said.assert(0, &[language.source]);
    project.build().await;
    let mut check = project.forebay(&["check", "--offline"]);
    check.env("DATABASE_URL", "postgres://u@127.0.0.1:1/d");
    run(check).await.assert(0, &["binding `my-app`", "exactly once"]);
    let called = format!("  language  {}\n", language.called);
    run(project.forebay(&["plugin", "inspect", "my-app.wasm"])).await.assert(0, &[&called]);
    // The template's expectations are of no language.
    let pure = [
        "9 of ./my-app.jsonl: 7 applied, 2 rejected",
        "outcomes  as in ./my-app.expected.json",
        "pure: the same outcomes in 5 more ways",
    ];
    run(project.forebay(&["plugin", "test"])).await.assert(0, &pure);
    assert_eq!(&wordless(project.dev().await), expected().await, "{} (left) and Rust", language.name);

    // What did not change is not made anew: the digest is the source's.
    run(project.forebay(&["plugin", "build"])).await.assert(0, &["as it was"]);

    let (command, passed) = language.test;
    let [program, args @ ..] = command else { panic!("a command has a program") };
    let mut test = Command::new(program);
    test.args(args).current_dir(project.file("")).envs(caches());
    run(test).await.assert(0, &[passed]);
    project
}

/// Time, chance and bugs are the message's: the same in whichever order messages come, and whatever ran before in an instance.
async fn trouble_is_told_alike(project: &Project, language: &Language) {
    fs::write(project.file(language.source), language.trouble).unwrap();
    let manifest = project.file("forebay.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let reuse = "instances = { reuse = 1000 }";
    // Nothing is left to configure.
    edit(&manifest, "config = { largest-amount = 1000 }", if text.contains(reuse) { "" } else { reuse });
    project.build().await;
    let first = project.whys(&["now", "random", "random", "fail", "now"]).await;
    let words = |why: &Value| why["message"].as_str().unwrap_or_default().to_owned();

    assert_eq!(words(&first[0]), "1500 1970-01-01T00:00:01.500Z");
    assert_eq!(first[0], first[4], "who failed before does not matter");
    assert_ne!(words(&first[1]), words(&first[2]), "messages have numbers of their own");
    let again = project.whys(&["fail", "random", "random", "now", "now"]).await;
    assert_eq!(first[1..3], again[1..3], "the same messages have the same ones");
    assert_eq!((&first[3], &first[0]), (&again[0], &again[3]), "in whichever order");

    assert_eq!(first[3]["class"], "trap");
    let told = words(&first[3]);
    let place = format!("{}:7", language.source);
    assert!(told.contains("it broke") && told.lines().next().is_some_and(|line| line.contains(&place)), "{told}");
}

fn edit(path: &Path, from: &str, to: &str) {
    let before = fs::read_to_string(path).unwrap();
    assert!(before.contains(from), "no `{from}` in {}", path.display());
    fs::write(path, before.replace(from, to)).unwrap();
}
