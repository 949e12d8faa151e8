//! Rows as another connection sees them: the table tells of each row, and a SELECT confirms it.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, NoTls, Statement};

/// A row that is not there after this time will never be.
const DEADLINE: Duration = Duration::from_secs(30);
/// More rows than are waited for at once.
const WAITING: usize = 64;

/// Makes the table of orders tell of its rows. Listeners hear of a row as soon as its transaction is committed.
pub(crate) const TELL: &str = "create or replace function public.tell_order() returns trigger language plpgsql as \
    $$ begin perform pg_notify('orders', new.order_id); return null; end $$; \
    create or replace trigger tell_order after insert or update on public.orders for each row \
    execute function public.tell_order()";

/// Makes it silent again.
pub(crate) const HUSH: &str = "drop trigger tell_order on public.orders";

/// A connection that listens.
pub(crate) struct Notices {
    client: Client,
    select: Statement,
    /// The ids of rows, in the order of their commits. Ends with the connection.
    told: mpsc::Receiver<String>,
}

impl Notices {
    /// Listens from now on.
    pub(crate) async fn listen(url: &str) -> anyhow::Result<Self> {
        let (client, mut connection) = tokio_postgres::connect(url, NoTls).await.context("connect the listener")?;
        let (tx, told) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                let AsyncMessage::Notification(notice) = message else { continue };
                if tx.send(notice.payload().to_owned()).await.is_err() {
                    break;
                }
            }
        });
        client.batch_execute("listen orders").await?;
        let select = client.prepare("select 1 from public.orders where order_id = $1").await?;
        Ok(Self { client, select, told })
    }

    /// Waits until the row with that id can be seen, and returns when that was.
    pub(crate) async fn until_visible(&mut self, id: &str) -> anyhow::Result<Instant> {
        let told = async {
            while let Some(told) = self.told.recv().await {
                if told == id {
                    return Ok(());
                }
            }
            anyhow::bail!("the listener lost its connection")
        };
        timeout(DEADLINE, told).await.with_context(|| format!("no row `{id}` in {DEADLINE:?}"))??;
        self.client.query_one(&self.select, &[&id]).await.with_context(|| format!("select row `{id}`"))?;
        Ok(Instant::now())
    }
}
