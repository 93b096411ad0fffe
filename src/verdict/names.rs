//! The stable spellings of verdicts, faults and subjects.
//!
//! Does not word findings for people.

use super::{FaultCode, FindingSubject, Verdict};

impl FindingSubject {
    /// Its name in JSON, message attributes and marks.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Runtime(runtime) => runtime.to_string(),
            Self::DeclaredPlatform(platform) => platform.to_string(),
            Self::Declaration(unreadable) => unreadable.error.word.clone(),
        }
    }

    /// Its name in a sentence.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Runtime(runtime) => runtime.profile().title.to_owned(),
            Self::DeclaredPlatform(platform) => format!("its own label, {platform}"),
            Self::Declaration(unreadable) => format!("`{}`", unreadable.error.word),
        }
    }
}

impl FaultCode {
    /// Every code, in the order in which they are documented.
    pub const ALL: [Self; 15] = [
        Self::WrongArchitecture,
        Self::PlatformMissing,
        Self::WrongOs,
        Self::IndexRefused,
        Self::LayerFormatRefused,
        Self::PlatformMismatch,
        Self::DescriptorMismatch,
        Self::IdenticalLayers,
        Self::AttestationTagged,
        Self::ExecFormat,
        Self::ExecNotFound,
        Self::ExecInterpreterMissing,
        Self::ExecPermission,
        Self::ExecLoader,
        Self::InvalidDeclaration,
    ];

    /// Its stable spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongArchitecture => "wrong-architecture",
            Self::PlatformMissing => "platform-missing",
            Self::WrongOs => "wrong-os",
            Self::IndexRefused => "index-refused",
            Self::LayerFormatRefused => "layer-format-refused",
            Self::PlatformMismatch => "platform-mismatch",
            Self::DescriptorMismatch => "descriptor-mismatch",
            Self::IdenticalLayers => "identical-layers",
            Self::AttestationTagged => "attestation-tagged",
            Self::ExecFormat => "exec-format",
            Self::ExecNotFound => "exec-not-found",
            Self::ExecInterpreterMissing => "exec-interpreter-missing",
            Self::ExecPermission => "exec-permission",
            Self::ExecLoader => "exec-loader",
            Self::InvalidDeclaration => "invalid-declaration",
        }
    }
}

impl Verdict {
    /// Its stable spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Undeclared => "undeclared",
            Self::Runs => "runs",
            Self::Unknown => "unknown",
            Self::Fails => "fails",
        }
    }
}
