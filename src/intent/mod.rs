//! The intended runtimes of an image, and the source that declares them. From strongest to weakest, the sources are the
//! image tag, the repository's resource tag, the label, and the default setting.

mod image_tag;

use serde::Serialize;

use self::image_tag::parse_image_tag;
use crate::name::Tag;
use crate::runtime::{Runtime, RuntimeError};

/// The source of a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeclarationSource {
    /// The image tag.
    ImageTag,
    /// A resource tag of the repository.
    RepositoryTag,
    /// A label in the image config.
    Label,
    /// The setting `PREFLIGHT_DEFAULT_RUNTIME`.
    Default,
    /// The command line.
    CommandLine,
    /// A consumer: what runs the image, for example a task definition.
    Consumer,
}

impl DeclarationSource {
    /// Returns the name of the source in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Self::ImageTag => "the image's tag",
            Self::RepositoryTag => "the repository's tag",
            Self::Label => "the image's label",
            Self::Default => "the default setting",
            Self::CommandLine => "the command line",
            Self::Consumer => "what runs it",
        }
    }
}

/// One declared runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredRuntime {
    /// The runtime.
    pub runtime: Runtime,
    /// The source that declares it.
    pub declared_by: DeclarationSource,
}

/// One word of a declaration that is not the name of a runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDeclaration {
    /// The word, and the runtimes with similar names.
    pub error: RuntimeError,
    /// The source that contains it.
    pub declared_by: DeclarationSource,
}

/// The intended runtimes of an image, from the strongest source that declares anything, valid or not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intent {
    /// The declared runtimes.
    pub declared: Vec<DeclaredRuntime>,
    /// The Linux runtime of the architecture at the end of the image tag. An image for this architecture does not fail,
    /// even if it does not suit the declared runtimes.
    pub architecture_hint: Option<Runtime>,
    /// The runtimes that the repository declares, if the image tag declares others. An image that runs on all of them
    /// does not fail: one of the two declarations is outdated, and it is unknown which.
    pub repository_runtimes: Vec<Runtime>,
    /// The words that are not names of runtimes.
    pub invalid: Vec<InvalidDeclaration>,
}

/// How many words of a declaration are parsed. A resource tag has at most 256 characters; a label has no limit.
const MAX_WORDS: usize = 16;

impl Intent {
    /// Parses an image tag like `v1-ecs-arm64` or `v1-apprunner`. An architecture alone (`v1-arm64`) is only a hint.
    pub fn from_tag(tag: &Tag) -> Self {
        let (runtimes, architecture_hint) = parse_image_tag(tag);
        Self { architecture_hint, ..Self::default().or_runtimes(&runtimes, DeclarationSource::ImageTag) }
    }

    /// Creates the intent of runtimes that are named on the command line.
    pub fn from_command_line(runtimes: &[Runtime]) -> Self {
        Self::default().or_runtimes(runtimes, DeclarationSource::CommandLine)
    }

    /// Creates the intent of a consumer that runs the image on this runtime.
    pub fn from_consumer(runtime: Runtime) -> Self {
        Self::default().or_runtimes(&[runtime], DeclarationSource::Consumer)
    }

    /// Returns whether a source declares anything, valid or not. A hint is not a declaration.
    pub fn is_declared(&self) -> bool {
        !self.declared.is_empty() || !self.invalid.is_empty()
    }

    /// Returns the declared runtimes, those of the repository if it declares others, and the same services on the
    /// architecture that the tag hints at.
    pub fn candidates(&self) -> Vec<Runtime> {
        let mut candidates: Vec<Runtime> = self.declared.iter().map(|declared| declared.runtime).collect();
        candidates.extend(&self.repository_runtimes);
        if let Some(hint) = self.architecture_hint {
            let architecture = hint.profile().architecture;
            let services = self.declared.iter().map(|declared| declared.runtime.profile().service);
            candidates.extend(services.filter_map(|service| Runtime::for_service(service, architecture)));
            candidates.push(hint);
        }
        candidates
    }

    /// Adds the declaration of a weaker source, unless a stronger source has declared anything. If the image tag has,
    /// the repository's runtimes are kept to compare them.
    pub fn or_declared_by(mut self, source: DeclarationSource, text: Option<&str>) -> Self {
        let Some(text) = text else { return self };
        if self.is_declared() {
            let is_image_tag = self.declared.iter().all(|declared| declared.declared_by == DeclarationSource::ImageTag);
            if source == DeclarationSource::RepositoryTag && is_image_tag {
                let repository = Self::default().or_declared_by(source, Some(text)).candidates();
                self.repository_runtimes = if repository == self.candidates() { Vec::new() } else { repository };
            }
            return self;
        }
        let is_separator = |c: char| c.is_whitespace() || c == ',' || c == ';';
        let mut words: Vec<&str> = text.split(is_separator).filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
        if words.is_empty() {
            // An empty declaration is invalid.
            words.push("");
        }
        for word in words {
            match word.parse() {
                Ok(runtime) => self.declare(runtime, source),
                Err(error) => self.invalid.push(InvalidDeclaration { error, declared_by: source }),
            }
        }
        self
    }

    /// Adds default runtimes, unless a source has declared anything.
    pub fn or_default(self, runtimes: &[Runtime]) -> Self {
        self.or_runtimes(runtimes, DeclarationSource::Default)
    }

    fn or_runtimes(mut self, runtimes: &[Runtime], source: DeclarationSource) -> Self {
        if !self.is_declared() {
            runtimes.iter().for_each(|runtime| self.declare(*runtime, source));
        }
        self
    }

    fn declare(&mut self, runtime: Runtime, declared_by: DeclarationSource) {
        if self.declared.iter().all(|declared| declared.runtime != runtime) {
            self.declared.push(DeclaredRuntime { runtime, declared_by });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(intent: &Intent) -> String {
        intent.declared.iter().map(|declared| declared.runtime.profile().name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn declarations_are_lists_of_runtimes() {
        for (text, runtimes, invalid) in [
            ("ecs/arm64", "ecs/arm64", 0),
            (" ecs/arm64  apprunner ", "ecs/arm64 apprunner", 0),
            ("ecs/arm64,apprunner;lambda/arm64", "ecs/arm64 apprunner lambda/arm64", 0),
            ("ecs/arm64 ecs:aarch64", "ecs/arm64", 0),
            ("ecs/arm64 apprunnr", "ecs/arm64", 1),
            ("ecs", "", 1),
            ("", "", 1),
            ("   ", "", 1),
            ("true false", "", 2),
        ] {
            let intent = Intent::default().or_declared_by(DeclarationSource::RepositoryTag, Some(text));
            assert_eq!((declared(&intent).as_str(), intent.invalid.len()), (runtimes, invalid), "{text}");
        }
    }

    #[test]
    fn first_source_that_declares_counts() {
        use DeclarationSource::{Label, RepositoryTag};
        for (tag, repository, label, expected) in [
            ("v1-lambda-arm64", Some("ecs/arm64"), Some("apprunner"), "lambda/arm64"),
            ("v1", Some("ecs/arm64"), Some("apprunner"), "ecs/arm64"),
            ("v1", None, Some("apprunner"), "apprunner"),
            ("v1", None, None, "linux/amd64"),
            // A declaration does not replace a hint.
            ("v1-amd64", Some("ecs/arm64"), None, "ecs/arm64"),
            // An invalid declaration is not replaced by a weaker one.
            ("v1", Some("ecs"), Some("apprunner"), ""),
        ] {
            let intent = Intent::from_tag(&tag.parse().unwrap())
                .or_declared_by(RepositoryTag, repository)
                .or_declared_by(Label, label)
                .or_default(&[Runtime::LinuxAmd64]);
            assert_eq!(declared(&intent), expected, "{tag} {repository:?} {label:?}");
            assert_eq!(intent.architecture_hint, tag.ends_with("amd64").then_some(Runtime::LinuxAmd64), "{tag}");
        }
    }
}
