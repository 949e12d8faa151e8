//! Looking for a message in a stream that comes in chunks, which may cut it anywhere.

/// A search for one message.
pub(super) struct Search {
    message: &'static [u8],
    /// The end of what came so far, one byte shorter than the message.
    tail: Vec<u8>,
}

impl Search {
    pub(super) fn new(message: &'static [u8]) -> Self {
        Self { message, tail: Vec::new() }
    }

    /// Returns where in `chunk` the message begins, and 0 where it began in an earlier one. Looks only if it `is_due`.
    pub(super) fn look(&mut self, chunk: &[u8], is_due: bool) -> Option<usize> {
        let (keep, before) = (self.message.len() - 1, self.tail.len());
        let seam = [&self.tail, &chunk[..chunk.len().min(keep)]].concat();
        let end = if chunk.len() < keep { &seam } else { chunk };
        self.tail = end[end.len().saturating_sub(keep)..].to_vec();
        let find = |bytes: &[u8]| bytes.windows(self.message.len()).position(|window| window == self.message);
        let at_seam = || find(&seam).map(|at| at.saturating_sub(before));
        if is_due { at_seam().or_else(|| find(chunk)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::Search;

    #[test]
    fn finds_a_message_wherever_it_is_cut() {
        let (start, message) = (4, b"aabaac");
        let stream = b"aabaaabaacaab";
        for size in 1..=stream.len() {
            let mut search = Search::new(message);
            let chunks = stream.chunks(size).enumerate();
            let found: Vec<usize> =
                chunks.filter_map(|(number, chunk)| Some(number * size + search.look(chunk, true)?)).collect();
            let end = start + message.len() - 1;
            assert_eq!(found, [start.max(end / size * size)], "in chunks of {size}");
        }
    }

    #[test]
    fn remembers_what_came_before_it_was_due() {
        let mut search = Search::new(b"commit");
        assert_eq!(search.look(b"commit com", false), None);
        assert_eq!(search.look(b"mit commit", true), Some(0));
        assert_eq!(search.look(b" commit", true), Some(1));
    }
}
