//! Guests that do not end.

use super::{NOTHING, Parts, Row, withstands};

const SPIN: &str = "(loop $again (br $again))";

pub(super) fn rows() -> Vec<Row> {
    let spin = format!("{SPIN} (unreachable)");
    let start = format!("(func $start {SPIN}) (start $start)");
    let post_return = format!("(func (export \"cabi_post_forebay:handler/handler@0.1.0#handle\") (param i32) {SPIN})");
    let parts = Parts::DEFAULT;
    let tail = Parts { fields: "(func $tail (return_call $tail))", handle: "(call $tail) (unreachable)", ..parts };
    let fill = "(call $reserve (i32.const 0x3000000))
        (loop $again (memory.fill (i32.const 65536) (i32.const 0) (i32.const 0x2f00000)) (br $again)) (unreachable)";
    let catch = Parts {
        fields: "(tag $error (param i64))",
        handle: "(loop $again
            (block $caught (result i64)
              (try_table (catch $error $caught) (throw $error (i64.const 7)))
              (unreachable))
            (drop) (br $again)) (unreachable)",
        ..parts
    };
    let count = "(loop $again (call $count (i32.const 1024) (i32.const 6) (i64.const 1)) (br $again)) (unreachable)";
    vec![
        Row::handle("spins", "cpu: cpu-limit", &spin),
        Row::parts("spins in `init`", "init: cpu-limit", &Parts { init: SPIN, ..parts }),
        Row::parts("spins as it starts", "init: cpu-limit", &Parts { fields: &start, ..parts }),
        Row::parts("spins while it is asked for memory", "init: cpu-limit", &Parts { realloc: &spin, ..parts }),
        Row::parts("spins after it has answered", "cpu: cpu-limit", &Parts { fields: &post_return, ..parts }),
        Row::parts("calls itself without growing its stack", "cpu: cpu-limit", &tail),
        Row::handle("fills its memory for ever", "cpu: cpu-limit", fill),
        Row::parts("throws and catches for ever", "cpu: cpu-limit", &catch),
        Row::handle("calls the host for ever", "cpu: cpu-limit", count),
        Row::handle("does nothing", "harmless", NOTHING),
    ]
}

#[tokio::test]
async fn spins() {
    withstands(rows()).await;
}
