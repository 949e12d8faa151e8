//! Guests that take memory.

use super::{NOTHING, Parts, Row, WORLD, text, withstands};
use crate::tests::guest::component;

pub(super) fn rows() -> Vec<Row> {
    let grow = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))";
    let table = "(table $table 0 funcref)";
    let grow_table =
        "(loop $again (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))";
    let dies = |what: &str| format!("{what} (unreachable)");
    let parts = Parts::DEFAULT;
    let thrown = format!(
        "(tag $large (param {})) (table $kept 20000 exnref) (global $last (mut exnref) (ref.null exn))",
        "i64 ".repeat(1_000)
    );
    let throw = format!(
        "(loop $again
           (block $caught (result exnref)
             (try_table (catch_all_ref $caught) (throw $large {}))
             (unreachable))
           (global.set $last)
           (table.set $kept (local.get $n) (global.get $last))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $n) (i32.const 20000))))",
        "(i64.const 7) ".repeat(1_000)
    );
    vec![
        Row::handle("takes all memory and dies of it", "memory: memory-limit", &dies(grow)),
        Row::handle("takes all memory and lives with it", "harmless", &format!("{grow} {NOTHING}")),
        Row::parts(
            "keeps all that it throws",
            "memory: memory-limit",
            &Parts { fields: &thrown, handle: &dies(&throw), ..parts },
        ),
        Row::parts("has a second memory", "refused: does not compile: ", &Parts { fields: "(memory 0)", ..parts }),
        Row::parts(
            "grows a table for ever",
            "memory: memory-limit",
            &Parts { fields: table, handle: &dies(grow_table), ..parts },
        ),
        Row::parts("takes all memory in `init`", "init: memory-limit", &Parts { init: &dies(grow), ..parts }),
        Row {
            name: "starts with a memory of 2 GiB",
            outcome: "refused: needs more memory to start",
            component: component(&text(&parts).replacen("\"memory\") 2)", "\"memory\") 32768)", 1), &[], WORLD),
        },
        Row::parts(
            "starts with a table of a million entries",
            "refused: does not compile: ",
            &Parts { fields: "(table 1000000 funcref)", ..parts },
        ),
        Row::parts(
            "has three tables",
            "refused: does not compile: ",
            &Parts { fields: &"(table 0 funcref)".repeat(3), ..parts },
        ),
    ]
}

#[tokio::test]
async fn takes_memory() {
    withstands(rows()).await;
}
