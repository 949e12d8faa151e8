//! Several lanes' batches in one transaction: where little is to be written, BEGIN, COMMIT and the server's flush to disk cost
//! more than the rows.

use deadpool_postgres::Object;
use forebay_core::lane::Write;
use forebay_core::verdict::Verdict;
use jiff::Timestamp;
use tracing::debug;

use crate::committed::{Committed, WriteContext, unrefused};
use crate::failpoint;
use crate::named::named;
use crate::postgres::connection::Postgres;
use crate::postgres::flush::{self, Request};
use crate::postgres::verdict::of_error;
use crate::postgres::watch::Signs;
use crate::postgres::write::{Ending, Transaction};

impl Postgres {
    /// Writes several lanes' batches, each as if alone, in one transaction. Where any of them can not be written nothing is, and
    /// the answer is none: each has to go by itself, so that one holds or fails no other.
    ///
    /// # Errors
    /// Where nobody knows what was written, or the database can not be reached: that holds for all of them.
    pub async fn write_joined(
        &self,
        batches: &[(&WriteContext, &Write)],
        now: Timestamp,
    ) -> Result<Option<Vec<Committed>>, Verdict> {
        let (lease, signs) = (self.lease().await?, Signs::default());
        failpoint::pass("before-write");
        let transaction = async |client: &Object| {
            let lanes: Vec<Transaction<'_>> = batches
                .iter()
                .map(|(context, write)| Transaction { sink: self, client, signs: &signs, context, write, now })
                .collect();
            run(self, client, &signs, &lanes).await
        };
        let result = self.watched(&signs, self.deadline() * 4, lease.run(transaction)).await;
        failpoint::pass("after-write");
        match result {
            Err(Verdict::Unknown(why)) => Err(Verdict::Unknown(why)),
            other => other.map_err(|verdict| named(self.name(), verdict)),
        }
    }
}

async fn run(
    sink: &Postgres,
    client: &Object,
    signs: &Signs,
    lanes: &[Transaction<'_>],
) -> Result<Option<Vec<Committed>>, Verdict> {
    let mut parts = Vec::with_capacity(lanes.len());
    for lane in lanes {
        let judgement = unrefused(lane.context, lane.write);
        let bound = lane.bind(lane.write.from..judgement.done).await?;
        parts.push(lane.part(Ending { judgement, refused: Default::default(), is_begun: false }, bound).await?);
    }
    let begin = sink.begin();
    let mut requests: Vec<Request<'_>> = vec![Box::pin(signs.begin(client, &begin))];
    for (part, lane) in parts.iter().zip(lanes) {
        part.requests(lane, &mut requests);
    }
    failpoint::pass("before-commit");
    requests.push(Box::pin(client.batch_execute("commit")));
    match flush::in_order(requests, signs).await {
        Ok(()) => {}
        // The server's answer: nothing is committed, and whose fault it was shows when each goes alone.
        Err((_, error)) if error.as_db_error().is_some() => {
            debug!(lanes = lanes.len(), %error, "lanes that had joined part again");
            client.batch_execute("rollback").await.map_err(|error| of_error(&error))?;
            signs.answered();
            return Ok(None);
        }
        Err((_, error)) => return Err(of_error(&error)),
    }
    failpoint::pass("after-commit");
    Ok(Some(parts.into_iter().map(super::part::Part::committed).collect()))
}
