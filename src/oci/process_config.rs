//! The process that a container runtime starts according to a config (OCI image specification, "Image Configuration"),
//! and hints in the history about how the program was built.

use crate::text::{sanitize, sanitize_quoted};

/// The first process of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each is an independent fact about the environment")]
pub struct ProcessConfig {
    /// `Entrypoint` followed by `Cmd`.
    pub argv: Vec<String>,
    /// How many words of `argv` are from `Entrypoint`.
    pub entrypoint_words: usize,
    /// The value of the variable `PATH`, if it is set.
    pub path: Option<String>,
    /// Whether any variable is set.
    pub has_environment: bool,
    /// What is wrong with the variables, if anything.
    pub environment_defect: Option<EnvironmentDefect>,
    /// Whether a variable makes shells or the loader run or read other files before the program.
    pub has_startup_variables: bool,
    /// Whether one of them is `LD_PRELOAD` or `LD_AUDIT`, so that other code is loaded into every program.
    pub has_preload: bool,
    /// Whether a variable of the NVIDIA container runtime is set, whose hosts add programs to the container.
    pub has_nvidia_variables: bool,
    /// Whether `NODE_OPTIONS` loads code that may change how Node.js finds its main file.
    pub has_node_hooks: bool,
    /// `WorkingDir`; empty means the root.
    pub working_directory: String,
    /// `User`: a name or a number, optionally followed by a colon and a group.
    pub user: String,
    /// The directories in `Volumes`.
    pub volumes: Vec<String>,
    /// Hints in the history about the build.
    pub build_hints: Vec<BuildHint>,
    /// Why the fields above are unreliable, if they are.
    pub invalid_reason: Option<String>,
}

/// How much of a command line messages show: characters per argument, and arguments.
const MAX_SHOWN_ARGUMENT: usize = 120;
const MAX_SHOWN_ARGUMENTS: usize = 16;

impl ProcessConfig {
    /// Returns entrypoint and command, truncated for messages.
    pub(super) fn shown_command(&self) -> Vec<String> {
        self.argv.iter().take(MAX_SHOWN_ARGUMENTS).map(|argument| sanitize(argument, MAX_SHOWN_ARGUMENT)).collect()
    }
}

/// What is wrong with a variable of the environment, the most certain first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvironmentDefect {
    /// Its name is empty: `=VALUE`.
    EmptyName,
    /// It contains a NUL byte.
    NulByte,
    /// It has no equals sign.
    NoValue,
}

impl EnvironmentDefect {
    /// Returns the defect of a variable, if it has one.
    pub(super) fn detect(variable: &str) -> Option<Self> {
        match variable.find('=') {
            Some(0) => Some(Self::EmptyName),
            _ if variable.contains('\0') => Some(Self::NulByte),
            None => Some(Self::NoValue),
            Some(_) => None,
        }
    }
}

/// The prefixes of startup variables of shells: bash(1), "INVOCATION" and "ENVIRONMENT"; dash(1), "ENV".
const SHELL_STARTUP_VARIABLES: [&str; 5] = ["BASH_ENV=", "ENV=", "BASH_FUNC_", "SHELLOPTS=", "BASHOPTS="];

/// The prefixes of startup variables of the loader: ld.so(8).
const PRELOAD_VARIABLES: [&str; 2] = ["LD_PRELOAD=", "LD_AUDIT="];

/// Returns whether a variable (`NAME=VALUE`) makes shells or the loader run or read other files before the program.
pub(crate) fn is_startup_variable(variable: &str) -> bool {
    // Many images set `ENV=production`, which is not the path of a file.
    let is_word = variable.strip_prefix("ENV=").is_some_and(|value| !value.contains(['/', '$', '`']));
    let is_shells = SHELL_STARTUP_VARIABLES.iter().any(|prefix| variable.starts_with(prefix));
    is_shells && !is_word || is_preload_variable(variable)
}

/// Returns whether a variable (`NAME=VALUE`) makes the loader load other code into every program.
pub(crate) fn is_preload_variable(variable: &str) -> bool {
    PRELOAD_VARIABLES.iter().any(|name| variable.strip_prefix(name).is_some_and(|value| !value.is_empty()))
}

/// Returns whether a variable (`NAME=VALUE`) asks the NVIDIA container runtime to add devices, libraries and programs.
pub(crate) fn is_nvidia_variable(variable: &str) -> bool {
    variable.starts_with("NVIDIA_")
}

/// Returns whether a variable makes Node.js load code before its main file: node(1), `--require`, `--import`, `--loader`.
pub(crate) fn is_node_hook(variable: &str) -> bool {
    let options = variable.strip_prefix("NODE_OPTIONS=").unwrap_or_default();
    options.split_whitespace().any(|option| {
        option.starts_with("-r")
            || ["--require", "--import", "--loader", "--experimental-loader"]
                .iter()
                .any(|hook| option.starts_with(hook))
    })
}

/// A build step in the history that may have built for the wrong architecture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuildHint {
    /// The step uses the platform of the build machine (`BUILDPLATFORM`, `BUILDARCH`).
    BuildPlatform,
    /// The step sets a fixed architecture, with this assignment.
    FixedArchitecture(String),
    /// The step uses the processor of the build machine (`uname -m`).
    Uname,
}

/// The assignments and options that set an architecture in a build step.
const ARCHITECTURE_ASSIGNMENTS: [&str; 4] = ["GOARCH=", "TARGETARCH=", "TARGETPLATFORM=", "--platform="];

/// The longest assignment, in bytes; the longest platform has about twenty.
const MAX_ASSIGNMENT_BYTES: usize = 60;

/// Finds the hints in a step of the history (its `created_by`) of an image for this architecture.
pub(super) fn find_build_hints(step: &str, architecture: &str) -> Vec<BuildHint> {
    let mut hints = Vec::new();
    if step.contains("BUILDPLATFORM") || step.contains("BUILDARCH") {
        hints.push(BuildHint::BuildPlatform);
    }
    if step.contains("uname -m") || step.contains("$(arch)") {
        hints.push(BuildHint::Uname);
    }
    let is_punctuation = |c: char| matches!(c, '"' | '\'' | ';' | '(' | ')');
    for word in step.split_whitespace().map(|word| word.trim_matches(is_punctuation)) {
        let value = ARCHITECTURE_ASSIGNMENTS.iter().find_map(|name| word.strip_prefix(name)).unwrap_or_default();
        let is_literal = !value.is_empty() && !value.contains('$') && word.len() <= MAX_ASSIGNMENT_BYTES;
        if is_literal && !architecture.is_empty() && !value.split('/').any(|part| part == architecture) {
            hints.push(BuildHint::FixedArchitecture(sanitize_quoted(word)));
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn startup_variables_name_files() {
        for (variable, is_startup, is_preload) in [
            ("LD_PRELOAD=/lib/x.so", true, true),
            ("LD_AUDIT=x.so", true, true),
            ("LD_PRELOAD=", false, false),
            ("LD_LIBRARY_PATH=/lib", false, false),
            ("BASH_ENV=/etc/profile", true, false),
            ("BASH_FUNC_x%%=() { :; }", true, false),
            ("ENV=/etc/profile", true, false),
            ("ENV=$HOME/.profile", true, false),
            ("ENV=production", false, false),
            ("ENVIRONMENT=/x", false, false),
        ] {
            assert_eq!(
                (is_startup_variable(variable), is_preload_variable(variable)),
                (is_startup, is_preload),
                "{variable}"
            );
        }
    }

    #[test]
    fn build_steps_give_hints() {
        let fixed = |word: &str| BuildHint::FixedArchitecture(word.to_owned());
        for (step, expected) in [
            ("RUN |1 TARGETARCH=arm64 /bin/sh -c go build # buildkit", vec![]),
            ("RUN /bin/sh -c GOARCH=$TARGETARCH go build", vec![]),
            ("COPY /out /app # buildkit", vec![]),
            ("RUN |1 BUILDPLATFORM=linux/arm64 /bin/sh -c make", vec![BuildHint::BuildPlatform]),
            ("RUN /bin/sh -c GOARCH=amd64 go build", vec![fixed("GOARCH=amd64")]),
            ("|1 TARGETPLATFORM=linux/amd64 /bin/sh -c x", vec![fixed("TARGETPLATFORM=linux/amd64")]),
            ("RUN curl -O https://x/$(uname -m)/y", vec![BuildHint::Uname]),
        ] {
            assert_eq!(find_build_hints(step, "arm64"), expected, "{step}");
        }
    }
}
