//! The flood guard: a binding of which too large a share ends as dead letters is paused, before the rest follows.

use std::collections::VecDeque;
use std::time::Duration;

/// Below this many dead letters in the window no share is a flood: one of five is a share of 20 % too.
pub const FLOOD_MIN: u64 = 50;

/// The window is counted in this many parts; the oldest leaves as a whole.
const PARTS: u32 = 12;

/// From which share on it is a flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PauseAbove {
    /// Of the records that became terminal in the window.
    pub percent: u8,
    /// The window.
    pub window: Duration,
}

/// Records and how many of them are dead letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// All that became terminal.
    pub records: u64,
    /// Those that became dead letters.
    pub dead: u64,
}

/// What a batch adds to: the window as it was when the batch began, what is under way elsewhere included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    above: PauseAbove,
    count: Count,
}

/// The window of one binding in this process.
#[derive(Debug, Clone)]
pub struct Flood {
    above: PauseAbove,
    parts: VecDeque<(u128, Count)>,
    under_way: Count,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.dead += other.dead;
    }
}

impl Level {
    /// Takes the next record's fate, and returns the count where it would be a flood.
    pub fn push(&mut self, is_dead: bool) -> Option<Count> {
        let mut next = self.count;
        next.add(Count { records: 1, dead: u64::from(is_dead) });
        let is_flood =
            is_dead && next.dead > FLOOD_MIN && next.dead * 100 > next.records * u64::from(self.above.percent);
        if is_flood {
            return Some(self.count);
        }
        self.count = next;
        None
    }

    /// Returns what the manifest says.
    pub fn above(&self) -> PauseAbove {
        self.above
    }
}

impl Flood {
    /// Returns an empty window.
    pub fn new(above: PauseAbove) -> Self {
        Self { above, parts: VecDeque::new(), under_way: Count::default() }
    }

    /// A batch begins, of which this much is known already; returns what it adds to.
    pub fn begin(&mut self, batch: Count, now: Duration) -> Level {
        self.forget(now);
        let mut count = self.under_way;
        self.parts.iter().for_each(|(_, part)| count.add(*part));
        self.under_way.add(batch);
        Level { above: self.above, count }
    }

    /// A batch that began with `batch` has ended with `done`.
    pub fn end(&mut self, batch: Count, done: Count, now: Duration) {
        self.under_way.records = self.under_way.records.saturating_sub(batch.records);
        self.under_way.dead = self.under_way.dead.saturating_sub(batch.dead);
        let part = self.part(now);
        match self.parts.back_mut().filter(|(last, _)| *last == part) {
            Some((_, count)) => count.add(done),
            None => self.parts.push_back((part, done)),
        }
        self.forget(now);
    }

    /// A person says that it may go on: what was counted before is history.
    pub fn reset(&mut self) {
        self.parts.clear();
    }

    fn part(&self, now: Duration) -> u128 {
        now.as_micros() / (self.above.window / PARTS).as_micros().max(1)
    }

    fn forget(&mut self, now: Duration) {
        let now = self.part(now);
        while self.parts.front().is_some_and(|(part, _)| part + u128::from(PARTS) <= now) {
            self.parts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOVE: PauseAbove = PauseAbove { percent: 50, window: Duration::from_secs(60) };

    fn count(records: u64, dead: u64) -> Count {
        Count { records, dead }
    }

    #[test]
    fn fifty_dead_letters_of_fifty_pass_and_not_one_more() {
        let mut level = Flood::new(ABOVE).begin(count(5000, 5000), Duration::ZERO);
        for _ in 0..FLOOD_MIN {
            assert_eq!(level.push(true), None);
        }
        assert_eq!(level.push(true), Some(count(50, 50)));
        assert_eq!(level.push(true), Some(count(50, 50)), "and stays so");
    }

    #[test]
    fn half_is_no_flood_and_a_good_record_never_trips() {
        let mut level = Flood::new(ABOVE).begin(Count::default(), Duration::ZERO);
        for index in 0..10_000 {
            assert_eq!(level.push(index % 2 == 1), None);
        }
        assert_eq!(level.push(true), Some(count(10_000, 5_000)), "the next one makes it more than half");
    }

    #[test]
    fn what_is_under_way_elsewhere_counts() {
        let mut flood = Flood::new(ABOVE);
        let _other = flood.begin(count(60, 60), Duration::ZERO);
        assert!(flood.begin(count(1, 1), Duration::ZERO).push(true).is_some());
        // It failed: nothing of it became terminal.
        flood.end(count(60, 60), Count::default(), Duration::ZERO);
        flood.end(count(1, 1), Count::default(), Duration::ZERO);
        assert!(flood.begin(count(1, 1), Duration::ZERO).push(true).is_none());
    }

    #[test]
    fn the_window_moves_and_a_person_clears_it() {
        let mut flood = Flood::new(ABOVE);
        let at = Duration::from_secs;
        flood.end(Count::default(), count(50, 50), at(1));
        assert!(flood.begin(Count::default(), at(59)).push(true).is_some());
        assert!(flood.begin(Count::default(), at(66)).push(true).is_none(), "it is history");
        flood.end(Count::default(), count(50, 50), at(66));
        flood.reset();
        assert!(flood.begin(Count::default(), at(67)).push(true).is_none());
    }
}
