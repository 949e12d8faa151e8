//! Letters counted by what they have in common.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::letter::Letter;

/// What stands for something that a letter does not say.
pub const NONE: &str = "-";
/// What stands for everything beyond the number of groups that are kept apart.
const OTHERS: &str = "(others)";
/// Codes come from outside: so many groups are kept apart, and no more.
const GROUPS_MAX: usize = 10_000;
/// The longest part of a name that groups are told apart by, in bytes.
const NAME_MAX: usize = 200;

/// What letters are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The binding that wrote them.
    pub binding: String,
    /// The failure's class.
    pub class: String,
    /// The failure's code.
    pub code: String,
    /// The partition of the dead-letter topic.
    pub partition: i32,
}

/// How many letters, and between which times they failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub letters: u64,
    /// When the first of them failed.
    pub first: Option<Timestamp>,
    /// When the last of them failed.
    pub last: Option<Timestamp>,
}

/// Letters counted by binding, class, code and partition.
#[derive(Debug, Default)]
pub struct Tally {
    groups: BTreeMap<Group, Count>,
    total: u64,
}

impl Tally {
    /// Counts a letter.
    pub fn add(&mut self, letter: &Letter) {
        let name = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or(NONE);
            text.get(..text.floor_char_boundary(NAME_MAX)).unwrap_or_default().to_owned()
        };
        let (binding, class, code) = (name(&letter.binding), name(&letter.class), name(&letter.code));
        let group = Group { binding, class, code, partition: letter.partition() };
        let is_one_more = self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&group);
        let others = || {
            let others = || OTHERS.to_owned();
            Group { binding: others(), class: others(), code: others(), partition: -1 }
        };
        let count = self.groups.entry(if is_one_more { others() } else { group }).or_default();
        count.letters += 1;
        self.total += 1;
        if let Some(at) = letter.at() {
            count.first = Some(count.first.map_or(at, |first| first.min(at)));
            count.last = Some(count.last.map_or(at, |last| last.max(at)));
        }
    }

    /// Returns how many letters were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns the groups in their order.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&Group, &Count)> {
        self.groups.iter()
    }
}
