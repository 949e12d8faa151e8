//! The command `forebay`.

use std::process::ExitCode;

use clap::Parser as _;
use forebay::cli::Args;
use forebay::telemetry;

/// Records and rows are made on one thread and freed on another, which the system's allocator pays dearly for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    match telemetry::init(&args.log, args.log_default()).and_then(|()| args.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::report(&error);
            error.kind().exit_code()
        }
    }
}
