//! Sets the commit that `ecr-preflight --version` prints, empty if git or the repository is missing, and the target that
//! `ecr-preflight version` prints.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    // If a listed file did not exist, Cargo would run this script for every build.
    let (head_files, commit) =
        if is_own_repository() { (git_head_files(), describe_commit()) } else { (Vec::new(), None) };
    for path in ["build.rs", "src", "Cargo.toml", "Cargo.lock"].map(PathBuf::from).into_iter().chain(head_files) {
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    println!("cargo:rustc-env=ECR_PREFLIGHT_COMMIT={}", commit.unwrap_or_default());
    // Cargo sets this variable for build scripts only.
    println!("cargo:rustc-env=ECR_PREFLIGHT_TARGET={}", std::env::var("TARGET").unwrap_or_default());
}

/// Returns the commit and its date: ` (487876fc0d2e 2026-11-21)`, or with uncommitted changes `-dirty` after the hash.
fn describe_commit() -> Option<String> {
    let commit = run_git(&["log", "-1", "--abbrev=12", "--format=%h %cs"])?;
    let (hash, date) = commit.split_once(' ')?;
    let is_dirty = !run_git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(format!(" ({hash}{} {date})", if is_dirty { "-dirty" } else { "" }))
}

/// Returns the files that change when another commit is checked out. Git knows their paths, which differ in a worktree.
fn git_head_files() -> Vec<PathBuf> {
    let branch = run_git(&["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"].map(str::to_owned).into_iter().chain(branch);
    names.filter_map(|name| run_git(&["rev-parse", "--git-path", &name])).map(PathBuf::from).collect()
}

/// Returns whether the git repository is this project's, and not one into which an archive of the sources was unpacked.
fn is_own_repository() -> bool {
    let top = run_git(&["rev-parse", "--show-toplevel"]).and_then(|top| Path::new(&top).canonicalize().ok());
    top.is_some() && top == Path::new(".").canonicalize().ok()
}

/// Returns the output of git; `None` if it fails or is not installed.
fn run_git(arguments: &[&str]) -> Option<String> {
    // Keeps `git status` from writing the index.
    let output = Command::new("git").env("GIT_OPTIONAL_LOCKS", "0").args(arguments).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}
