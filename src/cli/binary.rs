//! `ecr-preflight binary FILE`: what a program on this machine is made for.
//!
//! Does not run it. The function's own build is checked with it: it must not die of the fault that it finds.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

use clap::Args;

use crate::cli::error::CliError;
use crate::elf;
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime};
use crate::text::sanitize;
use crate::verdict::Verdict;

/// Check one program, by its ELF header, against the runtimes that it is meant for.
#[derive(Debug, Args)]
pub(super) struct BinaryArguments {
    /// The program's file.
    file: PathBuf,
    /// Where it is meant to run; may be given several times.
    #[arg(long = "runtime", value_name = "RUNTIME", value_parser = crate::cli::context::parse_runtime)]
    runtimes: Vec<Runtime>,
}

/// As much of a file as names its processor.
const ELF_HEADER_BYTES: u64 = 64;

pub(super) fn run(arguments: &BinaryArguments, out: &mut impl Write) -> Result<Verdict, CliError> {
    let path = sanitize(&arguments.file.display().to_string(), usize::MAX);
    let unreadable =
        |source: Box<dyn std::error::Error + Send + Sync>| CliError::FileRead { path: path.clone(), source };
    let mut header = Vec::new();
    let file = File::open(&arguments.file).map_err(|error| unreadable(error.into()))?;
    file.take(ELF_HEADER_BYTES).read_to_end(&mut header).map_err(|error| unreadable(error.into()))?;
    let architecture = match elf::detect_architecture(&header) {
        Ok(architecture) => architecture,
        Err(reason) => {
            writeln!(out, "{path} cannot be told: {reason}")?;
            return Ok(Verdict::Unknown);
        }
    };
    let platform = Platform::linux(architecture);
    writeln!(out, "{path} is made for {platform}")?;
    let mut worst = Verdict::Runs;
    for runtime in &arguments.runtimes {
        let (verdict, words) = match runtime.compatibility_with(&platform) {
            Compatibility::Compatible => (Verdict::Runs, "it will start on"),
            Compatibility::Unknown(_) => (Verdict::Unknown, "it may not start on"),
            Compatibility::WrongOs | Compatibility::WrongArchitecture => (Verdict::Fails, "it will not start on"),
        };
        writeln!(out, "{words} {}", runtime.profile().title)?;
        worst = worst.max(verdict);
    }
    Ok(worst)
}
