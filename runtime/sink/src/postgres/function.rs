//! A function that goes record by record in the server: its text, and which statements it knows.
//!
//! A record's statements run in one block that catches what is the row's; what it catches is noted, and the next record's
//! turn comes. Statements stand in the text as they are, so that the server plans each of them once for a connection.
//! Values come in one array for each way to travel. A record's *steps* say which statement, how many rows, and where their
//! values start.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use forebay_core::plan::check::Op;
use forebay_core::verdict::Verdict;
use tokio_postgres::Error;
use tracing::info;

use crate::postgres::bind::Wire;
use crate::postgres::verdict::{self, chain, of_error};

/// A sink whose handlers have more kinds of statements than this goes without a function for the rest.
const SHAPES_MAX: usize = 64;

/// A statement as it stands in a function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    /// Its text, with `forebay.n` rows.
    pub(super) text: String,
    pub(super) op: Op,
    /// How its columns travel.
    pub(super) wires: Vec<Wire>,
}

/// A function: the statement that makes it, and the one that calls it.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) create: String,
    pub(super) call: String,
}

/// A sink's functions. One that knows more statements takes the place of one that knows less, so that few are made in the
/// life of a connection.
#[derive(Debug, Default)]
pub(super) struct Functions {
    /// By the constraints that are checked after each record.
    known: Mutex<BTreeMap<String, Known>>,
    /// Set when the server refuses to make one; never taken back.
    is_refused: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    shapes: Vec<Shape>,
    /// Made when it is asked for, with all shapes so far.
    function: Option<Arc<Function>>,
}

impl Functions {
    /// Returns a function that knows these statements, and the number of each in it; `None` if they are too many, or the
    /// server makes no functions.
    pub(super) fn learn(&self, shapes: &[Shape], deferred: &str) -> Option<(Arc<Function>, Vec<usize>)> {
        if self.is_refused() {
            return None;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { shapes: known, function } = known.entry(deferred.to_owned()).or_default();
        let new: Vec<Shape> = shapes.iter().filter(|shape| !known.contains(shape)).cloned().collect();
        if known.len() + new.len() > SHAPES_MAX {
            return None;
        }
        if !new.is_empty() {
            known.extend(new);
            *function = None;
        }
        let numbers = shapes.iter().filter_map(|shape| known.iter().position(|other| other == shape)).collect();
        let function = function.get_or_insert_with(|| Arc::new(Function::new(known, deferred)));
        Some((function.clone(), numbers))
    }

    /// Whether the server has refused to make a function.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::Relaxed)
    }

    /// Takes the server's refusal to make a function.
    ///
    /// # Errors
    /// Where it may be willing later.
    pub(super) fn refused(&self, sink: &str, error: &Error) -> Result<(), Verdict> {
        let Some(code) = error.code().map(|code| code.code()) else { return Err(of_error(error)) };
        let class = code.get(..2).unwrap_or_default();
        if verdict::INFRASTRUCTURE.contains(&class) {
            return Err(of_error(error));
        }
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            let why = chain(error);
            info!(
                sink,
                %why,
                "refused rows are searched for by halving, which is slower: the server makes no temporary function. Grant \
                 Forebay's role `temporary` on the database and `usage` on the language plpgsql, and restart"
            );
        }
        Ok(())
    }
}

impl Function {
    /// The name says what is in it: whatever a connection has under that name is the same.
    fn new(shapes: &[Shape], deferred: &str) -> Self {
        let body = body(shapes, deferred);
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let name = format!("forebay_{:016x}", hasher.finish());
        let pools: String = Wire::ALL.iter().map(|wire| format!("{}[], ", wire.type_name())).collect();
        let create = format!(
            "create or replace function pg_temp.{name}({}{pools}bool) returns table (place int4, shape int4, \
             missing int8, code text, words text, in_schema text, in_table text, in_column text, by_constraint text, \
             of_type text) language plpgsql as ${name}${body}${name}$",
            "int4[], ".repeat(3 + Wire::ALL.len())
        );
        let places: Vec<String> = (1..=PARAMETERS).map(|place| format!("${place}")).collect();
        Self { create, call: format!("select * from pg_temp.{name}({})", places.join(", ")) }
    }
}

/// Three arrays of steps, where their values start and the values for each way to travel, and whether a foreign key may wait.
const PARAMETERS: usize = 3 + 2 * Wire::ALL.len() + 1;

/// Returns the parameters' types, in their order.
pub(super) fn parameter_types() -> impl Iterator<Item = postgres_types::Type> {
    use postgres_types::Type;
    let steps = std::iter::repeat_n(Type::INT4_ARRAY, 3 + Wire::ALL.len());
    steps.chain(Wire::ALL.iter().map(|wire| wire.array_type())).chain([Type::BOOL])
}

/// The block's label qualifies what its statements read: no column can be taken for it.
fn body(shapes: &[Shape], deferred: &str) -> String {
    let mut declared = String::from("records alias for $1;\nshapes alias for $2;\ncounts alias for $3;\n");
    for (index, wire) in Wire::ALL.iter().enumerate() {
        let (name, starts, pool) = (wire.type_name(), 4 + index, 4 + Wire::ALL.len() + index);
        let _infallible =
            write!(declared, "{name}_starts alias for ${starts};\n{name}s alias for ${pool};\n{name}s_at int4;\n");
    }
    let arms = arms(shapes);
    let (defer, check) = match deferred.is_empty() {
        true => (String::new(), ""),
        // Each record is checked at its end, as its own transaction would be.
        false => (format!("set constraints {deferred} deferred;"), "shape := -1;\nset constraints all immediate;"),
    };
    let others = verdict::NOT_THE_ROWS.map(|class| format!("'{class}'")).join(", ");
    format!(
        "
#variable_conflict use_column
<<forebay>>
declare
{declared}
step int4 := 1;
steps int4 := cardinality($1);
n int4;
written int8;
counted int4;
is_over bool := false;
begin
while step <= steps and not is_over loop
place := records[step];
code := null;
begin
{defer}
while step <= steps and records[step] = place loop
shape := shapes[step];
n := counts[step];
case shape
{arms}end case;
step := step + 1;
end loop;
{check}
exception when assert_failure or others then
get stacked diagnostics code = returned_sqlstate, words = message_text, in_schema = schema_name,
in_table = table_name, in_column = column_name, by_constraint = constraint_name, of_type = pg_datatype_name;
-- Not the row's, or not to be told from here: a missing time partition has no constraint's name, and rows of one record
-- that are one to the server are applied one by one elsewhere.
if (left(code, 2) in ({others}) and code <> '42601') or code = '21000'
or (code = '23514' and in_table <> '' and by_constraint = '') then
raise;
end if;
missing := null;
return next;
while step <= steps and records[step] = place loop
step := step + 1;
end loop;
is_over := code = '23503' and ${PARAMETERS};
end;
end loop;
place := case when is_over then place + 1 end;
shape := null;
code := null;
return next;
end "
    )
}

/// Each statement, with the places of its values before it.
fn arms(shapes: &[Shape]) -> String {
    let mut arms = String::new();
    for (number, shape) in shapes.iter().enumerate() {
        let _infallible = writeln!(arms, "when {number} then");
        for wire in Wire::ALL.iter().filter(|wire| shape.wires.contains(wire)) {
            let name = wire.type_name();
            let _infallible = writeln!(arms, "{name}s_at := {name}_starts[step];");
        }
        let _infallible = writeln!(arms, "{};", shape.text);
        if shape.op == Op::Insert {
            arms.push_str(COUNTED);
        }
    }
    arms
}

const COUNTED: &str = "get diagnostics written = row_count;
if written < n then
missing := n - written;
return next;
end if;
";

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape {
        Shape { text: text.to_owned(), op: Op::Upsert, wires: vec![Wire::Text] }
    }

    #[test]
    fn a_function_that_knows_more_takes_the_place_of_one_that_knows_less() {
        let functions = Functions::default();
        let (first, numbers) = functions.learn(&[shape("a"), shape("b")], "").unwrap();
        assert_eq!(numbers, [0, 1]);
        let (same, numbers) = functions.learn(&[shape("b")], "").unwrap();
        assert_eq!((same.call.as_str(), numbers), (first.call.as_str(), vec![1]));
        let (more, numbers) = functions.learn(&[shape("c"), shape("b")], "").unwrap();
        assert_eq!(numbers, [2, 1]);
        assert_ne!(more.call, first.call);
        let (other, numbers) = functions.learn(&[shape("c")], "public.k").unwrap();
        assert_eq!(numbers, [0]);
        assert!(other.create.contains("set constraints public.k deferred"));
    }

    #[test]
    fn too_many_shapes_have_no_function_and_those_known_keep_theirs() {
        let functions = Functions::default();
        let shapes: Vec<Shape> = (0..=SHAPES_MAX).map(|number| shape(&number.to_string())).collect();
        assert!(functions.learn(&shapes, "").is_none());
        assert!(functions.learn(&shapes[1..], "").is_some());
        assert!(functions.learn(&shapes[..1], "").is_none());
        assert!(functions.learn(&shapes[1..2], "").is_some());
    }
}
