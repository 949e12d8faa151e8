//! The command `forebay`.

use std::process::ExitCode;

use clap::Parser as _;
use forebay::cli::Args;
use forebay::telemetry;

fn main() -> ExitCode {
    let args = Args::parse();
    telemetry::init(&args.log);
    match args.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::report(&error);
            error.kind().exit_code()
        }
    }
}
