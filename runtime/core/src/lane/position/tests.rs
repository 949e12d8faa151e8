//! The acquire table, row by row.

use super::*;
use crate::verdict::Reason;

fn question() -> Question {
    Question {
        topic: "orders".into(),
        partition: 3,
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
    let (owner, binding) = ("here:1:1".into(), "orders".into());
    LedgerRow { next_offset, leader_epoch: None, owner_epoch: 1, owner, cluster_id, topic_id, binding }
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

#[test]
fn what_a_person_decided_holds_whatever_the_group_says() {
    let decided = LedgerRow { owner: format!("{DECIDED} here:1"), ..ledger(500) };
    for metadata in ["", "fb1;there;2", "fb1;here;2"] {
        for offset in [400, 600] {
            let group = group(offset, metadata);
            assert_eq!(resolve(Some(&decided), Some(&group), &question()), Resolution::Resume(500, None));
        }
    }
    // But not over a log that is another one.
    let anew = LedgerRow { topic_id: Some("t2".into()), ..decided };
    assert!(halts(&resolve(Some(&anew), None, &question())));
}

#[test]
fn every_halt_names_the_commands_that_lead_out() {
    let says = |ledger: Option<&LedgerRow>, group: Option<&GroupOffset>, words: &[&str]| {
        let Resolution::Halt(cause) = resolve(ledger, group, &Question { start: Start::Error, ..question() }) else {
            panic!("no halt for {words:?}")
        };
        for word in words {
            assert!(cause.message.contains(word), "`{word}` in: {}", cause.message);
        }
    };
    let [adopt, set] =
        ["adopt", "set"].map(|verb| format!("`forebay position {verb} orders --topic orders --partition 3"));
    says(None, None, &["900 offsets", &set]);
    says(None, Some(&group(400, "fb1;there;2")), &["600 offsets", &adopt, &set]);
    says(
        Some(&ledger(500)),
        Some(&group(400, "")),
        &["100 offsets are between them", "already", &adopt, &format!("{set} --to 500`")],
    );
    says(Some(&ledger(500)), Some(&group(501, "")), &["1 offset is between them", "not processed", &adopt]);
    says(Some(&ledger(90)), None, &["10 offsets are gone", &format!("{set} --to earliest`")]);
    // The group was moved to where the log still is: that is the likelier wish.
    says(Some(&ledger(90)), Some(&group(400, "")), &["10 offsets are gone", "the group's offset is 400", &adopt]);
    says(Some(&ledger(99)), None, &["1 offset is gone"]);
    says(Some(&ledger(1007)), None, &["7 offsets are gone", &format!("{set} --to latest`")]);
    says(Some(&LedgerRow { cluster_id: Some("c2".into()), ..ledger(500) }), None, &["kafka.name", &set, &adopt]);
    says(Some(&LedgerRow { topic_id: Some("t2".into()), ..ledger(500) }), None, &["900 offsets", &set]);
    says(Some(&LedgerRow { binding: "other".into(), ..ledger(500) }), None, &["`other`", &adopt]);
}

#[test]
fn adopting_takes_the_groups_offset_only_where_somebody_else_set_it() {
    let (ours, theirs) = (group(400, "fb1;here;2"), group(400, ""));
    assert_eq!(adopt(Some(&ledger(500)), Some(&theirs), &question()), Adoption::Group(400));
    assert_eq!(adopt(Some(&ledger(500)), Some(&ours), &question()), Adoption::Ledger(500));
    assert_eq!(adopt(Some(&ledger(500)), None, &question()), Adoption::Ledger(500));
    assert_eq!(adopt(None, Some(&group(400, "fb1;there;2")), &question()), Adoption::Group(400));
    let anew = LedgerRow { topic_id: Some("t2".into()), ..ledger(500) };
    assert_eq!(adopt(Some(&anew), Some(&ours), &question()), Adoption::Group(400));
    assert_eq!(adopt(Some(&anew), None, &question()), Adoption::Nothing);
}
