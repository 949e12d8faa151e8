//! What an old record may do to rows that newer ones have written since.

use crate::manifest::settings::OnConflict;
use crate::outcome::{Effect, Row, Value};
use crate::plan::target::{TableTarget, Targets};

/// Effects that can not overwrite a newer row.
#[derive(Debug, Clone, PartialEq)]
pub struct Guarded {
    /// What may be applied.
    pub effects: Vec<Effect>,
    /// Whether one of them is refused where its row is there: what was an upsert is an insert.
    pub is_changed: bool,
}

/// Changes effects so that they can not overwrite what is newer: an upsert of a target that keeps no order of its own only
/// makes a row that is not there, and what follows it in the same record changes that row as before.
///
/// # Errors
/// The target whose row would be changed or removed, however old it is.
pub fn guard<'a>(effects: &'a [Effect], targets: &Targets) -> Result<Guarded, &'a str> {
    let mut guarded = Guarded { effects: Vec::with_capacity(effects.len()), is_changed: false };
    let mut made: Vec<(&str, Vec<&Value>)> = Vec::new();
    for effect in effects {
        let own = |row: &'a Row| {
            let table = targets.table(targets.index(&row.target)?)?;
            Some((table, (row.target.as_str(), key(row, table))))
        };
        let effect = match effect {
            Effect::Upsert(row) => match own(row) {
                Some((table, key)) if table.settings.on_conflict == OnConflict::Overwrite && !made.contains(&key) => {
                    made.push(key);
                    guarded.is_changed = true;
                    Effect::Insert(row.clone())
                }
                _ => effect.clone(),
            },
            // Neither brings a version that could be compared.
            Effect::Update(row) | Effect::Delete(row) if own(row).is_none_or(|(_, key)| !made.contains(&key)) => {
                return Err(&row.target);
            }
            other => other.clone(),
        };
        guarded.effects.push(effect);
    }
    Ok(guarded)
}

fn key<'a>(row: &'a Row, table: &TableTarget) -> Vec<&'a Value> {
    let value = |name: &String| row.columns.iter().find(|column| column.name == *name).map(|column| &column.value);
    table.settings.key.iter().filter_map(value).collect()
}
