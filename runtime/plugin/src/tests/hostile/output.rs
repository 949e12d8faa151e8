//! Guests that give back too much.

use super::{Parts, Row, Siege, host, withstands};
use crate::tests::guest::{job, settings};

/// Gives `len` of case `case` at 2 MiB, in 48 MiB of zeroes.
fn large(case: u32, len: u32) -> String {
    format!(
        "(call $reserve (i32.const 0x3000000)) (call $case (i32.const {case}) (i32.const 0x200000) (i32.const {len}))"
    )
}

/// Rejects with a message of `len` zeroes.
fn rejects(len: u32) -> String {
    format!(
        "(call $reserve (i32.const 0x3000000)) (drop (call $case (i32.const 2) (i32.const 1024) (i32.const 6)))
         (i32.store (i32.const 28) (i32.const 0x200000)) (i32.store (i32.const 32) (i32.const {len})) (i32.const 16)"
    )
}

/// Publishes one message with `len` headers, all of them empty.
fn headers(len: u32) -> String {
    format!(
        "(call $reserve (i32.const 0x3000000)) (i32.store (i32.const 4096) (i32.const 5))
         (i32.store (i32.const 4132) (i32.const 0x200000)) (i32.store (i32.const 4136) (i32.const {len}))
         (call $case (i32.const 0) (i32.const 4096) (i32.const 1))"
    )
}

pub(super) fn rows() -> Vec<Row> {
    let init = format!(
        "(call $reserve (i32.const 0x3000000)) (drop (call $case (i32.const 1) (i32.const 0x200000) (i32.const 1000000)))
         (i32.store (i32.const 28) (i32.const 0x200000)) (i32.store (i32.const 32) (i32.const {})) (return (i32.const 16))",
        3 << 20
    );
    vec![
        Row::handle("gives back a billion effects", "contract: lift", &large(0, 1_000_000_000)),
        Row::handle("gives back half a million effects", "contract: output-too-large", &large(0, 500_000)),
        Row::handle("gives back 10,001 effects", "contract: too-many-effects", &large(0, 10_001)),
        Row::handle("gives back a text of 4 GiB", "contract: lift", &large(1, u32::MAX)),
        Row::handle("gives back a text of 17 MiB", "contract: output-too-large", &large(1, 17 << 20)),
        Row::handle("gives back a reason of 40 MiB", "contract: output-too-large", &rejects(40 << 20)),
        Row::handle("publishes a million headers", "contract: output-too-large", &headers(1_000_000)),
        Row::parts(
            "fails in `init` with 3 MiB of words",
            "refused: failed in `init` (",
            &Parts { init: &init, ..Parts::DEFAULT },
        ),
    ]
}

#[tokio::test]
async fn gives_back_too_much() {
    withstands(rows()).await;
}

/// Each outcome is within its limit, and all of them together are not.
#[tokio::test]
async fn bounds_what_a_batch_holds() {
    let siege = Siege::new(host(None));
    let row = Row::handle("", "", &rejects(10 << 20));
    let plugin = siege.host.load(&settings(&siege.folder.write("hostile.wasm", &row.component))).unwrap();
    let answer = siege.host.handle(&plugin, job(&["x"; 20], 0..20)).await.unwrap();
    assert_eq!(answer.len(), 7, "the seventh is over 64 MiB, and nothing after it is run");
    siege.is_up().await;
}
