//! Waivers: faults that somebody accepts, with a reason and until a date. A waiver never changes a verdict; it decides
//! whether a fault counts.
//!
//! The command line reads them from its configuration file, and every command and the function from a resource tag of the
//! repository.

mod fault_name;
mod pattern;
mod rule;
mod list;
mod repository_tag;

pub use self::fault_name::{FaultNameError, parse_fault_name};
pub use self::list::{WaiverAnswer, WaiverList};
pub use self::pattern::{ImagePattern, PatternError, image_names};
pub use self::repository_tag::{WAIVER_KEY, WaiverTagError, parse_waiver_tags};
pub use self::rule::{FaultPlace, Waiver, parse_reason};
