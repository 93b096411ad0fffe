//! The platforms of an image, each with its declared platform and what its program is built for: the table and the JSON
//! (schema `ecr-preflight/platforms/1`) of `check --platforms`.

use serde::Serialize;

use super::exec_report::{ProgramOutcome, ProgramReport};
use super::model::ImageReport;
use super::styled_line::{SpanRole, StyledLine};
use super::text::{field_line, verdict_symbol};
use crate::inspect::Inspection;
use crate::name::Digest;
use crate::oci::{Image, ImageContent, IndexChild, IndexEntry, PlatformImage};
use crate::platform::Platform;
use crate::verdict::Verdict;

/// The platforms of one image, without attestations.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformOverview {
    schema: &'static str,
    /// The image.
    pub image: ImageReport,
    /// `Fails` if a platform has a mismatch, `Unknown` if the image could not be read, `Ignored` if it is not an image,
    /// otherwise `Runs`.
    pub verdict: Verdict,
    /// Why there are no platforms, if there are none.
    pub reason: Option<String>,
    /// The platforms, in the order of the index.
    pub platforms: Vec<PlatformReport>,
}

/// One platform of an image.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformReport {
    /// The digest of the platform's manifest.
    pub digest: Digest,
    /// The platform that the config declares or, if the config was not read, the index lists.
    pub platform: Platform,
    /// The platform that the index lists, if it differs.
    pub listed_as: Option<Platform>,
    /// The size of the compressed layers in bytes; absent if the manifest was not read.
    pub bytes: Option<u64>,
    /// The program.
    pub program: ProgramReport,
    /// Whether program, config and index agree; absent if that is unknown.
    pub agrees: Option<bool>,
}

impl PlatformOverview {
    /// Creates the overview of an image. `inspections` is `None` if the inspection of programs is disabled.
    pub fn new(reference: &str, image: &Image, inspections: Option<&[Inspection]>) -> Self {
        let report = |entry: &IndexEntry| match &entry.child {
            IndexChild::Read(single) => PlatformReport::new(single, Some(&entry.platform), inspections),
            IndexChild::Unavailable(reason) => PlatformReport::new_unread(entry, reason),
            IndexChild::NotRead => PlatformReport::new_unread(entry, "it was not read"),
        };
        let (platforms, reason) = match &image.content {
            ImageContent::Single(single) => (vec![PlatformReport::new(single, None, inspections)], None),
            ImageContent::Index(entries) => (entries.iter().map(report).collect(), None),
            ImageContent::Unreadable(reason) => (Vec::new(), Some(reason.clone())),
            ImageContent::Artifact(kind) => (Vec::new(), Some(format!("not an image: `{kind}`"))),
            ImageContent::Attestation => (Vec::new(), Some("not an image: an attestation".to_owned())),
        };
        let verdict = match &image.content {
            ImageContent::Unreadable(_) => Verdict::Unknown,
            ImageContent::Artifact(_) | ImageContent::Attestation => Verdict::Ignored,
            _ if platforms.iter().any(|platform| platform.agrees == Some(false)) => Verdict::Fails,
            _ => Verdict::Runs,
        };
        let image = ImageReport::new(reference, image);
        Self { schema: "ecr-preflight/platforms/1", image, verdict, reason, platforms }
    }

    /// Formats the overview as a table.
    pub fn lines(&self) -> Vec<StyledLine> {
        let mismatches = self.platforms.iter().filter(|platform| platform.agrees == Some(false)).count();
        let plural = if self.platforms.len() == 1 { "" } else { "s" };
        let count = format!("{} platform{plural}", self.platforms.len());
        let summary = match (&self.reason, mismatches) {
            (Some(reason), _) => reason.clone(),
            (None, 0) => count,
            (None, 1) => format!("{count}, 1 mismatch"),
            (None, mismatches) => format!("{count}, {mismatches} mismatches"),
        };
        let headline = format!("{}: {summary}", self.image.reference);
        let mut lines = vec![
            StyledLine::wrapping(2).with_span(SpanRole::Verdict(self.verdict), headline),
            StyledLine::unbroken(),
            field_line("image", &self.image.reference),
            field_line("digest", self.image.digest.as_str()),
        ];
        if self.platforms.is_empty() {
            return lines;
        }
        let size = |platform: &PlatformReport| platform.bytes.map_or_else(|| "?".to_owned(), format_size);
        let cells = |platform: &PlatformReport| [platform.platform.to_string(), size(platform)];
        let rows: Vec<[String; 2]> = self.platforms.iter().map(cells).collect();
        let width = |column: usize, title: &str| {
            rows.iter().map(|row| row[column].chars().count()).chain([title.len()]).max().unwrap_or_default()
        };
        let (first, second) = (width(0, "PLATFORM"), width(1, "LAYERS"));
        let header = format!("  {:first$}  {:>second$}  PROGRAM", "PLATFORM", "LAYERS");
        lines.extend([StyledLine::unbroken(), StyledLine::unbroken().with_span(SpanRole::FieldName, header)]);
        for (platform, [name, size]) in self.platforms.iter().zip(&rows) {
            let verdict = platform.verdict();
            let row = StyledLine::wrapping(2 + first + 2 + second + 2)
                .with_span(SpanRole::Verdict(verdict), verdict_symbol(verdict))
                .with_text(format!(" {name:first$}  {size:>second$}  {}", platform.program.describe()));
            lines.push(row);
            if let Some(listed) = &platform.listed_as {
                let note = format!("  the index lists it as {listed}");
                lines.push(StyledLine::wrapping(4).with_span(SpanRole::FieldName, note));
            }
        }
        lines
    }
}

impl PlatformReport {
    fn new(single: &PlatformImage, listed: Option<&Platform>, inspections: Option<&[Inspection]>) -> Self {
        let inspection = inspections.and_then(|all| all.iter().find(|one| one.digest == single.digest));
        let program = match (inspection, inspections) {
            (Some(inspection), _) => ProgramReport::new(inspection),
            (None, Some(_)) => ProgramReport::not_inspected(&format!("it is for {}", single.platform.os())),
            (None, None) => ProgramReport::not_inspected("disabled by PREFLIGHT_INSPECT or --no-exec"),
        };
        let is_listed_correctly = !listed.is_some_and(|listed| listed.contradicts(&single.platform));
        Self {
            digest: single.digest.clone(),
            platform: single.platform.clone(),
            listed_as: listed.filter(|listed| **listed != single.platform).cloned(),
            bytes: Some(single.layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add)),
            agrees: if is_listed_correctly { program.matches_platform(&single.platform) } else { Some(false) },
            program,
        }
    }

    fn new_unread(entry: &IndexEntry, reason: &str) -> Self {
        let (digest, platform) = (entry.digest.clone(), entry.platform.clone());
        let program = ProgramReport::not_inspected(reason);
        Self { digest, platform, listed_as: None, bytes: None, program, agrees: None }
    }

    /// Returns the verdict whose symbol the row shows.
    fn verdict(&self) -> Verdict {
        match (self.agrees, self.program.outcome) {
            (Some(false), _) => Verdict::Fails,
            (Some(true), _) => Verdict::Runs,
            (None, ProgramOutcome::NotInspected) => Verdict::Ignored,
            (None, _) => Verdict::Unknown,
        }
    }
}

/// Formats a number of bytes with a decimal unit, as registries do.
#[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn format_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::format_size;

    #[test]
    fn size_has_one_decimal_and_a_unit() {
        let bytes = [0, 999, 1000, 999_949, 999_950, 52_428_800, u64::MAX];
        let texts = ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "52.4 MB", "18446.7 PB"];
        assert_eq!(bytes.map(format_size), texts);
    }
}
