//! "Did you mean": the nearest of the words that would have been right.

/// Returns a hint: the word that may have been meant, or else all that there are.
pub(crate) fn hint<'a>(given: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(given, known.clone()) {
        Some(word) => format!("did you mean {word:?}?"),
        None => format!("there are {}", known.map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")),
    }
}

fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let given = given.to_lowercase();
    let is_beginning = |word: &&str| given.len() > 1 && (word.starts_with(&given) || given.starts_with(word));
    let limit = given.chars().count().div_ceil(3);
    let by_distance = || {
        let near = known.clone().map(|word| (distance(&given, word), word));
        near.filter(|(distance, _)| *distance <= limit).min().map(|(_, word)| word)
    };
    known.clone().find(is_beginning).or_else(by_distance)
}

/// Counts the letters to insert, delete or replace on the way from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let mut next = vec![left];
        for (above, other) in row.iter().skip(1).zip(&to) {
            left = (diagonal + usize::from(letter != *other)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_or_else_all() {
        let words = ["text", "integer", "float", "timestamp"];
        for (given, wanted) in [
            ("int", "did you mean \"integer\"?"),
            ("Integr", "did you mean \"integer\"?"),
            ("timestamptz", "did you mean \"timestamp\"?"),
            ("flota", "did you mean \"float\"?"),
            ("xyz", "there are \"text\", \"integer\", \"float\", \"timestamp\""),
        ] {
            assert_eq!(hint(given, words.into_iter()), wanted, "{given}");
        }
    }
}
