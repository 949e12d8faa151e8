//! What is asked of a message: `{ path = "status", equals = "paid" }`.

use forebay_plugin::Result;
use forebay_plugin::serde_json::Value;

use crate::found::Found;
use crate::literal::Literal;
use crate::number::Number;
use crate::place::Place;
use crate::scope::{Element, Scope};
use crate::settings::{Field, Table};

/// Tests that all have to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    tests: Vec<Test>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// All checks hold for what lies at a place.
    At(Place, Vec<Check>),
    /// One of several conditions holds.
    Any(Vec<Condition>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Check {
    In(Vec<Literal>),
    NotIn(Vec<Literal>),
    Missing(bool),
    Null(bool),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Below(Number),
    Above(Number),
}

const KEYS: [&str; 13] = [
    "path",
    "equals",
    "not-equals",
    "in",
    "not-in",
    "missing",
    "null",
    "starts-with",
    "ends-with",
    "contains",
    "below",
    "above",
    "any",
];

impl Condition {
    /// Reads a condition: a table, or an array of tables that all have to hold. What is wrong is noted.
    pub fn read(field: &Field<'_>) -> Option<Self> {
        let fields = field.one_or_more();
        let tests: Vec<Option<Test>> = fields.iter().map(|field| Test::read(&field.table()?)).collect();
        if tests.is_empty() {
            field.wrong("has no condition in it");
        }
        Some(Self { tests: tests.into_iter().collect::<Option<_>>()? })
    }

    /// Returns whether it holds.
    ///
    /// # Errors
    /// Where the message can not be read.
    pub fn holds<'m>(&self, scope: &Scope<'m>, element: Option<Element<'_, 'm>>) -> Result<bool> {
        for test in &self.tests {
            let holds = match test {
                Test::At(place, checks) => {
                    let found = scope.find(place, element)?;
                    checks.iter().all(|check| check.holds(found))
                }
                Test::Any(conditions) => any(conditions, scope, element)?,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says for people what it finds: `` `status` is the string "lost" ``.
    ///
    /// # Errors
    /// Where the message can not be read.
    pub fn shown<'m>(&self, scope: &Scope<'m>, element: Option<Element<'_, 'm>>) -> Result<String> {
        let mut parts = Vec::new();
        for place in self.places() {
            parts.push(format!("`{place}` is {}", scope.find(place, element)?.shown()));
        }
        parts.dedup();
        Ok(parts.join(", "))
    }

    /// Returns every place that it looks at.
    pub fn places(&self) -> Vec<&Place> {
        let places = self.tests.iter().flat_map(|test| match test {
            Test::At(place, _) => vec![place],
            Test::Any(conditions) => conditions.iter().flat_map(Self::places).collect(),
        });
        places.collect()
    }
}

fn any<'m>(conditions: &[Condition], scope: &Scope<'m>, element: Option<Element<'_, 'm>>) -> Result<bool> {
    for condition in conditions {
        if condition.holds(scope, element)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Test {
    fn read(table: &Table<'_>) -> Option<Self> {
        table.only(&KEYS);
        if let Some(any) = table.get("any") {
            if table.fields().count() > 1 {
                table.wrong("`any` stands alone; put other conditions beside it in an array");
            }
            let conditions: Vec<Option<Condition>> = any.array()?.iter().map(Condition::read).collect();
            return conditions.into_iter().collect::<Option<_>>().map(Self::Any);
        }
        let place = table.need("path").and_then(|field| field.parsed(Place::parse));
        let checks: Vec<Option<Check>> =
            table.fields().filter(|(name, _)| *name != "path").map(|(name, field)| Check::read(name, &field)).collect();
        if checks.is_empty() {
            table.wrong("says nothing of what is at its path; such as `equals = …`");
        }
        Some(Self::At(place?, checks.into_iter().collect::<Option<_>>()?))
    }
}

impl Check {
    /// An unknown name has been noted already.
    fn read(name: &str, field: &Field<'_>) -> Option<Self> {
        let literals = || {
            let literals: Vec<Option<Literal>> = field.array()?.iter().map(Literal::read).collect();
            literals.into_iter().collect::<Option<Vec<_>>>()
        };
        let text = || field.text().map(str::to_owned);
        match name {
            "equals" => Literal::read(field).map(|literal| Self::In(vec![literal])),
            "not-equals" => Literal::read(field).map(|literal| Self::NotIn(vec![literal])),
            "in" => literals().map(Self::In),
            "not-in" => literals().map(Self::NotIn),
            "missing" => field.boolean().map(Self::Missing),
            "null" => field.boolean().map(Self::Null),
            "starts-with" => text().map(Self::StartsWith),
            "ends-with" => text().map(Self::EndsWith),
            "contains" => text().map(Self::Contains),
            "below" => bound(field).map(Self::Below),
            "above" => bound(field).map(Self::Above),
            _ => None,
        }
    }

    fn holds(&self, found: Found<'_>) -> bool {
        let text = |matches: &dyn Fn(&str) -> bool| found.string().is_some_and(|text| matches(&text));
        match self {
            Self::In(literals) => literals.iter().any(|literal| literal.is(found)),
            Self::NotIn(literals) => !literals.iter().any(|literal| literal.is(found)),
            Self::Missing(wanted) => (found == Found::Missing) == *wanted,
            Self::Null(wanted) => (found == Found::Null) == *wanted,
            Self::StartsWith(start) => text(&|text| text.starts_with(start)),
            Self::EndsWith(end) => text(&|text| text.ends_with(end)),
            Self::Contains(part) => text(&|text| text.contains(part)),
            Self::Below(bound) => found.number().is_some_and(|number| number < *bound),
            Self::Above(bound) => found.number().is_some_and(|number| number > *bound),
        }
    }
}

fn bound(field: &Field<'_>) -> Option<Number> {
    let text = match field.value() {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let number = text.and_then(|text| Number::parse(&text));
    if number.is_none() {
        field.wrong("expected a number, or one as a string such as \"0.01\"");
    }
    number
}

#[cfg(test)]
mod tests {
    use forebay_plugin::Message;
    use forebay_plugin::serde_json::json;

    use super::*;
    use crate::settings::Errors;

    fn condition(config: &Value) -> Condition {
        let errors = Errors::default();
        let condition = Condition::read(&errors.root(config));
        assert!(errors.into_failure().is_none(), "{config}");
        condition.unwrap()
    }

    #[test]
    fn conditions_hold_or_do_not() {
        let value = r#"{"status": "paid", "n": 10.0, "big": 9007199254740993, "amount": "12.50", "ok": true, "gone": null, "list": [1]}"#;
        let message = Message::new("t").with_value(value).with_header("n", "5").with_header("ok", "true");
        for (config, wanted) in [
            (json!({"path": "status", "equals": "paid"}), true),
            (json!({"path": "status", "not-equals": "paid"}), false),
            (json!({"path": "none", "not-equals": "paid"}), true),
            (json!({"path": "none", "equals": "paid"}), false),
            (json!({"path": "status", "in": ["placed", "paid"]}), true),
            (json!({"path": "status", "not-in": ["placed", "paid"]}), false),
            (json!({"path": "n", "equals": 10}), true),
            (json!({"path": "n", "equals": "10"}), false),
            (json!({"path": "amount", "equals": 12.5}), false),
            (json!({"path": "big", "equals": 9_007_199_254_740_993_i64}), true),
            (json!({"path": "big", "equals": 9_007_199_254_740_992_i64}), false),
            (json!({"path": "ok", "equals": true}), true),
            (json!({"path": "ok", "equals": "true"}), false),
            (json!({"path": "header:n", "equals": 5}), true),
            (json!({"path": "header:n", "equals": "5"}), true),
            (json!({"path": "header:ok", "equals": true}), true),
            (json!({"path": "none", "missing": true}), true),
            (json!({"path": "gone", "missing": true}), false),
            (json!({"path": "gone", "null": true}), true),
            (json!({"path": "status", "null": false, "missing": false}), true),
            (json!({"path": "status", "starts-with": "pa", "ends-with": "id", "contains": "ai"}), true),
            (json!({"path": "n", "starts-with": "1"}), false),
            (json!({"path": "amount", "above": "12.49", "below": 12.51}), true),
            (json!({"path": "n", "below": 10}), false),
            (json!({"path": "status", "above": 0}), false),
            (json!([{"path": "status", "equals": "paid"}, {"path": "n", "above": 10}]), false),
            (json!({"any": [{"path": "status", "equals": "lost"}, {"path": "n", "above": 9}]}), true),
            (json!({"any": []}), false),
        ] {
            assert_eq!(condition(&config).holds(&Scope::new(&message), None), Ok(wanted), "{config}");
        }
    }

    #[test]
    fn what_it_found_is_told() {
        let message = Message::new("t").with_value(r#"{"status": "lost"}"#);
        let condition =
            condition(&json!({"any": [{"path": "status", "equals": "lost"}, {"path": "by", "missing": true}]}));
        let shown = condition.shown(&Scope::new(&message), None).unwrap();
        assert_eq!(shown, "`status` is the string \"lost\", `by` is nothing");
    }

    #[test]
    fn what_is_no_condition_is_told() {
        for (config, wanted) in [
            (json!("status"), "config: expected a table, found the string \"status\""),
            (json!([]), "config: has no condition in it"),
            (json!({"equals": 1}), "config.path: missing; it has to be there"),
            (json!({"path": "a"}), "config: says nothing of what is at its path; such as `equals = …`"),
            (json!({"path": "a", "equls": 1}), "config.equls: unknown key; did you mean \"equals\"?"),
            (json!({"path": "a", "equals": [1]}), "config.equals: expected a string, a number, true or false"),
            (json!({"path": "a", "in": "b"}), "config.in: expected an array, found the string \"b\""),
            (
                json!({"path": "a", "above": "b"}),
                "config.above: expected a number, or one as a string such as \"0.01\"",
            ),
            (json!({"path": "a", "any": []}), "config: `any` stands alone; put other conditions beside it in an array"),
        ] {
            let errors = Errors::default();
            Condition::read(&errors.root(&config));
            assert_eq!(errors.into_failure().unwrap().message, wanted, "{config}");
        }
    }
}
