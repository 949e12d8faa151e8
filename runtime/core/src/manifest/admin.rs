//! `[admin]`, `[shutdown]` and `[limits]`: the process itself.

use std::net::SocketAddr;
use std::time::Duration;

use super::node::Node;
use super::section::Section;
use super::settings::{Admin, Secret};
use super::{defaults, schema};

pub(super) fn admin(node: Node<'_>) -> Option<Admin> {
    let section = Section::open(node, "[admin]", schema::ADMIN)?;
    let token = section.optional("token", |node| node.string().map(Secret::new));
    let listen = section.or("listen", defaults::ADMIN.listen, |node| {
        let listen = node.parsed("address", address)?;
        if !listen.ip().to_canonical().is_loopback() && section.get("token").is_none() {
            let message = "`listen` can be reached from other machines, and there is no `token`";
            node.report(message, "add `token = \"${file:PATH}\"` to [admin], or listen on `127.0.0.1`");
            return None;
        }
        Some(listen)
    });
    Some(Admin { listen: listen?, token: token? })
}

pub(super) fn shutdown(node: Node<'_>) -> Option<Duration> {
    let section = Section::open(node, "[shutdown]", schema::SHUTDOWN)?;
    section.or("deadline", defaults::SHUTDOWN_DEADLINE, Node::duration)
}

pub(super) fn limits(node: Node<'_>) -> Option<usize> {
    let section = Section::open(node, "[limits]", schema::LIMITS)?;
    section.or("buffered-bytes", defaults::BUFFERED_BYTES, Node::size)
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an IP address and a port, such as `127.0.0.1:9464`")
}
