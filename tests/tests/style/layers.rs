//! Layers: which crate may know what, and which way imports point.

use std::collections::BTreeSet;
use std::fs;

use forebay_tests::place;

use crate::none;
use crate::source::{has_word, is_word, mentions, public_items, rust};

/// The modules of `runtime/forebay`, lowest first: a module may import only what stands in a row above it in this table.
const LAYERS: &[&[&str]] = &[
    &["error"],
    &["telemetry", "metrics", "shutdown", "watch", "watchdog", "paint", "samples"],
    &["status", "load", "project", "host"],
    &["consumer"],
    &["admin", "lag", "dlq", "dev"],
    &["reloader", "proof"],
    &["app"],
    &["cli"],
    &["main"],
];

/// The libraries of the outside, and the one crate under `runtime/` that may know each.
const OWNERS: &[(&str, &[&str])] = &[
    ("plugin", &["wasmtime"]),
    ("guest", &["wit_component", "wit_parser", "wasmparser"]),
    ("kafka", &["rdkafka", "rdkafka_sys"]),
    (
        "sink",
        &[
            "tokio_postgres",
            "postgres_types",
            "deadpool_postgres",
            "rusqlite",
            "bigdecimal",
            "tokio_postgres_rustls",
            "rustls",
        ],
    ),
];

/// What a crate may use of another's in its tests alone: components are made by hand there.
const IN_TESTS: &[(&str, &str)] = &[("plugin", "wit_component"), ("plugin", "wit_parser")];

/// What else would give the pure core I/O, a clock, async or randomness.
const IMPURE: &[&str] = &["tokio", "tokio_util", "futures_util", "axum", "rand", "libc", "tracing", "parking_lot"];
const IMPURE_STD: &[&str] = &[
    "std::fs",
    "io::stdin",
    "io::stdout",
    "io::stderr",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];

const ADAPTERS: &[(&str, &str)] =
    &[("plugin", "forebay-plugin-host"), ("kafka", "forebay-kafka"), ("sink", "forebay-sink")];

#[test]
fn the_core_knows_nothing_of_the_outside() {
    let foreign: Vec<&str> = OWNERS.iter().flat_map(|(_, crates)| *crates).chain(IMPURE).copied().collect();
    let mut findings = Vec::new();
    for source in rust("runtime/core/src") {
        for (number, line) in source.code() {
            let names = foreign.iter().filter(|name| names_crate(&line, name));
            let paths = IMPURE_STD.iter().filter(|path| line.contains(**path));
            findings.extend(names.chain(paths).map(|name| format!("{}: `{name}` in the core", source.at(number))));
        }
    }
    let dependencies = dependencies("core");
    let named = foreign.iter().filter(|name| dependencies.contains(&name.replace('_', "-")));
    none(findings.into_iter().chain(named.map(|name| format!("the core depends on `{name}`"))));
}

#[test]
fn each_library_of_the_outside_has_one_owner() {
    let mut findings = Vec::new();
    for (owner, crates) in OWNERS {
        for (folder, dependencies) in crates_of_the_runtime().into_iter().filter(|(folder, _)| folder != owner) {
            let crates: Vec<&str> =
                crates.iter().filter(|name| !IN_TESTS.contains(&(folder.as_str(), **name))).copied().collect();
            let named = crates.iter().filter(|name| dependencies.contains(&name.replace('_', "-")));
            findings.extend(named.map(|name| format!("runtime/{folder} depends on `{name}`, which is {owner}'s")));
            for source in rust(&format!("runtime/{folder}")) {
                for (number, line) in source.code() {
                    let named = crates.iter().filter(|name| names_crate(&line, name));
                    findings.extend(named.map(|name| format!("{}: `{name}` is {owner}'s", source.at(number))));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn adapters_do_not_depend_on_one_another() {
    let mut findings = Vec::new();
    for (folder, own) in ADAPTERS {
        let dependencies = dependencies(folder);
        let others = ADAPTERS.iter().map(|(_, name)| *name).chain(["forebay"]).filter(|name| name != own);
        let named = others.filter(|name| dependencies.contains(*name));
        findings.extend(named.map(|name| format!("runtime/{folder} depends on `{name}`")));
    }
    none(findings);
}

#[test]
fn no_foreign_type_stands_in_an_adapters_public_names() {
    let mut findings = Vec::new();
    for (folder, crates) in OWNERS {
        for source in rust(&format!("runtime/{folder}/src")) {
            let code = source.code();
            let imported = imported_names(&code, crates);
            for (number, item) in public_items(&code) {
                let foreign = crates.iter().filter(|name| names_crate(&item, name)).map(|name| (*name).to_owned());
                let known = imported.iter().filter(|name| has_word(&item, name)).cloned();
                let at = source.at(number);
                findings.extend(foreign.chain(known).map(|name| format!("{at}: `{name}` in a public name")));
            }
        }
    }
    none(findings);
}

#[test]
fn modules_of_the_runtime_import_one_way() {
    let mut findings = Vec::new();
    for source in rust("runtime/forebay/src") {
        let below = source.path.strip_prefix("runtime/forebay/src").expect("it was found there");
        let own = below.components().next().expect("a file has a name").as_os_str().to_string_lossy().into_owned();
        let own = own.trim_end_matches(".rs");
        if own == "lib" {
            continue;
        }
        let Some(from) = layer(own) else {
            findings.push(format!("{}: `{own}` has no row in LAYERS", source.path.display()));
            continue;
        };
        for (number, line) in source.code() {
            for import in modules_named(&line).into_iter().filter(|import| import != own) {
                if layer(&import).is_some_and(|to| to >= from) {
                    let at = source.at(number);
                    findings.push(format!("{at}: `{own}` imports `{import}`, which does not stand above it in LAYERS"));
                }
            }
        }
    }
    none(findings);
}

fn crates_of_the_runtime() -> Vec<(String, BTreeSet<String>)> {
    let folders = fs::read_dir(place::root().join("runtime")).expect("the checkout has a runtime").flatten();
    let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.map(|name| (name.clone(), dependencies(&name))).collect()
}

/// Returns the names in a crate's dependency tables, those of its tests included.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = place::root().join("runtime").join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap_or_else(|error| panic!("read `{}`: {error}", manifest.display()));
    let mut names = BTreeSet::new();
    let mut is_table = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_table = line.ends_with("dependencies]");
        } else if is_table && let Some((key, _)) = line.split_once('=') {
            let name = key.trim().trim_end_matches(".workspace").trim_matches('"');
            names.insert(name.to_owned());
        }
    }
    names
}

/// Returns whether the code uses a crate: `name::…`, or `use name`.
fn names_crate(code: &str, name: &str) -> bool {
    let is_path = |(before, after): (&str, &str)| {
        let is_inner = before.ends_with("::") && !before.ends_with(" ::") || before.ends_with('.');
        !is_inner && (after.starts_with("::") || before.trim_end().ends_with("use") && after.starts_with([';', ' ']))
    };
    mentions(code, name).any(is_path)
}

/// Returns the names that a file imports from foreign crates.
fn imported_names(code: &[(usize, String)], crates: &[&str]) -> BTreeSet<String> {
    let whole: String = code.iter().map(|(_, line)| line.trim()).collect::<Vec<_>>().join(" ");
    let statements = whole.split(';').filter_map(|statement| statement.rsplit_once("use ").map(|(_, path)| path));
    let foreign =
        statements.filter(|path| crates.iter().any(|name| path.trim_start().starts_with(&format!("{name}::"))));
    let words = foreign.flat_map(|path| path.split(|char| !is_word(char)));
    words.filter(|word| word.starts_with(char::is_uppercase)).map(str::to_owned).collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// Returns the modules that a line reaches by `crate::` or by the library's own name.
fn modules_named(line: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for root in ["crate", "forebay"] {
        for (before, after) in mentions(line, root) {
            let Some(path) = after.strip_prefix("::").filter(|_| !before.ends_with("::")) else {
                continue;
            };
            if let Some(group) = path.strip_prefix('{') {
                let parts = group.split('}').next().unwrap_or(group).split(',').map(str::trim);
                modules.extend(parts.map(|part| part.chars().take_while(|char| is_word(*char)).collect::<String>()));
            } else {
                modules.push(path.chars().take_while(|char| is_word(*char)).collect());
            }
        }
    }
    modules
}
