//! What every part of the reading shares: the text, its origin, its environment, and the problems found so far.

use std::cell::RefCell;
use std::path::Path;

use super::error::{Errors, Problem, Span};
use super::origin::{Environment, Origin};
use super::reference;

/// Reports are collected behind a shared reference, so that a part that fails does not keep the others from being read.
pub(super) struct Reader<'a> {
    text: &'a str,
    origin: &'a Origin,
    environment: &'a dyn Environment,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, origin: &'a Origin, environment: &'a dyn Environment) -> Self {
        Self { text, origin, environment, problems: RefCell::default() }
    }

    /// Notes that what stands at `span` is wrong. Neither text may hold what a reference resolved to.
    pub(super) fn report(&self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        let problem = Problem::at(&self.origin.name, self.text, span, message.into(), hint.into());
        self.problems.borrow_mut().push(problem);
    }

    /// Returns how many problems there are so far.
    pub(super) fn problem_count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// Returns the folder that relative paths start from.
    pub(super) fn folder(&self) -> &Path {
        &self.origin.folder
    }

    /// Puts in what the references of the string at `span` stand for, and reports each that can not be resolved.
    pub(super) fn resolve(&self, text: &str, span: Span) -> Option<String> {
        let unresolved = match reference::resolve(text, self.folder(), self.environment) {
            Ok(resolved) => return Some(resolved),
            Err(unresolved) => unresolved,
        };
        for problem in unresolved {
            self.report(self.find(&problem.reference, span), problem.message, problem.hint);
        }
        None
    }

    pub(super) fn into_errors(self) -> Errors {
        Errors::new(self.problems.into_inner())
    }

    /// Returns where in `within` the text stands as it is, or else all of `within`: it may be written with escapes.
    fn find(&self, text: &str, within: Span) -> Span {
        let raw = self.text.get(within.start..within.end).unwrap_or_default();
        match raw.find(text) {
            Some(at) => Span { start: within.start + at, end: within.start + at + text.len() },
            None => within,
        }
    }
}
