//! Hints: the next step after an error, derived from the error itself.
//!
//! [`super::suggest`] adds hints that need a lookup.

use super::aws_failure::{AwsFailure, find_cause};
use super::error::CliError;
use super::temporary_archive::STANDARD_INPUT_NAME;
use crate::registry::archive::CompressedArchiveError;
use crate::registry::{RegistryError, distribution};

pub(super) fn hint_for_error(error: &CliError) -> Option<String> {
    let hint = match error {
        CliError::ImageNotFound { hint, .. }
        | CliError::AmbiguousImage { hint, .. }
        | CliError::Command { hint, .. } => return hint.clone(),
        CliError::Image(error) => return error.hint(),
        CliError::WrongScheme { hint, .. } => hint,
        CliError::ForReference { source, .. } => return hint_for_error(source),
        CliError::Repository(_) => "name the repository without a tag: `team/app`, its URI, or its ARN",
        CliError::UnknownCommand(_) => "`ecr-preflight --help` lists the commands",
        CliError::SameFile { .. } => "the second would overwrite the first: name two different files",
        CliError::UnsupportedFormat => "add `--format json`, or leave out `--platforms`",
        CliError::NoRegion => {
            "set AWS_REGION, or `region` in the AWS profile; or use `--region REGION` with `audit` or `consumers`, or \
             `declare` with the repository's URI"
        }
        CliError::NoTerminal => "use `--yes` to write without confirmation, or `--dry-run` to only show the change",
        CliError::DeclarationChanged => "run the command again to see the current declaration",
        CliError::ReservedTagKey(_) => "set PREFLIGHT_DECLARATION_KEY to another key, here and for the function",
        _ => return error.registry_error().and_then(hint_for_registry_error),
    };
    Some(hint.to_owned())
}

pub(super) fn hint_for_registry_error(error: &RegistryError) -> Option<String> {
    if let RegistryError::File { path, source } = error {
        // A shell's process substitution, `<(COMMAND)`, is a pipe, but an archive is read in any order.
        if ["/dev/fd/", "/proc/self/fd/"].iter().any(|directory| path.starts_with(directory)) {
            let hint = "use standard input, which is copied first: `docker-archive:-` or `oci-archive:-`, with the command \
                        before a pipe";
            return Some(hint.to_owned());
        }
        let compressed = source.get_ref().and_then(|error| error.downcast_ref::<CompressedArchiveError>())?;
        let command = compressed.decompress_command;
        return Some(if path == STANDARD_INPUT_NAME {
            format!("decompress it in the pipe: `… | {command} --stdout | ecr-preflight check …`")
        } else {
            format!("decompress it: `{command} --stdout {path} > image.tar`")
        });
    }
    if let Some(error) = find_cause::<distribution::DistributionError>(error) {
        return error.hint().map(str::to_owned);
    }
    AwsFailure::find(error)?.hint(error)
}
