//! A batch to where the binding's rows go.

use std::sync::Arc;
use std::time::Duration;

use forebay_core::dead_letter::Origin;
use forebay_core::lane::Write;
use forebay_core::verdict::Verdict;
use forebay_kafka::Partition;
use forebay_sink::{Committed, Database, Postgres, WriteContext};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::consumer::access::Pass;
use crate::consumer::acquire;
use crate::consumer::binding::{Binding, Prepared};
use crate::consumer::join::{self, Batch, Follower, Leader, Turn};
use crate::consumer::pace::Admission;

/// A batch's way to the sink.
pub(super) struct Way<'a> {
    pub(super) binding: &'a Binding,
    pub(super) prepared: &'a Arc<Prepared>,
    pub(super) at: &'a Partition,
    /// Any number that is the lane's own.
    pub(super) lane: u64,
    pub(super) notes_version: bool,
    /// Whether the lane's last transaction went well: otherwise it goes alone.
    pub(super) is_steady: bool,
}

/// Waits until the binding may write so much.
pub(super) async fn admit(binding: &Binding, write: &Write, throttled: impl Fn(bool)) -> Option<Admission> {
    // Without records only the position moves, or the outbox is cleared.
    match write.handled.len().saturating_sub(write.from) {
        0 => None,
        records => Some(binding.pace.admit(records, throttled).await),
    }
}

impl Way<'_> {
    /// Writes a batch, or decides what is to be sent where there is no database. Returns how long the transaction took as well.
    pub(super) async fn write(
        &self,
        write: &Write,
        mut admission: Option<Admission>,
    ) -> (Result<Committed, Verdict>, Duration) {
        let context = self.context();
        let Some(sink) = &self.binding.needs.sink else {
            // Nothing to write: what is decided goes to Kafka, and the group's offset follows its acknowledgement.
            admission.iter_mut().for_each(Admission::begin);
            let result = Ok(Committed::without_sink(&context, write, Timestamp::now()));
            end(admission, &result);
            return (result, Duration::ZERO);
        };
        if let Database::Postgres(postgres) = sink
            && self.is_steady
            && self.binding.pace.governed().is_none()
            && join::is_small(write, self.binding.batch().max_records.get())
        {
            let batch = Arc::new(Batch { context, write: write.clone() });
            admission.iter_mut().for_each(Admission::begin);
            let begun = Instant::now();
            let result = match self.binding.joiner.turn(&batch).await {
                Turn::Written(result) => *result,
                Turn::Alone => self.alone(sink, &batch.context, write, &mut None).await,
                Turn::Lead(leader) => self.lead(postgres, sink, &batch, &leader).await,
            };
            end(admission, &result);
            return (result, begun.elapsed());
        }
        let begun = Instant::now();
        let result = self.alone(sink, &context, write, &mut admission).await;
        end(admission, &result);
        (result, begun.elapsed())
    }

    async fn alone(
        &self,
        sink: &Database,
        context: &WriteContext,
        write: &Write,
        admission: &mut Option<Admission>,
    ) -> Result<Committed, Verdict> {
        let pass = self.enter().await?;
        admission.iter_mut().for_each(Admission::begin);
        let result = sink.write(context, write, Timestamp::now()).await;
        if let Some(pass) = pass {
            pass.end(&result);
        }
        result
    }

    /// Writes the lane's own batch and those of whoever waits.
    async fn lead(
        &self,
        postgres: &Postgres,
        sink: &Database,
        own: &Batch,
        leader: &Leader,
    ) -> Result<Committed, Verdict> {
        let pass = self.enter().await;
        // Asked now: more have come while a connection was waited for.
        let followers = leader.followers();
        let pass = match pass {
            Ok(pass) => pass,
            Err(verdict) => {
                followers.into_iter().for_each(|follower| follower.written(Err(verdict.clone())));
                return Err(verdict);
            }
        };
        let result = if followers.is_empty() {
            sink.write(&own.context, &own.write, Timestamp::now()).await
        } else {
            let all = std::iter::once(own).chain(followers.iter().map(|follower| &*follower.batch));
            let all: Vec<(&WriteContext, &Write)> = all.map(|batch| (&batch.context, &batch.write)).collect();
            match postgres.write_joined(&all, Timestamp::now()).await {
                Ok(Some(mut committed)) => {
                    let others = committed.split_off(1.min(committed.len()));
                    followers.into_iter().zip(others).for_each(|(follower, one)| follower.written(Ok(one)));
                    committed.pop().ok_or(Verdict::Fenced)
                }
                Ok(None) => {
                    followers.into_iter().for_each(Follower::part);
                    sink.write(&own.context, &own.write, Timestamp::now()).await
                }
                Err(verdict) => {
                    followers.into_iter().for_each(|follower| follower.written(Err(verdict.clone())));
                    Err(verdict)
                }
            }
        };
        if let Some(pass) = pass {
            pass.end(&result);
        }
        result
    }

    async fn enter(&self) -> Result<Option<Pass<'_>>, Verdict> {
        match &self.binding.share {
            Some(share) => share.enter(self.lane).await.map(Some),
            None => Ok(None),
        }
    }

    fn context(&self) -> WriteContext {
        WriteContext {
            key: acquire::key(self.binding, self.at),
            targets: self.prepared.targets.clone(),
            origin: Arc::<Origin>::clone(&self.prepared.origin),
            retry: self.binding.settings.retry,
            notes_version: self.notes_version,
            redriven: None,
        }
    }
}

fn end(admission: Option<Admission>, result: &Result<Committed, Verdict>) {
    if let Some(admission) = admission {
        admission.end(result);
    }
}
