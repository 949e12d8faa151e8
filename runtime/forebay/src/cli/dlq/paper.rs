//! A letter on paper: for people, or JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forebay_core::letter::{Family, Letter, Origin};
use forebay_core::record::RawHeader;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::dlq::kept::Body;
use crate::cli::dlq::readable::{Readable, line, readable};

/// Returns a letter for people; of each value up to about `max` bytes.
pub(super) fn text(letter: &Letter, body: &Body, max: usize) -> String {
    let topic = &letter.record().topic;
    let mut lines = vec![format!("{topic} [{}] offset {}", letter.partition(), letter.offset())];
    let mut fact = |name: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("  {name:14}  {value}")));
    };
    let own = |text: &Option<String>| text.as_deref().map(line);
    fact("written by", Some(letter.family.as_str().to_owned()));
    fact("origin", Some(letter.origin.as_ref().map_or_else(|| "not said".to_owned(), origin)));
    fact("class", own(&letter.class));
    fact("code", own(&letter.code));
    fact("message", own(&letter.message));
    fact("binding", own(&letter.binding));
    fact("plugin", own(&letter.plugin));
    fact("digest", own(&letter.digest));
    fact("failed at", letter.at().map(|at| at.to_string()));
    fact("redrives", letter.id.is_some().then(|| letter.redrives.to_string()));
    fact("delivery count", letter.delivery_count.map(|count| count.to_string()));
    fact("id", own(&letter.id));
    lines.push(block("key", letter.key(), max));
    lines.extend(headers("headers", letter.original_headers(), max));
    if !matches!(letter.family, Family::Forebay | Family::Unknown) {
        lines.extend(headers("headers about the failure", letter.added_headers(), max));
    }
    lines.push(match body {
        Body::Own => block("value", letter.value(), max),
        Body::Kept { sink, value } => {
            let name = format!("value, too large for {topic} and kept in forebay.outbox of sink `{sink}`");
            block(&name, value.as_deref(), max)
        }
        Body::Lost(why) => format!("value: too large for {topic}, and not to be had: {}", line(why)),
    });
    lines.join("\n")
}

/// Returns all of a letter.
pub(super) fn json(letter: &Letter, body: &Body) -> Value {
    let record = letter.record();
    let origin = letter.origin.as_ref().map(|origin| {
        let Origin { topic, partition, offset, timestamp_ms, group } = origin;
        json!({
            "topic": topic, "partition": partition, "offset": offset, "timestamp_ms": timestamp_ms, "group": group,
        })
    });
    let (value_from, why) = match body {
        Body::Own => ("topic", None),
        Body::Kept { .. } => ("outbox", None),
        Body::Lost(why) => ("nowhere", Some(why)),
    };
    let (key, key_encoding) = encoded(letter.key());
    let (value, value_encoding) = encoded(body.of(letter));
    json!({
        "topic": &*record.topic, "partition": letter.partition(), "offset": letter.offset(),
        "timestamp_ms": record.timestamp_ms, "family": letter.family.as_str(), "origin": origin,
        "class": letter.class, "code": letter.code, "message": letter.message, "binding": letter.binding,
        "plugin": letter.plugin, "digest": letter.digest, "failed_at": letter.failed_at.map(|at| at.to_string()),
        "id": letter.id, "redrives": letter.redrives, "delivery_count": letter.delivery_count,
        "key": key, "key_encoding": key_encoding,
        "headers": letter.original_headers().map(header).collect::<Vec<_>>(),
        "failure_headers": letter.added_headers().map(header).collect::<Vec<_>>(),
        "value": value, "value_encoding": value_encoding, "value_from": value_from, "value_missing": why,
    })
}

fn origin(origin: &Origin) -> String {
    let Origin { topic, partition, offset, timestamp_ms, group } = origin;
    let time = timestamp_ms.map(|time| match Timestamp::from_millisecond(time) {
        Ok(time) => format!(", of {time}"),
        Err(_) => format!(", of {time} ms"),
    });
    let group = group.as_ref().map(|group| format!(", read by group {}", line(group)));
    format!("{topic} [{partition}] offset {offset}{}{}", time.unwrap_or_default(), group.unwrap_or_default())
}

/// Returns a name with the bytes it has, on the same line where they fit.
fn block(name: &str, bytes: Option<&[u8]>, max: usize) -> String {
    let Some(bytes) = bytes else { return format!("{name}: null") };
    let Readable { kind, text, is_all } = readable(bytes, max);
    let note = if is_all { "" } else { "\n(not all of it; --full shows the rest)" };
    match bytes.len() {
        0 => format!("{name}: empty"),
        1 => format!("{name} (1 byte, {kind}):\n{text}{note}"),
        length => format!("{name} ({length} bytes, {kind}):\n{text}{note}"),
    }
}

fn headers<'a>(name: &str, headers: impl Iterator<Item = RawHeader<'a>>, max: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        let name = std::str::from_utf8(name).map_or_else(|_| name.escape_ascii().to_string(), line);
        lines.push(match value {
            None => format!("  {name}: null"),
            Some([]) => format!("  {name}: empty"),
            Some(value) => {
                let Readable { text, is_all, .. } = readable(value, max);
                let note = if is_all { "" } else { "\n    (not all of it; --full shows the rest)" };
                match text.contains('\n') {
                    true => format!("  {name}:\n    {}{note}", text.replace('\n', "\n    ")),
                    false => format!("  {name}: {text}{note}"),
                }
            }
        });
    }
    match lines.len() {
        0 => vec![format!("{name}: none")],
        count => [vec![format!("{name} ({count}):")], lines].concat(),
    }
}

fn header((name, value): RawHeader<'_>) -> Value {
    let (name, name_encoding) = encoded(Some(name));
    let (value, value_encoding) = encoded(value);
    json!({ "name": name, "name_encoding": name_encoding, "value": value, "value_encoding": value_encoding })
}

/// Text where it is some, else base64; and which of both.
fn encoded(bytes: Option<&[u8]>) -> (Option<String>, Option<&'static str>) {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => (None, None),
        Some((_, Ok(text))) => (Some(text.to_owned()), Some("utf-8")),
        Some((bytes, Err(_))) => (Some(STANDARD.encode(bytes)), Some("base64")),
    }
}
