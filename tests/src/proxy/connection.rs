//! A client's connection, and the server's that belongs to it: two directions, each carried in chunks.

use std::future::pending;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::proxy::search::Search;
use crate::proxy::shared::{New, Rules, Shared};

/// What the runtime sends to commit: a simple query.
const COMMIT: &[u8] = b"Q\0\0\0\x0bcommit\0";

/// What the server answers when it has committed: a completed command.
pub(super) const COMMITTED: &[u8] = b"C\0\0\0\x0bCOMMIT\0";

/// How long a COMMIT whose answer will be lost is held back, so that its transaction outlives its client.
const HOLD: Duration = Duration::from_millis(150);

/// How long the server may take to answer a COMMIT that nobody waits for.
const ANSWER: Duration = Duration::from_secs(30);

/// A client's connection, and the server's that belongs to it.
pub(super) struct Connection {
    number: u64,
    shared: Arc<Shared>,
    rules: watch::Receiver<Rules>,
}

impl Connection {
    pub(super) fn accepted(shared: &Arc<Shared>) -> Self {
        let rules = shared.rules.subscribe();
        Self { number: shared.next.fetch_add(1, Ordering::Relaxed), shared: Arc::clone(shared), rules }
    }

    pub(super) async fn run(self, client: TcpStream) {
        let new = self.rules.borrow().new;
        match new {
            New::Pass => {}
            New::Refuse => return,
            New::Swallow => {
                let (mut from, _to) = client.into_split();
                return self.swallow(&mut from).await;
            }
        }
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.shared.target)).await else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).ok();
        }
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let end = tokio::select! {
            end = self.carry(Way::ToServer, &mut from_client, &mut to_server) => end,
            end = self.carry(Way::ToClient, &mut from_server, &mut to_client) => end,
        };
        if let End::Lose(rest) = end {
            drop((from_client, to_client));
            sleep(HOLD).await;
            let is_done = to_server.write_all(&rest).await.is_ok() && has_committed(&mut from_server).await;
            if is_done { self.shared.losses.note() } else { self.shared.losses.add(1) }
        }
    }

    /// Carries one direction until either end closes or the rules say so.
    async fn carry(&self, way: Way, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> End {
        let mut rules = self.rules.clone();
        let mut search = Search::new(if way == Way::ToServer { COMMIT } else { COMMITTED });
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = tokio::select! {
                read = from.read(&mut buffer) => read.unwrap_or(0),
                () = self.until_cut(&mut rules) => return End::Closed,
            };
            if self.is_swallowed() {
                self.count_swallowed(read);
                self.swallow(from).await;
                return End::Closed;
            }
            let chunk = &buffer[..read];
            let found = search.look(chunk, self.is_due(way)).and_then(|at| Some((at, self.deed(way)?)));
            let passed = &chunk[..found.map_or(read, |(at, _)| at)];
            let is_open = read > 0 && to.write_all(passed).await.is_ok();
            let Some((at, deed)) = found else {
                if is_open || self.is_swallowed() {
                    continue;
                }
                return End::Closed;
            };
            match deed {
                Deed::Cut => return End::Closed,
                Deed::Lose => return End::Lose(chunk[at..].to_vec()),
                Deed::Swallow => self.count_swallowed(read - at),
            }
        }
    }

    fn is_due(&self, way: Way) -> bool {
        match way {
            Way::ToServer => self.shared.losses.is_due() || self.shared.holes.is_due(),
            Way::ToClient => self.shared.cuts.is_due(),
        }
    }

    /// Says what is done at the message that was found.
    fn deed(&self, way: Way) -> Option<Deed> {
        match way {
            Way::ToServer if self.shared.losses.take() => Some(Deed::Lose),
            Way::ToServer if self.shared.holes.take() => {
                self.shared.swallow_all();
                self.shared.holes.note();
                Some(Deed::Swallow)
            }
            Way::ToClient if self.shared.cuts.take() => {
                self.shared.cuts.note();
                Some(Deed::Cut)
            }
            Way::ToServer | Way::ToClient => None,
        }
    }

    /// Reads on and passes nothing on, until the connection is cut; that an end was closed is swallowed as well.
    async fn swallow(&self, from: &mut OwnedReadHalf) {
        let mut rules = self.rules.clone();
        let mut buffer = vec![0; 64 * 1024];
        let reads = async {
            while let Ok(read @ 1..) = from.read(&mut buffer).await {
                self.count_swallowed(read);
            }
            pending::<()>().await;
        };
        tokio::select! {
            () = reads => {}
            () = self.until_cut(&mut rules) => {}
        }
    }

    async fn until_cut(&self, rules: &mut watch::Receiver<Rules>) {
        if rules.wait_for(|rules| self.number < rules.cut_below).await.is_err() {
            pending::<()>().await;
        }
    }

    fn is_swallowed(&self) -> bool {
        self.number < self.rules.borrow().swallow_below
    }

    fn count_swallowed(&self, bytes: usize) {
        self.shared.swallowed_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// How one direction of a connection ended.
enum End {
    Closed,
    /// The client asked to commit and is to be cut off. The rest of what was read, from the COMMIT on, is still to be sent.
    Lose(Vec<u8>),
}

/// What is done at a COMMIT or its answer, instead of passing it on.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// Both sides are closed.
    Cut,
    /// The client's side is closed, and the server commits all the same.
    Lose,
    /// All connections are swallowed from here on.
    Swallow,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// Reads what the server still says, and whether it said that it has committed.
async fn has_committed(from: &mut OwnedReadHalf) -> bool {
    let mut search = Search::new(COMMITTED);
    let mut buffer = vec![0; 64 * 1024];
    let answer = async {
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            if search.look(&buffer[..read], true).is_some() {
                return true;
            }
        }
        false
    };
    timeout(ANSWER, answer).await.unwrap_or(false)
}
