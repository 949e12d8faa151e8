//! The producer's thread: hands messages to the client, reads what became of them, and makes a new client when one is
//! at its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::flights::{Flight, Flights};
use super::{Call, SendError};
use crate::config::Properties;
use crate::error::{Error, Kind};
use crate::raw::{Client, Delivery, Event, EventKind, Outbound, Queue, Role, Waker};
use crate::verdict::{Code, Mend, Verdict, verdict};

/// No more calls are taken while this many messages wait.
const WAITING_MAX: usize = 10_000;
const EVENTS_PER_TURN: usize = 1000;
const WAIT_MS: i32 = 100;
const SHORT_WAIT_MS: i32 = 10;
/// The wait before what the cluster could not take is sent again.
const BACKOFF: Duration = Duration::from_millis(500);
/// An outage is said aloud this often.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Everything the thread owns.
pub(super) struct Worker {
    properties: Properties,
    client: Arc<Client>,
    queue: Arc<Queue>,
    waker: Waker,
    calls: mpsc::Receiver<Call>,
    flights: Flights,
    /// Messages to be sent again, collected over one turn to keep their order.
    returned: Vec<Flight>,
    /// Before this nothing is handed over.
    not_before: Instant,
    /// Whether the client's queue has no room.
    is_crowded: bool,
    /// Whether the client is at its end.
    is_broken: bool,
    trouble: Arc<Mutex<Option<Error>>>,
    next_word: Instant,
}

impl Worker {
    pub(super) fn new(
        properties: Properties,
        calls: mpsc::Receiver<Call>,
        trouble: Arc<Mutex<Option<Error>>>,
    ) -> Result<(Self, Waker), Error> {
        let (client, queue) = connect(&properties)?;
        let waker = Waker::new(Arc::clone(&queue));
        let now = Instant::now();
        let worker = Self {
            properties,
            client,
            queue,
            waker: waker.clone(),
            calls,
            flights: Flights::default(),
            returned: Vec::new(),
            not_before: now,
            is_crowded: false,
            is_broken: false,
            trouble,
            next_word: now,
        };
        Ok((worker, waker))
    }

    /// Turns until every handle is gone. What is open then is answered as stopped.
    pub(super) fn run(mut self) {
        loop {
            if !self.take_calls() {
                break;
            }
            self.hand_over();
            if self.serve() == 0 {
                let wait = if self.is_crowded || self.flights.waiting() > 0 { SHORT_WAIT_MS } else { WAIT_MS };
                if let Some(event) = self.queue.poll(wait) {
                    self.on_event(&event);
                }
            }
            let returned = std::mem::take(&mut self.returned);
            self.flights.again(returned);
            if self.is_broken {
                self.renew();
            }
        }
        self.waker.close();
    }

    /// Takes what is to be sent. Returns whether anybody may still come.
    fn take_calls(&mut self) -> bool {
        while self.flights.waiting() < WAITING_MAX {
            match self.calls.try_recv() {
                Ok(Call::Send(messages, done)) => self.flights.open(messages, done),
                Ok(Call::Flush(done)) => self.flights.flush(done),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn hand_over(&mut self) {
        self.is_crowded = false;
        if Instant::now() < self.not_before {
            return;
        }
        while let Some(flight) = self.flights.next() {
            let message = &flight.message;
            let outbound = Outbound {
                topic: &message.topic,
                partition: message.partition,
                key: message.key.as_deref(),
                value: message.value.as_deref(),
                headers: &message.headers,
                timestamp_ms: message.timestamp_ms,
                id: self.flights.next_id(),
            };
            match self.client.produce(&outbound) {
                Ok(()) => self.flights.depart(flight),
                Err((code, _)) if Code(code) == Code::QUEUE_FULL => {
                    self.is_crowded = true;
                    self.flights.again(vec![flight]);
                    return;
                }
                // Refused before it met a mate: nobody else can be guilty.
                Err((code, text)) => {
                    self.judge(flight.alone(), Code(code), &text);
                    if self.is_broken {
                        return;
                    }
                }
            }
        }
    }

    fn serve(&mut self) -> usize {
        let mut served = 0;
        while served < EVENTS_PER_TURN {
            let Some(event) = self.queue.poll(0) else { break };
            self.on_event(&event);
            served += 1;
        }
        served
    }

    fn on_event(&mut self, event: &Event) {
        match event.kind() {
            EventKind::Delivery => {
                let mut arrived = Vec::new();
                event.deliveries(|delivery| arrived.push(delivery));
                for delivery in arrived {
                    self.on_delivery(delivery);
                }
            }
            EventKind::Error if event.is_fatal() => {
                self.say(Error::of("send messages", event.code(), &event.text()));
                self.is_broken = true;
            }
            EventKind::Error => self.on_error(Error::of("send messages", event.code(), &event.text())),
            EventKind::Fetch | EventKind::Rebalance | EventKind::Commit | EventKind::Other => {}
        }
    }

    fn on_delivery(&mut self, delivery: Delivery) {
        let Some(flight) = self.flights.arrive(delivery.id) else { return };
        if delivery.code == 0 {
            if self.trouble.lock().take().is_some() {
                tracing::info!("messages are acknowledged again");
            }
            self.flights.settle(&flight, Ok((delivery.partition, delivery.offset)));
            return;
        }
        let code = Code(delivery.code);
        self.judge(flight, code, &code.text());
    }

    /// Decides what becomes of a message that was not taken.
    fn judge(&mut self, flight: Flight, code: Code, text: &str) {
        let topic = Arc::clone(&flight.message.topic);
        let error = match verdict(code) {
            Verdict::Message if !flight.is_alone => return self.flights.suspect(flight),
            Verdict::Message if is_size(code) => SendError::TooLarge { topic, bytes: flight.message.bytes() },
            Verdict::Configuration(Mend::Topic) => SendError::UnknownTopic { topic },
            Verdict::Configuration(Mend::TopicRight | Mend::ClusterRight) => SendError::Unauthorized { topic },
            Verdict::Message | Verdict::Configuration(Mend::Setting) => {
                SendError::Refused { topic, reason: format!("{text} ({code})") }
            }
            Verdict::Fenced | Verdict::Fatal => {
                self.is_broken = true;
                self.returned.push(flight);
                return;
            }
            Verdict::Fine
            | Verdict::Unavailable
            | Verdict::Unreadable
            | Verdict::Configuration(Mend::Credentials | Mend::Version | Mend::GroupRight) => {
                self.not_before = Instant::now() + BACKOFF;
                self.say(Error::of(&format!("send to topic `{topic}`"), code.0, text));
                self.returned.push(flight);
                return;
            }
        };
        self.flights.settle(&flight, Err(error));
    }

    /// Takes an error of no single message. One broken connection is nothing; all of them are.
    fn on_error(&mut self, error: Error) {
        let is_down = error.code() == Some(Code::ALL_BROKERS_DOWN) || error.kind() == Kind::Configuration;
        if is_down && !self.flights.is_empty() {
            self.say(error);
        } else {
            tracing::debug!(%error, "a kafka connection has trouble");
        }
    }

    fn say(&mut self, error: Error) {
        let now = Instant::now();
        if now >= self.next_word {
            self.next_word = now + SAY_AGAIN;
            tracing::warn!(%error, waiting = self.flights.waiting(), "messages wait; they are sent again until taken");
        }
        *self.trouble.lock() = Some(error);
    }

    /// Replaces a client at its end, and sends again what it had not answered.
    fn renew(&mut self) {
        match connect(&self.properties) {
            Ok((client, queue)) => {
                tracing::warn!("the producer was at its end and has been made anew");
                self.waker.point_to(Arc::clone(&queue));
                (self.client, self.queue) = (client, queue);
                self.is_broken = false;
                let recalled = self.flights.recall();
                self.flights.again(recalled);
            }
            Err(error) => self.say(error),
        }
        self.not_before = Instant::now() + BACKOFF;
    }
}

fn connect(properties: &Properties) -> Result<(Arc<Client>, Arc<Queue>), Error> {
    let client = Arc::new(Client::new(Role::Producer, properties).map_err(Error::configuration)?);
    let queue = Queue::of_client(&client).ok_or_else(|| Error::fatal("the client has no queue"))?;
    Ok((client, Arc::new(queue)))
}

fn is_size(code: Code) -> bool {
    matches!(code.0, 4 | 10 | 18)
}
