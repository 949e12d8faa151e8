//! A client that reads while others write: so many point reads a second over one connection, and how long each took.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio_postgres::NoTls;

use crate::cpu;
use crate::distribution::Distribution;

/// Rows of the table that is read; nobody writes it.
pub(crate) const ROWS: i32 = 100_000;
/// A read every so often: 200 a second.
const INTERVAL: Duration = Duration::from_millis(5);

/// The table and its rows.
pub(crate) const TABLE: &str = "create table if not exists public.customers (id int primary key, name text not null); \
    insert into public.customers select id, 'customer ' || id from generate_series(1, 100000) as ids (id) \
    on conflict do nothing; analyze public.customers";

/// A read: when it was over, and what it took.
type Read = (Instant, Duration);

/// Reads from a thread of its own until it is dropped.
pub(crate) struct ReadingClient {
    reads: Arc<Mutex<Vec<Read>>>,
    is_over: Arc<AtomicBool>,
    /// Taken when it is joined.
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl ReadingClient {
    /// Reads from now on, on these cores.
    pub(crate) fn start(url: &str, cores: &str) -> Self {
        let (reads, is_over) = (Arc::<Mutex<Vec<Read>>>::default(), Arc::<AtomicBool>::default());
        let thread = thread::spawn({
            let (url, cores) = (url.to_owned(), cores.to_owned());
            let (reads, is_over) = (Arc::clone(&reads), Arc::clone(&is_over));
            move || {
                cpu::pin_thread(&cores)?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(read(&url, &reads, &is_over))
            }
        });
        Self { reads, is_over, thread: Some(thread) }
    }

    /// Returns the milliseconds of the reads that were over between two moments.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> anyhow::Result<Vec<f64>> {
        let is_gone = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        anyhow::ensure!(!is_gone, "the reading client lost its connection");
        let reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let within = reads.iter().filter(|(at, _)| (from..=to).contains(at));
        Ok(within.map(|(_, took)| took.as_secs_f64() * 1e3).collect())
    }
}

impl Drop for ReadingClient {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Returns the figures that a curve shows of reads: the median, the 99th of a hundred, and the longest.
pub(crate) fn figures(reads: &Distribution) -> [f64; 3] {
    [reads.percentile(50), reads.percentile(99), reads.max()]
}

async fn read(url: &str, reads: &Mutex<Vec<Read>>, is_over: &AtomicBool) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connect the reading client")?;
    tokio::spawn(connection);
    let select = client.prepare("select name from public.customers where id = $1").await?;
    let mut due = Instant::now();
    let mut last = due;
    for number in 0_u64.. {
        if is_over.load(Ordering::Acquire) {
            break;
        }
        due += INTERVAL;
        // What a slow read holds up counts from when it was due; what the timer is late by is not the database's.
        let from = if last > due {
            due
        } else {
            tokio::time::sleep_until(due.into()).await;
            Instant::now()
        };
        let id = i32::try_from(number.wrapping_mul(1_000_003) % ROWS.unsigned_abs() as u64)? + 1;
        client.query_one(&select, &[&id]).await.context("read a row")?;
        last = Instant::now();
        reads.lock().unwrap_or_else(PoisonError::into_inner).push((last, last.duration_since(from)));
    }
    Ok(())
}
