//! Whose fault a server's answer is: the one function of this adapter, and its table.

use forebay_core::fault::{Class, Fault};
use forebay_core::plan::target::TableFacts;
use forebay_core::verdict::{Cause, Reason, Verdict};
use tokio_postgres::Error;
use tokio_postgres::error::DbError;

/// Says whose fault an error is. Without an answer of the server the outcome is unknown.
pub(super) fn of_error(error: &Error) -> Verdict {
    match error.as_db_error() {
        Some(error) => of_answer(error),
        None => Verdict::Unknown(chain(error)),
    }
}

/// Says whose fault the failure of a prepared statement over rows is. Its text was fine when it was prepared, so what
/// looks like bad syntax or a missing value may be the row's own.
pub(super) fn of_row(error: &Error, table: &TableFacts) -> Verdict {
    let Some(answer) = error.as_db_error() else { return of_error(error) };
    let is_data = match answer.code().code() {
        // The input syntax of types such as tsvector.
        "42601" => true,
        // The column could be null when the table was looked at, so it is the schema that changed; a trigger's own
        // insert into another table, or a value that a trigger took away, is the row's.
        "23502" => !table.columns.iter().any(|column| answer.column() == Some(&column.name) && column.is_nullable),
        _ => false,
    };
    if is_data { Verdict::Record(fault(answer)) } else { of_answer(answer) }
}

fn fault(error: &DbError) -> Fault {
    let (code, message) = (error.code().code(), error.message());
    Fault {
        class: Class::Data,
        code: code.to_owned(),
        message: format!("{message} (SQLSTATE {code})"),
        site: site(error),
    }
}

fn of_answer(error: &DbError) -> Verdict {
    let code = error.code().code();
    let message = error.message();
    match judge(code, error.routine().unwrap_or_default()) {
        Judged::Data => Verdict::Record(fault(error)),
        Judged::Infrastructure => {
            Verdict::Unavailable(Cause::new(Reason::Database, format!("{message} (SQLSTATE {code})")))
        }
        Judged::Configuration(reason, advice) => {
            Verdict::Misconfigured(Cause::new(reason, format!("{message} (SQLSTATE {code}); {advice}")))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    Data,
    Infrastructure,
    Configuration(Reason, &'static str),
}

/// The table: SQLSTATE, and for one of them the server's routine that raised it.
fn judge(code: &str, routine: &str) -> Judged {
    use Judged::{Configuration, Data, Infrastructure};
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        // A missing time partition looks like a check that failed.
        (_, "23514") if routine == "ExecFindPartition" => {
            Configuration(Reason::Schema, "create the partition that holds these rows")
        }
        // Rows are checked against the catalogue before: NOT NULL came later.
        (_, "23502") => Configuration(
            Reason::Schema,
            "a column became NOT NULL after the start; give it a default, or restart with a handler that fills it",
        ),
        // A plan that a migration made stale: the connection is given up and the same is tried again.
        (_, "0A000" | "26000" | "42P05") => Infrastructure,
        (_, "42501") => Configuration(Reason::Permission, "grant the right to Forebay's role"),
        (_, "57P04") => Configuration(Reason::Schema, "the database was dropped; create it or correct the sink's url"),
        (_, "25006") => Infrastructure,
        // Class 54: a row that is too large for an index, JSON that is nested too deep.
        ("22" | "23" | "21" | "44" | "54", _) => Data,
        ("28", _) => Configuration(Reason::Permission, "correct the user, the password or pg_hba.conf"),
        ("3D", _) => Configuration(Reason::Schema, "create the database or correct the sink's url"),
        ("42" | "3F", _) => Configuration(Reason::Schema, "correct the schema or the manifest"),
        ("55", "55P03" | "55006") => Infrastructure,
        ("55", _) => Configuration(Reason::Schema, "correct the object's state"),
        ("XX", "XX001" | "XX002") => Configuration(Reason::Schema, "the server reports corruption: see its log"),
        ("08" | "25" | "40" | "53" | "57" | "58" | "XX" | "F0", _) => Infrastructure,
        // What a trigger or a function raises on purpose: P0001 and codes of its own.
        _ => Data,
    }
}

/// The object that refused the row: faults of one code and object are alike.
fn site(error: &DbError) -> String {
    let parts = [error.schema(), error.table(), error.constraint().or(error.column()).or(error.datatype())];
    let named: Vec<&str> = parts.into_iter().flatten().collect();
    if named.is_empty() { error.routine().unwrap_or_default().to_owned() } else { named.join(".") }
}

/// An error with its causes: the client's own text is often just "db error" or "error connecting to server".
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_rows_are_the_records() {
        for code in [
            "22001", "22003", "22P02", "22021", "23503", "23505", "23514", "23P01", "21000", "44000", "54000", "54001",
            "P0001", "ZZ999",
        ] {
            assert_eq!(judge(code, ""), Judged::Data, "{code}");
        }
    }

    #[test]
    fn cancelled_locked_and_overloaded_is_infrastructure() {
        for code in [
            "57014", "55P03", "25P04", "25P03", "40001", "40P01", "08006", "57P01", "57P03", "53300", "53100", "58030",
            "25006", "XX000", "25P02",
        ] {
            assert_eq!(judge(code, ""), Judged::Infrastructure, "{code}");
        }
    }

    #[test]
    fn what_a_person_must_mend_is_configuration() {
        for code in ["42P01", "42703", "42P10", "42501", "3D000", "28P01", "23502", "57P04", "XX001"] {
            assert!(matches!(judge(code, ""), Judged::Configuration(..)), "{code}");
        }
        assert!(matches!(judge("23514", "ExecFindPartition"), Judged::Configuration(Reason::Schema, _)));
    }
}
