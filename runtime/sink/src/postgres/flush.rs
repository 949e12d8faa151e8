//! Many statements in one flush: every request is on the wire before the first answer is awaited.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::Error;

use crate::failpoint;
use crate::postgres::watch::Signs;

/// What a request is: it is sent when it is polled for the first time.
type Sent<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// A request of a flush.
pub(super) struct Request<'a> {
    sent: Sent<'a>,
    /// Whether it must not be sent before all others before it were answered well.
    waits: bool,
}

impl<'a> Request<'a> {
    /// A request that goes out with those before it.
    pub(super) fn new(sent: impl Future<Output = Result<(), Error>> + Send + 'a) -> Self {
        Self { sent: Box::pin(sent), waits: false }
    }

    /// A request that goes out when those before it have their answers, and not at all if one of them failed.
    pub(super) fn waiting(sent: impl Future<Output = Result<(), Error>> + Send + 'a) -> Self {
        Self { sent: Box::pin(sent), waits: true }
    }
}

/// Sends all requests in order, then awaits their answers, each of which is a sign of life.
///
/// # Errors
/// The index and the error of the first that failed by itself: what follows in a failed transaction fails because of it.
pub(super) async fn in_order(requests: Vec<Request<'_>>, signs: &Signs) -> Result<(), (usize, Error)> {
    let mut on_the_way: Vec<(usize, Sent<'_>)> = Vec::with_capacity(requests.len());
    let mut first = None;
    for (index, Request { mut sent, waits }) in requests.into_iter().enumerate() {
        if waits {
            answers(&mut on_the_way, &mut first, signs).await;
            if let Some(failed) = first {
                return Err(failed);
            }
        }
        match poll_fn(|context| Poll::Ready(sent.as_mut().poll(context))).await {
            Poll::Ready(answer) => on_the_way.push((index, Box::pin(async move { answer }))),
            Poll::Pending => on_the_way.push((index, sent)),
        }
    }
    failpoint::pass("in-flush");
    answers(&mut on_the_way, &mut first, signs).await;
    match first {
        None => Ok(()),
        Some(failed) => Err(failed),
    }
}

/// Awaits what is on its way, and notes the first that failed.
async fn answers(on_the_way: &mut Vec<(usize, Sent<'_>)>, first: &mut Option<(usize, Error)>, signs: &Signs) {
    for (index, sent) in on_the_way.drain(..) {
        let answer = sent.await;
        signs.answered();
        if let Err(error) = answer
            && first.is_none()
        {
            *first = Some((index, error));
        }
    }
}
