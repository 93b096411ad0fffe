//! Hints: the next step after an error, derived from the error itself.
//!
//! [`super::suggest`] adds hints that need a lookup.

use super::aws_failure::{AwsFailure, find_cause};
use super::error::CliError;
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
            "set AWS_REGION, or `region` in the AWS profile; or use `audit --region REGION`, or `declare` with the \
             repository's URI"
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
        let compressed = source.get_ref().and_then(|error| error.downcast_ref::<CompressedArchiveError>())?;
        return Some(format!("decompress it: `{} --stdout {path} > image.tar`", compressed.decompress_command));
    }
    if let Some(error) = find_cause::<distribution::DistributionError>(error) {
        return error.hint().map(str::to_owned);
    }
    AwsFailure::find(error)?.hint(error)
}
