//! What is in an image, platform by platform: what each claims to be, and what its program is made for.
//!
//! Does not hold it against any runtime. The value itself, serialised, is its JSON, schema `ecr-preflight/platforms/1`.

use serde::Serialize;

use super::ImageReport;
use super::program::{ProgramOutcome, ProgramReport};
use super::size::format_size;
use super::styled_line::{SpanRole, StyledLine};
use super::text::{field_line, verdict_symbol};
use crate::inspect::Inspection;
use crate::name::Digest;
use crate::oci::{Image, ImageContent, IndexChild, IndexEntry, PlatformImage};
use crate::platform::Platform;
use crate::verdict::Verdict;

/// The platforms of one image, without attestations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformOverview {
    schema: &'static str,
    /// The image.
    pub image: ImageReport,
    /// `Fails` where anything is not what it says it is, `Unknown` where the image could not be read, `Ignored` for what
    /// is no image, else `Runs`.
    pub verdict: Verdict,
    /// Why there are none, where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// One of each.
    pub platforms: Vec<PlatformReport>,
}

/// One platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformReport {
    /// The digest of its manifest.
    pub digest: Digest,
    /// What its config says; what the index says where that was not read.
    pub platform: Platform,
    /// What the index says, where it says something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed_as: Option<Platform>,
    /// The size of its layers as they are stored, in bytes, by the manifest; none where that was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Its program.
    pub program: ProgramReport,
    /// Whether program, config and index agree; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agrees: Option<bool>,
}

impl PlatformOverview {
    /// Of this image; `inspections` are `None` where programs were not to be looked at.
    #[must_use]
    pub fn new(reference: &str, image: &Image, inspections: Option<&[Inspection]>) -> Self {
        let (platforms, reason) = match &image.content {
            ImageContent::Single(single) => (vec![PlatformReport::new(single, None, inspections)], None),
            ImageContent::Index(entries) => {
                let face = |entry: &IndexEntry| match &entry.child {
                    IndexChild::Read(single) => PlatformReport::new(single, Some(&entry.platform), inspections),
                    IndexChild::Unavailable(reason) => PlatformReport::new_unread(entry, reason),
                    IndexChild::NotRead => PlatformReport::new_unread(entry, "it was not read"),
                };
                (entries.iter().map(face).collect(), None)
            }
            ImageContent::Unreadable(reason) => (Vec::new(), Some(reason.clone())),
            ImageContent::Artifact(kind) => (Vec::new(), Some(format!("it is no image but `{kind}`"))),
            ImageContent::Attestation => (Vec::new(), Some("it is an attestation".to_owned())),
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

    /// As a table, below what it is about.
    #[must_use]
    pub fn lines(&self) -> Vec<StyledLine> {
        let false_ones = self.platforms.iter().filter(|platform| platform.agrees == Some(false)).count();
        let count = match self.platforms.len() {
            1 => "1 platform".to_owned(),
            count => format!("{count} platforms"),
        };
        let said = match (&self.reason, false_ones) {
            (Some(reason), _) => reason.clone(),
            (None, 0) => count,
            (None, 1) => format!("{count}, 1 not what it says it is"),
            (None, more) => format!("{count}, {more} not what they say they are"),
        };
        let headline = format!("{}: {said}", self.image.reference);
        let mut lines = vec![
            StyledLine::wrapping(2).with_span(SpanRole::Verdict(self.verdict), headline),
            StyledLine::unbroken(),
            field_line("image", &self.image.reference),
            field_line("digest", self.image.digest.as_str()),
        ];
        if self.platforms.is_empty() {
            return lines;
        }
        let rows: Vec<[String; 2]> = self.platforms.iter().map(PlatformReport::cells).collect();
        let widest = |at: usize, title: &str| {
            rows.iter().map(|row| row[at].chars().count()).chain([title.len()]).max().unwrap_or_default()
        };
        let (label, size) = (widest(0, "PLATFORM"), widest(1, "LAYERS"));
        let hang = 2 + label + 2 + size + 2;
        let head = format!("  {:label$}  {:>size$}  PROGRAM", "PLATFORM", "LAYERS");
        lines.extend([StyledLine::unbroken(), StyledLine::unbroken().with_span(SpanRole::FieldName, head)]);
        for (platform, [named, stored]) in self.platforms.iter().zip(&rows) {
            let verdict = platform.verdict();
            let row = StyledLine::wrapping(hang).with_span(SpanRole::Verdict(verdict), verdict_symbol(verdict));
            lines.push(
                row.with_text(format!(" {named:label$}  {stored:>size$}  ")).with_text(platform.program.describe()),
            );
            if let Some(listed) = &platform.listed_as {
                lines.push(
                    StyledLine::wrapping(4).with_span(SpanRole::FieldName, format!("  the index lists it as {listed}")),
                );
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
            (None, None) => ProgramReport::not_inspected("that is turned off"),
        };
        let listed_as = listed.filter(|listed| **listed != single.platform).cloned();
        let is_listed_right = !listed.is_some_and(|listed| listed.contradicts(&single.platform));
        let of_program = program.matches_platform(&single.platform);
        let agrees = if is_listed_right { of_program } else { Some(false) };
        let bytes = single.layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
        let (digest, platform) = (single.digest.clone(), single.platform.clone());
        Self { digest, platform, listed_as, bytes: Some(bytes), program, agrees }
    }

    fn new_unread(entry: &IndexEntry, reason: &str) -> Self {
        let (digest, platform) = (entry.digest.clone(), entry.platform.clone());
        let program = ProgramReport::not_inspected(reason);
        Self { digest, platform, listed_as: None, bytes: None, program, agrees: None }
    }

    /// How its sign is chosen.
    fn verdict(&self) -> Verdict {
        match (self.agrees, self.program.outcome) {
            (Some(false), _) => Verdict::Fails,
            (Some(true), _) => Verdict::Runs,
            (None, ProgramOutcome::NotLookedAt) => Verdict::Ignored,
            (None, _) => Verdict::Unknown,
        }
    }

    fn cells(&self) -> [String; 2] {
        [self.platform.to_string(), self.bytes.map_or_else(|| "?".to_owned(), format_size)]
    }
}
