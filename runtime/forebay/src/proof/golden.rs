//! What is expected: one JSON file per binding, beside the manifest, in the order of the samples.

use camino::{Utf8Path, Utf8PathBuf};
use forebay_core::manifest::settings::Binding;
use serde_json::Value as Json;
use similar::{ChangeTag, TextDiff};

use crate::error::{Error, ErrorKind};

/// Lines around a difference.
const CONTEXT: usize = 3;

/// How outcomes compare with the file of expected ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// As the file says.
    Same,
    /// There is no file.
    None,
    /// They differ: a diff, what was expected behind `-` and what came behind `+`.
    Different(String),
    /// The file was written; whether that changed it.
    Written(bool),
}

/// Returns the file of a binding.
pub(super) fn path(manifest: &Utf8Path, binding: &Binding) -> Utf8PathBuf {
    manifest.with_file_name(format!("{}.expected.json", binding.name))
}

/// Compares outcomes with the file.
///
/// # Errors
/// Where the file is there and can not be read, or is no list.
pub(super) fn compare(path: &Utf8Path, outcomes: &[Json]) -> Result<Expected, Error> {
    let failed = |what: String| {
        let message = format!("{what}; mend it, or write it anew with `forebay plugin test --bless`");
        Error::new(ErrorKind::Config, message)
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Expected::None),
        Err(error) => return Err(failed(format!("read `{path}`: {error}"))),
    };
    let expected: Vec<Json> = serde_json::from_str(&text)
        .map_err(|error| failed(format!("`{path}:{}:{}`: {error}", error.line(), error.column())))?;
    let found: Vec<Json> =
        outcomes.iter().enumerate().map(|(index, found)| freed(found, expected.get(index))).collect();
    if expected == found {
        return Ok(Expected::Same);
    }
    Ok(Expected::Different(diff(&spelled(&expected), &spelled(&found))))
}

/// Writes the outcomes into the file.
///
/// # Errors
/// Where it can not be written.
pub(super) fn bless(path: &Utf8Path, outcomes: &[Json]) -> Result<Expected, Error> {
    let text = spelled(outcomes);
    if std::fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(Expected::Written(false));
    }
    std::fs::write(path, text)
        .map_err(|error| Error::new(ErrorKind::Config, format!("write `{path}`: {error}; make its folder writable")))?;
    Ok(Expected::Written(true))
}

/// Returns what was found without the words of a rejection where none are expected: a parser's are its own.
fn freed(found: &Json, expected: Option<&Json>) -> Json {
    let mut found = found.clone();
    let asks =
        expected.and_then(|expected| expected.get("reject")).is_some_and(|reject| reject.get("message").is_none());
    if asks && let Some(reject) = found.get_mut("reject").and_then(Json::as_object_mut) {
        reject.remove("message");
    }
    found
}

fn spelled(outcomes: &[Json]) -> String {
    // A `Value` always has a spelling.
    format!("{:#}\n", Json::from(outcomes))
}

/// Returns the lines that differ, with a few around them.
pub(super) fn diff(expected: &str, found: &str) -> String {
    let diff = TextDiff::from_lines(expected, found);
    let mut lines = Vec::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            lines.push("  …".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_shown_with_the_lines_around_it() {
        let one = |total: &str| json!({ "effects": [{ "upsert": "orders", "row": { "id": 1, "total": total, "unit": null } }] });
        let text = diff(&spelled(&[one("12.50")]), &spelled(&[one("12.5")]));
        let expected = "\n            \"id\": 1,\n-           \"total\": \"12.50\",\n+           \"total\": \"12.5\",\n            \"unit\": null";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn a_rejection_without_words_is_expected_with_any() {
        let found = json!({ "reject": { "code": "malformed", "message": "line 1" } });
        assert_eq!(
            freed(&found, Some(&json!({ "reject": { "code": "malformed" } }))),
            json!({ "reject": { "code": "malformed" } })
        );
        assert_eq!(freed(&found, Some(&found)), found);
        assert_eq!(freed(&found, None), found);
    }
}
