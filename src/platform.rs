//! A platform: operating system, architecture and variant, normalized as in containerd. A missing or malformed part is
//! unknown and never replaced by a default.

use std::fmt;

use serde::{Serialize, Serializer};

/// The platform that an image config or an index descriptor declares. Unknown parts are empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: String,
}

/// The longest part of a platform, in bytes. The allowed characters are those of `specifierRe` in containerd's
/// `platforms.go`. Nothing else may reach a printed command or a tag.
const MAX_PART_BYTES: usize = 32;

/// Aliases of architectures, with the variant that each implies: `normalizeArch` in containerd's `database.go`.
pub(crate) const ARCHITECTURE_ALIASES: [(&str, &str, &str); 7] = [
    ("x86_64", "amd64", ""),
    ("x86-64", "amd64", ""),
    ("aarch64", "arm64", ""),
    ("armv8", "arm64", ""),
    ("i386", "386", ""),
    ("armhf", "arm", "v7"),
    ("armel", "arm", "v6"),
];

/// The default variants of architectures, which are omitted: from the same function.
const DEFAULT_VARIANTS: [(&str, &str); 4] = [("amd64", "v1"), ("arm64", "v8"), ("arm64", "8"), ("arm64", "v8.0")];

impl Platform {
    /// Creates the platform of Linux on this architecture.
    pub fn linux(architecture: &str) -> Self {
        Self::new("linux", architecture, "")
    }

    /// Normalizes the three parts of a descriptor or a config.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let [mut os, mut architecture, mut variant] = [os, architecture, variant].map(normalize_part);
        if os == "macos" {
            "darwin".clone_into(&mut os);
        }
        if let Some((_, name, implied)) = ARCHITECTURE_ALIASES.iter().find(|(alias, ..)| *alias == architecture) {
            (*name).clone_into(&mut architecture);
            if !implied.is_empty() {
                (*implied).clone_into(&mut variant);
            }
        }
        if architecture == "arm" {
            match variant.as_str() {
                "" => variant.push_str("v7"),
                "5" | "6" | "7" | "8" => variant.insert(0, 'v'),
                _ => {}
            }
        }
        if DEFAULT_VARIANTS.contains(&(&architecture, &variant)) {
            variant.clear();
        }
        Self { os, architecture, variant }
    }

    /// Returns the operating system; empty if unknown.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// Returns the architecture; empty if unknown.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// Returns the variant; empty if none was given or it is the architecture's default.
    pub fn variant(&self) -> &str {
        &self.variant
    }

    /// Returns whether the operating system and the architecture are both known.
    pub fn is_known(&self) -> bool {
        !self.os.is_empty() && !self.architecture.is_empty()
    }

    /// Returns whether the operating system or the architecture is known in both platforms and differs. Variants are
    /// not compared, because configs often omit them.
    pub fn contradicts(&self, other: &Self) -> bool {
        let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
        differ(&self.os, &other.os) || differ(&self.architecture, &other.architecture)
    }
}

/// Returns the part in lower case; empty if it is missing, `unknown` or malformed.
fn normalize_part(text: &str) -> String {
    let is_valid =
        text.len() <= MAX_PART_BYTES && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
    let lower = text.to_ascii_lowercase();
    if is_valid && lower != "unknown" { lower } else { String::new() }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = [self.os(), self.architecture()].map(|part| if part.is_empty() { "unknown" } else { part });
        f.write_str(&shown.join("/"))?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_normalized_as_in_containerd() {
        for (shown, spellings) in [
            ("linux/amd64", "linux/amd64 linux/x86_64 linux/x86-64/v1"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/arm64", "linux/aarch64 linux/arm64/v8 linux/arm64/8 linux/armv8 Linux/ARM64"),
            ("linux/arm64/v9", "linux/arm64/v9"),
            ("linux/386", "linux/i386"),
            ("linux/arm/v7", "linux/arm linux/arm/7 linux/armhf"),
            ("linux/arm/v6", "linux/armel"),
            ("darwin/arm64", "macos/arm64"),
            ("windows/amd64", "windows/amd64"),
        ] {
            for text in spellings.split(' ') {
                let mut parts = text.split('/').chain([""]);
                let [os, architecture, variant] = [(); 3].map(|()| parts.next().unwrap());
                assert_eq!(Platform::new(os, architecture, variant).to_string(), shown, "{text}");
            }
        }
    }

    #[test]
    fn missing_and_malformed_parts_are_unknown() {
        for (os, architecture, shown) in [
            ("", "", "unknown/unknown"),
            ("linux", "", "linux/unknown"),
            ("", "arm64", "unknown/arm64"),
            ("unknown", "unknown", "unknown/unknown"),
            ("linux", "arm64; rm -rf /", "linux/unknown"),
            ("linux", "<script>", "linux/unknown"),
            ("linux", "arm64\n", "linux/unknown"),
        ] {
            let platform = Platform::new(os, architecture, "");
            assert_eq!(platform.to_string(), shown);
            assert!(!platform.is_known());
        }
    }

    #[test]
    fn only_known_parts_can_contradict() {
        let contradicts = |a: &str, b: &str| Platform::linux(a).contradicts(&Platform::linux(b));
        assert!(contradicts("amd64", "arm64"));
        assert!(!contradicts("amd64", ""));
        assert!(!contradicts("amd64", "x86_64"));
        assert!(!Platform::new("linux", "arm", "v6").contradicts(&Platform::linux("arm")));
        assert!(Platform::new("windows", "amd64", "").contradicts(&Platform::linux("amd64")));
    }
}
