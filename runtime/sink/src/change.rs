//! A row before and after, for people who watch.

/// What a transaction did to one row. Values are text, `None` for NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: String,
    /// The columns' names, in the table's order.
    pub columns: Vec<String>,
    /// The row as it was; `None` if there was none.
    pub before: Option<Vec<Option<String>>>,
    /// The row as it is; `None` if it is gone.
    pub after: Option<Vec<Option<String>>>,
}
