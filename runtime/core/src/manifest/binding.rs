//! `[[bindings]]`: topics bound to a plugin, with their policies.

use jiff::Timestamp;
use toml::de::DeValue;

use crate::policy::flood::PauseAbove;
use crate::policy::rate::{Rate, Scope};

use super::node::{Node, Text, shown};
use super::section::{Section, entries};
use super::settings::{BatchLimits, Binding, DeadLetter, Headers, Retry, Start};
use super::target::{self, TargetDraft};
use super::{defaults, refused, schema, suggest, units};

/// A binding with the places of what it names, as far as it could be read: names are checked even where something else
/// in it is wrong.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) name: Option<Text>,
    pub(super) topics: Vec<Text>,
    pub(super) group: Option<Text>,
    pub(super) plugin: Option<Text>,
    pub(super) dead_letter: Option<Text>,
    pub(super) targets: Vec<TargetDraft>,
    /// The whole of it, if nothing in it is wrong by itself.
    pub(super) binding: Option<Binding>,
}

pub(super) fn binding(node: Node<'_>) -> Draft {
    let Some(section) = Section::open(node, "[[bindings]]", schema::BINDING) else {
        return Draft::default();
    };
    let topics = topics(&section);
    let name =
        section.or("name", topics.as_ref().and_then(|topics| topics.first()).cloned(), |node| Some(Some(node.text()?)));
    let group = section.need("group", "add `group = \"NAME\"`: the consumer group").and_then(|node| node.text());
    let plugin = section.need("plugin", "add `plugin = \"NAME\"`: one of [plugins]").and_then(|node| node.text());
    let dead_letter = section.need("dead-letter", DEAD_LETTER_HINT).and_then(dead_letter);
    let targets = section.or("targets", Some(Vec::new()), |node| Some(targets(&node))).flatten();
    let mut draft = Draft {
        name: name.flatten(),
        topics: topics.unwrap_or_default(),
        group,
        plugin,
        dead_letter: dead_letter.as_ref().and_then(|(topic, _)| topic.clone()),
        targets: targets.unwrap_or_default(),
        binding: None,
    };
    draft.binding = whole(&section, &draft, dead_letter.and_then(|(_, dead_letter)| dead_letter));
    draft
}

const DEAD_LETTER_HINT: &str =
    "add `dead-letter = { topic = \"NAME\" }`, or `dead-letter = \"drop\"` to lose what fails";

/// Puts the binding together, with the keys that name nothing.
fn whole(section: &Section<'_>, draft: &Draft, dead_letter: Option<DeadLetter>) -> Option<Binding> {
    let start = section.or("start", defaults::START, start);
    let headers = section.or("headers", defaults::HEADERS, headers);
    let batch = section.or("batch", defaults::BATCH, batch);
    let retry = section.or("retry", defaults::RETRY, retry);
    let rate = section.or("rate", Rate::default(), rate);
    section.optional("alerts", refused::alerts)?;
    let targets: Option<Vec<_>> = draft.targets.iter().map(|target| target.target.clone()).collect();
    let topics: Vec<String> = draft.topics.iter().map(|topic| topic.resolved.clone()).collect();
    if topics.is_empty() {
        return None;
    }
    Some(Binding {
        name: draft.name.as_ref()?.resolved.clone(),
        topics,
        group: draft.group.as_ref()?.resolved.clone(),
        plugin: draft.plugin.as_ref()?.resolved.clone(),
        start: start?,
        headers: headers?,
        batch: batch?,
        retry: retry?,
        rate: rate?,
        dead_letter: dead_letter?,
        targets: targets?,
    })
}

fn topics(section: &Section<'_>) -> Option<Vec<Text>> {
    match (section.get("topic"), section.get("topics")) {
        (Some(_), Some(topics)) => {
            let message = "`topic` and `topics` are both given in [[bindings]]";
            section.reader.report(topics.key_span, message, "name every topic in `topics`, or the only one in `topic`");
            None
        }
        (Some(topic), None) => Some(vec![topic_name(&topic)?]),
        (None, Some(topics)) => topics.texts(|text| is_topic(&topics, text)),
        (None, None) => {
            section.need("topic", "add `topic = \"NAME\"`, or `topics = [\"NAME\", …]`");
            None
        }
    }
}

/// Reads a topic's name.
pub(super) fn topic_name(node: &Node<'_>) -> Option<Text> {
    node.text().filter(|text| is_topic(node, text))
}

/// Says whether Kafka takes this as a topic's name, and reports it if not.
fn is_topic(node: &Node<'_>, text: &Text) -> bool {
    let name = text.resolved.as_str();
    let is_legal = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    let is_topic = name.len() <= 249 && name != "." && name != ".." && name.chars().all(is_legal);
    if !is_topic {
        let message = format!("`{}` is no topic's name", shown(&text.shown));
        node.reader.report(text.span, message, "Kafka takes at most 249 letters, digits, `.`, `_` and `-`");
    }
    is_topic
}

fn start(node: Node<'_>) -> Option<Start> {
    const WORDS: &[&str] = &["earliest", "latest", "error"];
    const HINT: &str = "expected `earliest`, `latest`, `error` or a time such as `2026-11-20T12:00:00Z`";
    if let DeValue::Datetime(time) = node.value {
        return timestamp(&time.to_string()).or_else(|| {
            node.report("`start` is a time without its offset from UTC", HINT);
            None
        });
    }
    if !node.value.is_str() {
        return node.wrong_type("a string or a time", HINT);
    }
    let text = node.text()?;
    match text.resolved.as_str() {
        "earliest" => Some(Start::Earliest),
        "latest" => Some(Start::Latest),
        "error" => Some(Start::Error),
        time => timestamp(time).or_else(|| {
            let near = suggest::nearest(&text.shown, WORDS.iter().copied());
            let hint = near.map_or(HINT.to_owned(), |word| format!("did you mean `{word}`?"));
            node.report(format!("bad value `{}` for `start`", shown(&text.shown)), hint);
            None
        }),
    }
}

/// Reads a time since 1970 as RFC 3339 writes it; `jiff` alone would take more.
fn timestamp(text: &str) -> Option<Start> {
    let is_rfc_3339 =
        text.as_bytes().get(10).is_some_and(|byte| matches!(byte, b'T' | b't' | b' ')) && !text.contains('[');
    let timestamp: Timestamp = text.parse().ok().filter(|_| is_rfc_3339)?;
    Some(timestamp.as_millisecond()).filter(|millisecond| *millisecond >= 0).map(Start::Timestamp)
}

fn headers(node: Node<'_>) -> Option<Headers> {
    match node.value {
        DeValue::String(_) => node.choice(&[("all", Headers::All), ("none", Headers::None)]),
        DeValue::Array(_) => node.strings().map(Headers::Only),
        _ => node.wrong_type("`\"all\"`, `\"none\"` or an array of names", ""),
    }
}

fn batch(node: Node<'_>) -> Option<BatchLimits> {
    let section = Section::open(node, "[bindings.batch]", schema::BATCH)?;
    let max_records = section.or("max-records", defaults::BATCH.max_records, Node::count);
    let max_bytes =
        section.or("max-bytes", defaults::BATCH.max_bytes, |node| node.size().and_then(std::num::NonZeroUsize::new));
    let linger = section.or("linger", defaults::BATCH.linger, Node::duration);
    Some(BatchLimits { max_records: max_records?, max_bytes: max_bytes?, linger: linger? })
}

fn retry(node: Node<'_>) -> Option<Retry> {
    let section = Section::open(node, "[bindings.retry]", schema::RETRY)?;
    let attempts = section.or("attempts", defaults::RETRY.attempts, Node::small_count);
    let default = (defaults::RETRY.backoff_min, defaults::RETRY.backoff_max);
    let backoff = section.or("backoff", default, |node| node.parsed("range", units::duration_range));
    let (backoff_min, backoff_max) = backoff?;
    Some(Retry { attempts: attempts?, backoff_min, backoff_max })
}

fn rate(node: Node<'_>) -> Option<Rate> {
    let span = node.key_span;
    let section = Section::open(node, "[bindings.rate]", schema::RATE)?;
    let max = section.optional("max", |node| node.parsed("rate", units::rate));
    let scope = section
        .or("scope", defaults::RATE_SCOPE, |node| node.choice(&[("group", Scope::Group), ("process", Scope::Process)]));
    let target_latency = section.optional("catch-up", |node| {
        let section = Section::open(node, "[bindings.rate.catch-up]", schema::CATCH_UP)?;
        section.need("target-latency", "add `target-latency = \"50ms\"`").and_then(Node::positive_duration)
    });
    let rate = Rate { max: max?, scope: scope?, target_latency: target_latency? };
    if rate.max.is_none() && rate.target_latency.is_none() {
        section.reader.report(
            span,
            "`rate` limits nothing",
            "add `max = \"1000/s\"`, or `catch-up = { target-latency = \"50ms\" }`",
        );
        return None;
    }
    Some(rate)
}

/// Reads the topic with its place, and the whole of it if nothing in it is wrong.
fn dead_letter(node: Node<'_>) -> Option<(Option<Text>, Option<DeadLetter>)> {
    if node.value.is_str() {
        return dropped(&node).map(|dead_letter| (None, Some(dead_letter)));
    }
    if !node.value.is_table() {
        return node.wrong_type("a table or `\"drop\"`", DEAD_LETTER_HINT);
    }
    let section = Section::open(node, "[bindings.dead-letter]", schema::DEAD_LETTER)?;
    let topic = section.need("topic", "add `topic = \"NAME\"`").and_then(|node| topic_name(&node));
    let create = section.or("create", defaults::DEAD_LETTER_CREATE, Node::boolean);
    let pause_above = section.or("pause-above", defaults::PAUSE_ABOVE, pause_above);
    let dead_letter = match (&topic, create, pause_above) {
        (Some(topic), Some(create), Some(pause_above)) => {
            Some(DeadLetter::Topic { topic: topic.resolved.clone(), create, pause_above })
        }
        _ => None,
    };
    Some((topic, dead_letter))
}

fn pause_above(node: Node<'_>) -> Option<PauseAbove> {
    let (percent, window) = node.parsed("share", units::share)?;
    Some(PauseAbove { percent, window })
}

fn dropped(node: &Node<'_>) -> Option<DeadLetter> {
    let text = node.text()?;
    if text.resolved == "drop" {
        return Some(DeadLetter::Drop);
    }
    let message = format!("bad value `{}` for `dead-letter`", shown(&text.shown));
    node.report(message, "write `{ topic = \"NAME\" }`, or `\"drop\"` to lose what fails");
    None
}

fn targets(node: &Node<'_>) -> Option<Vec<TargetDraft>> {
    let table = node.table()?;
    Some(entries(node.reader, table).into_iter().map(target::target).collect())
}
