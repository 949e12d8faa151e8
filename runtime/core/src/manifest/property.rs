//! `kafka.properties`: settings of librdkafka, from an allow-list. What would run a command, load a library, turn the
//! verification of the other side off, or touch what this runtime decides by itself, is refused.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::node::{Node, shown};
use super::section::entries;
use super::settings::Secret;
use super::suggest;

const PREFIXES: &[&str] =
    &["security.", "sasl.", "ssl.", "client.", "fetch.", "socket.", "reconnect.", "metadata.", "compression."];
const NAMES: &[&str] = &["session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms", "message.max.bytes"];
const ALLOWED: &str = "allowed are `security.*`, `sasl.*`, `ssl.*`, `client.*`, `session.timeout.ms`, \
    `heartbeat.interval.ms`, `max.poll.interval.ms`, `fetch.*`, `socket.*`, `reconnect.*`, `metadata.*`, \
    `message.max.bytes`, `compression.*`";

/// Those most in use, to suggest one for a name that is not allowed.
const KNOWN: &[&str] = &[
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.pem",
    "ssl.key.password",
    "client.id",
    "client.rack",
    "client.dns.lookup",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "fetch.min.bytes",
    "fetch.max.bytes",
    "fetch.wait.max.ms",
    "fetch.message.max.bytes",
    "socket.timeout.ms",
    "socket.keepalive.enable",
    "socket.connection.setup.timeout.ms",
    "reconnect.backoff.ms",
    "reconnect.backoff.max.ms",
    "metadata.max.age.ms",
    "message.max.bytes",
    "compression.type",
    "compression.codec",
    "compression.level",
];

pub(super) fn properties(node: Node<'_>) -> Option<BTreeMap<String, Secret>> {
    let mut found = Vec::new();
    flatten(node, "", &mut found)?;
    let mut properties = Some(BTreeMap::new());
    for (name, node) in found {
        let Some(value) = property(&name, &node) else {
            properties = None;
            continue;
        };
        let earlier = properties.as_mut().and_then(|properties| properties.insert(name.clone(), Secret::new(value)));
        if earlier.is_some() {
            let message = format!("property `{}` is given twice", shown(&name));
            node.reader.report(node.key_span, message, "remove one of them");
            properties = None;
        }
    }
    properties
}

/// Joins nested tables: in TOML `security.protocol = …` is a table in a table unless it is quoted.
fn flatten<'r>(node: Node<'r>, prefix: &str, found: &mut Vec<(String, Node<'r>)>) -> Option<()> {
    for entry in entries(node.reader, node.table()?) {
        let name = format!("{prefix}{}", entry.key);
        match entry.value {
            DeValue::Table(_) => flatten(entry, &format!("{name}."), found)?,
            _ => found.push((name, entry)),
        }
    }
    Some(())
}

fn property(name: &str, node: &Node<'_>) -> Option<String> {
    let node = Node { key: name, ..*node }; // Errors say the whole name.
    if let Some((message, hint)) = refusal(name) {
        node.reader.report(node.key_span, message, hint);
        return None;
    }
    let value = match node.value {
        DeValue::String(_) => node.string()?,
        DeValue::Integer(_) => node.integer()?.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        _ => return node.wrong_type("a string, a whole number or a boolean", ""),
    };
    if name == "ssl.endpoint.identification.algorithm" && !value.eq_ignore_ascii_case("https") {
        let message = format!("property `{name}` may not turn off the check that a broker is who it says");
        node.report(message, "remove it, or write `https`; name the authority by `ssl.ca.location`");
        return None;
    }
    Some(value)
}

/// Says why a property may not be set, if so.
fn refusal(name: &str) -> Option<(String, String)> {
    let refused =
        |why: &str, hint: &str| Some((format!("property `{}` is refused: {why}", shown(name)), hint.to_owned()));
    match name {
        "bootstrap.servers" | "metadata.broker.list" => refused("it has a key of its own", "write `bootstrap-servers`"),
        "group.id" => refused("each binding has its own", "write `group` in [[bindings]]"),
        "sasl.kerberos.kinit.cmd" => refused("it runs a command", "remove it"),
        "plugin.library.paths" | "ssl.providers" => refused("it loads a library", "remove it"),
        "enable.ssl.certificate.verification" => refused(
            "the brokers' certificates are always verified",
            "remove it; name the authority by `ssl.ca.location`",
        ),
        _ if name.starts_with("ssl.engine.") => refused("it loads a library", "remove it"),
        _ if NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) => None,
        _ => {
            let hint = match suggest::nearest(name, KNOWN.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => ALLOWED.to_owned(),
            };
            Some((format!("property `{}` is not on the allow-list", shown(name)), hint))
        }
    }
}
