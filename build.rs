//! Which commit this is built of, for `ecr-preflight --version`.
//!
//! Does not need git, nor a repository: without either, the version stands alone.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    // The script runs anew only where one of these has changed, and never because of what is not there.
    for path in ["build.rs", "src", "Cargo.toml", "Cargo.lock"].map(PathBuf::from).into_iter().chain(git_head_files()) {
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    println!("cargo:rustc-env=ECR_PREFLIGHT_COMMIT={}", describe_commit().unwrap_or_default());
}

/// ` (487876fc0d2e 2026-11-21)`; with `-dirty` where what is built is not what is committed.
fn describe_commit() -> Option<String> {
    if !is_own_repository() {
        return None;
    }
    let told = run_git(&["log", "-1", "--abbrev=12", "--format=%h %cs"])?;
    let (hash, date) = told.split_once(' ')?;
    let is_dirty = !run_git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(format!(" ({hash}{} {date})", if is_dirty { "-dirty" } else { "" }))
}

/// The files that say which commit is checked out: `HEAD`, its log, the branch that it names, and where git packs
/// branches. git knows where they are, in a further worktree too.
fn git_head_files() -> Vec<PathBuf> {
    if !is_own_repository() {
        return Vec::new();
    }
    let branch = run_git(&["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"].map(str::to_owned).into_iter().chain(branch);
    names.filter_map(|name| run_git(&["rev-parse", "--git-path", &name])).map(PathBuf::from).collect()
}

/// Whether git's repository is this one, and not one that an archive of the sources was unpacked in.
fn is_own_repository() -> bool {
    let top = run_git(&["rev-parse", "--show-toplevel"]).and_then(|top| Path::new(&top).canonicalize().ok());
    top.is_some() && top == Path::new(".").canonicalize().ok()
}

/// What git prints; none where it fails, or is not there.
fn run_git(arguments: &[&str]) -> Option<String> {
    // Asked for the status, git would otherwise write the index.
    let output = Command::new("git").env("GIT_OPTIONAL_LOCKS", "0").args(arguments).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}
