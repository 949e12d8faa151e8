//! Whose fault a server's answer is: the one function of this adapter, and its table.

use forebay_core::fault::{Class, Fault};
use forebay_core::plan::check::Op;
use forebay_core::plan::target::TableFacts;
use forebay_core::verdict::{Cause, Reason, Verdict};
use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::postgres::sql;

/// What the server says of a failure: on the wire, or as one of this adapter's functions noted it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answer<'a> {
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) schema: Option<&'a str>,
    pub(super) table: Option<&'a str>,
    pub(super) column: Option<&'a str>,
    pub(super) constraint: Option<&'a str>,
    pub(super) datatype: Option<&'a str>,
    /// The server's own routine that raised it: only the wire tells.
    pub(super) routine: Option<&'a str>,
}

impl<'a> From<&'a DbError> for Answer<'a> {
    fn from(error: &'a DbError) -> Self {
        Self {
            code: error.code().code(),
            message: error.message(),
            schema: error.schema(),
            table: error.table(),
            column: error.column(),
            constraint: error.constraint(),
            datatype: error.datatype(),
            routine: error.routine(),
        }
    }
}

/// Says whose fault an error is. Without an answer of the server the outcome is unknown.
pub(super) fn of_error(error: &Error) -> Verdict {
    match error.as_db_error() {
        Some(error) => of_answer(&error.into(), None),
        None => Verdict::Unknown(chain(error)),
    }
}

/// Says whose fault the failure of a statement over a table's rows is. Its text was fine when it was prepared, so what
/// looks like bad syntax or a missing value may be the row's own.
pub(super) fn of_statement(answer: &Answer<'_>, op: Op, table: &TableFacts) -> Verdict {
    if op == Op::Update && answer.message.contains(sql::MISSING_ROW) {
        let (code, message) = ("missing-row".to_owned(), "`update` of a row that is not there".to_owned());
        return Verdict::Record(Fault { class: Class::Data, code, message, site: table.sql_name.clone() });
    }
    let is_data = match answer.code {
        // The input syntax of types such as tsvector.
        "42601" => true,
        // The column could be null when the table was looked at, so it is the schema that changed; a trigger's own
        // insert into another table, or a value that a trigger took away, is the row's.
        "23502" => !table.columns.iter().any(|column| answer.column == Some(&column.name) && column.is_nullable),
        _ => false,
    };
    if is_data { Verdict::Record(fault(answer, Some(table))) } else { of_answer(answer, Some(table)) }
}

fn fault(answer: &Answer<'_>, table: Option<&TableFacts>) -> Fault {
    let (code, message) = (answer.code, answer.message);
    Fault {
        class: Class::Data,
        code: code.to_owned(),
        message: format!("{message} (SQLSTATE {code})"),
        site: site(answer, table),
    }
}

/// Says whose fault an answer is that belongs to a statement over `table`, or to none over rows.
pub(super) fn of_answer(answer: &Answer<'_>, table: Option<&TableFacts>) -> Verdict {
    let Answer { code, message, .. } = answer;
    match judge(code, answer.routine.unwrap_or_default()) {
        Judged::Data => Verdict::Record(fault(answer, table)),
        Judged::Infrastructure => {
            let cause = Cause::new(Reason::Database, format!("{message} (SQLSTATE {code})"));
            Verdict::Unavailable(if OF_TARGET.contains(code) { cause.of_target() } else { cause })
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

/// Classes of SQLSTATE that are never the row's, but for 42601: a function that goes record by record lets them through.
pub(super) const NOT_THE_ROWS: [&str; 14] =
    ["08", "0A", "25", "26", "28", "3D", "3F", "40", "42", "53", "55", "57", "58", "XX"];

/// A serialisation failure, a deadlock, a lock that did not come, a statement that took too long: of the tables it was for.
const OF_TARGET: [&str; 4] = ["40001", "40P01", "55P03", "57014"];

/// Classes of SQLSTATE that pass by themselves.
pub(super) const INFRASTRUCTURE: [&str; 8] = ["08", "25", "40", "53", "55", "57", "58", "XX"];

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

/// The object that refused the row: faults of one code and object are alike. Where the server names none it is the table
/// that the row was for.
fn site(answer: &Answer<'_>, table: Option<&TableFacts>) -> String {
    let parts = [answer.schema, answer.table, answer.constraint.or(answer.column).or(answer.datatype)];
    let named: Vec<&str> = parts.into_iter().flatten().collect();
    match table {
        _ if !named.is_empty() => named.join("."),
        Some(table) => table.sql_name.clone(),
        None => answer.routine.unwrap_or_default().to_owned(),
    }
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
    fn what_a_function_catches_is_the_rows() {
        for class in NOT_THE_ROWS {
            let codes = ["000", "P01", "P04"].map(|rest| format!("{class}{rest}"));
            assert!(codes.iter().any(|code| judge(code, "") != Judged::Data), "{class} is let through for nothing");
        }
        for code in [
            "08006", "0A000", "25006", "26000", "28000", "3D000", "3F000", "40001", "40P01", "42P01", "42501", "42P05",
            "53100", "55P03", "57014", "57P04", "58030", "XX001", "F0000",
        ] {
            let is_caught = !NOT_THE_ROWS.contains(&&code[..2]);
            assert!(!is_caught || code == "F0000", "{code} would be caught");
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
