//! The command line.

mod check;
mod columns;
mod dev;
mod dlq;
mod init;
mod offer;
mod pause;
mod plugin;
mod position;
mod reload;
mod remote;
mod unbuilt;

use camino::Utf8PathBuf;
use clap::{Parser, Subcommand, ValueEnum};
use forebay_plugin_host::compile;

use crate::app::App;
use crate::error::{Error, ErrorKind};
use crate::telemetry::{self, LogArgs};

/// A WebAssembly-pluggable Kafka consumer runtime.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, about, disable_help_subcommand = true)]
pub struct Args {
    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
    /// How facts are printed
    #[arg(long, global = true, default_value = "text", value_enum)]
    output: Output,
    /// Where a running process is asked
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help = "The running process that is asked [default: admin.listen of the manifest]"
    )]
    admin: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs every binding until a signal
    Run {
        /// The manifest
        #[arg(default_value = "forebay.toml")]
        manifest: Utf8PathBuf,
        /// Take a manifest or a component that changes at once
        #[arg(long)]
        watch: bool,
    },
    /// Reports all that is wrong: manifest, components, topics, tables, rights
    Check {
        /// The manifest
        #[arg(default_value = "forebay.toml")]
        manifest: Utf8PathBuf,
        /// Only what can be seen without servers
        #[arg(long)]
        offline: bool,
    },
    /// Makes the ledger's schema in every sink
    Init {
        /// The manifest
        #[arg(default_value = "forebay.toml")]
        manifest: Utf8PathBuf,
        /// Print the statements instead of running them
        #[arg(long)]
        print: bool,
    },
    /// Runs the bindings without servers: feeds a file or standard input and shows what becomes of each record
    Dev(dev::Command),
    /// Lets a binding stand still, for its whole group, until `forebay resume`
    Pause(pause::Pause),
    /// Lets a paused binding go on
    Resume(pause::Resume),
    /// Reads the manifest of a running process again: all of it is taken, or none
    Reload(reload::Reload),
    /// Dead letters: counted, shown and sent back
    Dlq(dlq::Dlq),
    /// Where partitions stand, and moving them
    Position(position::Position),
    /// A handler of your own: makes a project, builds its component
    Plugin(plugin::Command),
    /// Compiles the component on standard input, for the process that started this one
    #[command(hide = true)]
    CompileComponent,
    /// Prints the version
    Version,
    #[command(flatten)]
    Unbuilt(unbuilt::Command),
}

impl Args {
    /// Returns what is logged where nothing else is asked for: `dev` and `plugin test` tell by themselves what becomes of records.
    pub fn log_default(&self) -> &'static str {
        match self.command {
            Command::Dev(_) | Command::Plugin(_) => "off",
            _ => "info",
        }
    }

    /// Runs the command.
    ///
    /// # Errors
    /// What ended it.
    pub fn run(self) -> Result<(), Error> {
        match self.command {
            Command::Run { manifest, watch } => App::start(&manifest)?.run(watch),
            Command::Reload(command) => command.run(self.admin.as_deref(), self.output == Output::Json),
            Command::Check { manifest, offline } => check::run(&manifest, offline, self.output == Output::Json),
            Command::Init { manifest, print } => init::run(&manifest, print, self.output == Output::Json),
            Command::Dev(command) => command.run(self.output == Output::Json),
            Command::Pause(command) => command.run(self.admin.as_deref(), self.output == Output::Json),
            Command::Resume(command) => command.run(self.admin.as_deref(), self.output == Output::Json),
            Command::Dlq(command) => command.run(self.output == Output::Json),
            Command::Position(command) => command.run(self.output == Output::Json),
            Command::Plugin(command) => command.run(self.output == Output::Json),
            Command::CompileComponent => compile_component(),
            Command::Version => {
                version(self.output);
                Ok(())
            }
            Command::Unbuilt(command) => Err(command.refuse()),
        }
    }
}

fn compile_component() -> Result<(), Error> {
    compile::answer(std::io::stdin().lock(), std::io::stdout().lock())
        .map_err(|error| Error::new(ErrorKind::Internal, format!("compile a component: {error}")))
}

fn version(output: Output) {
    let version = env!("CARGO_PKG_VERSION");
    telemetry::print(&match output {
        Output::Text => format!("forebay {version}"),
        Output::Json => serde_json::json!({ "version": version }).to_string(),
    });
}
