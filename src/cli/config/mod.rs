//! The configuration file of a repository, `.ecr-preflight.toml`: the images that `check` checks, and waivers.

mod document;
mod find;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

pub(super) use self::document::ConfiguredImage;
use self::document::parse_document;
pub(super) use self::find::display_path;
use self::find::{FoundFile, find_file, read_file};
use super::error::CliError;
use super::terminal::StyledOutput;
use crate::lambda::log::today;
use crate::text::sanitize;
use crate::waiver::{Waiver, WaiverList};

/// The options that choose the configuration file.
#[derive(Debug, Args)]
pub(super) struct ConfigArguments {
    /// Read this configuration file. Default: `.ecr-preflight.toml` in the working directory or the nearest directory above
    /// it, up to the root of the git repository.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Do not read a configuration file.
    #[arg(long, conflicts_with = "config")]
    no_config: bool,
}

/// What a configuration file contains.
#[derive(Debug)]
pub(super) struct Configuration {
    /// The path of the file; `None` if there is none.
    pub(super) path: Option<PathBuf>,
    pub(super) images: Vec<ConfiguredImage>,
    pub(super) waivers: WaiverList,
}

impl ConfigArguments {
    /// Finds and reads the configuration file. With `--verbose`, names it on standard error.
    ///
    /// # Errors
    /// The file that the command line names does not exist, or a file cannot be read or is invalid.
    pub(super) fn load<E: Write>(&self, err: &mut StyledOutput<E>) -> Result<Configuration, CliError> {
        let path = match &self.config {
            Some(path) => Some(path.clone()),
            None if self.no_config => None,
            None => match find_file() {
                FoundFile::None => None,
                FoundFile::Trusted(path) => Some(path),
                FoundFile::OfAnotherUser(path) => {
                    let path = display_path(&path);
                    err.write_note(&format!(
                        "ignored {path}: the file or its repository belongs to another user; to use it: --config {path}"
                    ))?;
                    None
                }
            },
        };
        let (mut images, mut waivers): (Vec<ConfiguredImage>, Vec<Waiver>) = (Vec::new(), Vec::new());
        if let Some(path) = &path {
            (images, waivers) = parse_document(&read_file(path)?, path)?;
            if err.is_verbose() {
                writeln!(err, "configuration: {}", display_path(path))?;
            }
        }
        Ok(Configuration { path, images, waivers: WaiverList { waivers, today: today() } })
    }
}

impl Configuration {
    /// The directory that the paths of images are relative to.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.path.as_deref().and_then(Path::parent).filter(|directory| !directory.as_os_str().is_empty())
    }

    /// A sentence for each waiver that matched no fault, if `used` has the positions of those that did.
    pub(super) fn describe_unused(&self, used: &[usize]) -> Vec<String> {
        let unused = self.waivers.waivers.iter().enumerate().filter(|(at, _)| !used.contains(at));
        unused.map(|(_, waiver)| format!("unused waiver: {}", sanitize(&waiver.describe(), usize::MAX))).collect()
    }
}
