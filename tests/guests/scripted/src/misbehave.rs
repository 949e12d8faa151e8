//! Ways to go wrong. Each hides from the optimiser what it is about, so that it really happens.

use std::hint::black_box;

use forebay_plugin::prelude::*;

const MEBIBYTE: usize = 1 << 20;

/// Traps without a panic, so without words.
pub(crate) fn unreachable() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

/// Takes so many turns, a nanosecond or so each, and comes back.
pub(crate) fn burn(turns: u64) {
    for turn in 0..turns {
        black_box(turn);
    }
}

/// Never comes back.
pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Takes memory until there is none.
pub(crate) fn hog() -> ! {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(black_box(vec![1; MEBIBYTE]));
    }
}

/// Calls itself until the stack is full.
pub(crate) fn recurse(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX {
        depth
    } else {
        black_box(recurse(depth + 1)) + 1
    }
}

/// Answers with that many mebibytes of text.
pub(crate) fn huge(target: &str, mebibytes: usize) -> Outcome {
    (0..mebibytes).fold(apply(), |outcome, _| {
        outcome.insert(Row::new(target).set("text", "x".repeat(MEBIBYTE)))
    })
}

/// Answers with that many small effects.
pub(crate) fn many(target: &str, effects: i64) -> Outcome {
    (0..effects).fold(apply(), |outcome, id| {
        outcome.insert(
            Row {
                target: target.to_owned(),
                columns: Vec::new(),
            }
            .set("id", id),
        )
    })
}

/// Answers with that many mebibytes of text, all of it the same mebibyte of memory: little for the guest to hold, and
/// as much as it likes for a host that copies without counting.
pub(crate) fn alias(target: &str, mebibytes: usize) -> Outcome {
    let mut text = std::mem::ManuallyDrop::new("x".repeat(MEBIBYTE));
    let (start, length, capacity) = (text.as_mut_ptr(), text.len(), text.capacity());
    (0..mebibytes).fold(apply(), |outcome, _| {
        // SAFETY: none; that is the point. The memory is never written again, and the host hardly lives to free it.
        let again = unsafe { String::from_raw_parts(start, length, capacity) };
        outcome.insert(Row::new(target).set("text", again))
    })
}
