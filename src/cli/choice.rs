//! Which image of a layout or an archive is meant, and what there is to choose from where that is not clear.
//!
//! Does not read images.

use super::Error;
use super::image::Name;
use crate::name::Selector;
use crate::registry::listed::Listed;
use crate::text::quoted;

/// How many names a hint lists; who needs more has other means.
const MAX_NAMES: usize = 20;

/// The images that a reference may mean.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    reference: &'a str,
    listed: &'a Listed,
    hint: Option<String>,
}

impl<'a> Choice<'a> {
    /// Those of an OCI image layout, which are chosen by tag; `place` is what to call it.
    pub(super) fn of_layout(reference: &'a str, place: &str, listed: &'a Listed) -> Self {
        let tags: Vec<String> = listed.tags().map(str::to_owned).collect();
        Self { reference, listed, hint: hint(place, &tags) }
    }

    /// Those of what Docker saved, which are chosen by tag, with or without a repository.
    pub(super) fn of_archive(reference: &'a str, listed: &'a Listed) -> Self {
        Self { reference, listed, hint: hint("archive", &listed.names().collect::<Vec<_>>()) }
    }

    /// What was asked for, or the only image.
    pub(super) fn selector(&self, asked: Option<Selector>) -> Result<Selector, Error> {
        match asked.or_else(|| self.listed.only()) {
            Some(selector) => Ok(selector),
            None if self.listed.is_empty() => Err(self.absent()),
            None => Err(self.unnamed()),
        }
    }

    /// The image of this name, or the only one.
    pub(super) fn named(&self, name: Option<&Name>) -> Result<Selector, Error> {
        let Some(Name { repository, tag }) = name else { return self.selector(None) };
        let mut found = self.listed.named(repository.as_deref(), tag);
        match (found.pop(), found.is_empty()) {
            (Some(selector), true) => Ok(selector),
            (Some(_), false) => Err(self.unnamed()),
            (None, _) => Err(self.absent()),
        }
    }

    /// What may help where the image is not there.
    pub(super) fn into_hint(self) -> Option<String> {
        self.hint
    }

    pub(super) fn absent(&self) -> Error {
        Error::Absent { reference: self.reference.to_owned(), hint: self.hint.clone() }
    }

    fn unnamed(&self) -> Error {
        Error::Unnamed { reference: self.reference.to_owned(), hint: self.hint.clone() }
    }
}

/// The names, if any, fit for a terminal.
fn hint(place: &str, names: &[String]) -> Option<String> {
    let more = names.len().saturating_sub(MAX_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|name| quoted(name)).collect();
    (!shown.is_empty()).then(|| format!("the {place} has {}{more}", shown.join(", ")))
}
