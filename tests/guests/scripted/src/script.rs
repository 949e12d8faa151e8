//! The script in a message's value, and how it is carried out.

use std::fmt;

use forebay_plugin::prelude::*;
use forebay_plugin::{Column, Effect, Header};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use crate::misbehave;

const MALFORMED: &str = "malformed";

#[derive(Deserialize)]
pub(crate) struct Script {
    effects: Option<Vec<Step>>,
    /// Of a mended handler.
    #[serde(rename = "else")]
    otherwise: Option<Vec<Step>>,
    skip: Option<String>,
    reject: Option<Rejection>,
    trap: Option<Json>,
    unreachable: Option<Json>,
    spin: Option<Json>,
    hog: Option<Json>,
    recurse: Option<Json>,
    huge: Option<usize>,
    alias: Option<usize>,
    many: Option<i64>,
    /// For `huge`, `alias` and `many`.
    #[serde(default)]
    target: String,
    #[serde(default)]
    log: Vec<(String, String)>,
    #[serde(default)]
    count: std::collections::BTreeMap<String, u64>,
    #[serde(default)]
    burn: u64,
}

#[derive(Deserialize)]
struct Rejection {
    code: String,
    message: String,
}

#[derive(Deserialize)]
struct Step {
    op: String,
    target: String,
    #[serde(default)]
    columns: Columns,
    key: Option<String>,
    value: Option<String>,
    #[serde(default)]
    headers: Vec<(String, Option<String>)>,
}

/// The columns in the order of the text, repeated names kept.
#[derive(Default)]
struct Columns(Vec<(String, Json)>);

impl Script {
    /// Writes the lines, counts the counts, and turns its turns.
    pub(crate) fn speak(&self) -> Result<()> {
        for (level, text) in &self.log {
            match level.as_str() {
                "trace" => log::trace!("{text}"),
                "debug" => log::debug!("{text}"),
                "info" => log::info!("{text}"),
                "warn" => log::warn!("{text}"),
                "error" => log::error!("{text}"),
                other => return Err(reject(MALFORMED, format!("`{other}` is no level"))),
            }
        }
        for (name, delta) in &self.count {
            metrics::count(name, *delta);
        }
        misbehave::burn(self.burn);
        Ok(())
    }

    /// Puts the effects of a mended handler in place of what fails.
    pub(crate) fn mend(&mut self) {
        let Some(effects) = self.otherwise.take() else { return };
        self.effects = Some(effects);
        self.reject = None;
        [
            &mut self.trap,
            &mut self.unreachable,
            &mut self.spin,
            &mut self.hog,
            &mut self.recurse,
        ]
        .map(|failing| *failing = None);
    }

    /// Says in every row which version wrote it.
    pub(crate) fn stamp(&mut self, stamp: &str) {
        for step in self.effects.iter_mut().flatten().filter(|step| step.op != "publish") {
            step.columns.0.push(("stamp".to_owned(), stamp.into()));
        }
    }

    /// Does the one thing that it says.
    pub(crate) fn act(self) -> Result<Outcome> {
        let target = self.target.clone();
        let mut actions = self.actions().into_iter();
        match (actions.next(), actions.next()) {
            (Some(action), None) => action.act(&target),
            (None, _) => Err(reject(MALFORMED, "the script says nothing to do")),
            (Some(_), Some(_)) => Err(reject(MALFORMED, "the script says more than one thing to do")),
        }
    }

    fn actions(self) -> Vec<Action> {
        let panic = self
            .trap
            .filter(is_meant)
            .map(|words| words.as_str().unwrap_or("scripted trap").to_owned());
        let all = [
            self.effects.map(Action::Effects),
            self.skip.map(Action::Skip),
            self.reject.map(Action::Reject),
            panic.map(Action::Trap),
            self.unreachable.filter(is_meant).map(|_| Action::Unreachable),
            self.spin.filter(is_meant).map(|_| Action::Spin),
            self.hog.filter(is_meant).map(|_| Action::Hog),
            self.recurse.filter(is_meant).map(|_| Action::Recurse),
            self.huge.map(Action::Huge),
            self.alias.map(Action::Alias),
            self.many.map(Action::Many),
        ];
        all.into_iter().flatten().collect()
    }
}

/// `"spin": false` means no spinning.
fn is_meant(value: &Json) -> bool {
    !matches!(value, Json::Null | Json::Bool(false))
}

/// The one thing that a script says.
enum Action {
    Effects(Vec<Step>),
    Skip(String),
    Reject(Rejection),
    Trap(String),
    Unreachable,
    Spin,
    Hog,
    Recurse,
    Huge(usize),
    Alias(usize),
    Many(i64),
}

impl Action {
    fn act(self, target: &str) -> Result<Outcome> {
        match self {
            Self::Effects(steps) => {
                let effects: Vec<Effect> = steps.into_iter().map(Step::into_effect).collect::<Result<_>>()?;
                let mut outcome = apply();
                outcome.extend(effects);
                Ok(outcome)
            }
            Self::Skip(reason) => Ok(skip(reason)),
            Self::Reject(Rejection { code, message }) => Err(reject(code, message)),
            Self::Trap(words) => panic!("{words}"),
            Self::Unreachable => misbehave::unreachable(),
            Self::Spin => misbehave::spin(),
            Self::Hog => misbehave::hog(),
            Self::Recurse => {
                misbehave::recurse(0);
                Ok(apply())
            }
            Self::Huge(mebibytes) => Ok(misbehave::huge(target, mebibytes)),
            Self::Alias(mebibytes) => Ok(misbehave::alias(target, mebibytes)),
            Self::Many(effects) => Ok(misbehave::many(target, effects)),
        }
    }
}

impl Step {
    fn into_effect(self) -> Result<Effect> {
        if self.op == "publish" {
            let headers = self.headers.into_iter().map(|(name, value)| Header {
                name,
                value: value.map(String::into_bytes),
            });
            let mut publish = Publish::new(self.target);
            publish.key = self.key.map(String::into_bytes);
            publish.value = self.value.map(String::into_bytes);
            publish.headers = headers.collect();
            return Ok(Effect::Publish(publish));
        }
        let columns = self.columns.0.into_iter().map(|(name, json)| {
            Ok(Column {
                name,
                value: column_value(json)?,
            })
        });
        let row = Row {
            target: self.target,
            columns: columns.collect::<Result<_>>()?,
        };
        match self.op.as_str() {
            "upsert" => Ok(Effect::Upsert(row)),
            "insert" => Ok(Effect::Insert(row)),
            "update" => Ok(Effect::Update(row)),
            "add" => Ok(Effect::Add(row)),
            "delete" => Ok(Effect::Delete(row)),
            other => Err(reject(MALFORMED, format!("`{other}` is no effect"))),
        }
    }
}

fn column_value(json: Json) -> Result<Value> {
    match json {
        Json::Null => Ok(Value::Null),
        Json::Bool(truth) => Ok(Value::Boolean(truth)),
        Json::Number(number) => number_value(&number),
        Json::String(text) => Ok(Value::Text(text)),
        Json::Object(fields) if fields.len() == 1 => fields.into_iter().next().map_or_else(no_value, typed_value),
        Json::Object(_) | Json::Array(_) => no_value(),
    }
}

fn number_value(number: &serde_json::Number) -> Result<Value> {
    match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => Ok(Value::Integer(whole)),
        (None, Some(float)) => Ok(Value::Float(float)),
        (None, None) => no_value(),
    }
}

fn typed_value((kind, json): (String, Json)) -> Result<Value> {
    match (kind.as_str(), &json) {
        ("text", Json::String(text)) => Ok(Value::from(text)),
        ("bytes", Json::String(hex)) => bytes(hex).map(Value::Bytes),
        ("bool", Json::Bool(truth)) => Ok(Value::Boolean(*truth)),
        ("int", Json::Number(number)) => number.as_i64().map_or_else(no_value, |whole| Ok(Value::Integer(whole))),
        ("float", Json::Number(number)) => number.as_f64().map_or_else(no_value, |float| Ok(Value::Float(float))),
        // JSON has no names for these.
        ("float", Json::String(name)) => Ok(Value::Float(name.parse()?)),
        ("micros", Json::Number(number)) => number
            .as_i64()
            .map_or_else(no_value, |micros| Ok(Value::TimestampMicros(micros))),
        _ => no_value(),
    }
}

fn no_value() -> Result<Value> {
    Err(reject(
        MALFORMED,
        "a column's value is plain or `{\"text|int|float|bytes|micros|bool\": …}`",
    ))
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        _ => None,
    });
    digits
        .collect::<Option<_>>()
        .or_reject(MALFORMED, format!("`{hex}` is not hexadecimal"))
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ColumnsVisitor)
    }
}

struct ColumnsVisitor;

impl<'de> Visitor<'de> for ColumnsVisitor {
    type Value = Columns;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("columns and their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
        let mut columns = Vec::new();
        while let Some(entry) = map.next_entry()? {
            columns.push(entry);
        }
        Ok(Columns(columns))
    }
}
