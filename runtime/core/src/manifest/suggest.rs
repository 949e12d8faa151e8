//! "Did you mean": the nearest of the names that would have been right.

/// Returns the known name nearest to `given`, if any is near enough that it may have been meant.
pub(super) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = given.chars().count();
    let limit = (length / 3 + usize::from(length > 3)).clamp(1, 4);
    let given_lower = given.to_lowercase();
    known
        .into_iter()
        .filter(|name| *name != given)
        .map(|name| (distance(&given_lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Returns a hint that names the nearest known name, or else lists what there is under the word `what`.
pub(super) fn hint(given: &str, known: &[&str], what: &str) -> String {
    match nearest(given, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => format!("there are no {what}"),
        None => format!("{what}: {}", quoted_list(known)),
    }
}

/// Returns the names in backquotes with commas between them.
pub(super) fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Counts the insertions, deletions, replacements and swaps of neighbours that lead from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous: Option<char> = None;
    for (row, from_char) in from.chars().enumerate() {
        let mut current = vec![row + 1];
        let mut left_char: Option<char> = None;
        for (column, &to_char) in to.iter().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, column) + usize::from(from_char != to_char);
            let mut least = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if previous == Some(to_char) && left_char == Some(from_char) && column > 0 {
                least = least.min(at(&before_last, column - 1) + 1);
            }
            current.push(least);
            left_char = Some(to_char);
        }
        previous = Some(from_char);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn counts_a_swap_of_neighbours_once() {
        assert_eq!(distance("gruop", "group"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }

    #[test]
    fn suggests_only_what_is_near() {
        assert_eq!(nearest("retires", ["retry", "rate", "name"]), Some("retry"));
        assert_eq!(nearest("Topic", ["topic", "topics"]), Some("topic"));
        assert_eq!(nearest("zebra", ["topic", "group"]), None);
    }
}
