//! A scope that no repository is in, which is mostly a mistyped one.
//!
//! Does not list anything: what was listed while looking is what is offered.

use super::census::{Counts, Scope};
use crate::cli::hint;
use crate::text::quoted;

/// What makes a pattern of a text elsewhere; no name of a repository has any.
const OF_PATTERNS: [char; 3] = ['*', '?', '['];

/// What is not there, and what may help.
pub(super) fn said(scope: &Scope, counts: &Counts) -> (String, String) {
    let Scope { region, prefix, tagged, .. } = scope;
    let begins = match prefix.as_str() {
        "" => String::new(),
        prefix => format!(" whose name begins with `{}`", quoted(prefix)),
    };
    let pair = |(key, value): &(String, String)| format!("`{}`", quoted(&format!("{key}={value}")));
    let tags = match tagged.as_slice() {
        [] => String::new(),
        [one] => format!(" that has the resource tag {}", pair(one)),
        all => format!(" that has the resource tags {}", all.iter().map(pair).collect::<Vec<_>>().join(" and ")),
    };
    let what = format!("there is no repository{begins}{tags} in {}", quoted(region));
    let names = counts.names.borrow();
    let hint = if names.is_empty() && scope.names.is_empty() {
        "another region is chosen with `--region`, another account with AWS_PROFILE".to_owned()
    } else if counts.repositories.get() > 0 {
        "keys and values count to the letter: `aws ecr list-tags-for-resource` shows those of a repository".to_owned()
    } else if let Some((before, _)) = prefix.split_once(OF_PATTERNS) {
        format!("a prefix is no pattern: `--prefix {}` is enough", quoted(before))
    } else {
        hint::instead("repositories", prefix, Some(&names), region, "")
    };
    (what, hint)
}
