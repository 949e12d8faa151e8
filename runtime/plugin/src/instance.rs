//! One live instance of a plugin: a store, its watch and limits, and the handler's exports.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use forebay_core::fault::{Class, Fault};
use forebay_core::outcome::Outcome;
use wasmtime::component::InstancePre;
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::v0_1::exports::forebay::handler::handler::Guest;
use crate::bindings::v0_1::{Handling, HandlingIndices};
use crate::convert::{self, LoweredMessage};
use crate::error::HandleError;
use crate::imports::{Log, cut};
use crate::limits::{EFFECTS_MAX, MemoryLimit, OUTPUT_BYTES_MAX};
use crate::log::Lines;
use crate::metrics::MetricsSnapshot;
use crate::trap::{self, Failed, Telling};
use crate::watch::{TimeLimits, Watch};

/// The most bytes of `init`'s error that go into a log.
const INIT_CODE_BYTES_MAX: usize = 64;
const INIT_MESSAGE_BYTES_MAX: usize = 4 << 10;

/// What a store carries beside the guest.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) memory: MemoryLimit,
    pub(crate) watch: Watch,
    pub(crate) log: Log,
    /// What the guest counted since the last settling.
    pub(crate) metrics: MetricsSnapshot,
}

/// Everything that a fresh instance is made from. Built once per plugin.
pub(crate) struct Template {
    pub(crate) name: Arc<str>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) indices: HandlingIndices,
    /// The plugin's configuration as JSON, for `init`.
    pub(crate) config: String,
    pub(crate) memory: usize,
    pub(crate) time: TimeLimits,
    /// Set once when the host stops.
    pub(crate) stopping: Arc<AtomicBool>,
    /// Of all its instances.
    pub(crate) log: Lines,
}

/// A live instance whose `init` has succeeded.
pub(crate) struct Instance {
    store: Store<State>,
    exports: Handling,
}

/// Why no instance could be made.
#[derive(Debug)]
pub(crate) enum StartError {
    /// The functions have other types than the world's.
    Shape(String),
    /// It needs more memory than its limit to start.
    Memory,
    /// `init` gave an error.
    Init {
        /// The handler's own code.
        code: String,
        /// The handler's own message.
        message: String,
    },
    /// It trapped or overran a limit, in `init` or before.
    Fault(Fault),
    /// Nothing of the guest's doing.
    Host(HandleError),
}

impl State {
    /// Begins another message: moves the watch and forgets what the last one left.
    fn begin(&mut self) {
        self.watch.begin();
        self.memory.begin();
        self.log.begin();
    }
}

impl Instance {
    /// Makes an instance that may write so many lines into the log, and runs its `init`.
    pub(crate) fn start(template: &Template, log_lines: u32) -> Result<Self, StartError> {
        let mut store = new_store(template, log_lines);
        let instance = match template.pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => return Err(not_instantiated(&error, store.data())),
        };
        let exports =
            template.indices.load(&mut store, &instance).map_err(|error| StartError::Shape(format!("{error:#}")))?;
        let mut started = Self { store, exports };
        started.init(&template.config)?;
        Ok(started)
    }

    fn init(&mut self, config: &str) -> Result<(), StartError> {
        self.store.data_mut().begin();
        let guest = self.exports.forebay_handler_handler();
        match guest.call_init(&mut self.store, config) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => {
                let (code, message) =
                    (cut(&failure.code, INIT_CODE_BYTES_MAX), cut(&failure.message, INIT_MESSAGE_BYTES_MAX));
                Err(StartError::Init { code: code.to_owned(), message: message.to_owned() })
            }
            Err(error) => Err(match trap::explain(&error, self.store.data(), Telling::Full) {
                Failed::Fault(fault) => StartError::Fault(fault),
                Failed::Host(error) => StartError::Host(error),
            }),
        }
    }

    /// Runs one message. After any error the instance is dead and has to be dropped.
    pub(crate) fn handle(&mut self, message: LoweredMessage<'_>, telling: Telling) -> Result<Outcome, Failed> {
        self.store.data_mut().begin();
        let guest: &Guest = self.exports.forebay_handler_handler();
        match guest.call_handle(&mut self.store, message) {
            Ok(outcome) => {
                let outcome = convert::outcome(outcome);
                check_caps(&outcome).map_err(Failed::Fault)?;
                Ok(outcome)
            }
            Err(error) => Err(trap::explain(&error, self.store.data(), telling)),
        }
    }

    /// Returns the state, for what is settled between batches.
    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }
}

fn new_store(template: &Template, log_lines: u32) -> Store<State> {
    let state = State {
        memory: MemoryLimit::new(template.memory),
        watch: Watch::new(template.time, Arc::clone(&template.stopping)),
        log: Log::new(Arc::clone(&template.name), log_lines),
        metrics: MetricsSnapshot::default(),
    };
    let mut store = Store::new(template.pre.engine(), state);
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(OUTPUT_BYTES_MAX);
    store.epoch_deadline_callback(|mut store| {
        let is_over = store.data_mut().watch.tick();
        Ok(if is_over { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
    });
    // Before anything runs: start functions are the guest's code too, and a store without a deadline is past it.
    store.set_epoch_deadline(1);
    store
}

fn not_instantiated(error: &wasmtime::Error, state: &State) -> StartError {
    if state.memory.was_refused() {
        return StartError::Memory;
    }
    if !trap::is_guest_code(error) {
        return StartError::Host(HandleError::Internal(format!("make an instance: {error:#}")));
    }
    match trap::explain(error, state, Telling::Full) {
        Failed::Fault(fault) => StartError::Fault(fault),
        Failed::Host(error) => StartError::Host(error),
    }
}

fn check_caps(outcome: &Outcome) -> Result<(), Fault> {
    let Outcome::Ok(effects) = outcome else { return Ok(()) };
    if effects.len() <= EFFECTS_MAX {
        return Ok(());
    }
    Err(Fault {
        class: Class::Contract,
        code: "too-many-effects".to_owned(),
        message: format!(
            "the handler returned {} effects; at most {EFFECTS_MAX} are taken for one message",
            effects.len()
        ),
        site: "too-many-effects".to_owned(),
    })
}
