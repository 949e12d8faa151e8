//! What the ready-made plugins have in common: where a value lies in a message, what is asked of it, and a configuration
//! that is read to its end, so that all its errors are told at once.

mod condition;
mod found;
mod json;
mod literal;
mod number;
mod path;
mod place;
mod scope;
mod settings;
mod suggest;

pub use condition::Condition;
pub use found::Found;
pub use json::{Kind, Node, Raw};
pub use literal::Literal;
pub use number::Number;
pub use path::{Path, Step};
pub use place::{Part, Place, Source};
pub use scope::{Element, Scope};
pub use settings::{Field, Table, read};

/// The code of what can not be read: bad JSON, text that is not UTF-8.
pub const MALFORMED: &str = "malformed";

/// The code of a field that is not there, or null, where it has to be.
pub const MISSING_FIELD: &str = "missing-field";

/// The code of a value that is there and of another kind than is wanted.
pub const WRONG_TYPE: &str = "wrong-type";

/// The code of a message without a value, where nothing says what to do with it.
pub const TOMBSTONE: &str = "tombstone";
