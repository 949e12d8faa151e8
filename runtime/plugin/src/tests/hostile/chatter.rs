//! Guests that talk: to the log and to the metrics.

use super::{NOTHING, Parts, Row, Siege, host, withstands};
use crate::tests::guest::{job, settings};
use crate::tests::lines;

/// Logs one line of `len` zeroes at 1 MiB, with `fields` fields, all of them empty.
fn line(len: u32, fields: u32) -> String {
    format!(
        "(call $log (i32.const 2) (i32.const 0x100000) (i32.const {len}) (i32.const 0x100000) (i32.const {fields}))"
    )
}

/// A name of four digits and letters for each number below `count`.
fn names(count: u32) -> String {
    format!(
        "(loop $again
           (i32.store (i32.const 4096) (i32.add (i32.const 0x61616161) (i32.and (local.get $n) (i32.const 0x0f0f0f0f))))
           (call $count (i32.const 4096) (i32.const 4) (i64.const 1))
           (local.set $n (i32.add (local.get $n) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $n) (i32.const {count})))) {NOTHING}"
    )
}

pub(super) fn rows() -> Vec<Row> {
    let room = "(call $reserve (i32.const 0x3000000))";
    let forever = format!("(loop $again {} (br $again)) (unreachable)", line(6, 1));
    let once = |len: u32, fields: u32| format!("{room} {} {NOTHING}", line(len, fields));
    let odd = format!(
        "(call $log (i32.const 4) (i32.const 1040) (i32.const 2) (i32.const 0) (i32.const 0))
         (call $count (i32.const 1040) (i32.const 2) (i64.const 1))
         (call $observe (i32.const 1024) (i32.const 6) (f64.const nan))
         (call $observe (i32.const 1024) (i32.const 6) (f64.const inf))
         (call $count (i32.const 1024) (i32.const 6) (i64.const -1))
         (call $count (i32.const 1024) (i32.const 6) (i64.const -1)) {NOTHING}"
    );
    let huge = format!("{room} (call $count (i32.const 0x100000) (i32.const 0x800000) (i64.const 1)) {NOTHING}");
    vec![
        Row::handle("logs for ever", "cpu: cpu-limit", &format!("{room} {forever}")),
        Row::handle("logs a line of 8 MiB", "harmless", &once(8 << 20, 0)),
        Row::handle("logs a line of 17 MiB", "contract: output-too-large", &once(17 << 20, 0)),
        Row::handle("logs a line with ten thousand fields", "harmless", &once(6, 10_000)),
        Row::handle("logs and counts what is no text and no number", "harmless", &odd),
        Row::handle("counts under a name of 8 MiB", "harmless", &huge),
        Row::handle("counts under thousands of names", "harmless", &names(5_000)),
    ]
}

#[tokio::test]
async fn talks() {
    withstands(rows()).await;
}

/// Each record fails, and each instance talks as it starts and while it works.
#[tokio::test]
async fn bounds_the_lines_of_a_batch_over_all_its_instances() {
    lines::count();
    let siege = Siege::new(host(None));
    let talk = "(loop $again (call $log (i32.const 4) (i32.const 1024) (i32.const 6) (i32.const 0) (i32.const 0))
           (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $again (i32.lt_u (local.get $n) (i32.const 90))))";
    let row = Row::parts("", "", &Parts { init: talk, handle: &format!("{talk} (unreachable)"), ..Parts::DEFAULT });
    let mut settings = settings(&siege.folder.write("hostile.wasm", &row.component));
    "talkative".clone_into(&mut settings.name);
    let plugin = siege.host.load(&settings).unwrap();
    let at_load = lines::counted("talkative");
    assert_eq!(at_load, 90);
    siege.host.handle(&plugin, job(&["x"; 10], 0..10)).await.unwrap();
    assert_eq!(lines::counted("talkative") - at_load, 100);
}

#[tokio::test]
async fn bounds_the_names_of_metrics() {
    let siege = Siege::new(host(None));
    let row = Row::handle("", "", &names(5_000));
    let plugin = siege.host.load(&settings(&siege.folder.write("hostile.wasm", &row.component))).unwrap();
    siege.host.handle(&plugin, job(&["x"; 3], 0..3)).await.unwrap();
    let metrics = plugin.metrics_snapshot();
    let counted: u64 = metrics.counters.values().sum();
    assert!(metrics.counters.len() <= 100, "{}", metrics.counters.len());
    assert_eq!(counted + metrics.ignored, 15_000, "what is not counted is told");
}
