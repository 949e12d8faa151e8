//! Samples: the records in a file beside the manifest, or on standard input.

mod document;
mod line;
mod source;

pub(crate) use line::{BadLine, Input};
pub(crate) use source::Source;
