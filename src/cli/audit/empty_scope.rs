//! A scope that no repository is in, which is mostly a mistyped one.
//!
//! Does not list anything: what was listed while looking is what is offered.

use super::lister::{AuditScope, ListingCounts};
use crate::cli::suggest;
use crate::text::sanitize_quoted;

/// What makes a pattern of a text elsewhere; no name of a repository has any.
const PATTERN_CHARACTERS: [char; 3] = ['*', '?', '['];

/// What is not there, and what may help.
pub(super) fn describe_empty_scope(scope: &AuditScope, counts: &ListingCounts) -> (String, String) {
    let AuditScope { region, prefix, resource_tags: tagged, .. } = scope;
    let begins = match prefix.as_str() {
        "" => String::new(),
        prefix => format!(" whose name begins with `{}`", sanitize_quoted(prefix)),
    };
    let pair = |(key, value): &(String, String)| format!("`{}`", sanitize_quoted(&format!("{key}={value}")));
    let tags = match tagged.as_slice() {
        [] => String::new(),
        [one] => format!(" that has the resource tag {}", pair(one)),
        all => format!(" that has the resource tags {}", all.iter().map(pair).collect::<Vec<_>>().join(" and ")),
    };
    let what = format!("there is no repository{begins}{tags} in {}", sanitize_quoted(region));
    let names = counts.repository_names.borrow();
    let hint = if names.is_empty() && scope.repositories.is_empty() {
        "another region is chosen with `--region`, another account with AWS_PROFILE".to_owned()
    } else if counts.repositories_found.get() > 0 {
        "keys and values count to the letter: `aws ecr list-tags-for-resource` shows those of a repository".to_owned()
    } else if let Some((before, _)) = prefix.split_once(PATTERN_CHARACTERS) {
        format!("a prefix is no pattern: `--prefix {}` is enough", sanitize_quoted(before))
    } else {
        suggest::suggest_existing("repositories", prefix, Some(&names), region, "")
    };
    (what, hint)
}
