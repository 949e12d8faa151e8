//! `forebay dev`: what it prints, how it ends, and what it takes over while it runs.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use forebay_tests::process::Process;
use forebay_tests::scratch::{OnFailure, Scratch};
use forebay_tests::{place, wait};
use serde_json::Value;
use tokio::task;

use crate::scene::MINUTE;

/// The example, from the checkout as from a copy's folder: so all prints the same paths.
const ORDERS: &str = "examples/01-orders";

/// A copy of an example, without what was built or left there by a run.
pub(crate) struct Copy {
    pub(crate) scratch: Scratch,
    example: &'static str,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Copy {
    pub(crate) fn of(example: &'static str) -> Self {
        let copy = Self { scratch: Scratch::new("dev", OnFailure::Keep), example };
        copy_folder(&place::root().join(example), &copy.folder());
        copy
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.scratch.path().join(self.example)
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.file(path)).unwrap()
    }

    /// Replaces a file as an editor or a build does: at once.
    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let unfinished = self.file(&format!("{path}.unfinished"));
        fs::write(&unfinished, bytes).unwrap();
        fs::rename(unfinished, self.file(path)).unwrap();
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let before = self.read(path);
        assert!(before.contains(from), "no `{from}` in {path}");
        self.write(path, before.replace(from, to));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(place::forebay());
        command.args(["dev", self.example]).args(args).current_dir(self.scratch.path()).env_remove("DATABASE_URL");
        command
    }

    /// Runs to the end with these lines as standard input.
    pub(crate) async fn run(&self, args: &[&str], input: &'static str) -> Said {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let run = move || {
            let mut child = command.spawn().expect("the binary starts");
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            child.wait_with_output().expect("the binary ends")
        };
        let output = task::spawn_blocking(run).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Starts it without an end, and waits until it has fed everything.
    async fn watch(&self) -> Watching {
        let log = self.scratch.path().join("dev.log");
        let process = Process::start("forebay dev", self.command(&[]), &log, libc::SIGKILL);
        let watching = Watching { process };
        watching.until(1, "watching for changes").await;
        watching
    }
}

/// A `forebay dev` that runs until it is told to end.
struct Watching {
    process: Process,
}

impl Watching {
    /// Waits until a text was printed so many times.
    async fn until(&self, times: usize, text: &str) {
        let is_there = async || {
            assert!(self.process.exit().is_none(), "it ended\n{}", self.process.log_tail(60));
            self.process.log().matches(text).count() >= times
        };
        wait::until_or_dump(MINUTE, text, is_there, || self.process.log_tail(60)).await;
    }

    async fn stop(&self) -> String {
        self.process.signal(libc::SIGINT);
        assert_eq!(self.process.wait_exit(MINUTE).await.code(), Some(0), "a stop is no failure");
        self.process.log()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        } else if !["target", ".forebay", "src", "node_modules", ".venv"].iter().any(|left| name == *left) {
            copy_folder(&path, &to.join(name));
        }
    }
}

/// Puts `[..]` where compilers differ: the component's digest, a trap's words and its frames.
fn masked(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let before = |marker: &str| line.split_once(marker).map(|(start, _)| format!("{start}{marker}[..]"));
        match before("sha256:").or_else(|| before("trap/unreachable: panicked at ")) {
            Some(masked) => lines.push(masked),
            // The frames; alone in its line it stands for any number of lines.
            None if line.starts_with("    ") => lines.push("[..]".to_owned()),
            None => lines.push(line.to_owned()),
        }
    }
    lines.dedup_by(|line, before| line == "[..]" && before == "[..]");
    lines.join("\n") + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn the_samples_of_the_example_end_as_the_golden_text_says() {
    let said = Copy::of(ORDERS).run(&["--once"], "").await;
    assert_eq!((said.code, &*said.err), (Some(0), ""), "{said:?}");
    let shown = masked(&said.out);
    let golden = place::root().join("tests/goldens/dev/orders.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&golden, &shown).unwrap();
    }
    assert_eq!(shown, fs::read_to_string(&golden).unwrap(), "BLESS=1 writes it anew");
    // What is masked is there all the same: the panic's own words, and the handler's function among the frames.
    let trap = said.out.lines().skip_while(|line| !line.contains("trap/unreachable"));
    let trap = trap.take_while(|line| !line.contains("skipped")).collect::<Vec<_>>().join("\n");
    assert!(trap.contains("char boundary") && trap.contains("at orders::"), "{trap}");
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_takes_records_and_plain_lines_and_ends_with_it() {
    let input = "\
        {\"key\":\"o-1\",\"value\":{\"order_id\":\"o-1\",\"customer_id\":\"c-1\",\"amount\":\"1.50\",\"quantity\":1,\"status\":\"paid\",\"updated_at\":0}}\n\
        just a text\n\
        {\"order_id\":\"o-2\",\"customer_id\":\"c-1\",\"amount\":\"2.00\",\"quantity\":1,\"status\":\"placed\",\"updated_at\":1}\n\
        {\"key\":\"o-1\",\"value\":null,\"timestamp\":5,\"partition\":5}\n";
    let said = Copy::of(ORDERS).run(&["--input", "-", "--output", "json"], input).await;
    assert_eq!((said.code, &*said.err), (Some(0), ""), "{said:?}");
    let lines: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<&str> = lines.iter().filter_map(|line| line["state"].as_str()).collect();
    assert_eq!(states, ["applied", "dead-lettered", "applied", "applied"]);
    assert_eq!((&lines[1]["why"]["class"], &lines[1]["why"]["code"]), (&"rejected".into(), &"malformed".into()));
    assert_eq!(lines[2]["rows"][0]["after"]["amount"], "2.00");
    assert_eq!((&lines[3]["partition"], &lines[3]["offset"]), (&5.into(), &0.into()));
    let end = &lines[4];
    assert_eq!((&end["summary"]["applied"], &end["tables"]["order_audit"]["count"]), (&3.into(), &3.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_no_record_is_left_out_and_the_end_says_so() {
    let copy = Copy::of(ORDERS);
    copy.write("three.jsonl", "one\n{\"value\":2,\"partition\":\"two\"}\nthree\n");
    let said = copy.run(&["--once", "--input", "examples/01-orders/three.jsonl"], "").await;
    assert_eq!(said.code, Some(78), "{said:?}");
    let named = "three.jsonl:2: not a record: invalid type: string \"two\", expected i32";
    assert!(said.err.contains(named), "{said:?}");
    assert!(said.err.contains("1 line of examples/01-orders/three.jsonl could not be fed"), "{said:?}");
    assert!(said.out.contains("2 records: 0 applied, 0 skipped, 2 dead-lettered"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_missing_halts_and_a_run_that_is_to_end_says_why() {
    let copy = Copy::of(ORDERS);
    copy.edit("schema.sqlite.sql", "EXISTS customer_totals", "EXISTS customers");
    let said = copy.run(&["--once"], "").await;
    assert_eq!(said.code, Some(78), "{said:?}");
    assert!(said.err.contains("customer_totals"), "{said:?}");
    assert!(said.out.contains("halted: schema: "), "{said:?}");
    // A run that only asks about a file that is not there ends with the same status.
    let said = copy.run(&["--once", "--input", "gone.jsonl"], "").await;
    assert_eq!(said.code, Some(78), "{said:?}");
    assert!(said.err.contains("read the input `gone.jsonl`"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_are_taken_over_while_it_runs() {
    let copy = Copy::of(ORDERS);
    let watching = copy.watch().await;
    watching.until(1, "15 records: 11 applied").await;
    // Another handler, which takes none of this for its script.
    copy.write("plugin/orders.wasm", fs::read(place::component("scripted")).unwrap());
    watching.until(1, "plugin/orders.wasm changed: examples/01-orders/orders.jsonl is fed again").await;
    watching.until(1, "15 records: 0 applied").await;
    copy.write("plugin/orders.wasm", fs::read(place::root().join(ORDERS).join("plugin/orders.wasm")).unwrap());
    watching.until(2, "15 records: 11 applied").await;
    copy.write("orders.jsonl", copy.read("orders.jsonl") + "one more line\n");
    watching.until(1, "orders.jsonl changed: ").await;
    watching.until(1, "16 records: 11 applied").await;
    copy.edit("schema.sqlite.sql", "amount      TEXT", "amount      INTEGER");
    watching.until(1, "schema.sqlite.sql changed: ").await;
    watching.until(1, "SQLITE_CONSTRAINT_DATATYPE").await;
    copy.edit("schema.sqlite.sql", "amount      INTEGER", "amount      TEXT NOT");
    watching.until(1, "line 7 of the script").await;
    copy.edit("schema.sqlite.sql", "amount      TEXT NOT", "amount      TEXT");
    watching.until(2, "16 records: 11 applied").await;
    watching.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_broken_while_it_runs_leaves_the_old_one_at_work() {
    let copy = Copy::of(ORDERS);
    let watching = copy.watch().await;
    copy.edit("forebay.toml", "group = ", "gruop = ");
    watching.until(1, "forebay.toml changed, but can not be used; what ran before goes on").await;
    watching.until(1, "unknown key `gruop`").await;
    copy.write("plugin/orders.wasm", "this is no component");
    copy.edit("forebay.toml", "gruop = ", "group = ");
    watching.until(2, "changed, but can not be used").await;
    copy.write("plugin/orders.wasm", fs::read(place::root().join(ORDERS).join("plugin/orders.wasm")).unwrap());
    watching.until(2, "15 records: 11 applied").await;
    let log = watching.stop().await;
    assert!(!log.contains("15 records: 0 applied"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_in_the_same_folder_is_refused() {
    let copy = Copy::of(ORDERS);
    let watching = copy.watch().await;
    let said = copy.run(&["--once"], "").await;
    assert_eq!(said.code, Some(78), "{said:?}");
    assert!(said.err.contains("another `forebay dev` uses `examples/01-orders/.forebay`"), "{said:?}");
    watching.stop().await;
}
