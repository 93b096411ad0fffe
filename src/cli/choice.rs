//! Which image of a layout or an archive is meant, and what there is to choose from where that is not clear.
//!
//! Does not read images.

use super::image_ref::SavedImageName;
use crate::cli::error::CliError;
use crate::name::Selector;
use crate::registry::layout_index::LayoutIndex;
use crate::text::sanitize_quoted;

/// How many names a hint lists; who needs more has other means.
const MAX_NAMES: usize = 20;

/// The images that a reference may mean.
#[derive(Debug)]
pub(super) struct ImageChoice<'a> {
    reference: &'a str,
    images: &'a LayoutIndex,
    hint: Option<String>,
}

impl<'a> ImageChoice<'a> {
    /// Those of an OCI image layout, which are chosen by tag; `place` is what to call it.
    pub(super) fn from_layout(reference: &'a str, place: &str, listed: &'a LayoutIndex) -> Self {
        let tags: Vec<String> = listed.tags().map(str::to_owned).collect();
        Self { reference, images: listed, hint: format_available_names(place, &tags) }
    }

    /// Those of what Docker saved, which are chosen by tag, with or without a repository.
    pub(super) fn from_docker_archive(reference: &'a str, listed: &'a LayoutIndex) -> Self {
        Self {
            reference,
            images: listed,
            hint: format_available_names("archive", &listed.display_names().collect::<Vec<_>>()),
        }
    }

    /// What was asked for, or the only image.
    pub(super) fn select(&self, asked: Option<Selector>) -> Result<Selector, CliError> {
        match asked.or_else(|| self.images.sole_image()) {
            Some(selector) => Ok(selector),
            None if self.images.is_empty() => Err(self.not_found_error()),
            None => Err(self.ambiguous_error()),
        }
    }

    /// The image of this name, or the only one.
    pub(super) fn select_by_name(&self, name: Option<&SavedImageName>) -> Result<Selector, CliError> {
        let Some(SavedImageName { repository, tag }) = name else { return self.select(None) };
        let mut found = self.images.find_by_tag(repository.as_deref(), tag);
        match (found.pop(), found.is_empty()) {
            (Some(selector), true) => Ok(selector),
            (Some(_), false) => Err(self.ambiguous_error()),
            (None, _) => Err(self.not_found_error()),
        }
    }

    /// What may help where the image is not there.
    pub(super) fn into_hint(self) -> Option<String> {
        self.hint
    }

    pub(super) fn not_found_error(&self) -> CliError {
        CliError::ImageNotFound { reference: self.reference.to_owned(), hint: self.hint.clone() }
    }

    fn ambiguous_error(&self) -> CliError {
        CliError::AmbiguousImage { reference: self.reference.to_owned(), hint: self.hint.clone() }
    }
}

/// The names, if any, fit for a terminal.
fn format_available_names(place: &str, names: &[String]) -> Option<String> {
    let more = names.len().saturating_sub(MAX_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|name| sanitize_quoted(name)).collect();
    (!shown.is_empty()).then(|| format!("the {place} has {}{more}", shown.join(", ")))
}
