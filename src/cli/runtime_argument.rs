//! The argument of `--runtime`, with the names of all runtimes for help and completions.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

use crate::runtime::{RUNTIMES, Runtime};

/// Parses a [`Runtime`] in any spelling.
#[derive(Debug, Clone)]
pub(super) struct RuntimeParser;

impl TypedValueParser for RuntimeParser {
    type Value = Runtime;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Runtime, Error> {
        value.to_string_lossy().parse().map_err(|error| {
            let argument = argument.map_or_else(|| "...".to_owned(), ToString::to_string);
            let message = format!("invalid value '{}' for '{argument}': {error}\n", value.to_string_lossy());
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(RUNTIMES.iter().map(|profile| PossibleValue::new(profile.name))))
    }
}
