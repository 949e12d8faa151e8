//! A handler of one's own: from a template to a project's folder, and from its source to its component.

mod build;
mod name;
mod new;
mod sdk;
mod template;

pub use build::{Built, Profile, build};
pub use name::{InvalidName, Name};
pub use new::{Made, new};
