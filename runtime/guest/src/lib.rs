//! From a guest's source to its component. It finds the language's tools, runs them, makes a component of what they leave
//! and looks at what that asks for. It runs no component, and installs nothing outside of the package's folder but the
//! Rust compiler's target.

mod c;
mod cargo;
mod component;
mod error;
mod go;
mod inputs;
mod inspect;
mod js;
mod language;
#[cfg(test)]
mod layout;
mod part;
mod preview1;
mod python;
mod sources;
mod step;
mod toolchain;

pub use cargo::{Build, Module, Profile};
pub use component::{Component, encode, replace};
pub use error::{ComponentError, Error};
pub use inspect::Facts;
pub use language::{Guest, Language, build};
pub use part::Part;
pub use toolchain::{DEBIAN_PACKAGES, TARGET, Toolchain};
