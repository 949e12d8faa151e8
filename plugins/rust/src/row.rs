//! Rows: made column by column, or from a struct.

use serde::Serialize;

use crate::{Column, Result, Row, Value, columns};

impl Row {
    /// Starts a row for a target of the manifest.
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            columns: Vec::with_capacity(8),
        }
    }

    /// Makes a row of a struct: each field is a column.
    ///
    /// Fields are whatever [`Value`] takes: numbers, booleans, text, [`Timestamp`](crate::Timestamp),
    /// [`Decimal`](crate::Decimal), options of these, bytes, and enums of unit variants (as text). Serde's attributes
    /// (`rename`, `skip`, `skip_serializing_if`) mean what they always mean.
    ///
    /// ```
    /// use forebay_plugin::prelude::*;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Payment<'a> {
    ///     id: &'a str,
    ///     amount: Decimal,
    ///     paid_at: Timestamp,
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let payment = Payment { id: "p-1", amount: "12.50".parse()?, paid_at: Timestamp::from_millis(0) };
    /// let row = Row::of("payments", &payment)?;
    /// assert_eq!(row.get("amount"), Some(&Value::Text("12.50".to_owned())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// With the code `no-column` where a field is a list, a map or another struct; see [`json`](crate::json).
    pub fn of(target: impl Into<String>, fields: &impl Serialize) -> Result<Self> {
        let target = target.into();
        let columns = columns::of(fields).map_err(|error| error.into_failure(&target))?;
        Ok(Self { target, columns })
    }

    /// Gives a column its value.
    #[must_use]
    pub fn set(mut self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.columns.push(Column {
            name: column.into(),
            value: value.into(),
        });
        self
    }

    /// Returns a column's value, if the row has the column.
    pub fn get(&self, column: &str) -> Option<&Value> {
        self.columns
            .iter()
            .find(|candidate| candidate.name == column)
            .map(|found| &found.value)
    }
}
