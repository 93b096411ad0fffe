//! The argument of `--format`: a format, and the file that it is written to if that is not standard output.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, Error, ValueEnum};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    /// A report for people.
    Text,
    /// One JSON object, schema `ecr-preflight/1`; for several images, one per line.
    Json,
    /// One SARIF 2.1.0 log, for code scanning.
    Sarif,
    /// One JUnit report, for CI servers.
    Junit,
}

impl CheckFormat {
    /// Returns what a file in this format is.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Text => "the text report",
            Self::Json => "the JSON report",
            Self::Sarif => "the SARIF log",
            Self::Junit => "the JUnit report",
        }
    }
}

/// `FORMAT` or `FORMAT=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FormatArgument {
    pub(super) format: CheckFormat,
    /// `None` for standard output.
    pub(super) file: Option<PathBuf>,
}

/// Parses a [`FormatArgument`]; help and completions list the formats.
#[derive(Debug, Clone)]
pub(super) struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = FormatArgument;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<FormatArgument, Error> {
        let (format, file) = match value.to_str().and_then(|text| text.split_once('=')) {
            Some((format, file)) => (OsStr::new(format), Some(file)),
            None => (value, None),
        };
        let format = EnumValueParser::<CheckFormat>::new().parse_ref(command, argument, format)?;
        if file.is_some_and(str::is_empty) {
            let message = "a file is missing after `=`: expected `--format FORMAT=FILE`\n";
            return Err(Error::raw(ErrorKind::ValueValidation, message).with_cmd(command));
        }
        Ok(FormatArgument { format, file: file.map(PathBuf::from) })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(CheckFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}
