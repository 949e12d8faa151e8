//! Guests that break the rules of how values travel.

use wit_component::StringEncoding;

use super::{NOTHING, Parts, Row, WORLD, text, withstands};
use crate::tests::guest::component_with;

/// Upserts one row of one column, whose value has this case.
fn value(case: u32) -> String {
    format!(
        "(i32.store (i32.const 4108) (i32.const 5120)) (i32.store (i32.const 4112) (i32.const 1))
         (i32.store8 (i32.const 5128) (i32.const {case}))
         (call $case (i32.const 0) (i32.const 4096) (i32.const 1))"
    )
}

pub(super) fn rows() -> Vec<Row> {
    let case =
        |case: u32, at: u32, len: u32| format!("(call $case (i32.const {case}) (i32.const {at}) (i32.const {len}))");
    let effect =
        "(i32.store8 (i32.const 4096) (i32.const 99)) (call $case (i32.const 0) (i32.const 4096) (i32.const 1))";
    let option = "(i32.store8 (i32.const 4096) (i32.const 5)) (i32.store8 (i32.const 4108) (i32.const 2))
        (call $case (i32.const 0) (i32.const 4096) (i32.const 1))";
    let log = |level: u32, at: u32| {
        format!("(call $log (i32.const {level}) (i32.const {at}) (i32.const 6) (i32.const 0) (i32.const 0)) {NOTHING}")
    };
    let realloc = |at: i32| format!("(i32.const {at})");
    let parts = Parts::DEFAULT;
    let lone =
        "(i32.store16 (i32.const 4096) (i32.const 0xd800)) (call $case (i32.const 1) (i32.const 4096) (i32.const 1))";
    let lone = text(&Parts { handle: lone, ..parts });
    vec![
        Row::handle("points outside of its memory", "contract: lift", &case(1, 0x7fff_ffff, 16)),
        Row::handle("points to an outcome outside of its memory", "contract: lift", "(i32.const -16)"),
        Row::handle("points to an outcome between two words", "contract: lift", "(i32.const 17)"),
        Row::handle("points to a list between two words", "contract: lift", &case(0, 4097, 1)),
        Row::handle("gives back text that is not UTF-8", "contract: not-utf8", &case(1, 1040, 2)),
        Row {
            name: "gives back half of a character in UTF-16",
            outcome: "contract: not-utf8",
            component: component_with(&lone, &[], WORLD, StringEncoding::UTF16),
        },
        Row::handle("gives back an outcome that there is not", "contract: lift", &case(7, 0, 0)),
        Row::handle("gives back an effect that there is not", "contract: lift", effect),
        Row::handle("gives back a value that there is not", "contract: lift", &value(200)),
        Row::handle("gives back a half option", "contract: lift", option),
        Row::handle("logs at a level that there is not", "contract: lift", &log(9, 1024)),
        Row::handle("logs from outside of its memory", "contract: lift", &log(2, 0x7fff_ffff)),
        Row::parts("gives memory that is not there", "init: lift", &Parts { realloc: &realloc(-8), ..parts }),
        Row::parts(
            "answers `init` with neither",
            "init: lift",
            &Parts { init: "(return (call $case (i32.const 5) (i32.const 0) (i32.const 0)))", ..parts },
        ),
    ]
}

#[tokio::test]
async fn lies() {
    withstands(rows()).await;
}
