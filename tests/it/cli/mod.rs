//! The command-line tool: success, exit code, standard output and standard error of each run.

mod audit;
mod binary;
mod check;
mod check_formats;
mod check_output;
mod config;
mod consumers;
mod declare;
mod docker_engine;
mod error_hints;
mod help;
mod page;
mod quiet;
mod recipes;
mod task_definition;

use std::path::Path;
use std::process::Command;

use expect_test::Expect;

use crate::support::layout::Builder;

/// Exit status, standard output and standard error of a run.
pub fn run(arguments: &[&str], settings: &[(&str, &str)]) -> String {
    run_in(Path::new("."), arguments, settings)
}

/// Same as `run`, in this working directory.
pub fn run_in(directory: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-preflight"));
    // The configuration of the machine must not matter.
    command.env_clear().envs([("HOME", "/nonexistent"), ("PATH", "/usr/bin")]).envs(settings.iter().copied());
    let output = command.args(arguments).current_dir(directory).output().unwrap();
    // Editors would remove the trailing blanks that clap writes in its help.
    let text = |bytes: &[u8]| -> String {
        String::from_utf8(bytes.to_vec()).unwrap().lines().map(|line| format!("{}\n", line.trim_end())).collect()
    };
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    format!("success {} code {}\n--- out\n{out}--- err\n{err}", output.status.success(), output.status.code().unwrap())
}

/// Runs on a layout. `DIR` in arguments and output is its directory.
pub fn check(layout: &Builder, arguments: &[&str], expected: &Expect) {
    check_with(layout, arguments, &[], expected);
}

/// Same as `check`, with environment variables.
pub fn check_with(layout: &Builder, arguments: &[&str], settings: &[(&str, &str)], expected: &Expect) {
    let directory = layout.path().display().to_string();
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("DIR", &directory)).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    expected.assert_eq(&run(&arguments, settings).replace(&directory, "DIR"));
}
