//! A sink's breaker: while the sink is out of reach nobody knocks but one, and what waited comes back a little apart.
//!
//! Closed, open, half-open are the states of Michael Nygard's "Release It!". One fault of the connection opens it: the lanes
//! have nothing to lose by waiting, and each try of each lane would be a connection that the sink has to refuse. What belongs
//! to one target (a lock, a statement that takes too long, a deadlock) is no business of the breaker's.

use std::time::Duration;

use crate::policy::backoff::{Backoff, mix};

/// After a recovery the first batch of each lane starts within this time: together they would be the storm that the sink
/// does not need now.
const SPREAD: Duration = Duration::from_millis(500);

/// While a probe is under way others ask again after this long, if they do not hear that the sink is back.
const MEANWHILE: Duration = Duration::from_secs(1);

/// A probe that has not come back after this long is given up: another one may try.
const PROBE_PATIENCE: Duration = Duration::from_secs(60);

/// The breaker of one sink, for all lanes of the process.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    state: Inner,
    /// Faults in a row.
    faults: u32,
    /// When it closed last, and how often it has.
    closed: Option<Duration>,
    closings: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Inner {
    #[default]
    Closed,
    Open {
        until: Duration,
    },
    HalfOpen {
        since: Duration,
    },
}

/// What status and metrics call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Work goes through.
    Closed,
    /// Nothing goes through.
    Open,
    /// One batch goes through and decides.
    HalfOpen,
}

/// May a lane use the sink?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Go,
    /// Not before this time.
    NotBefore(Duration),
}

impl Breaker {
    /// Returns the state.
    pub fn state(&self) -> State {
        match self.state {
            Inner::Closed => State::Closed,
            Inner::Open { .. } => State::Open,
            Inner::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// Returns how often it has closed: what changes it is news for lanes that wait.
    pub fn closings(&self) -> u64 {
        self.closings
    }

    /// Asks for one use of the sink, which is to be answered by [`Breaker::succeeded`] or [`Breaker::failed`]. `lane` is any
    /// number that is the lane's own.
    pub fn ask(&mut self, lane: u64, now: Duration) -> Answer {
        match self.state {
            Inner::Closed => match self.closed {
                Some(closed) if now < closed + SPREAD => {
                    let at = closed + self.apart(lane);
                    if now >= at { Answer::Go } else { Answer::NotBefore(at) }
                }
                _ => Answer::Go,
            },
            Inner::Open { until } if now < until => Answer::NotBefore(until),
            Inner::HalfOpen { since } if now < since + PROBE_PATIENCE => Answer::NotBefore(now + MEANWHILE),
            Inner::Open { .. } | Inner::HalfOpen { .. } => {
                self.state = Inner::HalfOpen { since: now };
                Answer::Go
            }
        }
    }

    /// The sink was reached.
    pub fn succeeded(&mut self, now: Duration) {
        if self.state != Inner::Closed {
            (self.closed, self.closings) = (Some(now), self.closings + 1);
        }
        (self.state, self.faults) = (Inner::Closed, 0);
    }

    /// The sink was out of reach. `jitter` is any number.
    pub fn failed(&mut self, jitter: u64, now: Duration) {
        match self.state {
            // Of a use that began before it opened: it is known already.
            Inner::Open { .. } => {}
            Inner::Closed | Inner::HalfOpen { .. } => {
                self.faults = self.faults.saturating_add(1);
                self.state = Inner::Open { until: now + Backoff::INFRASTRUCTURE.after(self.faults, jitter) };
            }
        }
    }

    /// The use ended without a word about the sink: its lane is gone.
    pub fn given_up(&mut self, now: Duration) {
        if let Inner::HalfOpen { .. } = self.state {
            self.state = Inner::Open { until: now };
        }
    }

    fn apart(&self, lane: u64) -> Duration {
        let spread = u64::try_from(SPREAD.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(mix(lane ^ self.closings.rotate_left(32)) % spread)
    }
}

impl State {
    /// Returns the name that status uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }

    /// Returns the number that metrics use.
    pub fn number(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::Open => 1,
            Self::HalfOpen => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn one_fault_opens_it_and_one_probe_at_a_time_closes_it() {
        let mut breaker = Breaker::default();
        assert_eq!(breaker.ask(1, ms(0)), Answer::Go);
        breaker.failed(7, ms(10));
        assert_eq!(breaker.state(), State::Open);
        let Answer::NotBefore(until) = breaker.ask(1, ms(11)) else { panic!("open") };
        assert!(until > ms(50) && until <= ms(110));
        assert_eq!(breaker.ask(1, until), Answer::Go, "the probe");
        assert_eq!(breaker.state(), State::HalfOpen);
        assert_ne!(breaker.ask(2, until), Answer::Go, "and only one");
        breaker.failed(7, until);
        assert_eq!(breaker.state(), State::Open);
        let Answer::NotBefore(later) = breaker.ask(2, until) else { panic!("open") };
        assert!(later - until >= ms(100), "longer than the first time");
        assert_eq!(breaker.ask(2, later), Answer::Go);
        breaker.succeeded(later);
        assert_eq!((breaker.state(), breaker.closings()), (State::Closed, 1));
    }

    #[test]
    fn what_waited_comes_back_apart() {
        let mut breaker = Breaker::default();
        breaker.failed(7, ms(0));
        assert_eq!(breaker.ask(0, ms(200)), Answer::Go);
        breaker.succeeded(ms(200));
        let begins: Vec<Duration> = (0..200)
            .map(|lane| match breaker.ask(lane, ms(200)) {
                Answer::Go => ms(200),
                Answer::NotBefore(at) => at,
            })
            .collect();
        for tenth in 0..10 {
            let span = ms(200 + tenth * 50)..ms(250 + tenth * 50);
            let count = begins.iter().filter(|begin| span.contains(begin)).count();
            assert!((8..40).contains(&count), "{count} of 200 begin in one tenth of the spread");
        }
        assert_eq!(breaker.ask(9, ms(200) + SPREAD), Answer::Go);
    }

    #[test]
    fn a_late_fault_of_before_changes_nothing_and_a_lost_probe_does_not_hold_it() {
        let mut breaker = Breaker::default();
        breaker.failed(7, ms(0));
        let Answer::NotBefore(until) = breaker.ask(1, ms(1)) else { panic!("open") };
        breaker.failed(7, ms(2));
        assert_eq!(breaker.ask(1, ms(3)), Answer::NotBefore(until));
        assert_eq!(breaker.ask(1, until), Answer::Go);
        breaker.given_up(until);
        assert_eq!(breaker.ask(2, until), Answer::Go, "its lane was taken away");
        assert_eq!(breaker.ask(3, until + PROBE_PATIENCE), Answer::Go, "nobody knows where it is");
    }
}
