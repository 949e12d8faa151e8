//! Columns from a struct: a serializer whose output is a list of columns, and one whose output is a single value.

use std::fmt::{self, Display};

use serde::ser::{Error, Impossible, Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::{Column, Failure, Value, reject, timestamp};

/// Turns a struct, or a map with text as keys, into columns.
pub(crate) fn of(fields: &impl Serialize) -> Result<Vec<Column>, NoColumn> {
    fields.serialize(ColumnsSerializer)
}

/// What has no form as a column.
#[derive(Debug)]
pub(crate) struct NoColumn {
    column: Option<String>,
    message: String,
}

impl NoColumn {
    fn new(message: impl Into<String>) -> Self {
        Self {
            column: None,
            message: message.into(),
        }
    }

    fn in_column(self, name: &str) -> Self {
        Self {
            column: self.column.or_else(|| Some(name.to_owned())),
            ..self
        }
    }

    pub(crate) fn into_failure(self, target: &str) -> Failure {
        let message = match self.column {
            Some(column) => format!("column `{column}` of a row for `{target}`: {}", self.message),
            None => format!("a row for `{target}`: {}", self.message),
        };
        reject("no-column", message)
    }
}

impl Display for NoColumn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for NoColumn {}

impl Error for NoColumn {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

/// Refuses shapes, each with what it is.
macro_rules! refuse {
    ($why:expr; $($method:ident($($argument:ty),*) -> $ok:ty;)+) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$ok, NoColumn> {
            Err(NoColumn::new($why))
        })+
    };
}

/// Refuses shapes around another value.
macro_rules! refuse_around {
    ($why:expr; $($method:ident($($argument:ty),*);)+) => {
        $(fn $method<T: Serialize + ?Sized>(self, $(_: $argument,)* _: &T) -> Result<Self::Ok, NoColumn> {
            Err(NoColumn::new($why))
        })+
    };
}

const NO_ROW: &str = "a row is made of a struct or of a map with text as keys";
const NO_VALUE: &str = "a list, map or struct is no column's value: give a json column its value by `json(&…)?`";

type Never<T> = Impossible<T, NoColumn>;

struct ColumnsSerializer;

impl Serializer for ColumnsSerializer {
    type Ok = Vec<Column>;
    type Error = NoColumn;
    type SerializeSeq = Never<Vec<Column>>;
    type SerializeTuple = Never<Vec<Column>>;
    type SerializeTupleStruct = Never<Vec<Column>>;
    type SerializeTupleVariant = Never<Vec<Column>>;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Never<Vec<Column>>;

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Fields, NoColumn> {
        Ok(Fields {
            columns: Vec::with_capacity(length),
            name: None,
        })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Fields, NoColumn> {
        Ok(Fields {
            columns: Vec::with_capacity(length.unwrap_or_default()),
            name: None,
        })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, inner: &T) -> Result<Self::Ok, NoColumn> {
        inner.serialize(self)
    }

    refuse! { NO_ROW;
        serialize_bool(bool) -> Self::Ok;
        serialize_i8(i8) -> Self::Ok;
        serialize_i16(i16) -> Self::Ok;
        serialize_i32(i32) -> Self::Ok;
        serialize_i64(i64) -> Self::Ok;
        serialize_u8(u8) -> Self::Ok;
        serialize_u16(u16) -> Self::Ok;
        serialize_u32(u32) -> Self::Ok;
        serialize_u64(u64) -> Self::Ok;
        serialize_f32(f32) -> Self::Ok;
        serialize_f64(f64) -> Self::Ok;
        serialize_char(char) -> Self::Ok;
        serialize_str(&str) -> Self::Ok;
        serialize_bytes(&[u8]) -> Self::Ok;
        serialize_none() -> Self::Ok;
        serialize_unit() -> Self::Ok;
        serialize_unit_struct(&'static str) -> Self::Ok;
        serialize_unit_variant(&'static str, u32, &'static str) -> Self::Ok;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    refuse_around! { NO_ROW;
        serialize_some();
        serialize_newtype_variant(&'static str, u32, &'static str);
    }
}

/// The columns so far, and the name of the one whose value comes next.
struct Fields {
    columns: Vec<Column>,
    name: Option<String>,
}

impl Fields {
    fn push<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), NoColumn> {
        let value = value
            .serialize(ValueSerializer)
            .map_err(|error| error.in_column(name))?;
        self.columns.push(Column {
            name: name.to_owned(),
            value,
        });
        Ok(())
    }
}

impl SerializeStruct for Fields {
    type Ok = Vec<Column>;
    type Error = NoColumn;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), NoColumn> {
        self.push(name, value)
    }

    fn end(self) -> Result<Vec<Column>, NoColumn> {
        Ok(self.columns)
    }
}

impl SerializeMap for Fields {
    type Ok = Vec<Column>;
    type Error = NoColumn;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NoColumn> {
        match key.serialize(ValueSerializer)? {
            Value::Text(name) => self.name = Some(name),
            _ => return Err(NoColumn::new(NO_ROW)),
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoColumn> {
        let name = self.name.take().ok_or_else(|| NoColumn::new(NO_ROW))?;
        self.push(&name, value)
    }

    fn end(self) -> Result<Vec<Column>, NoColumn> {
        Ok(self.columns)
    }
}

/// Serializes by way of `From`.
macro_rules! by_from {
    ($($method:ident($from:ty);)+) => {
        $(fn $method(self, value: $from) -> Result<Value, NoColumn> {
            Ok(Value::from(value))
        })+
    };
}

struct ValueSerializer;

impl Serializer for ValueSerializer {
    type Ok = Value;
    type Error = NoColumn;
    type SerializeSeq = Never<Value>;
    type SerializeTuple = Never<Value>;
    type SerializeTupleStruct = Never<Value>;
    type SerializeTupleVariant = Never<Value>;
    type SerializeMap = Never<Value>;
    type SerializeStruct = Never<Value>;
    type SerializeStructVariant = Never<Value>;

    by_from! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
    }

    fn serialize_none(self) -> Result<Value, NoColumn> {
        Ok(Value::Null)
    }

    fn serialize_unit(self) -> Result<Value, NoColumn> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, inner: &T) -> Result<Value, NoColumn> {
        inner.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, inner: &T) -> Result<Value, NoColumn> {
        match inner.serialize(self)? {
            Value::Integer(micros) if name == timestamp::NAME => Ok(Value::TimestampMicros(micros)),
            value => Ok(value),
        }
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Value, NoColumn> {
        Ok(Value::from(variant))
    }

    refuse! { NO_VALUE;
        serialize_unit_struct(&'static str) -> Value;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    refuse_around! { NO_VALUE;
        serialize_newtype_variant(&'static str, u32, &'static str);
    }
}
