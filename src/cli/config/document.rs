//! Parses the configuration file. Errors name its line.

use std::path::Path;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::value::Datetime;

use super::super::error::CliError;
use super::super::image_ref::ImageArgument;
use super::find::display_path;
use crate::date::{Date, DateError};
use crate::runtime::Runtime;
use crate::text::sanitize;
use crate::verdict::FaultCode;
use crate::waiver::{ImagePattern, Waiver, parse_fault_name, parse_reason};

/// The longest message of an error, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    images: Vec<ConfiguredImage>,
    #[serde(default)]
    waivers: Vec<WaiverTable>,
}

/// An image that `check` checks if the command line names none.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct ConfiguredImage {
    /// A valid reference, as on the command line.
    #[serde(deserialize_with = "parse_reference")]
    pub(in crate::cli) image: String,
    /// The runtimes; empty for those that the image declares.
    #[serde(default, deserialize_with = "parse_runtimes")]
    pub(in crate::cli) runtimes: Vec<Runtime>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaiverTable {
    #[serde(deserialize_with = "parse_fault")]
    fault: FaultCode,
    #[serde(default, deserialize_with = "parse_some")]
    image: Option<ImagePattern>,
    #[serde(default, deserialize_with = "parse_some")]
    runtime: Option<Runtime>,
    #[serde(deserialize_with = "parse_reason_text")]
    reason: String,
    #[serde(default, deserialize_with = "parse_expires")]
    expires: Option<Date>,
}

/// Parses the text of a file.
///
/// # Errors
/// It is not TOML, or has an unknown key, a wrong type or an invalid value.
pub(super) fn parse_document(text: &str, path: &Path) -> Result<(Vec<ConfiguredImage>, Vec<Waiver>), CliError> {
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let message = sanitize(&rename_terms(error.message()), MAX_MESSAGE_CHARS);
        let source = format!("{}{line}: {message}", display_path(path)).into();
        CliError::Command { source, hint: None, is_usage: true }
    })?;
    let waiver =
        |WaiverTable { fault, image, runtime, reason, expires }| Waiver { fault, image, runtime, reason, expires };
    Ok((document.images, document.waivers.into_iter().map(waiver).collect()))
}

/// Replaces the terms of serde by those of TOML.
fn rename_terms(message: &str) -> String {
    message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("a sequence", "an array")
}

fn parse_fault<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FaultCode, D::Error> {
    let name = String::deserialize(deserializer)?;
    parse_fault_name(&name).map_err(D::Error::custom)
}

fn parse_reference<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let reference = String::deserialize(deserializer)?;
    reference.parse::<ImageArgument>().map_err(D::Error::custom)?;
    Ok(reference)
}

fn parse_runtimes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Runtime>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
}

fn parse_some<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

fn parse_reason_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    parse_reason(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("the reason is empty"))
}

/// Parses a date, with or without quotes.
fn parse_expires<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Date(Datetime),
    }
    let text = match Written::deserialize(deserializer) {
        Ok(Written::Text(text)) => text,
        Ok(Written::Date(date)) => date.to_string(),
        Err(_) => return Err(D::Error::custom(DateError)),
    };
    text.parse().map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(Vec<ConfiguredImage>, Vec<Waiver>), String> {
        parse_document(text, Path::new("c.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn images_and_waivers_are_read() {
        let text = "[[images]]\nimage = \"oci-archive:api.tar\"\nruntimes = [\"ecs/arm64\", \"fargate/x86_64\"]\n\
                    [[images]]\nimage = 'oci:worker'\n\
                    [[waivers]]\nfault = \"exec-format\"\nreason = \" a\\nb \"\nexpires = 2027-01-31\n\
                    [[waivers]]\nfault = \"wrong-os\"\nimage = \"team/*\"\nruntime = \"apprunner\"\nreason = \"c\"\n\
                    expires = \"2027-02-28\"\n";
        let (images, waivers) = parse(text).unwrap();
        assert_eq!(images[0].runtimes, [Runtime::EcsArm64, Runtime::EcsAmd64]);
        assert_eq!((images[1].image.as_str(), images[1].runtimes.len()), ("oci:worker", 0));
        let of = |waiver: &Waiver| (waiver.describe(), waiver.expires.map(|date| date.to_string()));
        assert_eq!(of(&waivers[0]), ("exec-format".to_owned(), Some("2027-01-31".to_owned())));
        assert_eq!(of(&waivers[1]), ("wrong-os of team/* on apprunner".to_owned(), Some("2027-02-28".to_owned())));
        assert!(!waivers[0].reason.contains('\n'), "{}", waivers[0].reason);
        assert!(parse("").is_ok_and(|(images, waivers)| images.is_empty() && waivers.is_empty()));
    }

    #[test]
    fn errors_name_the_line() {
        let waiver = "[[waivers]]\nreason = \"r\"\nfault = \"exec-format\"\n";
        for (text, expected) in [
            ("images = 5\n".to_owned(), "c.toml:1: invalid type: integer `5`, expected an array"),
            ("\n[[image]]\n".to_owned(), "c.toml:2: unknown key `image`, expected `images` or `waivers`"),
            (
                "[[images]]\nimage = \"a\"\n\nruntime = \"ecs/arm64\"\n".to_owned(),
                "c.toml:4: unknown key `runtime`, expected `image` or `runtimes`",
            ),
            (
                "[[images]]\nimage = \"a\"\nruntimes = [\n \"ecs\"]\n".to_owned(),
                "c.toml:3: unknown runtime `ecs`; did you mean `ecs/amd64` or `ecs/arm64`?",
            ),
            (
                "[[images]]\nimage = \"oci:\"\n".to_owned(),
                "c.toml:2: `oci:` has no directory: expected `oci:DIR[:TAG|@DIGEST]`",
            ),
            ("[[images]]\nruntimes = []\n".to_owned(), "c.toml:1: missing key `image`"),
            ("[[waivers]]\nfault = \"exec-format\"\n".to_owned(), "c.toml:1: missing key `reason`"),
            ("[[waivers]]\nfault = \"exec-format\"\nreason = \" \"\n".to_owned(), "c.toml:3: the reason is empty"),
            (
                "[[waivers]]\nreason = \"r\"\nfault = \"wrong-arch\"\n".to_owned(),
                "c.toml:3: unknown fault `wrong-arch`; did you mean `wrong-architecture`?",
            ),
            (
                format!("{waiver}image = \"\"\n"),
                "c.toml:4: not a pattern: expected the name of a repository or an image of 1 to 1000 bytes, with `*` for any text",
            ),
            (format!("{waiver}image = 7\n"), "c.toml:4: invalid type: integer `7`, expected a string"),
            (
                format!("{waiver}expires = \"31.01.2027\"\n"),
                "c.toml:4: not a date: expected YYYY-MM-DD, for example 2027-01-31",
            ),
            (
                format!("{waiver}expires = 2027-01-31T00:00:00Z\n"),
                "c.toml:4: not a date: expected YYYY-MM-DD, for example 2027-01-31",
            ),
            (format!("{waiver}expires = true\n"), "c.toml:4: not a date: expected YYYY-MM-DD, for example 2027-01-31"),
        ] {
            assert_eq!(parse(&text).unwrap_err(), expected, "{text}");
        }
        assert!(parse("[[waivers]\n").unwrap_err().starts_with("c.toml:1: "));
    }
}
