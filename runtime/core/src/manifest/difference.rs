//! What is different in a changed manifest, and how a process that runs takes it.

use std::collections::BTreeSet;

use super::settings::{Binding, Manifest};

/// What a changed manifest asks of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Sections that a process reads once, at its start.
    pub fixed: Vec<String>,
    /// Bindings whose lanes go on and take other settings, or another plugin, between two batches.
    pub swapped: Vec<String>,
    /// Bindings that come.
    pub added: Vec<String>,
    /// Bindings that go.
    pub removed: Vec<String>,
    /// Groups that end, or start anew, because their topics or databases are others.
    pub restarted: BTreeSet<String>,
}

impl Difference {
    /// Compares what runs with what is to run. A component's file may hold other bytes although nothing else has changed:
    /// `is_replaced` says of which plugins that is so.
    pub fn between(now: &Manifest, next: &Manifest, is_replaced: impl Fn(&str) -> bool) -> Self {
        let mut found = Self { fixed: fixed(now, next), ..Self::default() };
        for binding in &next.bindings {
            match now.bindings.iter().find(|known| known.name == binding.name) {
                Some(known) if known == binding && is_same(now, next, &known.plugin) && !is_replaced(&known.plugin) => {
                }
                Some(known) if goes_on(known, binding) => found.swapped.push(binding.name.clone()),
                Some(known) => {
                    found.swapped.push(binding.name.clone());
                    found.restarted.extend([known.group.clone(), binding.group.clone()]);
                }
                None => {
                    found.added.push(binding.name.clone());
                    found.restarted.insert(binding.group.clone());
                }
            }
        }
        for known in now.bindings.iter().filter(|known| next.bindings.iter().all(|binding| binding.name != known.name))
        {
            found.removed.push(known.name.clone());
            found.restarted.insert(known.group.clone());
        }
        found
    }
}

/// Whether the lanes of one can go on as those of the other.
fn goes_on(known: &Binding, binding: &Binding) -> bool {
    known.group == binding.group && known.topics == binding.topics && known.sink() == binding.sink()
}

fn is_same(now: &Manifest, next: &Manifest, plugin: &str) -> bool {
    now.plugins.get(plugin) == next.plugins.get(plugin)
}

fn fixed(now: &Manifest, next: &Manifest) -> Vec<String> {
    let mut fixed: Vec<String> = Vec::new();
    let mut compare = |is_same: bool, name: &str| fixed.extend((!is_same).then(|| name.to_owned()));
    compare(now.kafka == next.kafka, "kafka");
    compare(now.admin == next.admin, "admin");
    compare(now.shutdown_deadline == next.shutdown_deadline, "shutdown");
    compare(now.buffered_bytes == next.buffered_bytes, "limits.buffered-bytes");
    for (name, sink) in &next.sinks {
        compare(now.sinks.get(name).is_none_or(|known| known == sink), &format!("sinks.{name}"));
    }
    fixed
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::manifest::{Environment, Origin, parse};

    struct Nothing;

    impl Environment for Nothing {
        fn variable(&self, _: &str) -> Option<String> {
            None
        }

        fn file(&self, _: &Path) -> std::io::Result<String> {
            Err(std::io::Error::other("there is none"))
        }
    }

    const KAFKA: &str = "manifest-version = 1\n[kafka]\nbootstrap-servers = [\"k:9092\"]\n[sinks.db]\nkind = \"postgres\"\nurl = \"postgres://h/d\"\n\
        [plugins.p]\ncomponent = \"p.wasm\"\n";

    fn binding(topic: &str, more: &str) -> String {
        format!(
            "[[bindings]]\ntopic = \"{topic}\"\ngroup = \"g-{topic}\"\nplugin = \"p\"\ndead-letter = {{ topic = \"dead\" }}\n{more}\n\
             [bindings.targets]\nt = {{ table = \"t\", sink = \"db\" }}\n"
        )
    }

    fn manifest(head: &str, bindings: &[String]) -> Manifest {
        let text = format!("{head}{}", bindings.concat());
        parse(&text, &Origin::new("m", Path::new("")), &Nothing).unwrap()
    }

    #[test]
    fn nothing_is_different_in_the_same_text() {
        let one = || manifest(KAFKA, &[binding("a", ""), binding("b", "")]);
        assert_eq!(Difference::between(&one(), &one(), |_| false), Difference::default());
    }

    #[test]
    fn settings_and_plugins_change_between_two_batches() {
        let now = manifest(KAFKA, &[binding("a", ""), binding("b", "")]);
        let next = manifest(KAFKA, &[binding("a", "batch = { max-records = 7 }"), binding("b", "")]);
        let found = Difference::between(&now, &next, |_| false);
        assert_eq!(found, Difference { swapped: vec!["a".into()], ..Difference::default() });
        let other = KAFKA.replace("p.wasm", "q.wasm");
        let next = manifest(&other, &[binding("a", ""), binding("b", "")]);
        assert_eq!(Difference::between(&now, &next, |_| false).swapped, ["a", "b"]);
        assert_eq!(Difference::between(&now, &now, |plugin| plugin == "p").swapped, ["a", "b"]);
    }

    #[test]
    fn a_group_starts_anew_where_its_topics_change() {
        let now = manifest(KAFKA, &[binding("a", ""), binding("b", "")]);
        let next = manifest(KAFKA, &[binding("a", ""), binding("c", "")]);
        let found = Difference::between(&now, &next, |_| false);
        assert_eq!((found.added, found.removed), (vec!["c".to_owned()], vec!["b".to_owned()]));
        assert_eq!(found.restarted, BTreeSet::from(["g-b".to_owned(), "g-c".to_owned()]));
        assert!(found.swapped.is_empty() && found.fixed.is_empty());
    }

    #[test]
    fn what_is_read_once_is_named() {
        let now = manifest(KAFKA, &[binding("a", "")]);
        let head = KAFKA.replace("k:9092", "l:9092").replace("//h/d", "//h/e");
        let found = Difference::between(
            &now,
            &manifest(&format!("{head}[limits]\nbuffered-bytes = \"64MiB\"\n"), &[binding("a", "")]),
            |_| false,
        );
        assert_eq!(found.fixed, ["kafka", "limits.buffered-bytes", "sinks.db"]);
    }
}
