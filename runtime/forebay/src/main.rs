//! The command `forebay`.

use std::process::ExitCode;

use clap::Parser as _;
use forebay::cli::Args;
use forebay::telemetry;

fn main() -> ExitCode {
    let args = Args::parse();
    match telemetry::init(&args.log).and_then(|()| args.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::report(&error);
            error.kind().exit_code()
        }
    }
}
