//! Whose fault SQLite's answer is: the one function of this adapter, and its table.

use forebay_core::fault::{Class, Fault};
use forebay_core::plan::target::TableFacts;
use forebay_core::verdict::{Cause, Reason, Verdict};
use rusqlite::Error;
use rusqlite::ffi;

/// Says whose fault an error is.
pub(super) fn of_error(error: &Error) -> Verdict {
    let (code, message) = (code(error), error.to_string());
    match judge(code, &message) {
        Judged::Data => Verdict::Record(fault(code, &message, "")),
        other => of_judged(other, code, &message),
    }
}

/// Says whose fault the failure of a statement over a row is. The statement was prepared: what is wrong without a code of
/// its own, malformed JSON in a check for instance, is the row's.
pub(super) fn of_row(error: &Error, table: &TableFacts) -> Verdict {
    let (code, message) = (code(error), error.to_string());
    let became_not_null = code == ffi::SQLITE_CONSTRAINT_NOTNULL && {
        // The column could be null when the table was looked at, so it is the schema that changed; a trigger's own insert
        // into another table is the row's.
        let is_column = |name: &str| message.ends_with(&format!("{}.{name}", unquoted(&table.sql_name)));
        table.columns.iter().any(|column| column.is_nullable && is_column(&column.name))
    };
    match judge(code, &message) {
        _ if became_not_null => {
            let advice =
                "a column became NOT NULL after the start; give it a default, or restart with a handler that fills it";
            of_judged(Judged::Configuration(Reason::Schema, advice), code, &message)
        }
        Judged::Data => Verdict::Record(fault(code, &message, &table.sql_name)),
        Judged::Configuration(..) if code == ffi::SQLITE_ERROR && !is_about_schema(&message) => {
            Verdict::Record(fault(code, &message, &table.sql_name))
        }
        other => of_judged(other, code, &message),
    }
}

/// Says whose fault the failure of COMMIT is: nothing of it belongs to one record any more.
pub(super) fn of_commit(error: &Error) -> Verdict {
    let (code, message) = (code(error), error.to_string());
    match judge(code, &message) {
        Judged::Data => {
            let advice =
                "a foreign key is deferred to COMMIT, where no record can be told; declare it without `deferrable`";
            of_judged(Judged::Configuration(Reason::Schema, advice), code, &message)
        }
        // Nobody knows how much of it is on the disk.
        Judged::Infrastructure(_) if code & 0xff == ffi::SQLITE_IOERR => {
            Verdict::Unknown(format!("{message} ({})", name(code)))
        }
        other => of_judged(other, code, &message),
    }
}

/// A fault that this adapter finds itself, in the words that SQLite would use.
pub(super) fn mismatch(message: &str, table: &TableFacts) -> Verdict {
    Verdict::Record(fault(ffi::SQLITE_MISMATCH, message, &table.sql_name))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    Data,
    Infrastructure(&'static str),
    Configuration(Reason, &'static str),
}

/// The table: a code with its extension, and for one of them the words.
fn judge(code: i32, message: &str) -> Judged {
    use Judged::{Configuration, Data, Infrastructure};
    match code & 0xff {
        ffi::SQLITE_CONSTRAINT | ffi::SQLITE_MISMATCH | ffi::SQLITE_TOOBIG => Data,
        ffi::SQLITE_ERROR if is_about_schema(message) => {
            Configuration(Reason::Schema, "correct the schema or the manifest")
        }
        ffi::SQLITE_ERROR => Configuration(Reason::Schema, "correct the schema"),
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Infrastructure("end the other program's transaction"),
        ffi::SQLITE_FULL => Infrastructure("make room on the disk"),
        ffi::SQLITE_IOERR => Infrastructure("see whether the disk is sound and has room"),
        ffi::SQLITE_NOMEM => Infrastructure("give the process more memory"),
        ffi::SQLITE_CANTOPEN => {
            Infrastructure("see whether the folder is there, and the process may open one more file")
        }
        // The file was moved away under us: it is opened anew.
        _ if code == ffi::SQLITE_READONLY_DBMOVED => Infrastructure("put the file back"),
        ffi::SQLITE_READONLY => {
            Configuration(Reason::Permission, "give Forebay the right to write the file and its folder")
        }
        ffi::SQLITE_PERM | ffi::SQLITE_AUTH => Configuration(Reason::Permission, "give Forebay the right to the file"),
        ffi::SQLITE_CORRUPT => Configuration(Reason::Schema, "the file is damaged: restore it from a backup"),
        ffi::SQLITE_NOTADB => Configuration(Reason::Schema, "the file is no SQLite database; correct the url"),
        ffi::SQLITE_NOLFS => Configuration(Reason::Schema, "put the file on a disk that takes large files"),
        _ => Infrastructure("it is tried again"),
    }
}

fn is_about_schema(message: &str) -> bool {
    let words =
        ["no such ", "has no column named", "syntax error", "ON CONFLICT clause does not match", "incomplete input"];
    words.iter().any(|words| message.contains(words))
}

fn of_judged(judged: Judged, code: i32, message: &str) -> Verdict {
    let (message, code) = (message.trim_end_matches('.'), name(code));
    match judged {
        Judged::Data => Verdict::Record(fault(ffi::SQLITE_CONSTRAINT, message, "")),
        Judged::Infrastructure(advice) => {
            Verdict::Unavailable(Cause::new(Reason::Database, format!("{message} ({code}); {advice}")))
        }
        Judged::Configuration(reason, advice) => {
            Verdict::Misconfigured(Cause::new(reason, format!("{message} ({code}); {advice}")))
        }
    }
}

fn fault(code: i32, message: &str, table: &str) -> Fault {
    let code = name(code);
    Fault {
        class: Class::Data,
        message: format!("{message} ({code})"),
        // SQLite names the column or the constraint behind its words.
        site: match message.split_once(" failed: ").or_else(|| message.rsplit_once(" column ")) {
            Some((_, object)) => object.to_owned(),
            None => table.to_owned(),
        },
        code,
    }
}

fn code(error: &Error) -> i32 {
    match error {
        Error::SqlInputError { error, .. } => error.extended_code,
        // The client's own errors: a value it can not read, a path it can not write.
        other => other.sqlite_error().map_or(ffi::SQLITE_INTERNAL, |error| error.extended_code),
    }
}

/// The name of a code as SQLite's documentation writes it.
fn name(code: i32) -> String {
    let named = match code {
        ffi::SQLITE_CONSTRAINT_CHECK => "SQLITE_CONSTRAINT_CHECK",
        ffi::SQLITE_CONSTRAINT_DATATYPE => "SQLITE_CONSTRAINT_DATATYPE",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "SQLITE_CONSTRAINT_FOREIGNKEY",
        ffi::SQLITE_CONSTRAINT_FUNCTION => "SQLITE_CONSTRAINT_FUNCTION",
        ffi::SQLITE_CONSTRAINT_NOTNULL => "SQLITE_CONSTRAINT_NOTNULL",
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY => "SQLITE_CONSTRAINT_PRIMARYKEY",
        ffi::SQLITE_CONSTRAINT_ROWID => "SQLITE_CONSTRAINT_ROWID",
        ffi::SQLITE_CONSTRAINT_TRIGGER => "SQLITE_CONSTRAINT_TRIGGER",
        ffi::SQLITE_CONSTRAINT_UNIQUE => "SQLITE_CONSTRAINT_UNIQUE",
        ffi::SQLITE_CONSTRAINT_VTAB => "SQLITE_CONSTRAINT_VTAB",
        _ => match code & 0xff {
            ffi::SQLITE_ERROR => "SQLITE_ERROR",
            ffi::SQLITE_PERM => "SQLITE_PERM",
            ffi::SQLITE_BUSY => "SQLITE_BUSY",
            ffi::SQLITE_LOCKED => "SQLITE_LOCKED",
            ffi::SQLITE_NOMEM => "SQLITE_NOMEM",
            ffi::SQLITE_READONLY => "SQLITE_READONLY",
            ffi::SQLITE_INTERRUPT => "SQLITE_INTERRUPT",
            ffi::SQLITE_IOERR => "SQLITE_IOERR",
            ffi::SQLITE_CORRUPT => "SQLITE_CORRUPT",
            ffi::SQLITE_FULL => "SQLITE_FULL",
            ffi::SQLITE_CANTOPEN => "SQLITE_CANTOPEN",
            ffi::SQLITE_SCHEMA => "SQLITE_SCHEMA",
            ffi::SQLITE_TOOBIG => "SQLITE_TOOBIG",
            ffi::SQLITE_CONSTRAINT => "SQLITE_CONSTRAINT",
            ffi::SQLITE_MISMATCH => "SQLITE_MISMATCH",
            ffi::SQLITE_AUTH => "SQLITE_AUTH",
            ffi::SQLITE_NOTADB => "SQLITE_NOTADB",
            _ => return format!("SQLite's code {code}"),
        },
    };
    named.to_owned()
}

fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    inner.replace("\"\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_rows_are_the_records() {
        for code in [
            ffi::SQLITE_CONSTRAINT,
            ffi::SQLITE_CONSTRAINT_CHECK,
            ffi::SQLITE_CONSTRAINT_DATATYPE,
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
            ffi::SQLITE_CONSTRAINT_NOTNULL,
            ffi::SQLITE_CONSTRAINT_TRIGGER,
            ffi::SQLITE_CONSTRAINT_UNIQUE,
            ffi::SQLITE_MISMATCH,
            ffi::SQLITE_TOOBIG,
        ] {
            assert_eq!(judge(code, ""), Judged::Data, "{code}");
        }
    }

    #[test]
    fn locked_full_and_interrupted_is_infrastructure() {
        for code in [
            ffi::SQLITE_BUSY,
            ffi::SQLITE_LOCKED,
            ffi::SQLITE_FULL,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_INTERRUPT,
            ffi::SQLITE_SCHEMA,
            ffi::SQLITE_READONLY_DBMOVED,
        ] {
            assert!(matches!(judge(code, ""), Judged::Infrastructure(_)), "{code}");
        }
    }

    #[test]
    fn what_a_person_must_mend_is_configuration() {
        for (code, reason) in [
            (ffi::SQLITE_ERROR, Reason::Schema),
            (ffi::SQLITE_CORRUPT, Reason::Schema),
            (ffi::SQLITE_NOTADB, Reason::Schema),
            (ffi::SQLITE_READONLY, Reason::Permission),
            (ffi::SQLITE_PERM, Reason::Permission),
            (ffi::SQLITE_AUTH, Reason::Permission),
        ] {
            assert!(matches!(judge(code, ""), Judged::Configuration(given, _) if given == reason), "{code}");
        }
    }

    #[test]
    fn what_fails_at_commit_is_nobodys_record() {
        let failed = |code| of_commit(&Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(matches!(failed(ffi::SQLITE_CONSTRAINT_FOREIGNKEY), Verdict::Misconfigured(_)));
        assert!(matches!(failed(ffi::SQLITE_IOERR_FSYNC), Verdict::Unknown(_)));
        assert!(matches!(failed(ffi::SQLITE_FULL), Verdict::Unavailable(_)));
    }
}
