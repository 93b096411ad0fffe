//! What to do about a program that does not start, by its cause.
//!
//! Does not put a path into a command that could be more than a path there: names in an image are anybody's.

use super::ReportContext;
use super::remedy::Remedy;
use crate::exec::{Defect, FileFormat, FileRole};
use crate::oci::BuildHint;
use crate::platform::Platform;
use crate::verdict::{FailedProgram, Fault};

/// What to do about a program that does not start, the likeliest first.
pub(super) fn program_remedies(fault: &Fault, trouble: &FailedProgram, place: ReportContext<'_>) -> Vec<Remedy> {
    let path = command_safe_path(&trouble.path);
    let name = file_name(path);
    let opener = command_safe_path(trouble.referrer.as_deref().unwrap_or_default());
    let advise = |text: &str| vec![Remedy::advice_only(text)];
    let role = trouble.cause.role;
    match &trouble.cause.defect {
        Defect::Format(format) => format_remedies(*format, fault, trouble, place),
        Defect::CarriageReturn => vec![
            Remedy::with_command(
                "End the script's lines as Unix does",
                format!("sed -i 's/\\r$//' {}", file_name(opener)),
            ),
            Remedy::with_command(
                "And keep git from changing them back, in .gitattributes",
                "*.sh text eol=lf".to_owned(),
            ),
        ],
        Defect::OtherLibc => vec![
            Remedy::advice_only(
                "Build the program for the C library that the image has, or statically (`CGO_ENABLED=0` in Go)",
            ),
            Remedy::advice_only(
                "Or take a base image with the program's own C library: Debian's for glibc, Alpine for musl",
            ),
        ],
        Defect::NotExecutable { .. } => {
            let command = match role {
                FileRole::Program => format!("COPY --chmod=755 {name} {path}"),
                FileRole::Interpreter | FileRole::Loader => format!("RUN chmod a+x {path}"),
            };
            vec![Remedy::with_command("Let everybody execute it, in the Dockerfile", command)]
        }
        Defect::NotSearchable => advise("Let everybody enter the directories on the way to it: `chmod a+x`"),
        Defect::Directory | Defect::SpecialFile => advise("Name the program itself in ENTRYPOINT or CMD"),
        Defect::TooManyInterpreters => advise("Let the script name a program as its interpreter, not a script"),
        Defect::Missing
        | Defect::DanglingLink { .. }
        | Defect::NotADirectory
        | Defect::TooManyLinks
        | Defect::NameTooLong => match role {
            FileRole::Loader => advise("Link the program statically, or take a base image that has its C library"),
            FileRole::Interpreter => advise("Install the interpreter in the image, or name one that is there"),
            FileRole::Program if !trouble.is_entrypoint => {
                advise("Install in the image what is to be started, or name what is there")
            }
            FileRole::Program if !trouble.path.contains('/') => {
                advise("Put the program into a directory of PATH, executable for everybody, or name it by its path")
            }
            FileRole::Program => advise("Copy the program to where ENTRYPOINT or CMD names it, or name it where it is"),
        },
    }
}

/// What to do about a file that is nothing for this machine.
fn format_remedies(
    format: FileFormat,
    fault: &Fault,
    trouble: &FailedProgram,
    place: ReportContext<'_>,
) -> Vec<Remedy> {
    let path = command_safe_path(&trouble.path);
    let name = file_name(path);
    let advise = |text: &str| vec![Remedy::advice_only(text)];
    match format {
        FileFormat::OtherArchitecture(_) | FileFormat::UnknownMachine(_) => {
            rebuild_remedies(fault.platform.as_ref(), &trouble.traces, place)
        }
        FileFormat::Empty => {
            advise("Copy the file again: a build step left it empty, as a failed download or a redirection does")
        }
        FileFormat::InvalidShebang => {
            advise("Let the first line be `#!` and the path of an interpreter, all within 256 bytes")
        }
        FileFormat::NoShebang => vec![
            Remedy::with_command(
                "Begin the script with a line that names its interpreter",
                format!("sed -i '1i #!/bin/sh' {name}"),
            ),
            Remedy::with_command("Or have a shell start it", format!("ENTRYPOINT [\"/bin/sh\", \"{path}\"]")),
        ],
        FileFormat::MisplacedShebang => vec![Remedy::with_command(
            "Let `#!` be the very first bytes: no byte order mark, no blank line, no space before it",
            format!("sed -i -e '1s/^\\xEF\\xBB\\xBF//' -e '/./,$!d' -e '1s/^[ \\t]*#!/#!/' {name}"),
        )],
        FileFormat::Utf16 => {
            vec![Remedy::with_command(
                "Save it as UTF-8",
                format!("iconv -f UTF-16 -t UTF-8 {name} > {name}.new && mv {name}.new {name}"),
            )]
        }
        FileFormat::MachO => linux_build_remedies("macOS", fault.platform.as_ref()),
        FileFormat::Pe => linux_build_remedies("Windows", fault.platform.as_ref()),
        FileFormat::Wasm => advise("Name a WebAssembly runtime as the entrypoint, and the module as its argument"),
        FileFormat::NonExecutableElf | FileFormat::DamagedElf | FileFormat::Other => {
            advise("Copy the program again: what is there is cut off, damaged, or was never a program")
        }
    }
}

/// A path as a command may hold it, or a word that stands for one.
fn command_safe_path(path: &str) -> &str {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    // A name that begins so would be taken for an option.
    let is_option = path.split('/').any(|name| name.starts_with('-'));
    if !path.is_empty() && !path.ends_with('/') && !is_option && path.chars().all(is_plain) { path } else { "FILE" }
}

/// The last name of a path.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A program that was built for another processor than the image says.
fn rebuild_remedies(platform: Option<&Platform>, traces: &[BuildHint], place: ReportContext<'_>) -> Vec<Remedy> {
    let told = |trace: &BuildHint| {
        Remedy::advice_only(match trace {
            BuildHint::BuildPlatform => {
                "The image's history speaks of the platform that builds it: let only build stages be `FROM \
                 --platform=$BUILDPLATFORM`, and build there for `$TARGETARCH`"
                    .to_owned()
            }
            BuildHint::FixedArchitecture(words) => {
                format!("A build step has the architecture fixed, `{words}`: take `$TARGETARCH` in its place")
            }
            BuildHint::Uname => {
                "A build step asks which processor builds the image (`uname -m`): take `$TARGETARCH` in its place"
                    .to_owned()
            }
        })
    };
    let mut remedies: Vec<Remedy> = traces.iter().map(told).collect();
    let platform = platform.filter(|platform| platform.is_known()).map_or("PLATFORM".to_owned(), ToString::to_string);
    let command = format!("docker buildx build --platform {platform} --no-cache --tag {} --push .", place.image_uri());
    remedies.push(Remedy::with_command(
        "Build it for what its label says: no `FROM --platform=$BUILDPLATFORM` in the last stage, no fixed GOARCH, no \
         base pinned to one platform",
        command,
    ));
    remedies
}

/// A program that was built for another system.
fn linux_build_remedies(system: &str, platform: Option<&Platform>) -> Vec<Remedy> {
    let architecture = platform.map(Platform::architecture).filter(|name| !name.is_empty()).unwrap_or("ARCHITECTURE");
    vec![
        Remedy::advice_only(format!("Build the program within the image's own build, not on {system}")),
        Remedy::with_command(
            "Or build it for Linux there, in Go for example",
            format!("GOOS=linux GOARCH={architecture} go build"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::command_safe_path;

    #[test]
    fn only_plain_paths_stand_in_commands() {
        for plain in ["/app", "/usr/local/bin/docker-entrypoint.sh", "run_it"] {
            assert_eq!(command_safe_path(plain), plain);
        }
        for other in ["", "-rf", "/a b", "/a;b", "/$(x)", "/é", "/a\u{fffd}", "/`x`", "/a'", "/a/-ewMakefile", "/a/"] {
            assert_eq!(command_safe_path(other), "FILE", "{other}");
        }
    }
}
