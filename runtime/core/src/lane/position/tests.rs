//! The acquire table, row by row.

use super::*;

fn question() -> Question {
    Question {
        partition: "orders/3".into(),
        group: "g".into(),
        binding: "orders".into(),
        ledger_id: "here".into(),
        cluster_id: Some("c1".into()),
        topic_id: Some("t1".into()),
        log: (100, 1000),
        start: Start::Earliest,
    }
}

fn ledger(next_offset: i64) -> LedgerRow {
    let [cluster_id, topic_id] = ["c1", "t1"].map(|id| Some(id.to_owned()));
    LedgerRow { next_offset, owner_epoch: 1, cluster_id, topic_id, binding: "orders".into() }
}

fn group(offset: i64, metadata: &str) -> GroupOffset {
    GroupOffset { offset, metadata: metadata.into() }
}

fn halts(resolution: &Resolution) -> bool {
    matches!(resolution, Resolution::Halt(cause) if cause.reason == Reason::Position)
}

#[test]
fn nobody_knows_so_start_decides() {
    assert_eq!(resolve(None, None, &question()), Resolution::Start);
    assert!(halts(&resolve(None, None, &Question { start: Start::Error, ..question() })));
}

#[test]
fn a_group_of_another_consumer_is_taken_over() {
    assert_eq!(resolve(None, Some(&group(500, "")), &question()), Resolution::Adopt(500));
    assert!(halts(&resolve(None, Some(&group(50, "")), &question())));
}

#[test]
fn a_group_run_with_another_database_halts() {
    for marker in ["fb1;here;4", "fb1;there;4"] {
        assert!(halts(&resolve(None, Some(&group(500, marker)), &question())));
    }
}

#[test]
fn the_ledger_rules_over_its_own_marker() {
    let ours = marker("here", 7);
    assert_eq!(resolve(Some(&ledger(500)), None, &question()), Resolution::Resume(500, None));
    assert_eq!(resolve(Some(&ledger(500)), Some(&group(400, &ours)), &question()), Resolution::Resume(500, None));
    let rewound = resolve(Some(&ledger(500)), Some(&group(600, &ours)), &question());
    assert!(matches!(rewound, Resolution::Resume(500, Some(_))));
}

#[test]
fn a_group_that_somebody_moved_halts() {
    assert!(halts(&resolve(Some(&ledger(500)), Some(&group(400, "")), &question())));
    assert!(halts(&resolve(Some(&ledger(500)), Some(&group(600, "fb1;there;2")), &question())));
}

#[test]
fn equal_is_always_the_ledgers() {
    for metadata in ["", "fb1;there;2", "fb1;here;2"] {
        assert_eq!(
            resolve(Some(&ledger(500)), Some(&group(500, metadata)), &question()),
            Resolution::Resume(500, None)
        );
    }
}

#[test]
fn a_position_outside_the_log_halts_and_says_how_many_are_gone() {
    for (position, gone) in [(90, "10 offsets are gone"), (1007, "7 offsets are gone")] {
        let Resolution::Halt(cause) = resolve(Some(&ledger(position)), None, &question()) else { panic!("no halt") };
        assert!(cause.message.contains(gone), "{}", cause.message);
    }
    for position in [100, 1000] {
        assert_eq!(resolve(Some(&ledger(position)), None, &question()), Resolution::Resume(position, None));
    }
}

#[test]
fn a_row_of_another_cluster_topic_or_binding_halts() {
    for changed in [
        LedgerRow { cluster_id: Some("c2".into()), ..ledger(500) },
        LedgerRow { topic_id: Some("t2".into()), ..ledger(500) },
        LedgerRow { binding: "other".into(), ..ledger(500) },
    ] {
        assert!(halts(&resolve(Some(&changed), None, &question())));
    }
    let unknown = LedgerRow { topic_id: None, cluster_id: None, ..ledger(500) };
    assert_eq!(resolve(Some(&unknown), None, &question()), Resolution::Resume(500, None));
}
