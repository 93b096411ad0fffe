//! The faults of an image, and the table of fault codes with the texts of README, SARIF rules, HTML page and Slack card.

use serde::Serialize;

use crate::exec::{Defect, StartFailure};
use crate::launch::Launcher;
use crate::oci::BuildHint;
use crate::platform::Platform;
use crate::text::sanitize_quoted;

/// The documentation of a fault code. The texts are Markdown, in lower case and without a period, except for the fix,
/// which consists of full sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultInfo {
    /// The stable name, which is also the anchor in the documentation.
    pub name: &'static str,
    /// The fault in a few words, without markup.
    pub title: &'static str,
    /// The fault in one phrase.
    pub explanation: &'static str,
    /// What generally fixes it.
    pub fix: &'static str,
}

/// Declares the codes and their documentation.
macro_rules! fault_codes {
    ($($code:ident($name:literal) { title: $title:literal, explanation: $explanation:literal, fix: $fix:expr, })*) => {
        /// The kind of a fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub enum FaultCode {
            $(#[doc = $explanation] #[serde(rename = $name)] $code,)*
        }

        impl FaultCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// Returns the documentation of the code.
            pub const fn info(self) -> FaultInfo {
                match self {
                    $(Self::$code => FaultInfo { name: $name, title: $title, explanation: $explanation, fix: $fix },)*
                }
            }
        }
    };
}

const BUILD_FOR_RUNTIME: &str = "Build the image for the runtime's platform: `docker buildx build --platform linux/amd64 …`, \
                                 or `linux/arm64`. Or run it on a runtime of its own architecture.";

fault_codes! {
    WrongArchitecture("wrong-architecture") {
        title: "image built for another architecture",
        explanation: "a single image for another architecture",
        fix: BUILD_FOR_RUNTIME,
    }
    PlatformMissing("platform-missing") {
        title: "index without the runtime's platform",
        explanation: "an index that lacks the required platform",
        fix: BUILD_FOR_RUNTIME,
    }
    WrongOs("wrong-os") {
        title: "image built for another operating system",
        explanation: "an image for another operating system",
        fix: BUILD_FOR_RUNTIME,
    }
    IndexRefused("index-refused") {
        title: "index for a service that accepts only single images",
        explanation: "an index for a service that accepts only single images (Lambda)",
        fix: "Build a single image. `docker build` makes an index by default, to attach attestations: `docker buildx build \
              --provenance=false --sbom=false --platform linux/amd64 …` does not.",
    }
    LayerFormatRefused("layer-format-refused") {
        title: "layer format that the service does not accept",
        explanation: "layers in a format that the service does not accept",
        fix: "Build with gzip layers: `--output type=image,compression=gzip,force-compression=true,…`. AWS Lambda does not \
              accept uncompressed layers under Docker's media types.",
    }
    PlatformMismatch("platform-mismatch") {
        title: "declared platform contradicts the program",
        explanation: "the declared platform and the program that starts are for different architectures",
        fix: "Build every stage for the target platform: no `FROM --platform=$BUILDPLATFORM` in the last stage, no fixed \
              GOARCH, no downloads for one architecture.",
    }
    DescriptorMismatch("descriptor-mismatch") {
        title: "index entry contradicts the config of its image",
        explanation: "an index entry that contradicts the config of its image",
        fix: "Build each platform separately, and let the builder write the index.",
    }
    IdenticalLayers("identical-layers") {
        title: "two architectures of an index have the same layers",
        explanation: "two architectures of one index with the same layers; at most one of them can start",
        fix: "Build each platform separately: no base image pinned to one platform, no fixed GOARCH.",
    }
    AttestationTagged("attestation-tagged") {
        title: "tag points at an attestation",
        explanation: "a tag that points at an attestation, not at an image",
        fix: "Push the image, or its index, under the tag.",
    }
    ImageDamaged("image-damaged") {
        title: "image that the runtime cannot pull or unpack",
        explanation: "a missing or damaged layer, or documents that contradict each other",
        fix: "Build the image and push it again, or copy it again from where it is intact, with a tool that copies it \
              unchanged: `docker buildx imagetools create`, `skopeo copy` or `crane copy`.",
    }
    ConsumerConflict("consumer-conflict") {
        title: "consumers that no single image suits",
        explanation: "no single image suits everything that runs it",
        fix: "Push one image for each, under separate tags or to separate repositories: AWS Lambda accepts no index, and the \
              other consumer runs on another platform.",
    }
    NotAnImage("not-an-image") {
        title: "artifact instead of a container image",
        explanation: "an artifact, for example a Helm chart, in place of the image that `--runtime` requires",
        fix: "Check the image, not the artifact. Without `--runtime`, artifacts are not checked.",
    }
    ExecFormat("exec-format") {
        title: "file that the kernel cannot execute",
        explanation: "a file that the kernel cannot execute: empty, no `#!` line, or built for macOS or Windows",
        fix: "Build the program for Linux as part of the image's own build. Begin scripts with `#!/bin/sh`.",
    }
    ExecNotFound("exec-not-found") {
        title: "command not found in the image",
        explanation: "the command is not in the image, or not in any directory of `PATH`",
        fix: "In the last stage of the Dockerfile, copy the program to the path that ENTRYPOINT or CMD names.",
    }
    ExecInterpreterMissing("exec-interpreter-missing") {
        title: "script interpreter not found in the image",
        explanation: "the `#!` line names a file that is not in the image",
        fix: "Install the interpreter. If the line ends with a carriage return (CRLF), save the script with Unix line \
              endings: `perl -pi -e 's/\\r$//' FILE`.",
    }
    ExecBashScript("exec-bash-script") {
        title: "script for bash that dash runs",
        explanation: "a script with syntax or commands of bash that `/bin/sh` runs, which is dash",
        fix: "Begin the script with `#!/bin/bash`, and install bash. Or write it for every POSIX shell.",
    }
    ExecOptionRefused("exec-option-refused") {
        title: "option that an init program refuses",
        explanation: "an option of tini or dumb-init with a value that it refuses, so that it starts nothing",
        fix: "Correct the option in ENTRYPOINT: `tini -p SIGTERM` takes the name of a signal, `tini -e 143` a number up to \
              255, `dumb-init --rewrite 15:2` two numbers of signals.",
    }
    ExecPermission("exec-permission") {
        title: "file not executable by the image's user",
        explanation: "the image's user may not execute the file, its interpreter or its loader",
        fix: "Set the permission in the Dockerfile: `COPY --chmod=755 …`, or `RUN chmod 755 FILE`.",
    }
    ExecLoader("exec-loader") {
        title: "dynamic loader missing or incompatible",
        explanation: "the program's ELF loader is missing, or is not a loader for it",
        fix: "Link the program statically, or use a base image with the C library that it was built against: a program for \
              glibc does not start on Alpine, which has musl.",
    }
    UserNotFound("user-not-found") {
        title: "user or group that the image does not define",
        explanation: "USER is a name that is not in the image's `/etc/passwd`, or its group is not in `/etc/group`",
        fix: "Create the user in the last stage of the Dockerfile, or name it by its number: `USER 1000:1000`. A number needs \
              no entry in `/etc/passwd`.",
    }
    WorkingDirectoryRefused("working-directory-refused") {
        title: "working directory that cannot be entered",
        explanation: "WORKDIR is a file, or is below a file",
        fix: "Correct WORKDIR in the Dockerfile. Container runtimes create it if it is missing, but not below a file.",
    }
    EnvironmentRefused("environment-refused") {
        title: "environment variable without a name",
        explanation: "an environment variable that has no name, or contains a NUL byte",
        fix: "Remove the variable from ENV, or from the tool that writes the image's config.",
    }
    MountRefused("mount-refused") {
        title: "directory where container runtimes mount a file",
        explanation: "a directory where container runtimes mount a file: `/etc/hosts`, `/etc/hostname` or \
                      `/etc/resolv.conf`",
        fix: "Remove it where it is added: in the source of COPY or ADD, or in an earlier stage. RUN cannot remove it, \
              because the build mounts a file there itself.",
    }
    InvalidDeclaration("invalid-declaration") {
        title: "declared runtime is unknown",
        explanation: "a declaration that does not name a known runtime",
        fix: "Declare one of: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, agentcore, linux/amd64, linux/arm64.",
    }
}

impl FaultCode {
    /// Returns the stable name.
    pub const fn as_str(self) -> &'static str {
        self.info().name
    }

    /// Returns the code with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// Returns the URL of the code's documentation. `docs_url` is the page with the fault table.
    pub fn docs_link(self, docs_url: &str) -> String {
        format!("{docs_url}#{}", self.as_str())
    }

    /// Returns whether the fault is in what the image itself starts, and how, which services may override.
    pub fn is_exec(self) -> bool {
        matches!(
            self,
            Self::UserNotFound | Self::WorkingDirectoryRefused | Self::EnvironmentRefused | Self::MountRefused
        ) || self.as_str().starts_with("exec-")
    }
}

/// One fault of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of the fault.
    pub code: FaultCode,
    /// The declared platform of the faulty image, if the fault concerns one.
    pub platform: Option<Platform>,
    /// What was found, in one sentence without a period.
    pub evidence: String,
    /// The program that does not start, if one was inspected.
    pub failed_program: Option<Box<FailedProgram>>,
    /// The message of a container runtime that refuses the image before it starts a program.
    pub message: Option<String>,
}

/// A program that does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedProgram {
    /// The path that cannot be started or loaded.
    pub path: String,
    /// The file that names it as its interpreter or loader, if one does.
    pub referrer: Option<String>,
    /// Whether the container runtime starts it, not another program.
    pub is_entrypoint: bool,
    /// What starts it.
    pub launcher: Launcher,
    /// The error message, if it is known.
    pub message: Option<String>,
    /// The cause.
    pub cause: StartFailure,
    /// What the image's history shows about its build.
    pub build_hints: Vec<BuildHint>,
}

impl FailedProgram {
    /// Returns the names from the image that the evidence may contain.
    pub fn names(&self) -> Vec<String> {
        let link = match &self.cause.defect {
            Defect::DanglingLink { link, target } => vec![link.as_slice(), target],
            _ => Vec::new(),
        };
        let link = link
            .into_iter()
            .chain(self.cause.similar.as_deref())
            .map(|path| sanitize_quoted(&String::from_utf8_lossy(path)));
        [self.path.clone()].into_iter().chain(self.referrer.clone()).chain(link).collect()
    }
}
