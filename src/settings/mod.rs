//! Settings, parsed once from environment variables when the program starts.
//!
//! The caller passes the variables in. An invalid value prevents the start, so the function never runs with a guess.

mod choice;
mod limits;
mod inspection_limits;
mod variables;

pub use choice::{InspectionDepth, VerdictTags};
pub use inspection_limits::InspectionLimits;
pub use limits::{LayerLimits, LimitExceeded};
pub use variables::{CheckSettings, SettingVariable, Settings, SettingsError, VARIABLES};
