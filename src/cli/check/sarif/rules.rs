//! The stable fault codes as SARIF's rules: what each means, and what mends it in general.
//!
//! Does not know any image: what mends that one stands in its result.

use super::model::{SarifMessage, SarifRule, SarifRuleConfiguration};
use crate::verdict::FaultCode;

/// The rule of what could not be told.
pub(super) const UNKNOWN_RULE: &str = "unknown";

/// Every rule, in the order of the codes.
pub(super) fn build_rules() -> Vec<SarifRule> {
    let rule = |id, level, [short, full, help]: [&str; 3]| SarifRule {
        id,
        short_description: SarifMessage::plain(short),
        full_description: SarifMessage::plain(full),
        help: SarifMessage { text: help.to_owned(), markdown: Some(help.to_owned()) },
        default_configuration: SarifRuleConfiguration { level },
    };
    let mut rules: Vec<SarifRule> =
        FaultCode::ALL.iter().map(|code| rule(code.as_str(), rule_level(*code), rule_texts(*code))).collect();
    rules.push(rule(
        UNKNOWN_RULE,
        "warning",
        [
            "It could not be told whether the image starts",
            "What the answer hangs on could not be read, or is not decided by the image alone. It is not a fault, and \
             not a pass.",
            "The message says why. Check the image where it can be read, or start it once on the runtime.",
        ],
    ));
    rules
}

/// The place of a rule in the list.
pub(super) fn rule_index(id: &str) -> usize {
    FaultCode::ALL.iter().position(|code| code.as_str() == id).unwrap_or(FaultCode::ALL.len())
}

fn rule_level(code: FaultCode) -> &'static str {
    if code == FaultCode::InvalidDeclaration { "warning" } else { "error" }
}

/// What is wrong in one line, what comes of it, and what mends it.
fn rule_texts(code: FaultCode) -> [&'static str; 3] {
    const BUILD: &str = "Build the image for the runtime's platform: `docker buildx build --platform linux/amd64 …`, \
                         or `linux/arm64`. Or run it on a runtime of its own architecture.";
    const COPY: &str = "Have the Dockerfile copy the program to the path that ENTRYPOINT or CMD names, in the last \
                        stage of the build.";
    match code {
        FaultCode::WrongArchitecture => [
            "A single image for another architecture",
            "The runtime's kernel cannot start a program for another processor: `exec format error`.",
            BUILD,
        ],
        FaultCode::PlatformMissing => [
            "An index without the platform",
            "The image has several platforms, and the runtime's is not among them: it cannot be pulled there.",
            BUILD,
        ],
        FaultCode::WrongOs => [
            "An image for another operating system",
            "The runtime starts Linux, and the image is made for something else.",
            BUILD,
        ],
        FaultCode::IndexRefused => [
            "An index where the service takes none",
            "AWS Lambda takes a single image and never an index. `docker build` makes one by default, to attach \
             attestations.",
            "Build a single image: `docker buildx build --provenance=false --sbom=false --platform linux/amd64 …`.",
        ],
        FaultCode::LayerFormatRefused => [
            "Layers that the service does not take",
            "AWS Lambda does not take uncompressed layers under Docker's media types.",
            "Build with gzip layers: `--output type=image,compression=gzip,force-compression=true,…`.",
        ],
        FaultCode::PlatformMismatch => [
            "A label that says one architecture, and a program for another",
            "The config names one architecture, and a program that the image starts is made for another.",
            "Build every stage for the target platform: no `FROM --platform=$BUILDPLATFORM` in the last stage, no fixed \
             GOARCH, no downloads for one architecture.",
        ],
        FaultCode::DescriptorMismatch => [
            "An index entry that contradicts the config of its child",
            "The index lists an image under a platform that the image itself does not claim.",
            "Build each platform for itself, and let the builder write the index.",
        ],
        FaultCode::IdenticalLayers => [
            "Two architectures of one index with the same files",
            "At most one of the two can start.",
            "Build each platform for itself: no base pinned to one platform, no fixed GOARCH.",
        ],
        FaultCode::AttestationTagged => [
            "A tag that points at an attestation",
            "An attestation looks like an image to a runtime, and starts nothing.",
            "Push the image, or its index, under the tag.",
        ],
        FaultCode::ExecFormat => [
            "What is started is nothing that the kernel starts",
            "The file is empty, a script without `#!`, or a program for macOS or Windows: `exec format error`.",
            "Build the program for Linux within the image's own build; begin scripts with `#!/bin/sh`.",
        ],
        FaultCode::ExecNotFound => [
            "The command is not in the image, or in no directory of PATH",
            "The container ends before it begins: `no such file or directory` or `executable file not found`.",
            COPY,
        ],
        FaultCode::ExecInterpreterMissing => [
            "The first line of a script names what is not in the image",
            "The interpreter is not installed, or the line ends with a carriage return, as on Windows.",
            "Install the interpreter, or save the script with Unix line ends: `sed -i 's/\\r$//' FILE`.",
        ],
        FaultCode::ExecPermission => [
            "The file, its interpreter or its loader may not be executed by the image's user",
            "The kernel answers `permission denied`.",
            "Set the permission in the Dockerfile: `COPY --chmod=755 …`, or `RUN chmod 755 FILE`.",
        ],
        FaultCode::ExecLoader => [
            "The program's loader is missing, or not one for it",
            "A program that is linked against one C library meets the other, such as a glibc program on Alpine.",
            "Link it statically, or use a base image with the C library that it was built against.",
        ],
        FaultCode::InvalidDeclaration => [
            "A declaration that names no runtime",
            "Where the image is meant to run is declared in words that name no runtime, so it is not checked.",
            "Declare one of: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, linux/amd64, linux/arm64.",
        ],
    }
}
