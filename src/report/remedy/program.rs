//! Remedies for a program that does not start, by cause. A path in an image may have any name, so it is put into a
//! command only if it cannot be mistaken for anything else there.

use std::borrow::Cow;

use super::{REBUILD_EACH, attestation_flags, script, word};
use crate::exec::{Defect, FileFormat, FileRole};
use crate::oci::{BuildHint, ImageContent, IndexEntry, PlatformImage};
use crate::platform::Platform;
use crate::report::model::{FaultCase, Remedy};
use crate::verdict::{FailedProgram, FaultCode};

/// What to look for in a Dockerfile that builds a program for the wrong platform.
const REBUILD: &str = "Build it for its declared platform, without `FROM --platform=$BUILDPLATFORM` in the last stage, a \
                       fixed GOARCH, or a base image pinned to one platform";

impl FaultCase<'_> {
    /// Suggests what fixes a program that does not start, the most likely remedy first.
    pub(super) fn program_remedies(&self, program: &FailedProgram) -> Vec<Remedy> {
        let path = command_safe_path(&program.path);
        let role = program.cause.role;
        if let Some(remedies) = self.word_remedies(program) {
            return remedies;
        }
        let advice = match &program.cause.defect {
            Defect::Format(format) => return self.format_remedies(*format, program),
            Defect::CarriageReturn => {
                let script = program.referrer.as_deref().unwrap_or_default();
                return script::line_ending_remedies(file_name(command_safe_path(script)));
            }
            Defect::OtherLibc => {
                let advice = [
                    "Build the program for the C library that the image has, or statically (`CGO_ENABLED=0` in Go)",
                    "Or use a base image with the program's own C library: Debian for glibc, Alpine for musl",
                ];
                return advice.map(Remedy::advice_only).into();
            }
            Defect::NotExecutable { .. } => {
                let command = match role {
                    FileRole::Program => format!("COPY --chmod=755 {} {path}", file_name(path)),
                    FileRole::Interpreter | FileRole::Loader | FileRole::Argument => format!("RUN chmod a+x {path}"),
                };
                return vec![Remedy::with_command("Make it executable for all users, in the Dockerfile", command)];
            }
            Defect::Missing if program.path.starts_with('[') => {
                "Write ENTRYPOINT and CMD as JSON, with double quotes: otherwise a shell runs the list as a command"
            }
            Defect::NotReadable { .. } => {
                let command = format!("RUN chmod a+r {path}");
                return vec![Remedy::with_command("Let all users read it, in the Dockerfile", command)];
            }
            Defect::UnknownAccount(kind) => return word::account_remedies(*kind, program),
            Defect::RefusedOption(_) => {
                let advice =
                    format!("Correct the option's value in {}, or remove the option", self.instruction(program));
                return vec![Remedy::advice_only(advice)];
            }
            Defect::NotRoot => "Start the image as root, without USER, or start the program without changing the user",
            Defect::BashSyntax | Defect::BashCommand(_) => {
                return vec![
                    Remedy::with_command(
                        "Begin the script with a line for bash, and install bash in the image",
                        "#!/bin/bash",
                    ),
                    Remedy::advice_only(
                        "Or write it for every POSIX shell: `.` instead of `source`, `[` instead of `[[`",
                    ),
                ];
            }
            Defect::NotSearchable => "Let all users enter the file's parent directories: `chmod a+x`",
            Defect::Directory | Defect::SpecialFile => {
                return vec![Remedy::advice_only(format!("Name the program itself in {}", self.instruction(program)))];
            }
            Defect::TooManyInterpreters => "Use a program as the script's interpreter, not another script",
            Defect::Missing
            | Defect::DanglingLink { .. }
            | Defect::NotADirectory
            | Defect::TooManyLinks
            | Defect::NameTooLong => match role {
                FileRole::Loader => "Link the program statically, or use a base image that has its C library",
                FileRole::Argument => "Copy it to the path that the command names, or correct that path",
                FileRole::Interpreter => "Install the interpreter in the image, or use one that is there",
                FileRole::Program if !program.is_entrypoint => {
                    "Install the program in the image, or start one that is there"
                }
                FileRole::Program if !program.path.contains('/') => {
                    let advice = format!(
                        "Copy the program to a directory of PATH, executable for all users, or name it by its path in {}",
                        self.instruction(program)
                    );
                    return vec![Remedy::advice_only(advice)];
                }
                FileRole::Program => {
                    let advice = format!(
                        "Copy the program to the path that {} names, or correct that path",
                        self.instruction(program)
                    );
                    return vec![Remedy::advice_only(advice)];
                }
            },
        };
        vec![Remedy::advice_only(advice)]
    }

    /// Returns what names the program: an instruction of the Dockerfile, or a field of the definition that overrides it. What
    /// a wrapper starts may be in either.
    fn instruction(&self, program: &FailedProgram) -> Cow<'static, str> {
        let overriding = self
            .case
            .context
            .consumer
            .filter(|consumer| !(consumer.start.entrypoint.is_empty() && consumer.start.command.is_empty()));
        if let Some(consumer) = overriding {
            let field = if consumer.start.entrypoint.is_empty() { "command" } else { "entry point" };
            return format!("the {field} of the {}", consumer.service.definition_title()).into();
        }
        let instruction =
            match self.platform_image().filter(|_| program.is_entrypoint).map(|single| single.process.entrypoint_words)
            {
                None => "ENTRYPOINT or CMD",
                Some(0) => "CMD",
                Some(_) => "ENTRYPOINT",
            };
        instruction.into()
    }

    /// Returns whether the fault is about a program that the command names rather than the entrypoint, or that either starts.
    pub(in crate::report) fn depends_on_command(&self) -> bool {
        let entrypoint_words = || self.platform_image().map(|single| single.process.entrypoint_words);
        self.fault
            .failed_program
            .as_ref()
            .is_some_and(|program| !program.is_entrypoint || entrypoint_words().is_none_or(|words| words == 0))
    }

    /// Returns the image for the fault's platform.
    pub(super) fn platform_image(&self) -> Option<&PlatformImage> {
        let has_platform = |single: &&PlatformImage| Some(&single.platform) == self.fault.platform.as_ref();
        self.case.image.and_then(|image| match &image.content {
            ImageContent::Single(single) => Some(single),
            ImageContent::Index(entries) => entries.iter().filter_map(IndexEntry::image).find(has_platform),
            ImageContent::Artifact(_) | ImageContent::Attestation | ImageContent::Unreadable(_) => None,
        })
    }

    /// Suggests what fixes a file that the kernel cannot execute or load.
    fn format_remedies(&self, format: FileFormat, program: &FailedProgram) -> Vec<Remedy> {
        let path = command_safe_path(&program.path);
        let name = file_name(path);
        let remedy = match format {
            FileFormat::OtherArchitecture(_) | FileFormat::UnknownMachine(_) => return self.rebuild_remedies(program),
            FileFormat::MachO => return self.linux_build_remedies("macOS"),
            FileFormat::Pe => return self.linux_build_remedies("Windows"),
            FileFormat::NoShebang => return script::first_line_remedies(path, name),
            FileFormat::MisplacedShebang => script::misplaced_line_remedy(name),
            FileFormat::Utf16 => Remedy::with_command(
                "Save it as UTF-8",
                format!("iconv -f UTF-16 -t UTF-8 {name} > {name}.new && mv {name}.new {name}"),
            ),
            FileFormat::Empty => Remedy::advice_only(
                "Copy the file again: a build step left it empty, for example a failed download or a redirection",
            ),
            FileFormat::InvalidShebang => {
                Remedy::advice_only("Begin the script with `#!` and the path of an interpreter, in at most 256 bytes")
            }
            FileFormat::Wasm => {
                Remedy::advice_only("Use a WebAssembly runtime as the entrypoint, and the module as its argument")
            }
            FileFormat::TruncatedElf => Remedy::advice_only("Copy the program again: the file is truncated"),
            FileFormat::NonExecutableElf | FileFormat::DamagedElf | FileFormat::Other => {
                Remedy::advice_only("Copy the program again: the file is truncated, damaged, or not a program")
            }
        };
        vec![remedy]
    }

    /// Suggests building the program for the declared platform. The build hints show why it was built for another one.
    fn rebuild_remedies(&self, program: &FailedProgram) -> Vec<Remedy> {
        let from_hint = |hint: &BuildHint| match hint {
            BuildHint::BuildPlatform => Remedy::advice_only(
                "The image's history mentions the build platform: use `FROM --platform=$BUILDPLATFORM` only in build \
                 stages, and build for `$TARGETARCH` there",
            ),
            BuildHint::FixedArchitecture(words) => Remedy::advice_only(format!(
                "A build step has a fixed architecture, `{words}`: use `$TARGETARCH` instead"
            )),
            BuildHint::Uname => Remedy::advice_only(
                "A build step reads the architecture of the build host (`uname -m`): use `$TARGETARCH` instead",
            ),
        };
        let platform = self.fault.platform.as_ref().filter(|platform| platform.is_known());
        let platform = platform.map_or("PLATFORM".to_owned(), ToString::to_string);
        // Built for one of its platforms only, an index would lose the others.
        let platforms = self.case.linux_platforms();
        let is_index = matches!(self.case.image.map(|image| &image.content), Some(ImageContent::Index(_)));
        let platform = if is_index { platforms.join(",") } else { platform };
        let uri = self.case.push_uri();
        let flags = attestation_flags(&self.case.judgement.runtimes());
        let rebuild = Remedy::with_command(
            if is_index { REBUILD_EACH } else { REBUILD },
            format!("docker buildx build --platform {platform}{flags} --no-cache --tag {uri} --push ."),
        );
        program.build_hints.iter().map(from_hint).chain([rebuild]).collect()
    }

    /// Suggests building a program for Linux that was built on another operating system.
    fn linux_build_remedies(&self, system: &str) -> Vec<Remedy> {
        let architecture = self.fault.platform.as_ref().map(Platform::architecture).filter(|name| !name.is_empty());
        let command = format!("GOOS=linux GOARCH={} go build", architecture.unwrap_or("ARCHITECTURE"));
        vec![
            Remedy::advice_only(format!("Build the program as part of the image's own build, not on {system}")),
            Remedy::with_command("Or build it for Linux there, for example in Go", command),
        ]
    }

    /// Suggests what fixes an image that the container runtime refuses before it starts a program.
    pub(super) fn setup_remedies(&self, code: FaultCode) -> Vec<Remedy> {
        match code {
            FaultCode::UserNotFound => {
                let user = self.platform_image().map(|single| single.process.user.as_str()).unwrap_or_default();
                let number = word::account_number(user.split(':').next().unwrap_or_default());
                let command = format!("USER {number}:{number}");
                vec![
                    Remedy::with_command("Name the user by its number, which needs no entry in /etc/passwd", command),
                    Remedy::advice_only("Or create the user and the group in the last stage of the Dockerfile"),
                ]
            }
            FaultCode::EnvironmentRefused => {
                vec![Remedy::advice_only(
                    "Remove the variable from ENV, or from the tool that writes the image's config",
                )]
            }
            FaultCode::WorkingDirectoryRefused => vec![Remedy::advice_only("Name a directory in WORKDIR, not a file")],
            FaultCode::MountRefused => {
                vec![Remedy::advice_only(
                    "Remove it where it is added (COPY or ADD source, or an earlier stage): RUN cannot, because it mounts \
                     there itself",
                )]
            }
            _ => Vec::new(),
        }
    }
}

/// Returns the path if it is safe in a command, otherwise a placeholder.
fn command_safe_path(path: &str) -> &str {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    // A command would parse such a name as an option.
    let is_option = path.split('/').any(|name| name.starts_with('-'));
    if !path.is_empty() && !path.ends_with('/') && !is_option && path.chars().all(is_plain) { path } else { "FILE" }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::command_safe_path;

    #[test]
    fn only_plain_paths_are_put_into_commands() {
        for plain in ["/app", "/usr/local/bin/docker-entrypoint.sh", "run_it"] {
            assert_eq!(command_safe_path(plain), plain);
        }
        for other in ["", "-rf", "/a b", "/a;b", "/$(x)", "/é", "/a\u{fffd}", "/`x`", "/a'", "/a/-ewMakefile", "/a/"] {
            assert_eq!(command_safe_path(other), "FILE", "{other}");
        }
    }
}
