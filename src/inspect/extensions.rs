//! Predicts whether Lambda can start the extensions of an image. Lambda starts every file in `/opt/extensions` before the
//! entrypoint, whatever it is, and a failure ends the initialization with `Extension.LaunchError` (developer guide,
//! "Configuring extensions"; elastic/apm-aws-lambda#92, aws-samples/aws-lambda-extensions#54).

use crate::exec::{ExecOutcome, Host, StartPrediction, detect_program, predict_execve};
use crate::launch::{Launch, Launcher};
use crate::path::display_path;
use crate::rootfs::{ExecError, FilesystemView, Node, UnknownReason};

const EXTENSIONS_DIRECTORY: &[u8] = b"/opt/extensions";

/// The maximum number of extensions that are inspected. Lambda supports ten (developer guide, "Extensions API").
const MAX_EXTENSIONS: usize = 32;

/// Returns the first extension that does not start, or `None` if all start or there are none.
///
/// # Errors
/// It is unknown which extensions there are, or whether one starts.
pub(super) fn find_failing_extension(view: &FilesystemView<'_>, host: Host) -> Result<Option<Launch>, UnknownReason> {
    let directory = match view.resolve(EXTENSIONS_DIRECTORY) {
        Ok(found) if matches!(found.node, Node::Directory(_)) => found.path,
        Ok(_) | Err(ExecError::Errno(_)) => return Ok(None),
        Err(ExecError::Unknown(reason)) => return Err(reason),
    };
    let names = view.files.list(&directory, MAX_EXTENSIONS)?;
    let mut unknown = None;
    for name in names {
        let path = [&directory, b"/".as_slice(), &name].concat();
        // Lambda skips directories, but not links to directories.
        if matches!(view.files.get(&path)?, None | Some(Node::Directory(_))) {
            continue;
        }
        let path = [EXTENSIONS_DIRECTORY, b"/", &name].concat();
        match predict_execve(view, host, &path) {
            ExecOutcome::Starts { .. } => {}
            ExecOutcome::Exits { path, .. } => drop(unknown.get_or_insert(UnknownReason::TruncatedProgram(path))),
            ExecOutcome::Unknown { reason, .. } => drop(unknown.get_or_insert(reason)),
            outcome @ ExecOutcome::Fails { errno, .. } => {
                let message = format!("fork/exec {}: {} (Extension.LaunchError)", display_path(&path), errno.message());
                let start = StartPrediction { outcome, message: Some(message) };
                let program = detect_program(view, &start.outcome);
                let launcher = Launcher::LambdaExtensions;
                return Ok(Some(Launch { launcher, argv: vec![path], start, program, not_followed: None }));
            }
        }
    }
    unknown.map_or(Ok(None), Err)
}
