//! Letters chosen one after the other: those that are meant, each once, and no more than wanted.

use std::hash::{DefaultHasher, Hasher as _};

use hashbrown::HashSet;

use crate::letter::{Filter, Letter};

/// What is to be done with a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// It is one of those that are meant.
    Taken,
    /// It was taken already: a crash between sending and remembering may repeat a letter.
    Repeat,
    /// It is not meant.
    Passed,
}

/// A filter at work. Of the letters taken it keeps 16 bytes each, to know repeats.
#[derive(Debug)]
pub struct Sieve {
    filter: Filter,
    taken: u64,
    repeats: u64,
    seen: HashSet<u128>,
}

impl Sieve {
    /// Returns a sieve that has seen nothing.
    pub fn new(filter: Filter) -> Self {
        Self { filter, taken: 0, repeats: 0, seen: HashSet::new() }
    }

    /// Says whether a letter is taken.
    pub fn pick(&mut self, letter: &Letter) -> Pick {
        if self.is_full() || !self.filter.takes(letter) {
            return Pick::Passed;
        }
        if let Some(id) = &letter.id
            && !self.seen.insert(hash(id, letter.redrives))
        {
            self.repeats += 1;
            return Pick::Repeat;
        }
        self.taken += 1;
        Pick::Taken
    }

    /// Whether as many are taken as were wanted.
    pub fn is_full(&self) -> bool {
        self.filter.limit.is_some_and(|limit| self.taken >= limit)
    }

    /// Returns what it goes by.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Returns how many were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Returns how many were repeats of those.
    pub fn repeats(&self) -> u64 {
        self.repeats
    }
}

fn hash(id: &str, redrives: u32) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write_u32(redrives);
        hasher.write(id.as_bytes());
        u128::from(hasher.finish())
    };
    (half(0) << 64) | half(1)
}
