//! What becomes of messages: outcomes, faults with their exact culprit, budgets, lives of instances.

use std::time::{Duration, Instant};

use forebay_core::fault::{Class, Fault};
use forebay_core::outcome::{Failure, Outcome};

use super::guest::{Rig, job, reuse};
use forebay_core::outcome::Handled;

use crate::HandleError;

fn skip(reason: &str) -> Outcome {
    Outcome::Skip(reason.to_owned())
}

fn fault(handled: &Handled) -> &Fault {
    handled.result.as_ref().unwrap_err()
}

fn short(handled: &Handled) -> (Class, &str, u32) {
    let fault = fault(handled);
    (fault.class, fault.code.as_str(), handled.runs)
}

#[tokio::test]
async fn answers_each_record_in_order() {
    let rig = Rig::new(|_| {});
    let handled = rig.run(&["s", "n", "vword", "o", "s"]).await;
    let results: Vec<_> = handled.into_iter().map(|one| (one.result.unwrap(), one.runs)).collect();
    let rejected = Failure { code: "bad-config".to_owned(), message: "no currency".to_owned() };
    let expected = [
        (skip("1"), 1),
        (Outcome::Reject(rejected), 1),
        (skip("vword"), 1),
        (Outcome::Ok(Vec::new()), 1),
        (skip("5"), 1),
    ];
    assert_eq!(results, expected);
}

#[tokio::test]
async fn runs_only_the_range_it_is_given() {
    let rig = Rig::new(|_| {});
    let handled = rig.host.handle(&rig.plugin, job(&["t", "va", "vb", "t"], 1..3)).await.unwrap();
    assert_eq!(handled.into_iter().map(|one| one.result.unwrap()).collect::<Vec<_>>(), [skip("va"), skip("vb")]);
}

#[tokio::test]
async fn passes_header_names_that_are_not_utf8() {
    let rig = Rig::new(|_| {});
    assert_eq!(rig.run(&["h"]).await[0].result, Ok(skip("trace\u{fffd}")));
}

#[tokio::test]
async fn finds_exactly_the_guilty_records_and_applies_the_others() {
    let rig = Rig::new(|settings| settings.limits.cpu = Duration::from_millis(20));
    let handled =
        rig.run(&["va", "t", "vb", "d", "vc", "l", "vd", "m", "r", "ve", "u", "b", "g", "e", "f", "vbad", "vf"]).await;
    let faults: Vec<_> = handled.iter().map(|one| one.result.is_err().then(|| short(one))).collect();
    let expected = [
        None,
        Some((Class::Trap, "unreachable", 2)),
        None,
        Some((Class::Trap, "integer-divide-by-zero", 2)),
        None,
        Some((Class::Cpu, "cpu-limit", 2)),
        None,
        Some((Class::Memory, "memory-limit", 2)),
        Some((Class::Trap, "stack-overflow", 2)),
        None,
        Some((Class::Contract, "not-utf8", 2)),
        Some((Class::Contract, "lift", 2)),
        Some((Class::Contract, "output-too-large", 2)),
        Some((Class::Contract, "too-many-effects", 2)),
        None,
        Some((Class::Contract, "type", 2)),
        None,
    ];
    assert_eq!(faults, expected);
    assert_eq!(handled[16].result, Ok(skip("vf")));
}

#[tokio::test]
async fn stops_an_endless_loop_near_its_cpu_limit() {
    let rig = Rig::new(|settings| settings.limits.cpu = Duration::from_millis(30));
    let start = Instant::now();
    let handled = rig.run(&["l"]).await;
    assert_eq!(short(&handled[0]), (Class::Cpu, "cpu-limit", 2));
    assert!(fault(&handled[0]).message.contains("30ms"), "{}", fault(&handled[0]).message);
    assert!(start.elapsed() > Duration::from_millis(60), "two runs of 30 ms each: {:?}", start.elapsed());
}

#[tokio::test]
async fn tells_the_guests_last_words_and_where_it_was() {
    let rig = Rig::new(|_| {});
    let handled = rig.run(&["t", "p"]).await;
    let message = &fault(&handled[1]).message;
    assert!(
        message.starts_with("boom at lib.rs:1\nwasm trap: wasm `unreachable` instruction executed\n  at "),
        "{message}"
    );
    assert!(!fault(&handled[0]).message.contains("boom"));
}

#[tokio::test]
async fn calls_faults_alike_by_where_they_happened() {
    let rig = Rig::new(|_| {});
    let handled = rig.run(&["t", "tother", "d", "r", "r"]).await;
    assert!(fault(&handled[0]).is_alike(fault(&handled[1])), "{handled:?}");
    assert!(!fault(&handled[0]).is_alike(fault(&handled[2])));
    assert!(fault(&handled[3]).is_alike(fault(&handled[4])));
}

#[tokio::test]
async fn believes_the_run_that_was_alone() {
    let rig = Rig::new(|_| {});
    let handled = rig.run(&["s", "i", "s"]).await;
    assert_eq!((&handled[1].result, handled[1].runs), (&Ok(Outcome::Ok(Vec::new())), 2));
    assert_eq!(handled[2].result, Ok(skip("1")), "the rest goes on in an instance that saw neither run");
}

#[tokio::test]
async fn forgives_refused_memory_that_the_guest_lived_with() {
    let rig = Rig::new(|_| {});
    let handled = rig.run(&["M", "t"]).await;
    assert_eq!(handled[0].result, Ok(Outcome::Ok(Vec::new())));
    assert_eq!(short(&handled[1]), (Class::Trap, "unreachable", 2));
}

#[tokio::test]
async fn forgets_between_batches_unless_told_to_reuse() {
    let fresh = Rig::new(|_| {});
    assert_eq!(fresh.run(&["s", "s"]).await[1].result, Ok(skip("2")));
    assert_eq!(fresh.run(&["s"]).await[0].result, Ok(skip("1")));

    let reused = Rig::new(|settings| settings.instances = reuse(2));
    assert_eq!(reused.run(&["s"]).await[0].result, Ok(skip("1")));
    assert_eq!(reused.run(&["s"]).await[0].result, Ok(skip("2")));
    assert_eq!(reused.run(&["s"]).await[0].result, Ok(skip("1")), "two batches are its life");
    assert_eq!(reused.run(&["t", "s"]).await[1].result, Ok(skip("1")), "a failure ends it");
    assert_eq!(reused.run(&["s"]).await[0].result, Ok(skip("2")));
}

#[tokio::test]
async fn takes_log_and_metrics_without_ever_failing() {
    let rig = Rig::new(|_| {});
    let mut values = vec!["c", "w"];
    values.extend(std::iter::repeat_n("w", 300));
    assert!(rig.run(&values).await.iter().all(|one| one.result == Ok(Outcome::Ok(Vec::new()))));
    let metrics = rig.plugin.metrics_snapshot();
    assert_eq!(metrics.counters["orders"], 3);
    assert_eq!(metrics.histograms["orders"].sum, 2.5);
}

#[tokio::test]
async fn knows_its_largest_instance() {
    let rig = Rig::new(|settings| settings.limits.memory = 8 << 20);
    assert!(rig.plugin.peak_memory_bytes() >= 2 << 16);
    rig.run(&["M"]).await;
    assert!((6 << 20..=8 << 20).contains(&rig.plugin.peak_memory_bytes()), "{}", rig.plugin.peak_memory_bytes());
}

#[tokio::test]
async fn goes_on_after_a_panic_of_its_own() {
    struct Panics;
    impl crate::Check for Panics {
        fn check(&self, _: &Outcome) -> Result<(), Fault> {
            panic!("a bug in a check");
        }
    }
    let rig = Rig::new(|_| {});
    let mut broken = job(&["o"], 0..1);
    broken.check = std::sync::Arc::new(Panics);
    let answer = rig.host.handle(&rig.plugin, broken).await;
    assert!(matches!(answer, Err(HandleError::Internal(_))), "{answer:?}");
    assert_eq!(rig.run(&["vok"]).await[0].result, Ok(skip("vok")));
}

#[tokio::test]
async fn drops_a_job_nobody_waits_for() {
    let rig = Rig::new(|settings| settings.limits.cpu = Duration::from_millis(20));
    let endless = vec!["l"; 10_000];
    let dropped = tokio::time::timeout(Duration::from_millis(50), rig.run(&endless)).await;
    assert!(dropped.is_err());
    assert_eq!(rig.run(&["vnext"]).await[0].result, Ok(skip("vnext")));
}

#[tokio::test]
async fn interrupts_what_runs_when_it_is_dropped() {
    let rig = Rig::new(|settings| settings.limits.cpu = Duration::from_secs(600));
    let dropped = tokio::time::timeout(Duration::from_millis(50), rig.run(&["l"])).await;
    assert!(dropped.is_err());
    drop(rig);
}

#[tokio::test]
async fn brings_a_hundred_lines_of_a_batch_into_the_log() {
    super::lines::count();
    let rig = Rig::new(|settings| "chatty".clone_into(&mut settings.name));
    let mut values = vec!["w"; 150];
    values[20] = "p";
    rig.run(&values).await;
    assert_eq!(super::lines::counted("chatty"), 100);
    rig.run(&["w"]).await;
    assert_eq!(super::lines::counted("chatty"), 101);
}
