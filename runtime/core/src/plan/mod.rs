//! From outcomes to statements whose result equals applying every effect one by one.

pub mod check;
pub mod fit;
pub mod interpret;
pub mod key;
pub mod statement;
pub mod storage;
pub mod target;
