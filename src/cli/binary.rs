//! `ecr-preflight binary FILE`: what a program on this machine is made for.
//!
//! Does not run it. The function's own build is checked with it: it must not die of the fault that it finds.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

use clap::Args;

use super::Error;
use crate::elf;
use crate::platform::Platform;
use crate::runtime::{Fit, Runtime};
use crate::text::printable;
use crate::verdict::Verdict;

/// Check one program, by its ELF header, against the runtimes that it is meant for.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The program's file.
    file: PathBuf,
    /// Where it is meant to run; may be given several times.
    #[arg(long = "runtime", value_name = "RUNTIME", value_parser = super::runtime)]
    runtimes: Vec<Runtime>,
}

/// As much of a file as names its processor.
const HEADER: u64 = 64;

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<Verdict, Error> {
    let path = printable(&arguments.file.display().to_string(), usize::MAX);
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| Error::File { path: path.clone(), source };
    let mut header = Vec::new();
    let file = File::open(&arguments.file).map_err(|error| unreadable(error.into()))?;
    file.take(HEADER).read_to_end(&mut header).map_err(|error| unreadable(error.into()))?;
    let architecture = match elf::architecture(&header) {
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
        let (verdict, words) = match runtime.fit(&platform) {
            Fit::Suits => (Verdict::Runs, "it will start on"),
            Fit::Unclear(_) => (Verdict::Unknown, "it may not start on"),
            Fit::OtherOs | Fit::OtherArchitecture => (Verdict::Fails, "it will not start on"),
        };
        writeln!(out, "{words} {}", runtime.profile().title)?;
        worst = worst.max(verdict);
    }
    Ok(worst)
}
