//! Guests that trap.

use super::{NOTHING, Parts, Row, withstands};

const RECURSION: &str = "(func $recurse (param i32) (result i32)
    (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";

pub(super) fn rows() -> Vec<Row> {
    let deep =
        Parts { fields: RECURSION, handle: "(drop (call $recurse (i32.const 0))) (unreachable)", ..Parts::DEFAULT };
    let deep_realloc = Parts {
        realloc: "(call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $size)) (drop) (i32.const 65536)",
        ..Parts::DEFAULT
    };
    let deep_start = Parts {
        fields: &format!("{RECURSION} (func $start (drop (call $recurse (i32.const 0)))) (start $start)"),
        ..Parts::DEFAULT
    };
    let post_return = Parts {
        fields: "(func (export \"cabi_post_forebay:handler/handler@0.1.0#handle\") (param i32) (unreachable))",
        ..Parts::DEFAULT
    };
    let table = "(table 2 2 funcref) (elem (i32.const 1) func $allocate) (type $none (func))";
    let null = format!("(call_indirect (type $none) (i32.const 0)) {NOTHING}");
    let type_of_another = format!("(call_indirect (type $none) (i32.const 1)) {NOTHING}");
    let uncaught = Parts { fields: "(tag $error)", handle: "(throw $error)", ..Parts::DEFAULT };
    vec![
        Row::handle("aborts", "trap: unreachable", "(unreachable)"),
        Row::handle("divides by zero", "trap: integer-divide-by-zero", "(i32.div_u (i32.const 1) (local.get $n))"),
        Row::handle("reads outside of its memory", "trap: memory-out-of-bounds", "(i32.load (i32.const -8))"),
        Row::handle(
            "makes an integer of a float that is none",
            "trap: bad-conversion-to-integer",
            "(i32.trunc_f64_s (f64.const nan))",
        ),
        Row::parts("recurses for ever", "trap: stack-overflow", &deep),
        Row::parts("recurses for ever while it is asked for memory", "init: stack-overflow", &deep_realloc),
        Row::parts("recurses for ever as it starts", "init: stack-overflow", &deep_start),
        Row::parts("traps after it has answered", "trap: unreachable", &post_return),
        Row::parts(
            "calls a function that is not there",
            "trap: indirect-call-to-null",
            &Parts { fields: table, handle: &null, ..Parts::DEFAULT },
        ),
        Row::parts(
            "calls a function as one of another type",
            "trap: bad-signature",
            &Parts { fields: table, handle: &type_of_another, ..Parts::DEFAULT },
        ),
        Row::parts("throws what nobody catches", "trap: uncaught-exception", &uncaught),
    ]
}

#[tokio::test]
async fn traps() {
    withstands(rows()).await;
}
