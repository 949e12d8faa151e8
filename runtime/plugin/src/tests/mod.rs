//! The host against hand-written components of the real world: `guest.wat` made into one by wit-component.

mod compiling;
mod guest;
mod handling;
mod hostile;
mod lines;
mod loading;
mod sharing;

pub(crate) use guest::Folder;
