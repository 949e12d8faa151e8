//! What the parts of a manifest say about one another: names that lead nowhere, names given twice, loops.

use super::binding::Draft;
use super::error::Span;
use super::node::{Text, shown};
use super::reader::Reader;
use super::suggest;

/// Checks every link between bindings, plugins, sinks and topics.
pub(super) fn check(reader: &Reader<'_>, drafts: &[Draft], sinks: &[&str], plugins: &[&str]) {
    let links = Links { reader, drafts };
    for (index, draft) in drafts.iter().enumerate() {
        links.named(draft.plugin.as_ref(), "plugin", plugins);
        for target in &draft.targets {
            links.named(target.sink.as_ref(), "sink", sinks);
        }
        links.unique_name(index, draft);
        links.unique_topics(index, draft);
        links.one_sink(draft);
        links.no_loop(draft);
        links.dead_letters_are_no_source(draft);
    }
}

struct Links<'r> {
    reader: &'r Reader<'r>,
    drafts: &'r [Draft],
}

impl Links<'_> {
    fn report(&self, span: Span, message: String, hint: impl Into<String>) {
        self.reader.report(span, message, hint);
    }

    fn named(&self, name: Option<&Text>, what: &str, known: &[&str]) {
        let Some(name) = name.filter(|name| !known.contains(&name.resolved.as_str())) else {
            return;
        };
        let hint = match suggest::nearest(&name.shown, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("there is none yet: add a table [{what}s.NAME]"),
            None => format!("there are {}", suggest::quoted_list(known)),
        };
        self.report(name.span, format!("there is no {what} `{}`", shown(&name.shown)), hint);
    }

    fn unique_name(&self, index: usize, draft: &Draft) {
        let Some(name) = &draft.name else {
            return;
        };
        let earlier = self.drafts.iter().take(index).filter_map(|draft| draft.name.as_ref());
        if earlier.into_iter().any(|earlier| earlier.resolved == name.resolved) {
            let message = format!("binding name `{}` is taken", shown(&name.shown));
            self.report(name.span, message, "give one of the two another `name` (default: its topic)");
        }
    }

    fn unique_topics(&self, index: usize, draft: &Draft) {
        for topic in &draft.topics {
            let earlier = self.drafts.iter().take(index).find(|earlier| reads(earlier, topic, draft.group.as_ref()));
            if let Some(earlier) = earlier {
                let message = format!("topic `{}` is read twice in one group", shown(&topic.shown));
                let hint = format!("{} reads it already: give this one another `group`", called(earlier));
                self.report(topic.span, message, hint);
            }
        }
    }

    /// A binding's tables are written in one transaction.
    fn one_sink(&self, draft: &Draft) {
        let mut tables = draft.targets.iter().filter_map(|target| Some((target, target.sink.as_ref()?)));
        let Some((first, first_sink)) = tables.next() else {
            return;
        };
        for (target, sink) in tables.filter(|(_, sink)| sink.resolved != first_sink.resolved) {
            let message = format!(
                "target `{}` is in sink `{}`, but `{}` is in `{}`",
                shown(&target.name),
                shown(&sink.shown),
                shown(&first.name),
                shown(&first_sink.shown),
            );
            let hint = "all tables of a binding are written in one transaction: split it into a binding per sink";
            self.report(sink.span, message, hint);
        }
    }

    fn no_loop(&self, draft: &Draft) {
        for topic in draft.targets.iter().filter_map(|target| target.topic.as_ref()) {
            if let Some(reader) = self.drafts.iter().find(|other| reads(other, topic, draft.group.as_ref())) {
                let message = format!("publishing to `{}` would make a loop", shown(&topic.shown));
                let hint = format!("{} reads it in the same group: publish to another topic", called(reader));
                self.report(topic.span, message, hint);
            }
        }
    }

    fn dead_letters_are_no_source(&self, draft: &Draft) {
        let Some(topic) = &draft.dead_letter else {
            return;
        };
        let is_source = |other: &&Draft| other.topics.iter().any(|source| source.resolved == topic.resolved);
        if let Some(reader) = self.drafts.iter().find(is_source) {
            let message = format!("dead-letter topic `{}` is a source", shown(&topic.shown));
            let hint = format!("{} reads it: send dead letters to a topic of their own", called(reader));
            self.report(topic.span, message, hint);
        }
    }
}

/// Says whether a binding reads the topic in this group.
fn reads(draft: &Draft, topic: &Text, group: Option<&Text>) -> bool {
    let is_same_group = match (&draft.group, group) {
        (Some(one), Some(other)) => one.resolved == other.resolved,
        _ => false,
    };
    is_same_group && draft.topics.iter().any(|source| source.resolved == topic.resolved)
}

fn called(draft: &Draft) -> String {
    match &draft.name {
        Some(name) => format!("binding `{}`", shown(&name.shown)),
        None => "a binding".to_owned(),
    }
}
