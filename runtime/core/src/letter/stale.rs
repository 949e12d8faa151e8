//! What an old record may do to rows that newer ones have written since.

use crate::manifest::settings::OnConflict;
use crate::outcome::{Effect, Row};
use crate::plan::target::Targets;

/// Effects that can not overwrite a newer row.
#[derive(Debug, Clone, PartialEq)]
pub struct Guarded {
    /// What may be applied.
    pub effects: Vec<Effect>,
    /// Whether one of them is refused where its row is there: what was an upsert is an insert.
    pub is_changed: bool,
}

/// Changes effects so that they can not overwrite what is newer: an upsert of a target that keeps no order of its own only
/// makes a row that is not there.
///
/// # Errors
/// The target whose row would be changed or removed, however old it is.
pub fn guard<'a>(effects: &'a [Effect], targets: &Targets) -> Result<Guarded, &'a str> {
    let conflict = |row: &Row| {
        let table = targets.table(targets.index(&row.target)?)?;
        Some(table.settings.on_conflict.clone())
    };
    let mut guarded = Guarded { effects: Vec::with_capacity(effects.len()), is_changed: false };
    for effect in effects {
        let effect = match effect {
            Effect::Upsert(row) if conflict(row) == Some(OnConflict::Overwrite) => {
                guarded.is_changed = true;
                Effect::Insert(row.clone())
            }
            Effect::Update(row) | Effect::Delete(row) if !matches!(conflict(row), Some(OnConflict::Newest(_))) => {
                return Err(&row.target);
            }
            other => other.clone(),
        };
        guarded.effects.push(effect);
    }
    Ok(guarded)
}
