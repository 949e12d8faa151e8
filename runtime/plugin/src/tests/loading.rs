//! What is refused at load, and in which words; and the compile cache.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use sha2::{Digest, Sha256};

use super::guest::{Folder, Rig, component, foreign_component, handler, handler_text, host, settings};
use crate::{LoadError, LoadErrorKind, Problem};

/// Loads these bytes and returns the refusal.
fn refused(bytes: &[u8], change: impl FnOnce(&mut forebay_core::manifest::settings::Plugin)) -> LoadError {
    let folder = Folder::new();
    let mut settings = settings(&folder.write("plugin.wasm", bytes));
    change(&mut settings);
    let error = host(None).load(&settings).unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::Refused);
    error
}

fn text(error: &LoadError) -> String {
    error.problem.to_string()
}

#[test]
fn tells_what_it_loaded() {
    let rig = Rig::new(|_| {});
    assert_eq!(rig.plugin.name(), "orders");
    assert_eq!(rig.plugin.world(), "forebay:handler/pure@0.1.0");
    assert_eq!(rig.plugin.digest(), format!("sha256:{:x}", Sha256::digest(handler())));
}

#[test]
fn tells_a_missing_file_from_a_refused_one() {
    let error = host(None).load(&settings("/nowhere/plugin.wasm".as_ref())).unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::Missing);
    assert_eq!(
        error.to_string(),
        "plugin `orders`: component `/nowhere/plugin.wasm` can not be read: No such file or directory (os error 2); \
         build it, or correct `component` in the manifest"
    );
}

#[test]
fn refuses_what_is_no_component() {
    let core = wat::parse_str("(module)").unwrap();
    assert!(text(&refused(&core, |_| {})).starts_with("is a core module, not a component; turn it into one"));
    assert!(text(&refused(b"hello", |_| {})).starts_with("is not a WebAssembly component: it does not begin like one"));
    assert!(text(&refused(b"", |_| {})).contains("the file is empty"));
    assert!(text(&refused(b"(component)", |_| {})).contains("WebAssembly text"));
    let mut torn = handler();
    torn.truncate(torn.len() / 2);
    assert!(text(&refused(&torn, |_| {})).starts_with("does not compile: "));
}

#[test]
fn refuses_machine_code() {
    let engine = crate::engine::engine(std::num::NonZeroUsize::MIN).unwrap();
    let code = engine.precompile_component(&handler()).unwrap();
    assert!(text(&refused(&code, |_| {})).starts_with("is precompiled machine code, which is never loaded"));
}

#[test]
fn refuses_another_digest_than_the_pinned_one() {
    let error = refused(&handler(), |settings| settings.sha256 = Some("0".repeat(64)));
    assert!(matches!(error.problem, Problem::Digest { .. }), "{error}");
    let pin = format!("{:x}", Sha256::digest(handler()));
    Rig::new(|settings| settings.sha256 = Some(pin));
}

#[test]
fn refuses_a_component_without_a_handler_and_says_what_it_exports() {
    let package = "package a:b; interface greet { hello: func(); } world w { export greet; }";
    let text_of = "(module (func (export \"a:b/greet#hello\")))";
    let error = refused(&foreign_component(text_of, &[package], "w"), |_| {});
    assert_eq!(
        text(&error),
        "does not export `forebay:handler/handler@0.1.0` (it exports `a:b/greet`); \
         build it for the world `forebay:handler/pure`"
    );
}

#[test]
fn refuses_a_version_it_does_not_know_and_says_which_it_does() {
    let package = "package forebay:handler@0.9.0; interface handler { handle: func(); } world w { export handler; }";
    let text_of = "(module (func (export \"forebay:handler/handler@0.9.0#handle\")))";
    let error = refused(&foreign_component(text_of, &[package], "w"), |_| {});
    assert_eq!(
        text(&error),
        "exports `forebay:handler/handler@0.9.0`, but this host loads `forebay:handler/handler@0.1.0` only; \
         build it against one of these, or update the host"
    );
}

#[test]
fn refuses_a_handler_of_another_shape() {
    let package = "package forebay:handler@0.1.0; interface handler { init: func(); handle: func(); } world w { export handler; }";
    let text_of = "(module (func (export \"forebay:handler/handler@0.1.0#handle\")) \
                   (func (export \"forebay:handler/handler@0.1.0#init\")))";
    let error = refused(&foreign_component(text_of, &[package], "w"), |_| {});
    assert!(text(&error).starts_with("exports `forebay:handler/handler@0.1.0` with other types"), "{error}");
}

#[test]
fn names_every_refused_import_and_says_what_to_do() {
    let packages = [
        "package wasi:clocks@0.2.6; interface wall-clock { now: func() -> u64; }",
        "package wasi:random@0.2.6; interface insecure { get: func() -> u64; }",
        "package a:b; world w { import wasi:clocks/wall-clock@0.2.6; import wasi:random/insecure@0.2.6; \
         include forebay:handler/pure@0.1.0; }",
    ];
    let imports = "(module (import \"wasi:clocks/wall-clock@0.2.6\" \"now\" (func (result i64))) \
                   (import \"wasi:random/insecure@0.2.6\" \"get\" (func (result i64)))";
    let text_of = handler_text().replacen("(module", imports, 1);
    let error = refused(&component(&text_of, &packages, "w"), |_| {});
    assert_eq!(
        text(&error),
        "imports `wasi:clocks/wall-clock@0.2.6`, `wasi:random/insecure@0.2.6`, which a handler does not get: it may import \
         `forebay:handler/log` and `forebay:handler/metrics` only; build it without WASI, as the SDK of its language does \
         (for Rust: target `wasm32-unknown-unknown`)"
    );
}

#[test]
fn calls_init_and_tells_its_failure() {
    let error = refused(&handler(), |settings| settings.config = "!".to_owned());
    assert_eq!(text(&error), "failed in `init` (bad-config): no currency; correct the plugin's `config`");
    let error = refused(&handler(), |settings| settings.config = "?".to_owned());
    assert!(matches!(&error.problem, Problem::Init { code, is_trap: true, .. } if code == "unreachable"), "{error}");
}

#[test]
fn refuses_an_instance_that_is_too_large_to_start() {
    let error = refused(&handler(), |settings| settings.limits.memory = 100_000);
    assert_eq!(
        text(&error),
        "needs more memory to start than `limits.memory` allows (100000 bytes); raise the limit or build it with a smaller memory"
    );
}

#[test]
fn keeps_compiled_code_and_mends_what_is_damaged() {
    let folder = Folder::new();
    let cache = folder.0.join("cache");
    let settings = settings(&folder.write("plugin.wasm", &handler()));
    let entry = || {
        let mut entries: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0)
    };
    let load = || host(Some(cache.clone())).load(&settings).unwrap();

    load();
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let written = fs::read(entry()).unwrap();
    let first = fs::metadata(entry()).unwrap();
    load();
    let second = fs::metadata(entry()).unwrap();
    assert_eq!(second.ino(), first.ino(), "a hit writes nothing");
    assert!(second.modified().unwrap() > first.modified().unwrap(), "and shows that the entry was used");

    for damage in [0, 8, 100, written.len() - 1] {
        let mut damaged = written.clone();
        damaged[damage] ^= 1;
        fs::write(entry(), &damaged).unwrap();
        load();
        assert_ne!(fs::read(entry()).unwrap(), damaged, "byte {damage}");
    }
    fs::write(entry(), &written[..40]).unwrap();
    load();
    assert!(fs::read(entry()).unwrap().len() > 1000);
}

#[test]
fn trusts_no_cache_that_others_can_write_to() {
    let folder = Folder::new();
    let cache = folder.0.join("cache");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    host(Some(cache.clone())).load(&settings(&folder.write("plugin.wasm", &handler()))).unwrap();
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}
