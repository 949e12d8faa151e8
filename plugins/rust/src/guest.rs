//! Between the exports and the handler's function: what `handler!` expands to, and nobody calls by hand.

use serde::de::DeserializeOwned;

use crate::{Message, Outcome, Result, ResultExt};

/// A handler with its configuration inside.
pub type Handle = Box<dyn Fn(&Message) -> Result<Outcome>>;

/// What `handler!` implements.
pub trait Component {
    /// Makes the handler, once per instance.
    ///
    /// # Errors
    /// Where the configuration is wrong.
    fn start(config: &str) -> Result<Handle>;
}

/// Reads the plugin's `config` table.
///
/// # Errors
/// With the code `bad-config` where it does not fit `T`.
pub fn config<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).reject_with("bad-config", "the plugin's `config` table")
}

#[cfg(target_arch = "wasm32")]
pub use wasm::Exported;

#[cfg(target_arch = "wasm32")]
mod wasm {
    use std::cell::OnceCell;
    use std::marker::PhantomData;
    use std::panic::{self, PanicHookInfo};

    use super::{Component, Handle};
    use crate::bindings::exports::forebay::handler::handler::Guest;
    use crate::bindings::forebay::handler::types;
    use crate::log::{self, Level};
    use crate::outcome::Answer;
    use crate::{Failure, Message};

    thread_local! {
        /// Set by `init`, for as long as the instance lives.
        static HANDLE: OnceCell<Handle> = const { OnceCell::new() };
    }

    /// The component's exports.
    pub struct Exported<C>(PhantomData<C>);

    impl<C: Component> Guest for Exported<C> {
        fn init(config: String) -> Result<(), types::Failure> {
            panic::set_hook(Box::new(tell_panic));
            let handle = C::start(&config).map_err(types::Failure::from)?;
            HANDLE.with(|cell| cell.set(handle)).map_err(|_| types::Failure {
                code: "bad-host".to_owned(),
                message: "the host called `init` twice in one instance".to_owned(),
            })
        }

        fn handle(message: Message) -> types::Outcome {
            HANDLE.with(|cell| match cell.get().map(|handle| handle(&message)) {
                Some(Ok(outcome)) => match outcome.into_answer() {
                    Answer::Apply(effects) => types::Outcome::Ok(effects),
                    Answer::Skip(reason) => types::Outcome::Skip(reason),
                },
                Some(Err(failure)) => types::Outcome::Reject(failure.into()),
                None => types::Outcome::Reject(types::Failure {
                    code: "bad-host".to_owned(),
                    message: "the host called `handle` before `init`".to_owned(),
                }),
            })
        }
    }

    impl From<Failure> for types::Failure {
        fn from(Failure { code, message }: Failure) -> Self {
            Self { code, message }
        }
    }

    /// A panic ends as a trap without words; this line is what the dead letter says of it.
    fn tell_panic(info: &PanicHookInfo<'_>) {
        let message = info.payload_as_str().unwrap_or("a panic without a message");
        match info.location() {
            Some(place) => {
                let (file, line) = (place.file(), place.line().to_string());
                let text = format!("panicked at {file}:{line}: {message}");
                log::write(Level::Error, &text, &[("file", file), ("line", &line)]);
            }
            None => log::write(Level::Error, &format!("panicked: {message}"), &[]),
        }
    }
}
