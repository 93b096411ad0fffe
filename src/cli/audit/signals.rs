//! When somebody wants the audit to stop: Ctrl-C, or a service manager that ends it.
//!
//! Does not stop it.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGINT or SIGTERM.
///
/// # Errors
/// Where signals cannot be waited for.
pub(super) async fn wait_for_stop_signal() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        stop = tokio::signal::ctrl_c() => stop,
        _ = terminated.recv() => Ok(()),
    }
}
