//! A file that is one JSON document, or several over many lines each: what an editor or an export leaves. It is fed as the
//! lines it could have been.

use serde_json::value::RawValue;

/// Larger files are lines.
pub(crate) const BYTES_MAX: u64 = 64 << 20;

/// Returns the elements of an array, or the values of a file that spreads them over lines, each on a line of its own; `None`
/// for a file that is read line by line.
pub(crate) fn lines(text: &str) -> Option<String> {
    let start = text.trim_start();
    let values: Vec<&RawValue> = match start.bytes().next()? {
        b'[' => serde_json::from_str(start).ok()?,
        b'{' if serde_json::from_str::<&RawValue>(start.lines().next()?).is_err() => {
            serde_json::Deserializer::from_str(start).into_iter().collect::<Result<_, _>>().ok()?
        }
        _ => return None,
    };
    // Within JSON a line's end is white space: in a string it would be written `\n`.
    let one_line = |value: &&RawValue| value.get().replace(['\n', '\r'], " ");
    Some(values.iter().map(one_line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_fed_by_its_elements() {
        let text = " [\n  {\"a\": 1,\r\n   \"b\": \"x\\n\"},\n  2, null]\n";
        assert_eq!(lines(text).as_deref(), Some("{\"a\": 1,     \"b\": \"x\\n\"}\n2\nnull"));
    }

    #[test]
    fn documents_over_several_lines_are_one_each() {
        assert_eq!(lines("{\n\"a\": 1\n}\n{\"b\":\n2}").as_deref(), Some("{ \"a\": 1 }\n{\"b\": 2}"));
    }

    #[test]
    fn what_is_lines_already_stays_as_it_is() {
        for text in ["{\"a\": 1}\n{\"b\": 2}", "{\"a\": 1}\nnot json", "hello\n[1]", "[1] and more", "{broken\n}", ""] {
            assert_eq!(lines(text), None, "{text}");
        }
    }
}
