//! `[kafka]`: the cluster.

use std::collections::BTreeMap;

use super::node::{Node, Text, shown};
use super::section::Section;
use super::settings::Kafka;
use super::{defaults, property, schema};

const SERVER_HINT: &str = "write `host:port`, such as `localhost:9092`";

pub(super) fn kafka(node: Node<'_>) -> Option<Kafka> {
    let section = Section::open(node, "[kafka]", schema::KAFKA)?;
    let name = section.or("name", defaults::KAFKA_NAME.to_owned(), |node| node.string());
    let servers = section
        .need("bootstrap-servers", "add `bootstrap-servers = [\"HOST:9092\"]`")
        .and_then(|node| bootstrap_servers(&node));
    let properties = section.or("properties", BTreeMap::new(), property::properties);
    Some(Kafka { name: name?, bootstrap_servers: servers?, properties: properties? })
}

/// Reads the servers. One string may hold several with commas between them, as a variable of the environment often does.
fn bootstrap_servers(node: &Node<'_>) -> Option<Vec<String>> {
    let texts = node.texts(|text| {
        let is_sound = servers(text).all(is_server);
        if !is_sound {
            let message = format!("bad server `{}` in `bootstrap-servers`", shown(&text.shown));
            node.reader.report(text.span, message, SERVER_HINT);
        }
        is_sound
    })?;
    Some(texts.iter().flat_map(servers).map(str::to_owned).collect())
}

fn servers(text: &Text) -> impl Iterator<Item = &str> {
    text.resolved.split(',').map(str::trim)
}

fn is_server(server: &str) -> bool {
    let Some((host, port)) = server.rsplit_once(':') else {
        return false;
    };
    let is_host = !host.is_empty() && !host.contains(['/', '@']) && !host.contains(char::is_whitespace);
    is_host && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}
