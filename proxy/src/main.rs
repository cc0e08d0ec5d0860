//! The program `modegate`.

use std::process::ExitCode;

/// Measured: less CPU per request than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    modegate::cli::main()
}
