//! Messages to topics by what is in them, by configuration alone: `component = "builtin:router"`. README.md has every key.

mod body;
mod headers;
mod plan;
#[cfg(test)]
mod tests;

use forebay_fields::{Found, Kind, Scope, TOMBSTONE, WRONG_TYPE};
use forebay_plugin::prelude::*;
use forebay_plugin::serde_json;

use crate::plan::{Otherwise, Plan, Tombstone};

/// Reads the whole configuration, and tells all that is wrong with it at once.
fn open(config: serde_json::Value) -> Result<Plan> {
    Plan::read(&config)
}

fn handle(message: &Message, plan: &Plan) -> Result<Outcome> {
    let scope = Scope::new(message);
    if message.is_tombstone() && !plan.field.is_beside_value() {
        return match plan.tombstone {
            Tombstone::Reject => {
                let why = format!("the value is null, so that `{}` can not be read", plan.field);
                Err(reject(TOMBSTONE, format!("{why}, and `tombstone` is \"reject\"")))
            }
            Tombstone::Skip => Ok(skip("tombstone")),
            Tombstone::All => publish(&scope, plan, &plan.targets()),
        };
    }
    let found = scope.find(&plan.field, None)?;
    if let Found::Json(raw) = found
        && matches!(raw.kind(), Kind::Array | Kind::Object)
    {
        return Err(reject(WRONG_TYPE, format!("`{}` is {}, expected text", plan.field, found.shown())));
    }
    let no_text = |why| reject(WRONG_TYPE, format!("`{}` is no text: {why}", plan.field));
    let text = found.text().map_err(no_text)?;
    if let Some(targets) = text.and_then(|text| plan.routes.get(text.as_ref())) {
        return publish(&scope, plan, targets);
    }
    match &plan.otherwise {
        Otherwise::Targets(targets) => publish(&scope, plan, targets),
        Otherwise::Skip => Ok(skip("no route")),
        Otherwise::Reject => {
            let why = format!("`{}` is {}, and there is no route for that", plan.field, found.shown());
            Err(reject("no-route", why))
        }
    }
}

/// Publishes the message to each of the targets.
fn publish(scope: &Scope<'_>, plan: &Plan, targets: &[String]) -> Result<Outcome> {
    let key = match &plan.key {
        Some(key) => key.needed(scope)?,
        None => scope.message().key.clone(),
    };
    let value = match &plan.value {
        // Nothing is no part of anything: a message without a value stays one.
        Some(value) if !scope.message().is_tombstone() => value.needed(scope)?,
        _ => scope.message().value.clone(),
    };
    let headers = plan.headers.of(scope)?;
    Ok(targets.iter().fold(apply(), |outcome, target| {
        let mut message = Publish::new(target);
        (message.key, message.value, message.headers) = (key.clone(), value.clone(), headers.clone());
        outcome.publish(message)
    }))
}

forebay_plugin::handler!(handle, init = open);
