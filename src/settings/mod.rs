//! Settings, parsed from environment variables when the program starts. An invalid value prevents the start.

mod choice;
mod limits;
mod variables;

pub use choice::{ConsumerUse, GateMode, InspectionDepth, VerdictTags};
pub use limits::{InspectionLimits, LayerLimits, LimitExceeded};
pub use variables::{CheckSettings, SettingVariable, Settings, SettingsError, VARIABLES};
