//! Logs on stderr, facts on stdout.

use std::io::{IsTerminal as _, Write as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::error::{Error, ErrorKind};

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// What is logged: a level (error, warn, info, debug, trace), or levels by module; `info` where nothing is said, and
    /// nothing for `dev`, which tells by itself
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
    /// How logs look
    #[arg(long, global = true, default_value = "text", value_enum)]
    pub log_format: LogFormat,
}

/// Starts logging, at `default` where nothing was asked for; without a call nothing is logged.
///
/// # Errors
/// Where the level is none.
pub fn init(args: &LogArgs, default: &str) -> Result<(), Error> {
    let level = args.log.as_deref().unwrap_or(default);
    // At debug the SQL client would log the values of rows.
    let quiet = |level: &str| format!("{level},tokio_postgres=warn");
    let filter = EnvFilter::try_new(quiet(level)).map_err(|error| {
        let levels = "error, warn, info, debug or trace, or such a level by module, as in `info,forebay_kafka=debug`";
        Error::new(ErrorKind::Usage, format!("--log `{level}`: {error}; it is one of {levels}"))
    })?;
    #[expect(clippy::disallowed_methods, reason = "the convention of no-color.org")]
    let has_colour =
        std::io::stderr().is_terminal() && std::env::var("NO_COLOR").map_or(true, |value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_timer(SystemTime);
    // A second call, in a test, keeps the first one's subscriber.
    let _already_set = match args.log_format {
        LogFormat::Text => builder.with_ansi(has_colour).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    Ok(())
}

/// Says what ended the command, on stderr: a line for each sentence, and indented what would mend it.
pub fn report(error: &Error) {
    let mut stderr = std::io::stderr().lock();
    for sentence in error.sentences() {
        // Nobody is left to hear of a closed stderr.
        let _closed = writeln!(stderr, "forebay: {}", sentence.text);
        for line in sentence.statement.iter().flat_map(|statement| statement.lines()) {
            let _closed = writeln!(stderr, "    {line}");
        }
    }
}

/// Says a sentence on stderr that ends nothing.
pub fn warn(sentence: &str) {
    let mut stderr = std::io::stderr().lock();
    // As above.
    let _closed = writeln!(stderr, "forebay: {sentence}");
}

/// Prints facts on stdout.
pub fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A closed pipe (`forebay check | head`) is no error.
    let _closed = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}
