//! What container runtimes do before they start the first process: they look up the user, mount filesystems and enter
//! the working directory.

use crate::exec::{SetupError, SetupRefusal, enter_working_directory, resolve_user};
use crate::oci::{EnvironmentDefect, ProcessConfig};
use crate::rootfs::{FileTree, UnknownReason, User, find_mount_failure};

/// The first process before execve(2).
#[derive(Debug)]
pub(super) struct ProcessSetup {
    /// The user, as precisely as known.
    pub(super) user: User,
    /// The working directory; `None` if it is unknown.
    pub(super) working_directory: Option<Vec<u8>>,
    /// The mount that the working directory is in, if that is why it is unknown.
    pub(super) mounted_directory: Option<UnknownReason>,
    /// Why every container runtime except Lambda refuses the process.
    pub(super) refusal: Option<SetupRefusal>,
    /// Why it is unknown whether the process is refused. An unread layer takes precedence over other reasons.
    pub(super) unknown: Option<UnknownReason>,
}

impl ProcessSetup {
    /// Sets up a process with these files and mounts.
    pub(super) fn new(process: &ProcessConfig, files: &dyn FileTree, mounts: &[Vec<u8>], is_lambda: bool) -> Self {
        let path = process.working_directory.as_bytes();
        let mut setup = Self {
            user: User::from_config(&process.user),
            working_directory: None,
            mounted_directory: None,
            refusal: None,
            unknown: None,
        };
        match resolve_user(files, mounts, &process.user) {
            Ok(user) => setup.user = user,
            Err(error) => setup.add_error(error),
        }
        match process.environment_defect {
            Some(EnvironmentDefect::EmptyName) => {
                setup.add_error(SetupRefusal::Environment { is_unnamed: true }.into());
            }
            Some(EnvironmentDefect::NulByte) => setup.add_error(SetupRefusal::Environment { is_unnamed: false }.into()),
            Some(EnvironmentDefect::NoValue) => setup.add_error(UnknownReason::EnvironmentVariable.into()),
            None => {}
        }
        if !is_lambda {
            setup.check_mounts(files);
        }
        match enter_working_directory(files, mounts, path) {
            Ok(directory) => {
                // Lambda is not documented to create the directory, as runc does.
                if is_lambda && !directory.is_empty() && files.get(&directory) == Ok(None) {
                    setup.add_error(UnknownReason::MissingWorkingDirectory(path.to_vec()).into());
                }
                setup.working_directory = Some(directory);
            }
            // A directory in a mount exists or is created there.
            Err(SetupError::Unknown(reason @ UnknownReason::MountPoint(_))) => setup.mounted_directory = Some(reason),
            Err(error) => setup.add_error(error),
        }
        if let Some(name) = process.argv.first().filter(|name| !name.contains('/'))
            && process.has_environment
            && process.path.is_none()
        {
            setup.add_error(UnknownReason::NoSearchPath(name.clone().into_bytes()).into());
        }
        setup
    }

    /// Checks what container runtimes mount. A lower layer that was not read does not matter: hardly any image has
    /// something at the mount points, and most programs are found without reading everything.
    fn check_mounts(&mut self, files: &dyn FileTree) {
        match find_mount_failure(files) {
            Ok(Some(failure)) => self.add_error(SetupRefusal::Mount(failure).into()),
            Ok(None) | Err(UnknownReason::LayerNotRead(_)) => {}
            // Outweighs what only makes the answer less certain.
            Err(reason @ UnknownReason::MountRefusedByContainerd { .. })
                if !matches!(self.unknown, Some(UnknownReason::LayerNotRead(_))) =>
            {
                self.unknown = Some(reason);
            }
            Err(reason) => self.add_error(reason.into()),
        }
    }

    fn add_error(&mut self, error: SetupError) {
        match error {
            SetupError::Refused(refusal) => drop(self.refusal.get_or_insert(refusal)),
            SetupError::Unknown(reason @ UnknownReason::LayerNotRead(_)) => self.unknown = Some(reason),
            SetupError::Unknown(reason) => drop(self.unknown.get_or_insert(reason)),
        }
    }
}
