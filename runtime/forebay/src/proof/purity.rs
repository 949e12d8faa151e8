//! Whether a handler is a pure function: the same message has the same outcome in a fresh instance and in one that has seen
//! others, whichever those were.

use serde_json::Value as Json;

use crate::proof::golden::diff;

/// At least so many messages go through one instance in a mixed order: what comes up at every tenth is seen.
const MIXED: usize = 200;

/// A way to run the samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pass {
    /// The samples by number, in order.
    pub(super) order: Vec<usize>,
    /// Whether each has an instance of its own.
    pub(super) is_fresh: bool,
    /// How it is told.
    name: &'static str,
}

/// A sample that had another outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The sample's number, from 0.
    pub sample: usize,
    /// Under what circumstances.
    pub when: String,
    /// Its outcome alone.
    pub alone: Json,
    /// Its outcome then.
    pub then: Json,
}

impl Violation {
    /// Returns the two outcomes as a difference.
    pub fn diff(&self) -> String {
        let spelled = |outcome: &Json| format!("{outcome:#}\n");
        diff(&spelled(&self.alone), &spelled(&self.then))
    }
}

/// Returns the ways to run samples of these numbers, after each has run alone. Those that fail in one way or another take their
/// instance with them, so they are only repeated.
pub(super) fn passes(sound: &[usize], failing: &[usize]) -> Vec<Pass> {
    let all: Vec<usize> = sound.iter().chain(failing).copied().collect();
    let mut passes = vec![Pass { order: all, is_fresh: true, name: "again in a fresh instance" }];
    if sound.is_empty() {
        return passes;
    }
    let reused = |order: Vec<usize>, name| Pass { order, is_fresh: false, name };
    passes.push(reused(sound.iter().flat_map(|index| [*index, *index]).collect(), "each twice in a row"));
    passes.push(reused(sound.to_vec(), "in their order"));
    passes.push(reused(sound.iter().rev().copied().collect(), "in reverse"));
    passes.push(reused(mixed(sound), "in a mixed order"));
    passes
}

/// The order is the same each time: a test that fails today fails tomorrow. Knuth's MMIX constants.
fn mixed(samples: &[usize]) -> Vec<usize> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default()
    };
    let mut order = Vec::new();
    while order.len() < MIXED.max(samples.len()) {
        let mut round = samples.to_vec();
        for index in (1..round.len()).rev() {
            let other = next().checked_rem(index + 1).unwrap_or_default();
            round.swap(index, other);
        }
        order.extend(round);
    }
    order
}

impl Pass {
    /// Compares the outcomes of this pass with those of the samples alone; the first difference counts.
    pub(super) fn judge(&self, alone: &[Json], outcomes: &[Json]) -> Option<Violation> {
        let mut before = self.order.iter().zip(outcomes).enumerate();
        let (place, (sample, then)) = before.find(|(_, (sample, then))| alone.get(**sample) != Some(*then))?;
        let when = match (self.is_fresh, place) {
            (true, _) | (false, 0) => self.name.to_owned(),
            (false, 1) => format!("{}, after one other message in the same instance", self.name),
            (false, others) => format!("{}, after {others} other messages in the same instance", self.name),
        };
        Some(Violation {
            sample: *sample,
            when,
            alone: alone.get(*sample).cloned().unwrap_or_default(),
            then: then.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Runs a handler that keeps a state in every instance.
    fn first_violation<S: Default>(samples: usize, mut handle: impl FnMut(&mut S, usize) -> Json) -> Option<Violation> {
        let alone: Vec<Json> = (0..samples).map(|index| handle(&mut S::default(), index)).collect();
        let sound: Vec<usize> = (0..samples).collect();
        passes(&sound, &[]).into_iter().find_map(|pass| {
            let mut state = S::default();
            let mut outcome = |index: &usize| {
                if pass.is_fresh {
                    state = S::default();
                }
                handle(&mut state, *index)
            };
            let outcomes: Vec<Json> = pass.order.iter().map(&mut outcome).collect();
            pass.judge(&alone, &outcomes)
        })
    }

    #[test]
    fn a_pure_function_is_not_accused() {
        assert_eq!(first_violation(5, |_: &mut (), index| json!(index)), None);
    }

    #[test]
    fn a_counter_is_seen_with_one_sample_alone() {
        let count = |state: &mut u32, _| {
            *state += 1;
            json!(*state)
        };
        let found = first_violation(1, count).unwrap();
        assert_eq!((found.sample, found.alone, found.then), (0, json!(1), json!(2)));
        assert_eq!(found.when, "each twice in a row, after one other message in the same instance");
    }

    #[test]
    fn what_comes_up_at_every_fiftieth_is_seen() {
        let rarely = |state: &mut u32, index| {
            *state += 1;
            json!(if state.is_multiple_of(50) { usize::MAX } else { index })
        };
        assert!(first_violation(3, rarely).unwrap().when.starts_with("in a mixed order, after "));
    }

    #[test]
    fn what_depends_on_the_message_before_is_seen() {
        let previous =
            |state: &mut Option<usize>, index: usize| json!(state.replace(index).is_some_and(|last| last > index));
        assert!(first_violation(3, previous).is_some());
    }

    #[test]
    fn what_fails_is_only_repeated() {
        let list = passes(&[0, 2], &[1]);
        assert_eq!(list.first().map(|pass| pass.order.clone()), Some(vec![0, 2, 1]));
        assert!(list.iter().skip(1).all(|pass| !pass.is_fresh && !pass.order.contains(&1)));
        assert_eq!(passes(&[], &[0]).len(), 1);
    }
}
