//! What is wanted of a binding for the whole group: to stand still, as a whole or in some partitions, and whether what
//! fails alike is taken for the records' fault.

use std::collections::BTreeMap;

/// A binding in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingKey {
    /// `kafka.name` of the manifest.
    pub source: String,
    /// The consumer group.
    pub group: String,
    /// The binding's name.
    pub binding: String,
}

/// Who wants it to stand still, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// A person at a host, or Forebay itself.
    pub by: String,
    /// For people.
    pub why: String,
    /// When, as the database writes it.
    pub at: String,
}

/// What is wanted of one binding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of all its partitions.
    pub whole: Option<Pause>,
    /// Of single partitions, by number.
    pub partitions: BTreeMap<i32, Pause>,
    /// Whether somebody accepted within the last ten minutes what fails alike.
    pub is_accepting: bool,
}

/// What is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Stand still.
    Pause(Pause),
    /// Go on.
    Resume {
        /// Who says so.
        by: String,
        /// Whether what fails alike is the records' fault.
        accept: bool,
    },
}

impl Wanted {
    /// Returns who wants this partition to stand still, if anybody does.
    pub fn pause(&self, partition: i32) -> Option<&Pause> {
        self.whole.as_ref().or_else(|| self.partitions.get(&partition))
    }

    /// Takes a row of the database: a pause of one partition, of the whole, or an acceptance.
    pub(crate) fn take(&mut self, kind: &str, partition: Option<i32>, pause: Pause) {
        match (kind, partition) {
            ("accepted", _) => self.is_accepting = true,
            (_, Some(partition)) => drop(self.partitions.insert(partition, pause)),
            (_, None) => self.whole = Some(pause),
        }
    }
}
