//! From a guest's source to its component. It finds a compiler, runs cargo, makes a component of the core module and
//! looks at what that asks for. It runs no component, and installs nothing but the compiler's target.

mod cargo;
mod component;
mod error;
mod part;
mod toolchain;

pub use cargo::{Build, Module, Profile};
pub use component::{Component, encode, replace};
pub use error::{ComponentError, Error};
pub use part::Part;
pub use toolchain::{DEBIAN_PACKAGES, TARGET, Toolchain};
