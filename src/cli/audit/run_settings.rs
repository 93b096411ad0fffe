//! The settings that an answer depends on, as words: what a file of results was begun with.
//!
//! Does not name what is at its default, so that a line of such a run is what the function would write.

use crate::runtime::Runtime;
use crate::settings::CheckSettings;

/// The words; none where all is at its default.
pub(super) fn describe_settings(rules: &CheckSettings, asked: &[Runtime]) -> String {
    let usual = CheckSettings::default();
    let named = |runtimes: &[Runtime]| runtimes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let words = [
        (!asked.is_empty(), format!("runtime={}", named(asked))),
        (!rules.default_runtimes.is_empty(), format!("default={}", named(&rules.default_runtimes))),
        (rules.declaration_key != usual.declaration_key, format!("declaration-key={}", rules.declaration_key)),
        (rules.read_image_tags != usual.read_image_tags, "image-tags=ignore".to_owned()),
        (rules.depth != usual.depth, format!("inspect={}", rules.depth.as_str())),
        (rules.limits != usual.limits, rules.limits.to_string()),
    ];
    words.into_iter().filter_map(|(is_said, word)| is_said.then_some(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{InspectionDepth, InspectionLimits};

    #[test]
    fn what_is_not_at_its_default_is_named() {
        let usual = CheckSettings::default();
        for (rules, asked, expected) in [
            (usual.clone(), vec![], ""),
            (usual.clone(), vec![Runtime::EcsAmd64, Runtime::AppRunner], "runtime=ecs/amd64,apprunner"),
            (
                CheckSettings { depth: InspectionDepth::Manifest, read_image_tags: false, ..usual.clone() },
                vec![],
                "image-tags=ignore inspect=manifest",
            ),
            (
                CheckSettings {
                    declaration_key: "k".to_owned(),
                    default_runtimes: vec![Runtime::EcsArm64],
                    ..usual.clone()
                },
                vec![],
                "default=ecs/arm64 declaration-key=k",
            ),
            (
                CheckSettings {
                    limits: InspectionLimits { timeout_seconds: 7, ..InspectionLimits::default() },
                    ..usual
                },
                vec![],
                "seconds=7",
            ),
        ] {
            assert_eq!(describe_settings(&rules, &asked), expected);
        }
    }
}
