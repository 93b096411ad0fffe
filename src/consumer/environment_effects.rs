//! What the environment of a consumer does to the start of its image.

use serde::{Deserialize, Serialize};

use crate::oci::{ProcessConfig, is_node_hook, is_nvidia_variable, is_preload_variable, is_startup_variable};

/// What variables do, as [`ProcessConfig`] describes it. Their values are not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub struct EnvironmentEffects {
    is_startup: bool,
    is_preload: bool,
    is_nvidia: bool,
    is_node_hook: bool,
}

impl EnvironmentEffects {
    /// Returns what a variable does.
    pub fn of(name: &str, value: &str) -> Self {
        let variable = format!("{name}={value}");
        Self {
            is_startup: is_startup_variable(&variable),
            is_preload: is_preload_variable(&variable),
            is_nvidia: is_nvidia_variable(&variable),
            is_node_hook: is_node_hook(&variable),
        }
    }

    /// Returns what both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            is_startup: self.is_startup || other.is_startup,
            is_preload: self.is_preload || other.is_preload,
            is_nvidia: self.is_nvidia || other.is_nvidia,
            is_node_hook: self.is_node_hook || other.is_node_hook,
        }
    }

    /// Returns whether there is nothing that the variables do.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Adds what the variables do to a process. A variable of the image may be replaced by one that does less: then less is
    /// known than could be.
    pub(super) fn apply(self, process: ProcessConfig) -> ProcessConfig {
        ProcessConfig {
            has_startup_variables: process.has_startup_variables || self.is_startup,
            has_preload: process.has_preload || self.is_preload,
            has_nvidia_variables: process.has_nvidia_variables || self.is_nvidia,
            has_node_hooks: process.has_node_hooks || self.is_node_hook,
            ..process
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_values_do_nothing() {
        for (name, value, expected) in [
            ("ENV", "production", false),
            ("NODE_OPTIONS", "--max-old-space-size=512", false),
            ("TOKEN", "/etc/profile", false),
            ("", "", false),
            ("ENV", "/etc/profile", true),
            ("NODE_OPTIONS", "--require dd-trace/init", true),
            ("LD_PRELOAD", "/lib/x.so", true),
            ("BASH_FUNC_x%%", "() { :; }", true),
            ("NVIDIA_VISIBLE_DEVICES", "all", true),
        ] {
            assert_eq!(!EnvironmentEffects::of(name, value).is_none(), expected, "{name}={value}");
        }
    }
}
