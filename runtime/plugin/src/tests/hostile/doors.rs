//! Components that import what they may not, or export more than they should.

use std::fmt::Write;

use super::{Parts, Row, WORLD, text, withstands};
use crate::tests::guest::{component, foreign_component};

/// A handler with further imports of its module, for a world that has them.
fn importing(packages: &[&str], fields: &str) -> Vec<u8> {
    let text = text(&Parts::DEFAULT).replacen("(module", &format!("(module {fields}"), 1);
    component(&text, packages, "w")
}

/// A handler that exports further interfaces.
fn exporting(count: usize) -> Vec<u8> {
    let (mut interfaces, mut exports, mut fields) = (String::new(), String::new(), String::new());
    for number in 0..count {
        write!(interfaces, "interface e{number} {{ run: func(); }} ").unwrap();
        write!(exports, "export e{number}; ").unwrap();
        write!(fields, "(func (export \"a:b/e{number}#run\"))").unwrap();
    }
    let package = format!("package a:b; {interfaces} world w {{ include {WORLD}; {exports} }}");
    component(&text(&Parts { fields: &fields, ..Parts::DEFAULT }), &[&package], "w")
}

fn two_handlers() -> Vec<u8> {
    let later = "package forebay:handler@0.9.0; interface handler { handle: func(); }";
    let package = "package a:b; world w { include forebay:handler/pure@0.1.0; export forebay:handler/handler@0.9.0; }";
    let fields = "(func (export \"forebay:handler/handler@0.9.0#handle\"))";
    component(&text(&Parts { fields, ..Parts::DEFAULT }), &[later, package], "w")
}

pub(super) fn rows() -> Vec<Row> {
    let wasi = "package wasi:filesystem@0.2.6; interface types { open: func(); }";
    let world = |imports: &str| format!("package a:b; world w {{ include {WORLD}; {imports} }}");
    let opens = world("import wasi:filesystem/types@0.2.6;");
    let unknown =
        "package a:b; interface net { call: func(); } world w { include forebay:handler/pure@0.1.0; import net; }";
    let later = "package forebay:handler@0.2.0; interface log { write: func(); }";
    let later_world = world("import forebay:handler/log@0.2.0;");
    let other = "package forebay:handler@0.1.0; interface log { erase: func(); } interface handler { handle: func(); }
        world pure { import log; export handler; }";
    let other_text = "(module (import \"forebay:handler/log@0.1.0\" \"erase\" (func))
        (func (export \"forebay:handler/handler@0.1.0#handle\")))";
    let many: String = (0..900).fold(String::new(), |mut text, number| {
        write!(text, "import i{number}: func(); ").unwrap();
        text
    });
    let many_fields: String = (0..900).fold(String::new(), |mut text, number| {
        write!(text, "(import \"$root\" \"i{number}\" (func))").unwrap();
        text
    });
    let row = |name, outcome, component| Row { name, outcome, component };
    vec![
        row(
            "imports WASI",
            "refused: imports `wasi:filesystem/types@0.2.6`, which a handler does not get",
            importing(&[wasi, &opens], "(import \"wasi:filesystem/types@0.2.6\" \"open\" (func))"),
        ),
        row(
            "imports an unknown interface",
            "refused: imports `a:b/net`, which a handler does not get",
            importing(&[unknown], "(import \"a:b/net\" \"call\" (func))"),
        ),
        row(
            "imports a later version of the contract",
            "refused: imports `forebay:handler/log@0.2.0`, which a handler does not get",
            importing(&[later, &later_world], "(import \"forebay:handler/log@0.2.0\" \"write\" (func))"),
        ),
        row(
            "imports a function that the contract does not have",
            "refused: imports functions that the contract does not have",
            foreign_component(other_text, &[other], "pure"),
        ),
        row("imports nine hundred functions", "refused: imports `i0`", importing(&[&world(&many)], &many_fields)),
        row("exports more than a handler", "harmless", exporting(1)),
        row("exports four hundred interfaces more", "harmless", exporting(400)),
        row("exports a handler of a later version as well", "harmless", two_handlers()),
    ]
}

#[tokio::test]
async fn knocks_on_doors() {
    withstands(rows()).await;
}
