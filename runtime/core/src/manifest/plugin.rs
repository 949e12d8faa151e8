//! `[plugins.NAME]`: a component and what it may use.

use super::config;
use super::node::{Node, shown};
use super::section::Section;
use super::settings::{BuiltIn, Component, Instances, Plugin, PluginLimits};
use super::sink::section_name;
use super::{defaults, schema};

pub(super) fn plugin(node: Node<'_>) -> Option<Plugin> {
    let label = format!("[plugins.{}", shown(node.key));
    let section = Section::open(node, format!("{label}]"), schema::PLUGIN)?;
    let component = section.need("component", "add `component = \"PATH.wasm\"`").and_then(component);
    let sha256 = section.optional("sha256", |node| node.parsed("digest", digest));
    let config = section.or("config", defaults::PLUGIN_CONFIG.to_owned(), config::object);
    let limits = section.or("limits", defaults::PLUGIN_LIMITS, |node| limits(node, &label));
    let instances = section.or("instances", defaults::INSTANCES, |node| instances(node, &label));
    Some(Plugin {
        name: section_name(node)?,
        component: component?,
        sha256: sha256?,
        config: config?,
        limits: limits?,
        instances: instances?,
    })
}

fn component(node: Node<'_>) -> Option<Component> {
    let text = node.text()?;
    if text.resolved.starts_with("builtin:") {
        let found = BuiltIn::named(&text.resolved).map(Component::BuiltIn);
        return found.or_else(|| node.unknown_word(&text, &BuiltIn::ALL.map(BuiltIn::name)));
    }
    Some(Component::File(node.reader.folder().join(text.resolved)))
}

fn digest(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("write the 64 hexadecimal digits that `sha256sum` prints");
    }
    Ok(digits.to_ascii_lowercase())
}

fn limits(node: Node<'_>, parent: &str) -> Option<PluginLimits> {
    let section = Section::open(node, format!("{parent}.limits]"), schema::PLUGIN_LIMITS)?;
    let memory = section.or("memory", defaults::PLUGIN_LIMITS.memory, Node::size);
    let cpu = section.or("cpu", defaults::PLUGIN_LIMITS.cpu, Node::positive_duration);
    Some(PluginLimits { memory: memory?, cpu: cpu? })
}

fn instances(node: Node<'_>, parent: &str) -> Option<Instances> {
    if node.value.is_str() {
        let text = node.text()?;
        return match text.resolved.as_str() {
            "per-batch" => Some(Instances::PerBatch),
            _ => node.unknown_word(&text, &["per-batch", "{ reuse = 1000 }"]),
        };
    }
    if !node.value.is_table() {
        return node.wrong_type("`\"per-batch\"` or `{ reuse = 1000 }`", "");
    }
    let section = Section::open(node, format!("{parent}.instances]"), schema::INSTANCES)?;
    let reuse = section.need("reuse", "add `reuse = 1000`: the batches one instance lives")?;
    Some(Instances::Reuse(reuse.small_count()?))
}
