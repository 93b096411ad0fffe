//! Where the image is meant to run, and who said so.
//!
//! Does not read anything itself: it is given the texts, the strongest source first.

use serde::Serialize;

use crate::name::Tag;
use crate::runtime::{Runtime, RuntimeError, Service, normalize_architecture};

/// Who declared an intended runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeclarationSource {
    /// The image's tag, by its words.
    ImageTag,
    /// A resource tag of the repository.
    RepositoryTag,
    /// A label in the image's config.
    Label,
    /// The setting for everything else.
    Default,
    /// The person at the command line.
    CommandLine,
}

impl DeclarationSource {
    /// Its name in a sentence.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ImageTag => "the image's tag",
            Self::RepositoryTag => "the repository's tag",
            Self::Label => "the image's label",
            Self::Default => "the default setting",
            Self::CommandLine => "the command line",
        }
    }
}

/// One declared runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredRuntime {
    /// The runtime.
    pub runtime: Runtime,
    /// Who declared it.
    pub declared_by: DeclarationSource,
}

/// One word of a declaration that names no runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDeclaration {
    /// The word, and what it may have meant.
    pub error: RuntimeError,
    /// Where it stands.
    pub declared_by: DeclarationSource,
}

/// The intended runtimes of one image. The first source that declares any, readable or not, decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Intent {
    /// What is declared.
    pub declared: Vec<DeclaredRuntime>,
    /// A bare architecture at the end of the image's tag: the image is sound as well where it suits this.
    pub architecture_hint: Option<Runtime>,
    /// What could not be read.
    pub invalid: Vec<InvalidDeclaration>,
}

/// How many words of one declaration are read: a resource tag's value holds 256 characters, a label any number.
const MAX_WORDS: usize = 16;

impl Intent {
    /// What the image's tag declares, or hints at.
    #[must_use]
    pub fn from_tag(tag: &Tag) -> Self {
        let lower = tag.as_str().to_ascii_lowercase();
        let words = split_tag(&lower);
        let mut intent = Self::default();
        // A branch's name tells what was worked on, not where the image runs.
        if !words.first().is_some_and(|first| BRANCH_PREFIXES.contains(first)) {
            for at in 0..words.len() {
                intent.parse_service(&words[at..]);
            }
            if words.last() == Some(&"apprunner") {
                intent.declare(Runtime::AppRunner, DeclarationSource::ImageTag);
            }
        }
        if intent.declared.is_empty() {
            intent.architecture_hint = detect_architecture_hint(&words);
        }
        intent
    }

    /// Exactly these, as a person asked.
    #[must_use]
    pub fn from_command_line(runtimes: &[Runtime]) -> Self {
        let mut intent = Self::default();
        runtimes.iter().for_each(|runtime| intent.declare(*runtime, DeclarationSource::CommandLine));
        intent
    }

    /// Whether a source has declared something, be it unreadable. A hint is no declaration.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        !self.declared.is_empty() || !self.invalid.is_empty()
    }

    /// Every runtime that the image may be held against: those that are declared, and their services with the
    /// architecture that the tag hints at.
    #[must_use]
    pub fn candidates(&self) -> Vec<Runtime> {
        let mut candidates: Vec<Runtime> = self.declared.iter().map(|declared| declared.runtime).collect();
        if let Some(hint) = self.architecture_hint {
            let there =
                |runtime: &Runtime| Runtime::for_service(runtime.profile().service, hint.profile().architecture);
            let hinted: Vec<Runtime> = candidates.iter().filter_map(there).chain([hint]).collect();
            candidates.extend(hinted);
        }
        candidates
    }

    /// Adds what a weaker source says, where no stronger one has declared anything.
    #[must_use]
    pub fn or_declared_by(mut self, source: DeclarationSource, text: Option<&str>) -> Self {
        let Some(text) = text.filter(|_| !self.is_declared()) else { return self };
        let separators = |c: char| c.is_whitespace() || c == ',' || c == ';';
        let mut words = text.split(separators).filter(|word| !word.is_empty()).take(MAX_WORDS).peekable();
        if words.peek().is_none() {
            // Declared, but with nothing in it: as unreadable as a wrong word.
            self.parse_word("", source);
        }
        words.for_each(|word| self.parse_word(word, source));
        self
    }

    /// Adds default runtimes, where no source has declared anything.
    #[must_use]
    pub fn or_default(mut self, runtimes: &[Runtime]) -> Self {
        if !self.is_declared() {
            runtimes.iter().for_each(|runtime| self.declare(*runtime, DeclarationSource::Default));
        }
        self
    }

    fn parse_word(&mut self, word: &str, source: DeclarationSource) {
        match word.parse() {
            Ok(runtime) => self.declare(runtime, source),
            Err(error) => self.invalid.push(InvalidDeclaration { error, declared_by: source }),
        }
    }

    /// Reads a service and the architectures that follow it. `linux` is no service here: `1.4-linux-arm64` is how a
    /// build names its platform.
    fn parse_service(&mut self, words: &[&str]) {
        let express = words.starts_with(&["ecs", "express"]);
        let service =
            words.first().and_then(|word| Service::from_name(word)).filter(|service| *service != Service::Linux);
        let Some(service) = service else { return };
        for word in &words[1 + usize::from(express)..] {
            let Some(architecture) = normalize_architecture(word) else { return };
            if let Some(runtime) = Runtime::for_service(service, architecture) {
                self.declare(runtime, DeclarationSource::ImageTag);
            }
        }
    }

    fn declare(&mut self, runtime: Runtime, declared_by: DeclarationSource) {
        if self.declared.iter().all(|declared| declared.runtime != runtime) {
            self.declared.push(DeclaredRuntime { runtime, declared_by });
        }
    }
}

/// The words of a tag, between `.`, `-` and `_`; the one architecture that holds a separator itself stays one word.
fn split_tag(tag: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = tag;
    while !rest.is_empty() {
        let end = if starts_with_x86_64(rest) { 6 } else { rest.find(['.', '-', '_']).unwrap_or(rest.len()) };
        words.push(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    words
}

fn starts_with_x86_64(text: &str) -> bool {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '-', '_']);
    ["x86_64", "x86-64"].iter().any(|name| text.strip_prefix(name).is_some_and(ends))
}

/// The words with which the names of branches begin, from which builds make tags.
const BRANCH_PREFIXES: [&str; 12] =
    ["fix", "bugfix", "hotfix", "feature", "feat", "chore", "test", "revert", "remove", "docs", "ci", "refactor"];

/// Words of tools that make or run programs for an architecture which is not their own.
const CROSS_BUILD_WORDS: [&str; 4] = ["cross", "qemu", "toolchain", "sysroot"];

/// The platform that a tag's last word hints at: none where the tag names several architectures, or a tool for one.
fn detect_architecture_hint(words: &[&str]) -> Option<Runtime> {
    let last = normalize_architecture(words.last()?)?;
    let is_other = |word: &&str| normalize_architecture(word).is_some_and(|other| other != last);
    if words.iter().any(|word| is_other(word) || CROSS_BUILD_WORDS.contains(word)) {
        return None;
    }
    Runtime::for_service(Service::Linux, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(intent: &Intent) -> String {
        let names: Vec<String> = intent.declared.iter().map(|declared| declared.runtime.to_string()).collect();
        names.join(" ")
    }

    #[test]
    fn tags_that_declare() {
        for (tag, runtimes) in [
            ("1.4.2-ecs-arm64", "ecs/arm64"),
            ("ecs-arm64", "ecs/arm64"),
            ("prod-lambda-x86_64-7", "lambda/amd64"),
            ("prod_lambda_x86-64", "lambda/amd64"),
            ("v1-apprunner", "apprunner"),
            ("apprunner", "apprunner"),
            ("v1-apprunner-amd64-rc.1", "apprunner"),
            ("V1-ECS-ARM64", "ecs/arm64"),
            ("fargate.aarch64.9", "ecs/arm64"),
            ("ecs-express-amd64", "ecs/amd64"),
            ("ecs-amd64-arm64", "ecs/amd64 ecs/arm64"),
            ("ecs-arm64-apprunner", "ecs/arm64 apprunner"),
        ] {
            let intent = Intent::from_tag(&tag.parse().unwrap());
            assert_eq!((declared(&intent).as_str(), intent.architecture_hint), (runtimes, None), "{tag}");
        }
    }

    #[test]
    fn tags_that_only_hint() {
        for (tag, hint) in [
            ("1.4-arm64", "linux/arm64"),
            ("1.4-x86_64", "linux/amd64"),
            ("amd64", "linux/amd64"),
            ("1.4-linux-arm64", "linux/arm64"),
            ("v2_aarch64", "linux/arm64"),
            ("feature-x-arm64", "linux/arm64"),
            ("fix-ecs-arm64", "linux/arm64"),
        ] {
            let intent = Intent::from_tag(&tag.parse().unwrap());
            assert_eq!((declared(&intent), intent.architecture_hint), (String::new(), hint.parse().ok()), "{tag}");
        }
    }

    #[test]
    fn tags_that_say_nothing() {
        for tag in [
            "latest",
            "v1",
            "fix-ecs-timeout",
            "fix-ecs-arm64-bug",
            "feature-apprunner",
            "apprunner-cleanup",
            "ecs",
            "lambda",
            "1.4-arm64-slim",
            "arm",
            "farm64",
            "x86_64-aarch64",
            "cross-aarch64",
            "ecs-timeout-arm",
            "x86_64x",
            "_",
            "a--b",
        ] {
            assert_eq!(Intent::from_tag(&tag.parse().unwrap()), Intent::default(), "{tag}");
        }
    }

    #[test]
    fn declarations_are_lists_of_words() {
        for (text, runtimes, unreadable) in [
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
            assert_eq!((declared(&intent).as_str(), intent.invalid.len()), (runtimes, unreadable), "{text}");
        }
    }

    #[test]
    fn the_first_source_that_declares_decides() {
        let of_tag = |tag: &str| Intent::from_tag(&tag.parse().unwrap());
        let all = |intent: Intent| {
            let intent = intent
                .or_declared_by(DeclarationSource::RepositoryTag, Some("ecs/arm64"))
                .or_declared_by(DeclarationSource::Label, Some("apprunner"));
            intent.or_default(&[Runtime::LinuxAmd64])
        };
        assert_eq!(declared(&all(of_tag("v1-lambda-arm64"))), "lambda/arm64");
        assert_eq!(declared(&all(of_tag("v1"))), "ecs/arm64");
        assert_eq!(
            declared(
                &of_tag("v1")
                    .or_declared_by(DeclarationSource::Label, Some("apprunner"))
                    .or_default(&[Runtime::EcsArm64])
            ),
            "apprunner"
        );
        assert_eq!(declared(&of_tag("v1").or_default(&[Runtime::EcsArm64])), "ecs/arm64");
        // A hint stands beside a declaration, and an unreadable declaration is not passed over for a weaker one.
        assert_eq!(all(of_tag("v1-amd64")).architecture_hint, Some(Runtime::LinuxAmd64));
        let unreadable = Intent::default()
            .or_declared_by(DeclarationSource::RepositoryTag, Some("ecs"))
            .or_declared_by(DeclarationSource::Label, Some("apprunner"));
        assert_eq!(declared(&unreadable), "");
    }
}
