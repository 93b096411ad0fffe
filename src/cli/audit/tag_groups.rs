//! The tags of one image: those that declare something have an answer of their own, all others share one.
//!
//! Does not read anything.

use crate::intent::Intent;
use crate::name::Tag;

/// The tags that are asked about, each with those that share its answer; in the order of their texts, so that the same
/// ones are asked about the next time. Where tags are `silent`, none declares anything.
pub(super) fn group_tags(mut tags: Vec<Tag>, are_silent: bool) -> Vec<(Tag, Vec<Tag>)> {
    tags.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    let says_nothing = |tag: &Tag| are_silent || Intent::from_tag(tag) == Intent::default();
    let (silent, telling): (Vec<Tag>, Vec<Tag>) = tags.into_iter().partition(says_nothing);
    let mut silent = silent.into_iter();
    let first = silent.next().map(|first| (first, silent.collect()));
    first.into_iter().chain(telling.into_iter().map(|tag| (tag, Vec::new()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_say_nothing_share_an_answer_and_others_have_their_own() {
        for (tags, are_silent, expected) in [
            ("v1", false, "v1"),
            ("v1 latest 1.0.0", false, "1.0.0+latest+v1"),
            ("v1 v1-ecs-arm64 v1-arm64 latest", false, "latest+v1 v1-arm64 v1-ecs-arm64"),
            ("v1-ecs-arm64 v1-ecs-amd64", false, "v1-ecs-amd64 v1-ecs-arm64"),
            ("v1 v1-ecs-arm64 v1-arm64", true, "v1+v1-arm64+v1-ecs-arm64"),
            ("", false, ""),
        ] {
            let tags: Vec<Tag> = tags.split_whitespace().map(|tag| tag.parse().unwrap()).collect();
            let line =
                |(tag, also): (Tag, Vec<Tag>)| [tag].iter().chain(&also).map(Tag::as_str).collect::<Vec<_>>().join("+");
            let lines: Vec<String> = group_tags(tags, are_silent).into_iter().map(line).collect();
            assert_eq!(lines.join(" "), expected);
        }
    }
}
