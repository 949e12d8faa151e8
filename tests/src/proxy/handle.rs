//! The handle of a proxy: what the test tells it, and what it counted.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::port::Port;
use crate::proxy::connection::Connection;
use crate::proxy::shared::{New, Shared};

/// A proxy that listens on a port of its own. It ends, with its connections, when it is dropped.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    /// Taken only by `drop`.
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Starts a proxy to a port of this machine. At first it passes everything.
    pub fn start(target: u16) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("proxy").enable_all().build();
        let runtime = runtime.expect("a thread can be started");
        let port = Port::free().release();
        let shared = Arc::new(Shared::new(target));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
        listener.set_nonblocking(true).expect("a listener need not block");
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("the listener does not block");
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Connection::accepted(&accepting).run(client));
            }
        });
        Self { port, shared, runtime: Some(runtime) }
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of a database behind the proxy, for a role.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Passes new connections. What was swallowed before stays so.
    pub fn pass(&self) {
        self.shared.rules.send_modify(|rules| rules.new = New::Pass);
    }

    /// Closes the connections there are, and every new one at once.
    pub fn refuse(&self) {
        self.shared.rules.send_modify(|rules| {
            rules.new = New::Refuse;
            rules.cut_below = self.connections();
        });
    }

    /// Swallows what the connections there are carry; new ones pass.
    pub fn blackhole_existing(&self) {
        self.shared.swallow_all();
    }

    /// The next time that the client asks to commit, swallows that and what all other connections carry from then on: the
    /// server keeps an open transaction, with its locks, of a client that will say nothing more. New connections pass.
    pub fn blackhole_at_commit(&self) {
        self.shared.holes.add(1);
    }

    /// Swallows what any connection carries, new ones included.
    pub fn blackhole_all(&self) {
        self.shared.rules.send_modify(|rules| rules.new = New::Swallow);
        self.shared.swallow_all();
    }

    /// The next `count` times that the server says it has committed, closes both sides before the client hears it.
    pub fn cut_commit_replies(&self, count: u32) {
        self.shared.cuts.add(count);
    }

    /// The next `count` times that the client asks to commit, closes its side, and only then lets the server commit. Where
    /// the server does not, because somebody ended the transaction, it is tried with another one.
    pub fn lose_reply(&self, count: u32) {
        self.shared.losses.add(count);
    }

    /// Returns how many answers [`Self::cut_commit_replies`] has cut.
    pub fn replies_cut(&self) -> u32 {
        self.shared.cuts.done()
    }

    /// Returns how many transactions were committed after [`Self::lose_reply`] had cut their client off.
    pub fn replies_lost(&self) -> u32 {
        self.shared.losses.done()
    }

    /// Returns how often [`Self::blackhole_at_commit`] has swallowed a COMMIT.
    pub fn commits_swallowed(&self) -> u32 {
        self.shared.holes.done()
    }

    /// Returns how many connections were made so far.
    pub fn connections(&self) -> u64 {
        self.shared.next.load(Ordering::Relaxed)
    }

    /// Returns how many bytes were swallowed.
    pub fn bytes_swallowed(&self) -> u64 {
        self.shared.swallowed_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::Proxy;
    use crate::proxy::connection::COMMITTED;

    /// A server that answers each byte with `answer`, a proxy before it, and a client.
    async fn echo(answer: &'static [u8]) -> (Proxy, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while stream.read_u8().await.is_ok() {
                        stream.write_all(answer).await.unwrap();
                    }
                });
            }
        });
        let client = connect(&proxy).await;
        (proxy, client)
    }

    async fn connect(proxy: &Proxy) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap()
    }

    /// Asks, and returns how many bytes came: none where the connection was closed, nothing where it is silent.
    async fn ask(client: &mut TcpStream) -> Option<usize> {
        let mut buffer = [0; 64];
        client.write_all(b"?").await.ok();
        let read = timeout(Duration::from_millis(300), client.read(&mut buffer)).await;
        read.ok().map(|read| read.unwrap_or(0))
    }

    #[tokio::test]
    async fn swallows_and_refuses_what_it_is_told_to() {
        let (proxy, mut old) = echo(b"yes").await;
        assert_eq!(ask(&mut old).await, Some(3));
        proxy.blackhole_existing();
        assert_eq!(ask(&mut old).await, None);
        let mut new = connect(&proxy).await;
        assert_eq!(ask(&mut new).await, Some(3));
        proxy.blackhole_all();
        assert_eq!((ask(&mut new).await, ask(&mut connect(&proxy).await).await), (None, None));
        proxy.pass();
        assert_eq!((ask(&mut new).await, ask(&mut connect(&proxy).await).await), (None, Some(3)));
        proxy.refuse();
        for client in [&mut old, &mut new, &mut connect(&proxy).await] {
            assert_eq!(ask(client).await, Some(0));
        }
        proxy.pass();
        assert_eq!(ask(&mut connect(&proxy).await).await, Some(3));
        assert!(proxy.bytes_swallowed() >= 3);
    }

    #[tokio::test]
    async fn cuts_as_many_answers_as_it_is_told_to() {
        let (proxy, mut client) = echo(COMMITTED).await;
        assert_eq!(ask(&mut client).await, Some(COMMITTED.len()));
        proxy.cut_commit_replies(1);
        assert_eq!(ask(&mut client).await, Some(0));
        assert_eq!(ask(&mut connect(&proxy).await).await, Some(COMMITTED.len()));
        assert_eq!(proxy.replies_cut(), 1);
    }
}
