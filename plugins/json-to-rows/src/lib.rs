//! JSON messages into rows, by configuration alone: `component = "builtin:json-to-rows"`. README.md has every key.

mod column;
mod encoding;
mod kind;
mod plan;
mod row;
mod rule;
#[cfg(test)]
mod tests;
mod time;

use forebay_fields::{Scope, TOMBSTONE};
use forebay_plugin::prelude::*;
use forebay_plugin::serde_json;

use crate::plan::{Plan, Tombstone};

/// Reads the whole configuration, and tells all that is wrong with it at once.
fn open(config: serde_json::Value) -> Result<Plan> {
    Plan::read(&config)
}

fn handle(message: &Message, plan: &Plan) -> Result<Outcome> {
    let scope = Scope::new(message);
    if message.is_tombstone() {
        return match plan.tombstone {
            Tombstone::Reject => Err(reject(TOMBSTONE, "the value is null, and `tombstone` is \"reject\"")),
            Tombstone::Skip => Ok(skip("tombstone")),
            Tombstone::Delete => deletes(&scope, plan),
        };
    }
    for rule in &plan.skip {
        if rule.when.holds(&scope, None)? {
            return Ok(skip(&rule.reason));
        }
    }
    for rule in &plan.reject {
        if rule.when.holds(&scope, None)? {
            return Err(rule.failure(&scope)?);
        }
    }
    let mut outcome = apply();
    for row in &plan.rows {
        outcome = row.write(&scope, outcome)?;
    }
    if outcome.effects().is_empty() {
        return Ok(skip("nothing to write"));
    }
    Ok(outcome)
}

/// Deletes by all keys that a message without a value tells.
fn deletes(scope: &Scope<'_>, plan: &Plan) -> Result<Outcome> {
    let mut outcome = apply();
    for row in plan.rows.iter().filter(|row| row.has_key_beside_value()) {
        outcome = outcome.delete(row.key(scope, None)?);
    }
    Ok(outcome)
}

forebay_plugin::handler!(handle, init = open);
