//! Which letters are meant.

use jiff::Timestamp;

use crate::letter::{Letter, NONE};

/// Which letters are meant; everything that is given must hold. What a letter does not say is [`NONE`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The failure's class.
    pub class: Option<String>,
    /// The failure's code.
    pub code: Option<String>,
    /// The binding that wrote it.
    pub binding: Option<String>,
    /// Bindings whose letters are not meant: others that share the topic.
    pub not_of: Vec<String>,
    /// The partition of the dead-letter topic.
    pub partition: Option<i32>,
    /// The offset there.
    pub offset: Option<i64>,
    /// Its `forebay.id`.
    pub id: Option<String>,
    /// Failed at this time or later.
    pub since: Option<Timestamp>,
    /// How many at most.
    pub limit: Option<u64>,
}

impl Filter {
    /// Whether this letter is meant, the limit aside.
    pub fn takes(&self, letter: &Letter) -> bool {
        let text = |wanted: &Option<String>, given: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| wanted == given.as_deref().unwrap_or(NONE))
        };
        let is_of_another = letter.binding.as_ref().is_some_and(|binding| self.not_of.contains(binding));
        text(&self.class, &letter.class)
            && text(&self.code, &letter.code)
            && text(&self.binding, &letter.binding)
            && !is_of_another
            && self.partition.is_none_or(|wanted| wanted == letter.partition())
            && self.offset.is_none_or(|wanted| wanted == letter.offset())
            && self.id.as_ref().is_none_or(|wanted| letter.id.as_ref() == Some(wanted))
            && self.since.is_none_or(|since| letter.at().is_some_and(|at| at >= since))
    }
}
