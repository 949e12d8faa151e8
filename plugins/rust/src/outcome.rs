//! What a handler answers: effects in order, or a skip.

use crate::{Effect, Publish, Row};

/// What becomes of a message that is not rejected.
///
/// Made by [`apply`] or [`skip`]; a rejection is the error of the handler's [`Result`](crate::Result).
#[derive(Debug, Clone, PartialEq)]
#[must_use = "the outcome does nothing until the handler returns it"]
pub struct Outcome(Answer);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Apply(Vec<Effect>),
    Skip(String),
}

/// Starts an outcome without effects, to which they are added: `apply().upsert(row).publish(message)`.
pub fn apply() -> Outcome {
    Outcome(Answer::Apply(Vec::new()))
}

/// Ignores the message on purpose. The reason is counted, so it is short and of few distinct values.
pub fn skip(reason: impl Into<String>) -> Outcome {
    Outcome(Answer::Skip(reason.into()))
}

impl Outcome {
    /// Inserts the row, or changes the given columns of the one with its key.
    pub fn upsert(self, row: Row) -> Self {
        self.effect(Effect::Upsert(row))
    }

    /// Appends a row, once.
    pub fn insert(self, row: Row) -> Self {
        self.effect(Effect::Insert(row))
    }

    /// Changes the given columns of the row with this key.
    pub fn update(self, row: Row) -> Self {
        self.effect(Effect::Update(row))
    }

    /// Adds to numeric columns of the row with this key; the row is made if it is missing.
    #[expect(clippy::should_implement_trait, reason = "the contract's word, and not a sum")]
    pub fn add(self, row: Row) -> Self {
        self.effect(Effect::Add(row))
    }

    /// Removes the row with this key. The row has the key's columns and no others.
    pub fn delete(self, row: Row) -> Self {
        self.effect(Effect::Delete(row))
    }

    /// Sends a message once the rows are committed.
    pub fn publish(self, message: Publish) -> Self {
        self.effect(Effect::Publish(message))
    }

    /// Appends an effect. A skipped message with an effect is no longer skipped.
    pub fn effect(mut self, effect: Effect) -> Self {
        match &mut self.0 {
            Answer::Apply(effects) => effects.push(effect),
            Answer::Skip(_) => self.0 = Answer::Apply(vec![effect]),
        }
        self
    }

    /// Appends what `add` appends, if `condition` holds: effects that not every message has.
    pub fn when(self, condition: bool, add: impl FnOnce(Self) -> Self) -> Self {
        if condition { add(self) } else { self }
    }

    /// Returns the effects in order; none for a skipped message.
    pub fn effects(&self) -> &[Effect] {
        match &self.0 {
            Answer::Apply(effects) => effects,
            Answer::Skip(_) => &[],
        }
    }

    /// Returns why the message is skipped, if it is.
    pub fn skipped(&self) -> Option<&str> {
        match &self.0 {
            Answer::Apply(_) => None,
            Answer::Skip(reason) => Some(reason),
        }
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn into_answer(self) -> Answer {
        self.0
    }
}

impl Extend<Effect> for Outcome {
    fn extend<I: IntoIterator<Item = Effect>>(&mut self, effects: I) {
        let before = std::mem::replace(&mut self.0, Answer::Apply(Vec::new()));
        *self = effects.into_iter().fold(Self(before), Self::effect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_keep_their_order() {
        let outcome = apply()
            .delete(Row::new("a"))
            .when(true, |o| o.add(Row::new("b")))
            .when(false, |o| o.add(Row::new("c")));
        assert_eq!(
            outcome.effects(),
            [Effect::Delete(Row::new("a")), Effect::Add(Row::new("b"))]
        );
        assert_eq!(outcome.skipped(), None);
    }

    #[test]
    fn a_skip_with_an_effect_is_no_skip() {
        let mut outcome = skip("old");
        assert_eq!(outcome.skipped(), Some("old"));
        outcome.extend([]);
        assert_eq!(outcome.skipped(), Some("old"));
        outcome.extend([Effect::Insert(Row::new("a"))]);
        assert_eq!(outcome, apply().insert(Row::new("a")));
    }
}
