//! What the manifest's language has and this build does not do yet. Its syntax is checked, then it is refused: a setting
//! that is silently ignored would be worse.

use super::node::Node;
use super::schema;
use super::section::Section;

/// `alerts`
pub(super) fn alerts(node: Node<'_>) -> Option<()> {
    refuse_key(node, "this build raises no alerts", |node| {
        let Some(section) = Section::open(node, "[bindings.alerts]", schema::ALERTS) else {
            return;
        };
        section
            .optional("lag", |node| node.items()?.into_iter().map(Node::positive_duration).collect::<Option<Vec<_>>>());
        section.optional("retention-left", Node::positive_duration);
        section.optional("stuck", Node::positive_duration);
    })
}

/// Refuses a key, unless what is under it has an error of its own to be mended first.
fn refuse_key<'r>(node: Node<'r>, why: &str, read: impl FnOnce(Node<'r>)) -> Option<()> {
    let before = node.reader.problem_count();
    read(node);
    if node.reader.problem_count() == before {
        node.reader.report(node.key_span, format!("not built yet: `{}`: {why}", node.key), "remove the key");
    }
    None
}
