//! Which messages wait, which are under way, and which calls wait for them: bookkeeping without I/O or clock.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;

use super::{Landed, Outgoing, SendError};

/// A message with the call that waits for it.
#[derive(Debug)]
pub(super) struct Flight {
    call: u64,
    index: usize,
    pub(super) message: Outgoing,
    /// Whether it goes with nothing else under way, so that no mate can be guilty of its failure.
    pub(super) is_alone: bool,
}

impl Flight {
    /// Returns the flight as one that no mate can have brought down.
    pub(super) fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }
}

#[derive(Debug)]
struct Open {
    results: Vec<Result<Landed, SendError>>,
    missing: usize,
    done: oneshot::Sender<Vec<Result<Landed, SendError>>>,
}

/// Everything that is not settled yet.
#[derive(Debug, Default)]
pub(super) struct Flights {
    calls: BTreeMap<u64, Open>,
    next_call: u64,
    /// To be sent, in order.
    waiting: VecDeque<Flight>,
    /// To be sent one by one, with nothing else under way.
    suspects: VecDeque<Flight>,
    /// With the client, by the number it gives back.
    flying: BTreeMap<usize, Flight>,
    /// The one that flies alone, if one does.
    alone: Option<usize>,
    next_id: usize,
    /// Each waits for all calls below its number.
    flushes: Vec<(u64, oneshot::Sender<()>)>,
}

impl Flights {
    /// Takes a call.
    pub(super) fn open(&mut self, messages: Vec<Outgoing>, done: oneshot::Sender<Vec<Result<Landed, SendError>>>) {
        let call = self.next_call;
        self.next_call += 1;
        let missing = messages.len();
        self.calls.insert(call, Open { results: vec![Err(SendError::Stopped); missing], missing, done });
        let flights = messages.into_iter().enumerate();
        self.waiting.extend(flights.map(|(index, message)| Flight { call, index, message, is_alone: false }));
    }

    /// Takes somebody who waits for all calls so far.
    pub(super) fn flush(&mut self, done: oneshot::Sender<()>) {
        self.flushes.push((self.next_call, done));
        self.settle_flushes();
    }

    /// Returns the next message to hand to the client. A suspect waits until nothing is under way, and everything
    /// waits while a suspect is.
    pub(super) fn next(&mut self) -> Option<Flight> {
        if self.alone.is_some() {
            return None;
        }
        if self.suspects.is_empty() {
            return self.waiting.pop_front();
        }
        if self.flying.is_empty() { self.suspects.pop_front() } else { None }
    }

    /// Returns the number that the next message goes under.
    pub(super) fn next_id(&self) -> usize {
        self.next_id
    }

    /// Notes that the client has a message, under [`Flights::next_id`].
    pub(super) fn depart(&mut self, flight: Flight) {
        if flight.is_alone {
            self.alone = Some(self.next_id);
        }
        self.flying.insert(self.next_id, flight);
        self.next_id = self.next_id.wrapping_add(1);
    }

    /// Takes a message back from the client.
    pub(super) fn arrive(&mut self, id: usize) -> Option<Flight> {
        self.alone.take_if(|alone| *alone == id);
        self.flying.remove(&id)
    }

    /// Puts messages back to be sent before all others, in this order.
    pub(super) fn again(&mut self, flights: Vec<Flight>) {
        for flight in flights.into_iter().rev() {
            let queue = if flight.is_alone { &mut self.suspects } else { &mut self.waiting };
            queue.push_front(flight);
        }
    }

    /// Sends a message once more alone: a mate in its batch may have been the guilty one.
    pub(super) fn suspect(&mut self, flight: Flight) {
        self.suspects.push_back(flight.alone());
    }

    /// Takes everything back that the client has: it is at its end.
    pub(super) fn recall(&mut self) -> Vec<Flight> {
        self.alone = None;
        std::mem::take(&mut self.flying).into_values().collect()
    }

    /// Says what became of a message.
    pub(super) fn settle(&mut self, flight: &Flight, result: Result<Landed, SendError>) {
        let Some(open) = self.calls.get_mut(&flight.call) else { return };
        if let Some(place) = open.results.get_mut(flight.index) {
            *place = result;
        }
        open.missing -= 1;
        if open.missing == 0
            && let Some(open) = self.calls.remove(&flight.call)
        {
            open.done.send(open.results).ok();
            self.settle_flushes();
        }
    }

    /// Returns how many messages wait to be handed over.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() + self.suspects.len()
    }

    /// Returns whether nothing is open.
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    fn settle_flushes(&mut self) {
        let first_open = self.calls.keys().next().copied().unwrap_or(u64::MAX);
        for (_, done) in self.flushes.extract_if(.., |(limit, _)| *limit <= first_open) {
            done.send(()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Outgoing {
        Outgoing { topic: "t".into(), partition: None, key: None, value: None, headers: Vec::new(), timestamp_ms: None }
    }

    #[tokio::test]
    async fn a_suspect_flies_alone() {
        let mut flights = Flights::default();
        let (done, mut settled) = oneshot::channel();
        flights.open(vec![message(), message(), message()], done);
        for _ in 0..2 {
            let flight = flights.next().unwrap();
            flights.depart(flight);
        }
        let suspect = flights.arrive(0).unwrap();
        flights.suspect(suspect);
        assert!(flights.next().is_none(), "its mate is still under way");
        let mate = flights.arrive(1).unwrap();
        flights.settle(&mate, Ok((0, 1)));
        let suspect = flights.next().unwrap();
        assert!(suspect.is_alone);
        flights.depart(suspect);
        assert!(flights.next().is_none(), "nothing goes with it");
        let suspect = flights.arrive(2).unwrap();
        flights.settle(&suspect, Err(SendError::Stopped));
        let last = flights.next().unwrap();
        flights.depart(last);
        assert!(settled.try_recv().is_err(), "one is missing");
        let last = flights.arrive(3).unwrap();
        flights.settle(&last, Ok((0, 2)));
        assert_eq!(settled.await.unwrap(), [Err(SendError::Stopped), Ok((0, 1)), Ok((0, 2))]);
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn a_flush_waits_for_the_calls_before_it() {
        let mut flights = Flights::default();
        let (done, _settled) = oneshot::channel();
        flights.open(vec![message()], done);
        let (flushed, mut wait) = oneshot::channel();
        flights.flush(flushed);
        assert!(wait.try_recv().is_err());
        let flight = flights.next().unwrap();
        flights.settle(&flight, Ok((0, 0)));
        assert!(wait.try_recv().is_ok());
    }
}
