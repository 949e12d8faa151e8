//! One test for each row of the decision.

use std::num::NonZeroU32;

use super::*;

fn retry() -> Retry {
    Retry {
        attempts: NonZeroU32::new(3).unwrap(),
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_secs(1),
    }
}

fn fault(class: Class, code: &str) -> Fault {
    Fault { class, code: code.into(), message: "m".into(), site: "s".into() }
}

fn attempt(number: u32, alone: bool) -> Attempt {
    Attempt { number, alone, jitter: 1 }
}

#[test]
fn a_record_that_failed_among_others_runs_alone() {
    let verdict = Verdict::Record(fault(Class::Trap, "unreachable"));
    assert_eq!(decide(&verdict, attempt(1, false), &retry()), Disposition::RunAlone);
}

#[test]
fn a_record_that_failed_alone_is_dead_lettered() {
    for class in [Class::Rejected, Class::Trap, Class::Cpu, Class::Memory, Class::Contract, Class::Data] {
        let fault = fault(class, "23514");
        let disposition = decide(&Verdict::Record(fault.clone()), attempt(1, true), &retry());
        assert_eq!(disposition, Disposition::DeadLetter(fault));
    }
}

#[test]
fn a_missing_parent_waits_until_the_attempts_are_used_up() {
    for code in ["23503", "SQLITE_CONSTRAINT_FOREIGNKEY"] {
        let fault = fault(Class::Data, code);
        let verdict = Verdict::Record(fault.clone());
        for number in 1..3 {
            assert!(matches!(decide(&verdict, attempt(number, true), &retry()), Disposition::Wait(..)));
        }
        assert_eq!(decide(&verdict, attempt(3, true), &retry()), Disposition::DeadLetter(fault));
    }
}

#[test]
fn infrastructure_waits_without_bound_and_is_nobodys_attempt() {
    let verdict = Verdict::Unavailable(Cause::new(Reason::Database, "away"));
    for number in [1, 3, 1_000_000] {
        assert!(matches!(decide(&verdict, attempt(number, true), &retry()), Disposition::Wait(..)));
    }
}

#[test]
fn configuration_halts() {
    let cause = Cause::new(Reason::Schema, "no such table");
    let disposition = decide(&Verdict::Misconfigured(cause.clone()), attempt(1, true), &retry());
    assert_eq!(disposition, Disposition::Halt(cause));
}

#[test]
fn fenced_and_unknown_ask_the_ledger() {
    for verdict in [Verdict::Fenced, Verdict::Unknown("lost".into())] {
        assert!(matches!(decide(&verdict, attempt(1, true), &retry()), Disposition::Acquire(_)));
    }
}
