//! Which calls fail, and how: by their number, or by what they name.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

use super::{Call, Fault};

/// Numbers of calls; the first one is 1.
pub type Numbers = (Bound<usize>, Bound<usize>);

/// The fault of one call.
#[derive(Debug, Clone)]
pub struct Due {
    pub fault: Fault,
    /// What the call names; empty if it does not matter.
    pub name: String,
}

#[derive(Debug)]
struct Planned {
    action: &'static str,
    calls: Numbers,
    due: Due,
    /// How many matching calls were made.
    made: usize,
}

#[derive(Debug, Default)]
pub struct Plan {
    planned: Vec<Planned>,
    /// How many calls of each action were made.
    made: BTreeMap<String, usize>,
}

impl Plan {
    /// Adds a fault for these calls of an action. With a name, only calls that name it count, from now on.
    pub fn add(&mut self, action: &'static str, name: &str, calls: Numbers, fault: Fault) {
        self.planned.push(Planned { action, calls, due: Due { fault, name: name.to_owned() }, made: 0 });
    }

    /// Counts a call and returns its fault.
    pub fn due(&mut self, call: &Call) -> Option<Due> {
        let of_action = self.made.entry(call.action.clone()).or_default();
        *of_action += 1;
        let mut due = None;
        for planned in &mut self.planned {
            if planned.action != call.action || !call.names(&planned.due.name) {
                continue;
            }
            planned.made += 1;
            let number = if planned.due.name.is_empty() { *of_action } else { planned.made };
            if due.is_none() && planned.calls.contains(&number) {
                due = Some(planned.due.clone());
            }
        }
        due
    }
}
