//! One command of a build: told before it runs, its words on standard error, its failure as an error.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::error::Error;
use crate::language::Language;

/// What a command is for, and who is to blame when it fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// The language that needs it.
    pub(crate) language: Language,
    /// What is told while it runs, such as `making the component`; nothing if empty.
    pub(crate) doing: &'a str,
    /// Where the program is to be had, as a command to type.
    pub(crate) advice: &'a str,
    /// Whether a failure is the plugin's source to mend, rather than the machine's.
    pub(crate) is_of_source: bool,
}

impl Step<'_> {
    /// Runs the command in its folder. What it prints goes to standard error, for standard output has the facts.
    ///
    /// # Errors
    /// Where it does not start, or fails.
    pub(crate) fn run(self, command: &mut Command, say: &mut dyn FnMut(&str)) -> Result<(), Error> {
        self.tell(say);
        let status = command.stdin(Stdio::null()).stdout(io::stderr()).status();
        let status = status.map_err(|error| self.missing(command, error))?;
        if status.success() { Ok(()) } else { Err(self.failed(command, status, String::new())) }
    }

    /// Runs the command and returns what it prints. What it says on standard error is part of the failure.
    ///
    /// # Errors
    /// Where it does not start, or fails.
    pub(crate) fn read(self, command: &mut Command, say: &mut dyn FnMut(&str)) -> Result<String, Error> {
        self.tell(say);
        let output = command.stdin(Stdio::null()).output().map_err(|error| self.missing(command, error))?;
        let Output { status, stdout, stderr } = output;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
        if status.success() { Ok(text(&stdout)) } else { Err(self.failed(command, status, text(&stderr))) }
    }

    fn tell(self, say: &mut dyn FnMut(&str)) {
        if !self.doing.is_empty() {
            say(self.doing);
        }
    }

    fn missing(self, command: &Command, error: io::Error) -> Error {
        let program = command.get_program().to_string_lossy().into_owned();
        Error::NoProgram { program, error, language: self.language, advice: self.advice.to_owned() }
    }

    fn failed(self, command: &Command, status: std::process::ExitStatus, words: String) -> Error {
        let folder = command.get_current_dir().map(PathBuf::from).unwrap_or_default();
        Error::Step { line: line_of(command), folder, status, words, is_of_source: self.is_of_source }
    }
}

/// Returns the command as one would type it.
fn line_of(command: &Command) -> String {
    let args = command.get_args().map(OsString::from);
    let program = command.get_program().to_string_lossy().into_owned();
    args.fold(program, |line, arg| format!("{line} {}", arg.to_string_lossy()))
}
