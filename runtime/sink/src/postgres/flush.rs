//! Many statements in one flush: every request is on the wire before the first answer is awaited.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::Error;

use crate::failpoint;
use crate::postgres::watch::Signs;

/// A request that is sent when it is polled for the first time.
pub(super) type Request<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// Sends all requests in order, then awaits their answers, each of which is a sign of life.
///
/// # Errors
/// The index and the error of the first that failed by itself: what follows in a failed transaction fails because of it.
pub(super) async fn in_order(mut requests: Vec<Request<'_>>, signs: &Signs) -> Result<(), (usize, Error)> {
    let mut answers: Vec<Option<Result<(), Error>>> = Vec::with_capacity(requests.len());
    for request in &mut requests {
        let once = poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
        answers.push(match once {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        });
    }
    failpoint::pass("in-flush");
    let mut first = None;
    for (index, (request, answer)) in requests.into_iter().zip(answers).enumerate() {
        let answer = match answer {
            Some(answer) => answer,
            None => request.await,
        };
        signs.answered();
        if let Err(error) = answer
            && first.is_none()
        {
            first = Some((index, error));
        }
    }
    match first {
        None => Ok(()),
        Some(failed) => Err(failed),
    }
}
