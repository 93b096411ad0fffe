//! `ecr-preflight binary FILE`: the platform of one program, read from its ELF header.
//!
//! The function's build uses it to check its own binary for a wrong architecture.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::runtime_argument::RuntimeParser;
use crate::elf;
use crate::platform::Platform;
use crate::runtime::{Compatibility, Runtime};
use crate::text::sanitize;
use crate::verdict::Verdict;

/// Show the platform that a program file is built for.
///
/// Reads the ELF header of a file on this machine. With --runtime, compares its architecture with that of each runtime.
/// The file is not executed, and no other file is read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BinaryArguments {
    /// The program file.
    file: PathBuf,
    /// A runtime that the program is meant for. May be given several times.
    #[arg(long = "runtime", visible_alias = "platform", value_name = "RUNTIME", value_delimiter = ',', value_parser = RuntimeParser)]
    runtimes: Vec<Runtime>,
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight binary ./app --runtime ecs/arm64
  ecr-preflight binary target/lambda/bootstrap/bootstrap --runtime lambda/arm64

Exit codes:
  0   the architecture is right for every given runtime, or none was given
  1   the architecture is wrong for a runtime
  2   the platform is unknown
  3   the file cannot be read
  64  the command line is wrong";

/// The length of a 64-bit ELF header. It contains the architecture.
const ELF_HEADER_BYTES: u64 = 64;

pub(super) fn run(arguments: &BinaryArguments, out: &mut impl Write) -> Result<Verdict, CliError> {
    let path = sanitize(&arguments.file.display().to_string(), usize::MAX);
    let mut header = Vec::new();
    File::open(&arguments.file)
        .and_then(|file| file.take(ELF_HEADER_BYTES).read_to_end(&mut header))
        .map_err(|error| CliError::FileRead { path: path.clone(), source: error.into() })?;
    let architecture = match elf::detect_architecture(&header) {
        Ok(architecture) => architecture,
        Err(reason) => {
            writeln!(out, "{path}: platform unknown: {reason}")?;
            return Ok(Verdict::Unknown);
        }
    };
    let platform = Platform::linux(architecture);
    writeln!(out, "{path} is built for {platform}")?;
    let mut worst = Verdict::Runs;
    for runtime in &arguments.runtimes {
        // The header shows the architecture only, so the text does not promise that the program starts.
        let (verdict, result) = match runtime.compatibility_with(&platform) {
            Compatibility::Compatible => (Verdict::Runs, "it has the right architecture for"),
            Compatibility::Unknown(_) => (Verdict::Unknown, "it may not start on"),
            Compatibility::WrongOs | Compatibility::WrongArchitecture => (Verdict::Fails, "it will not start on"),
        };
        writeln!(out, "{result} {}", runtime.profile().title)?;
        worst = worst.max(verdict);
    }
    Ok(worst)
}
