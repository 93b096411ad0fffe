//! What a config has a runtime start: the first process of a container, as "Image Configuration" of the OCI image
//! specification describes it.
//!
//! Does not know what the files are that it names.

use crate::text::sanitize_quoted;

/// The first process of a container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessConfig {
    /// `Entrypoint` and, behind it, `Cmd`.
    pub argv: Vec<String>,
    /// The value of `PATH` among the environment's variables, where it has one.
    pub path: Option<String>,
    /// Whether a variable has shells or loaders run or read something before all else.
    pub has_startup_variables: bool,
    /// `WorkingDir`; empty means the root.
    pub working_directory: String,
    /// `User`: a name or a number, perhaps with a group behind a colon.
    pub user: String,
    /// The directories that are declared to be `Volumes`.
    pub volumes: Vec<String>,
    /// What its history tells of how it was built.
    pub build_hints: Vec<BuildHint>,
    /// Why what is above cannot be relied on, where it cannot.
    pub invalid_reason: Option<String>,
}

/// What the names of such variables begin with: bash(1), "INVOCATION" and "ENVIRONMENT"; dash(1), "ENV"; ld.so(8).
const STARTUP_VARIABLES: [&str; 7] =
    ["BASH_ENV=", "ENV=", "BASH_FUNC_", "SHELLOPTS=", "BASHOPTS=", "LD_PRELOAD=", "LD_AUDIT="];

/// Whether a variable, with its value, has shells or loaders run or read something before all else.
pub(super) fn is_startup_variable(variable: &str) -> bool {
    STARTUP_VARIABLES.iter().any(|hook| variable.starts_with(hook))
}

/// What in the history of an image makes a program of the wrong architecture likely.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuildHint {
    /// A step speaks of the platform that builds (`BUILDPLATFORM`, `BUILDARCH`).
    BuildPlatform,
    /// A step has the architecture fixed: the words.
    FixedArchitecture(String),
    /// A step asks for the processor that builds it: `uname -m`.
    Uname,
}

/// What fixes an architecture in a build step.
const ARCHITECTURE_ASSIGNMENTS: [&str; 4] = ["GOARCH=", "TARGETARCH=", "TARGETPLATFORM=", "--platform="];

/// The longest word of a step that is looked at, in bytes; the longest platform has some twenty.
const MAX_ASSIGNMENT_BYTES: usize = 60;

/// What a step of the history, its `created_by`, tells of an image of this architecture.
pub(super) fn find_build_hints(step: &str, architecture: &str) -> Vec<BuildHint> {
    let mut traces = Vec::new();
    if step.contains("BUILDPLATFORM") || step.contains("BUILDARCH") {
        traces.push(BuildHint::BuildPlatform);
    }
    if step.contains("uname -m") || step.contains("$(arch)") {
        traces.push(BuildHint::Uname);
    }
    let quotes = |c: char| matches!(c, '"' | '\'' | ';' | '(' | ')');
    for word in step.split_whitespace().map(|word| word.trim_matches(quotes)) {
        let value = ARCHITECTURE_ASSIGNMENTS.iter().find_map(|name| word.strip_prefix(name)).unwrap_or_default();
        let is_literal = !value.is_empty() && !value.contains('$') && word.len() <= MAX_ASSIGNMENT_BYTES;
        if is_literal && !architecture.is_empty() && !value.split('/').any(|part| part == architecture) {
            traces.push(BuildHint::FixedArchitecture(sanitize_quoted(word)));
        }
    }
    traces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_make_a_wrong_program_likely_are_seen() {
        for (step, expected) in [
            ("RUN |1 TARGETARCH=arm64 /bin/sh -c go build # buildkit", vec![]),
            ("RUN /bin/sh -c GOARCH=$TARGETARCH go build", vec![]),
            ("COPY /out /app # buildkit", vec![]),
            ("RUN |1 BUILDPLATFORM=linux/arm64 /bin/sh -c make", vec![BuildHint::BuildPlatform]),
            ("RUN /bin/sh -c GOARCH=amd64 go build", vec![BuildHint::FixedArchitecture("GOARCH=amd64".to_owned())]),
            (
                "|1 TARGETPLATFORM=linux/amd64 /bin/sh -c x",
                vec![BuildHint::FixedArchitecture("TARGETPLATFORM=linux/amd64".to_owned())],
            ),
            ("RUN curl -O https://x/$(uname -m)/y", vec![BuildHint::Uname]),
        ] {
            assert_eq!(find_build_hints(step, "arm64"), expected, "{step}");
        }
    }
}
