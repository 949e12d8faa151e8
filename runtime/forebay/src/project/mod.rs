//! A handler of one's own: from a template to a project's folder, and from its source to its component.

mod build;
mod kit;
mod name;
mod new;
mod template;

pub use build::{Built, Language, Profile, build};
pub use name::{InvalidName, Name};
pub use new::{Made, new};
