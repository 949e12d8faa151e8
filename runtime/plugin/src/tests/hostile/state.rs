//! Guests that keep something from one message for the next.

use super::{NOTHING, Parts, Row, Siege, host, withstands};
use crate::tests::guest::{job, settings};

/// Traps unless the message is the first that the instance sees.
fn counts() -> String {
    format!("(if (i32.gt_u (global.get $seen) (i32.const 1)) (then (unreachable))) {NOTHING}")
}

pub(super) fn rows() -> Vec<Row> {
    let spoiled = Parts {
        init: "(global.set $seen (i32.const 7))",
        handle: &format!("(if (i32.ne (global.get $seen) (i32.const 8)) (then (unreachable))) {NOTHING}"),
        ..Parts::DEFAULT
    };
    vec![
        Row::handle("fails on each record but an instance's first", "harmless", &counts()),
        Row::parts("keeps what `init` made", "harmless", &spoiled),
    ]
}

#[tokio::test]
async fn keeps_state() {
    withstands(rows()).await;
}

#[tokio::test]
async fn runs_a_record_again_alone_where_its_neighbours_spoil_it() {
    let siege = Siege::new(host(None));
    let row = Row::handle("", "", &counts());
    let plugin = siege.host.load(&settings(&siege.folder.write("hostile.wasm", &row.component))).unwrap();
    let handled = siege.host.handle(&plugin, job(&["x"; 4], 0..4)).await.unwrap();
    let runs: Vec<_> = handled.iter().map(|one| (one.result.is_ok(), one.runs)).collect();
    assert_eq!(runs, [(true, 1), (true, 2), (true, 1), (true, 2)]);
}
