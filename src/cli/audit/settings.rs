//! The settings that an answer depends on, as words: what a file of results was begun with.
//!
//! Does not name what is at its default, so that a line of such a run is what the function would write.

use crate::runtime::Runtime;
use crate::settings::Depth;
use crate::settings::Rules;

/// The words; none where all is at its default.
pub(super) fn words(rules: &Rules, asked: &[Runtime]) -> String {
    let usual = Rules::default();
    let named = |runtimes: &[Runtime]| runtimes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let depth = match rules.depth {
        Depth::Labels => "labels",
        Depth::Configs => "configs",
        Depth::Binaries => "binaries",
    };
    let words = [
        (!asked.is_empty(), format!("runtime={}", named(asked))),
        (!rules.default_runtimes.is_empty(), format!("default={}", named(&rules.default_runtimes))),
        (rules.key != usual.key, format!("key={}", rules.key)),
        (rules.image_tags != usual.image_tags, "image-tags=ignore".to_owned()),
        (rules.depth != usual.depth, format!("depth={depth}")),
        (rules.bounds != usual.bounds, rules.bounds.to_string()),
    ];
    words.into_iter().filter_map(|(is_said, word)| is_said.then_some(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Bounds;

    #[test]
    fn what_is_not_at_its_default_is_named() {
        let usual = Rules::default();
        for (rules, asked, expected) in [
            (usual.clone(), vec![], ""),
            (usual.clone(), vec![Runtime::EcsAmd64, Runtime::AppRunner], "runtime=ecs/amd64,apprunner"),
            (
                Rules { depth: Depth::Labels, image_tags: false, ..usual.clone() },
                vec![],
                "image-tags=ignore depth=labels",
            ),
            (
                Rules { key: "k".to_owned(), default_runtimes: vec![Runtime::EcsArm64], ..usual.clone() },
                vec![],
                "default=ecs/arm64 key=k",
            ),
            (Rules { bounds: Bounds { seconds: 7, ..Bounds::default() }, ..usual }, vec![], "seconds=7"),
        ] {
            assert_eq!(words(&rules, &asked), expected);
        }
    }
}
