//! What to do about a program that does not start, by its cause.
//!
//! Does not put a path into a command that could be more than a path there: names in an image are anybody's.

use super::Place;
use super::remedy::Remedy;
use crate::exec::{Defect, Format, Role};
use crate::oci::Trace;
use crate::platform::Platform;
use crate::verdict::{Fault, Trouble};

/// What to do about a program that does not start, the likeliest first.
pub(super) fn repair(fault: &Fault, trouble: &Trouble, place: Place<'_>) -> Vec<Remedy> {
    let path = safe(&trouble.path);
    let name = last(path);
    let opener = safe(trouble.opener.as_deref().unwrap_or_default());
    let advise = |text: &str| vec![Remedy::advise(text)];
    let role = trouble.cause.role;
    match &trouble.cause.defect {
        Defect::Format(format) => formatted(*format, fault, trouble, place),
        Defect::CarriageReturn => vec![
            Remedy::run("End the script's lines as Unix does", format!("sed -i 's/\\r$//' {}", last(opener))),
            Remedy::run("And keep git from changing them back, in .gitattributes", "*.sh text eol=lf".to_owned()),
        ],
        Defect::OtherLibrary => vec![
            Remedy::advise(
                "Build the program for the C library that the image has, or statically (`CGO_ENABLED=0` in Go)",
            ),
            Remedy::advise(
                "Or take a base image with the program's own C library: Debian's for glibc, Alpine for musl",
            ),
        ],
        Defect::NotExecutable { .. } => {
            let command = match role {
                Role::Program => format!("COPY --chmod=755 {name} {path}"),
                Role::Interpreter | Role::Loader => format!("RUN chmod a+x {path}"),
            };
            vec![Remedy::run("Let everybody execute it, in the Dockerfile", command)]
        }
        Defect::NotSearchable => advise("Let everybody enter the directories on the way to it: `chmod a+x`"),
        Defect::Directory | Defect::Special => advise("Name the program itself in ENTRYPOINT or CMD"),
        Defect::Nested => advise("Let the script name a program as its interpreter, not a script"),
        Defect::Missing | Defect::Dangling { .. } | Defect::NoDirectory | Defect::Links | Defect::NameTooLong => {
            match role {
                Role::Loader => advise("Link the program statically, or take a base image that has its C library"),
                Role::Interpreter => advise("Install the interpreter in the image, or name one that is there"),
                Role::Program if !trouble.is_first => {
                    advise("Install in the image what is to be started, or name what is there")
                }
                Role::Program if !trouble.path.contains('/') => {
                    advise("Put the program into a directory of PATH, executable for everybody, or name it by its path")
                }
                Role::Program => advise("Copy the program to where ENTRYPOINT or CMD names it, or name it where it is"),
            }
        }
    }
}

/// What to do about a file that is nothing for this machine.
fn formatted(format: Format, fault: &Fault, trouble: &Trouble, place: Place<'_>) -> Vec<Remedy> {
    let path = safe(&trouble.path);
    let name = last(path);
    let advise = |text: &str| vec![Remedy::advise(text)];
    match format {
        Format::Foreign(_) | Format::OtherMachine(_) => built(fault.platform.as_ref(), &trouble.traces, place),
        Format::Empty => {
            advise("Copy the file again: a build step left it empty, as a failed download or a redirection does")
        }
        Format::NoInterpreter => {
            advise("Let the first line be `#!` and the path of an interpreter, all within 256 bytes")
        }
        Format::NoShebang => vec![
            Remedy::run(
                "Begin the script with a line that names its interpreter",
                format!("sed -i '1i #!/bin/sh' {name}"),
            ),
            Remedy::run("Or have a shell start it", format!("ENTRYPOINT [\"/bin/sh\", \"{path}\"]")),
        ],
        Format::MisplacedShebang => vec![Remedy::run(
            "Let `#!` be the very first bytes: no byte order mark, no blank line, no space before it",
            format!("sed -i -e '1s/^\\xEF\\xBB\\xBF//' -e '/./,$!d' -e '1s/^[ \\t]*#!/#!/' {name}"),
        )],
        Format::Utf16 => {
            vec![Remedy::run(
                "Save it as UTF-8",
                format!("iconv -f UTF-16 -t UTF-8 {name} > {name}.new && mv {name}.new {name}"),
            )]
        }
        Format::MachO => built_for("macOS", fault.platform.as_ref()),
        Format::Pe => built_for("Windows", fault.platform.as_ref()),
        Format::Wasm => advise("Name a WebAssembly runtime as the entrypoint, and the module as its argument"),
        Format::NoProgram | Format::DamagedElf | Format::Other => {
            advise("Copy the program again: what is there is cut off, damaged, or was never a program")
        }
    }
}

/// A path as a command may hold it, or a word that stands for one.
fn safe(path: &str) -> &str {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    // A name that begins so would be taken for an option.
    let is_option = path.split('/').any(|name| name.starts_with('-'));
    if !path.is_empty() && !path.ends_with('/') && !is_option && path.chars().all(is_plain) { path } else { "FILE" }
}

/// The last name of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A program that was built for another processor than the image says.
fn built(platform: Option<&Platform>, traces: &[Trace], place: Place<'_>) -> Vec<Remedy> {
    let told = |trace: &Trace| {
        Remedy::advise(match trace {
            Trace::BuildPlatform => {
                "The image's history speaks of the platform that builds it: let only build stages be `FROM \
                 --platform=$BUILDPLATFORM`, and build there for `$TARGETARCH`"
                    .to_owned()
            }
            Trace::Fixed(words) => {
                format!("A build step has the architecture fixed, `{words}`: take `$TARGETARCH` in its place")
            }
            Trace::Uname => {
                "A build step asks which processor builds the image (`uname -m`): take `$TARGETARCH` in its place"
                    .to_owned()
            }
        })
    };
    let mut remedies: Vec<Remedy> = traces.iter().map(told).collect();
    let platform = platform.filter(|platform| platform.is_known()).map_or("PLATFORM".to_owned(), ToString::to_string);
    let command = format!("docker buildx build --platform {platform} --no-cache --tag {} --push .", place.address());
    remedies.push(Remedy::run(
        "Build it for what its label says: no `FROM --platform=$BUILDPLATFORM` in the last stage, no fixed GOARCH, no \
         base pinned to one platform",
        command,
    ));
    remedies
}

/// A program that was built for another system.
fn built_for(system: &str, platform: Option<&Platform>) -> Vec<Remedy> {
    let architecture = platform.map(Platform::architecture).filter(|name| !name.is_empty()).unwrap_or("ARCHITECTURE");
    vec![
        Remedy::advise(format!("Build the program within the image's own build, not on {system}")),
        Remedy::run(
            "Or build it for Linux there, in Go for example",
            format!("GOOS=linux GOARCH={architecture} go build"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn only_plain_paths_stand_in_commands() {
        for plain in ["/app", "/usr/local/bin/docker-entrypoint.sh", "run_it"] {
            assert_eq!(safe(plain), plain);
        }
        for other in ["", "-rf", "/a b", "/a;b", "/$(x)", "/é", "/a\u{fffd}", "/`x`", "/a'", "/a/-ewMakefile", "/a/"] {
            assert_eq!(safe(other), "FILE", "{other}");
        }
    }
}
