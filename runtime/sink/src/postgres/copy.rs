//! Appends by `COPY … (format binary)`: for a great many rows without a key about half of the server's work of an `INSERT`, and
//! of its log. Values go in the column's own binary form, so a statement with a value that has none here goes as an `INSERT`.

use std::error::Error;
use std::pin::pin;

use deadpool_postgres::Object;
use forebay_core::outcome::Value;
use forebay_core::plan::check::Op;
use forebay_core::plan::statement::Statement as Planned;
use forebay_core::plan::target::{ColumnFacts, ColumnKind, TableTarget};
use postgres_types::private::BytesMut;
use postgres_types::{IsNull, ToSql, Type};
use tokio_postgres::Statement;
use tokio_postgres::binary_copy::BinaryCopyInWriter;

use crate::postgres::bind::Micros;
use crate::postgres::{numeric, sql};

/// With fewer rows it saves little, and it takes two ways to the server and back more than an `INSERT`.
const ROWS_MIN: usize = 1_000;

/// The rows of one `COPY`.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    planned: Planned<'a>,
    forms: Vec<Form>,
}

/// The binary form of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Int2,
    Int4,
    Int8,
    Float8,
    Boolean,
    Bytea,
    /// Of both types of timestamps: microseconds, in UTC where there is no time zone.
    Timestamp,
    /// Of text and json, too: their characters.
    Text,
    Jsonb,
    Uuid,
    Numeric,
}

/// A value on its way.
#[derive(Debug)]
struct Field<'a>(&'a Value, Form);

impl<'a> Rows<'a> {
    /// The rows of a statement, if they are to go by `COPY`; otherwise the statement again.
    pub(super) fn of(planned: Planned<'a>, table: &TableTarget) -> Result<Self, Planned<'a>> {
        if planned.op != Op::Insert || planned.len() < ROWS_MIN || !table.facts.takes_copy {
            return Err(planned);
        }
        let columns = planned.columns.iter().enumerate();
        let forms: Option<Vec<Form>> =
            columns.map(|(at, column)| form(table.facts(*column)?, planned.column(at))).collect();
        match forms {
            Some(forms) => Ok(Self { planned, forms }),
            None => Err(planned),
        }
    }

    /// The text of the `COPY`.
    pub(super) fn text(&self, table: &TableTarget) -> String {
        let columns = self.planned.columns.iter().filter_map(|column| table.facts(*column));
        let names: Vec<String> = columns.map(|column| sql::quote(&column.name)).collect();
        format!("copy {} ({}) from stdin (format binary)", table.facts.sql_name, names.join(", "))
    }

    /// Sends them; returns how many the server took. A connection sends what is asked of it behind them when they are through.
    pub(super) async fn send(&self, client: &Object, copy: &Statement) -> Result<u64, tokio_postgres::Error> {
        // What a field is written as is said by its form.
        let types = vec![Type::ANY; self.forms.len()];
        let mut writer = pin!(BinaryCopyInWriter::new(client.copy_in(copy).await?, &types));
        let mut fields: Vec<Field<'_>> = Vec::with_capacity(self.forms.len());
        for row in 0..self.planned.len() {
            fields.clear();
            for (value, form) in self.planned.row(row).iter().zip(&self.forms) {
                fields.push(Field(value, *form));
            }
            writer.as_mut().write_raw(&fields).await?;
        }
        writer.finish().await
    }
}

/// The statement that must go well before a `COPY` may be asked for: the client can not be told that one did not begin, and loses count
/// of the server's answers. What keeps a `COPY` from its table (a lock, a right, a transaction that has failed) keeps this.
pub(super) fn lock(table: &TableTarget) -> String {
    format!("lock table only {} in row exclusive mode", table.facts.sql_name)
}

/// How all values of a column can go, if they can.
fn form<'a>(column: &ColumnFacts, mut values: impl Iterator<Item = &'a Value>) -> Option<Form> {
    let form = match column.kind {
        ColumnKind::Int2 => Form::Int2,
        ColumnKind::Int4 => Form::Int4,
        ColumnKind::Int8 => Form::Int8,
        ColumnKind::Float8 => Form::Float8,
        ColumnKind::Boolean => Form::Boolean,
        ColumnKind::Bytea => Form::Bytea,
        ColumnKind::Timestamptz | ColumnKind::Timestamp => Form::Timestamp,
        ColumnKind::Text(_) => Form::Text,
        ColumnKind::Uuid => Form::Uuid,
        ColumnKind::Numeric(_) => Form::Numeric,
        ColumnKind::Other if column.type_name == "json" => Form::Text,
        ColumnKind::Other if column.type_name == "jsonb" => Form::Jsonb,
        // A float4 is rounded by the server, and a date is text.
        ColumnKind::Float4 | ColumnKind::Date | ColumnKind::Other | ColumnKind::Sqlite(_) => return None,
    };
    values.all(|value| *value == Value::Null || form.takes(value)).then_some(form)
}

impl Form {
    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Int2, Value::Integer(number)) => i16::try_from(*number).is_ok(),
            (Self::Int4, Value::Integer(number)) => i32::try_from(*number).is_ok(),
            (Self::Int8 | Self::Numeric, Value::Integer(_))
            | (Self::Float8, Value::Integer(_) | Value::Float(_))
            | (Self::Boolean, Value::Boolean(_))
            | (Self::Bytea, Value::Bytes(_))
            | (Self::Timestamp, Value::TimestampMicros(_))
            | (Self::Text | Self::Jsonb, Value::Text(_)) => true,
            (Self::Uuid, Value::Text(text)) => uuid(text).is_some(),
            (Self::Numeric, Value::Text(text)) => numeric::binary(text).is_some(),
            _ => false,
        }
    }
}

/// A uuid's bytes, if it is written in its standard form.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let hyphens = [8, 13, 18, 23];
    let text = text.as_bytes();
    if text.len() != 36 || hyphens.iter().any(|at| text.get(*at) != Some(&b'-')) {
        return None;
    }
    let mut digits = text.iter().enumerate().filter(|(at, _)| !hyphens.contains(at)).map(|(_, digit)| *digit);
    let mut next = || u8::try_from(char::from(digits.next()?).to_digit(16)?).ok();
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        *byte = next()? << 4 | next()?;
    }
    Some(bytes)
}

impl ToSql for Field<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self.1, self.0) {
            (_, Value::Null) => return Ok(IsNull::Yes),
            (Form::Int2, Value::Integer(number)) => out.extend_from_slice(&i16::try_from(*number)?.to_be_bytes()),
            (Form::Int4, Value::Integer(number)) => out.extend_from_slice(&i32::try_from(*number)?.to_be_bytes()),
            (Form::Int8, Value::Integer(number)) => out.extend_from_slice(&number.to_be_bytes()),
            #[expect(clippy::cast_precision_loss, reason = "checked to be exact before")]
            (Form::Float8, Value::Integer(number)) => out.extend_from_slice(&(*number as f64).to_be_bytes()),
            (Form::Float8, Value::Float(number)) => out.extend_from_slice(&number.to_be_bytes()),
            (Form::Boolean, Value::Boolean(truth)) => out.extend_from_slice(&[u8::from(*truth)]),
            (Form::Bytea, Value::Bytes(bytes)) => out.extend_from_slice(bytes),
            (Form::Timestamp, Value::TimestampMicros(micros)) => return Micros(*micros).to_sql(ty, out),
            (Form::Text, Value::Text(text)) => out.extend_from_slice(text.as_bytes()),
            (Form::Jsonb, Value::Text(text)) => {
                // The version of the form, which says that text follows.
                out.extend_from_slice(&[1]);
                out.extend_from_slice(text.as_bytes());
            }
            (Form::Uuid, Value::Text(text)) => out.extend_from_slice(&uuid(text).ok_or("no uuid")?),
            (Form::Numeric, Value::Text(text)) => out.extend_from_slice(&numeric::binary(text).ok_or("no number")?),
            (Form::Numeric, Value::Integer(number)) => {
                out.extend_from_slice(&numeric::binary(&number.to_string()).ok_or("no number")?);
            }
            (form, value) => return Err(format!("{value:?} has no form {form:?}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    postgres_types::to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_standard_form() {
        let bytes = [0x0f, 0x8f, 0xad, 0x5b, 0xd9, 0xcb, 0x46, 0x9f, 0xa1, 0x65, 0x70, 0x86, 0x77, 0x28, 0x95, 0x0e];
        assert_eq!(uuid("0f8fad5b-d9cb-469f-A165-70867728950e"), Some(bytes));
        for other in ["0f8fad5bd9cb469fa165708677289 50e", "{0f8fad5b-d9cb-469f-a165-70867728950e}", "", "é"] {
            assert_eq!(uuid(other), None, "{other}");
        }
        assert_eq!(uuid("0f8fad5b-d9cb-469f-a165-70867728950g"), None);
    }

    #[test]
    fn what_a_column_can_not_hold_goes_as_an_insert_so_that_the_server_says_why() {
        let column = |kind| ColumnFacts {
            name: "c".to_owned(),
            kind,
            type_name: String::new(),
            is_nullable: true,
            has_default: false,
            is_generated: false,
        };
        let fits = [Value::Integer(1), Value::Null, Value::Integer(i64::from(i32::MAX))];
        assert_eq!(form(&column(ColumnKind::Int4), fits.iter()), Some(Form::Int4));
        assert_eq!(form(&column(ColumnKind::Int2), fits.iter()), None, "too large");
        assert_eq!(form(&column(ColumnKind::Text(None)), fits.iter()), None, "no text");
        assert_eq!(form(&column(ColumnKind::Date), [].iter()), None);
        let numbers = [Value::Text("-1.50".to_owned()), Value::Integer(2)];
        assert_eq!(form(&column(ColumnKind::Numeric(None)), numbers.iter()), Some(Form::Numeric));
        let number = [Value::Text("1e5".to_owned())];
        assert_eq!(form(&column(ColumnKind::Numeric(None)), number.iter()), None, "the server reads what is seldom");
    }
}
