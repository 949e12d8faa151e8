//! Assembles what stands for WASI in a component of Go.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

const TEXT: &str = "go/preview1.wat";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={TEXT}");
    let module = wat::parse_file(TEXT)?;
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join("preview1.wasm"), module)?;
    Ok(())
}
