//! One row for each hostility: a guest that does it, and the outcome that it has. After each row a good plugin answers on
//! the same host. `docs/sandbox.md` says the same in words, and is held to these rows.

mod bombs;
mod chatter;
mod doors;
mod lies;
mod memory;
mod output;
mod spins;
mod state;
mod traps;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forebay_core::outcome::Outcome;

use super::compiling::in_process;
use super::guest::{Folder, component, handler, host, host_with, job, settings};
use crate::imports::cut;
use crate::{Host, Plugin, Problem};

/// A guest and what becomes of it.
struct Row {
    name: &'static str,
    /// `CLASS: CODE` of the record's fault, `init: CODE`, `refused: ` and the beginning of the reason, or `harmless`.
    outcome: &'static str,
    component: Vec<u8>,
}

/// What a guest of [`guest`] does where it is not told otherwise.
struct Parts<'a> {
    /// Further fields of the module.
    fields: &'a str,
    init: &'a str,
    realloc: &'a str,
    /// The body of `handle`: gives the address of an outcome.
    handle: &'a str,
}

/// A host under attack.
struct Siege {
    host: Host,
    good: Arc<Plugin>,
    folder: Folder,
}

/// The outcome that [`Parts::DEFAULT`] gives: no effects.
const NOTHING: &str = "(call $case (i32.const 0) (i32.const 0) (i32.const 0))";
const WORLD: &str = "forebay:handler/pure@0.1.0";

impl Parts<'_> {
    const DEFAULT: Parts<'static> =
        Parts { fields: "", init: "", realloc: "(call $allocate (local.get $size))", handle: NOTHING };
}

impl Row {
    /// A guest whose `handle` is `body`.
    fn handle(name: &'static str, outcome: &'static str, body: &str) -> Self {
        Self::parts(name, outcome, &Parts { handle: body, ..Parts::DEFAULT })
    }

    /// A guest with these parts.
    fn parts(name: &'static str, outcome: &'static str, parts: &Parts<'_>) -> Self {
        Self { name, outcome, component: component(&text(parts), &[], WORLD) }
    }
}

/// The core module of a guest.
fn text(Parts { fields, init, realloc, handle }: &Parts<'_>) -> String {
    include_str!("guest.wat")
        .replace(";; FIELDS", fields)
        .replace(";; INIT", init)
        .replace(";; REALLOC", realloc)
        .replace(";; HANDLE", handle)
}

impl Siege {
    fn new(host: Host) -> Self {
        let folder = Folder::new();
        let good = host.load(&settings(&folder.write("good.wasm", &handler()))).unwrap();
        Self { host, good, folder }
    }

    /// Loads the guest, lets it handle one record, and says what came of it.
    async fn attack(&self, component: &[u8]) -> String {
        let mut settings = settings(&self.folder.write("hostile.wasm", component));
        settings.limits.cpu = Duration::from_millis(60);
        let plugin = match self.host.load(&settings) {
            Ok(plugin) => plugin,
            Err(error) => {
                return match error.problem {
                    Problem::Init { code, is_trap: true, .. } => format!("init: {code}"),
                    other => format!("refused: {other}"),
                };
            }
        };
        match self.host.handle(&plugin, job(&["hostile"], 0..1)).await {
            Ok(handled) => match &handled[0].result {
                Ok(_) => "harmless".to_owned(),
                Err(fault) => {
                    assert!(fault.message.len() <= 4096, "{} bytes of words", fault.message.len());
                    format!("{}: {}", fault.class, fault.code)
                }
            },
            Err(error) => format!("no outcome: {error}"),
        }
    }

    /// Lets the good plugin handle one record.
    async fn is_up(&self) {
        let handled = self.host.handle(&self.good, job(&["vgood"], 0..1)).await.unwrap();
        assert_eq!(handled[0].result, Ok(Outcome::Skip("vgood".to_owned())));
    }
}

/// Checks each row, and that the host stays up.
async fn withstands(rows: Vec<Row>) {
    hold(Siege::new(host(None)), rows).await;
}

/// The same with each guest compiled in a process of its own.
async fn withstands_compiling(rows: Vec<Row>) {
    hold(Siege::new(host_with(None, in_process())), rows).await;
}

async fn hold(siege: Siege, rows: Vec<Row>) {
    let mut wrong = Vec::new();
    for row in rows {
        let outcome = siege.attack(&row.component).await;
        let is_expected = if row.outcome.starts_with("refused: ") {
            outcome.starts_with(row.outcome) && outcome.len() <= 8192
        } else {
            outcome == row.outcome
        };
        if !is_expected {
            wrong.push(format!("{}: {} instead of {}", row.name, cut(&outcome, 400), row.outcome));
        }
        siege.is_up().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn is_what_the_documentation_says() {
    let rows = [
        bombs::rows(),
        chatter::rows(),
        doors::rows(),
        lies::rows(),
        memory::rows(),
        output::rows(),
        spins::rows(),
        state::rows(),
        traps::rows(),
    ];
    let mut expected: Vec<_> =
        rows.into_iter().flatten().map(|row| (row.name.to_owned(), row.outcome.replace('`', ""))).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sandbox.md");
    let text = fs::read_to_string(path).unwrap();
    let table = text.split("<!-- rows -->").nth(1).unwrap();
    let mut documented: Vec<_> = table
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
            let [name, _, outcome] = cells[..] else { return None };
            Some((name.to_owned(), outcome.replace('`', "")))
        })
        .filter(|(name, _)| name != "a handler that" && !name.starts_with("---"))
        .collect();
    expected.sort();
    documented.sort();
    for row in &expected {
        assert!(documented.contains(row), "docs/sandbox.md does not have {row:?}");
    }
    assert_eq!(documented, expected);
}
