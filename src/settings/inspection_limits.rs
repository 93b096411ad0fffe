//! The setting `PREFLIGHT_LIMITS`: how far inspections go, as words such as `bytes=2G seconds=120`.
//!
//! Does not know what a bound is good for; the limits themselves say so.

use std::fmt;

use super::limits::LayerLimits;

/// How far inspections go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a caller sets single bounds and takes the rest from the default")]
pub struct InspectionLimits {
    /// How much of layers is read and remembered.
    pub layers: LayerLimits,
    /// How many bytes the cache keeps of layers that were read.
    pub cache_bytes: usize,
    /// How long the inspection of one image may take, in seconds. In the function it never takes longer than what is
    /// left of the invocation either.
    pub timeout_seconds: u64,
}

impl Default for InspectionLimits {
    fn default() -> Self {
        Self {
            layers: LayerLimits::default(),
            // With two layers in the works and one image's names laid out, all of them at their bounds, that leaves a
            // function of 512 MB the half of its memory.
            cache_bytes: 64 * 1024 * 1024,
            // Lambda's own limit for an invocation.
            timeout_seconds: 900,
        }
    }
}

/// One bound by its name.
struct LimitSetting {
    name: &'static str,
    set: fn(&mut InspectionLimits, u64),
    get: fn(&InspectionLimits) -> u64,
}

fn saturating_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Every bound.
const LIMIT_SETTINGS: [LimitSetting; 11] = [
    LimitSetting {
        name: "bytes",
        set: |bounds, number| bounds.layers.bytes = number,
        get: |bounds| bounds.layers.bytes,
    },
    LimitSetting {
        name: "ratio",
        set: |bounds, number| bounds.layers.ratio = number,
        get: |bounds| bounds.layers.ratio,
    },
    LimitSetting {
        name: "ratio-from",
        set: |bounds, number| bounds.layers.ratio_from = number,
        get: |bounds| bounds.layers.ratio_from,
    },
    LimitSetting {
        name: "window",
        set: |bounds, number| bounds.layers.window = number,
        get: |bounds| bounds.layers.window,
    },
    LimitSetting {
        name: "entries",
        set: |bounds, number| bounds.layers.entries = saturating_usize(number),
        get: |bounds| bounds.layers.entries as u64,
    },
    LimitSetting {
        name: "names",
        set: |bounds, number| bounds.layers.total_entries = saturating_usize(number),
        get: |bounds| bounds.layers.total_entries as u64,
    },
    LimitSetting {
        name: "path",
        set: |bounds, number| bounds.layers.path = saturating_usize(number),
        get: |bounds| bounds.layers.path as u64,
    },
    LimitSetting {
        name: "depth",
        set: |bounds, number| bounds.layers.depth = saturating_usize(number),
        get: |bounds| bounds.layers.depth as u64,
    },
    LimitSetting {
        name: "memory",
        set: |bounds, number| bounds.layers.memory = saturating_usize(number),
        get: |bounds| bounds.layers.memory as u64,
    },
    LimitSetting {
        name: "cache",
        set: |bounds, number| bounds.cache_bytes = saturating_usize(number),
        get: |bounds| bounds.cache_bytes as u64,
    },
    LimitSetting {
        name: "seconds",
        set: |bounds, number| bounds.timeout_seconds = number,
        get: |bounds| bounds.timeout_seconds,
    },
];

/// Units of numbers, as powers of 1024.
const SIZE_UNITS: [(char, u32); 3] = [('K', 1), ('M', 2), ('G', 3)];

impl InspectionLimits {
    /// Reads bounds; those that are not named keep their defaults.
    ///
    /// # Errors
    /// Says what is allowed in the place of the word that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut bounds = Self::default();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            let read = word.split_once('=').and_then(|(name, number)| {
                let bound = LIMIT_SETTINGS.iter().find(|bound| bound.name == name)?;
                Some((bound, parse_number(number)?))
            });
            let (bound, number) = read.ok_or_else(|| {
                let names: Vec<&str> = LIMIT_SETTINGS.iter().map(|bound| bound.name).collect();
                let word: String = word.chars().take(100).collect();
                format!("NAME=NUMBER with a unit K, M or G if need be, for {} (`{word}`)", names.join(", "))
            })?;
            (bound.set)(&mut bounds, number);
        }
        Ok(bounds)
    }
}

/// The bounds that are not at their defaults, as [`Bounds::read`] takes them.
impl fmt::Display for InspectionLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = LIMIT_SETTINGS.iter().filter(|bound| (bound.get)(self) != (bound.get)(&Self::default()));
        for (at, bound) in other.enumerate() {
            write!(f, "{}{}={}", if at > 0 { " " } else { "" }, bound.name, (bound.get)(self))?;
        }
        Ok(())
    }
}

/// A number above zero, perhaps with a unit.
fn parse_number(text: &str) -> Option<u64> {
    let unit = SIZE_UNITS.iter().find(|(unit, _)| text.ends_with(*unit));
    let digits = unit.map_or(text, |(unit, _)| text.trim_end_matches(*unit));
    let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
    number.checked_mul(1024_u64.pow(unit.map_or(0, |(_, power)| *power)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_by_their_names_and_keep_their_defaults() {
        let bounds = InspectionLimits::parse("bytes=2G, entries=10K seconds=120").unwrap();
        assert_eq!((bounds.layers.bytes, bounds.layers.entries, bounds.timeout_seconds), (2 << 30, 10_240, 120));
        assert_eq!(bounds.layers.path, LayerLimits::default().path);
        assert_eq!(InspectionLimits::parse(" "), Ok(InspectionLimits::default()));
    }

    #[test]
    fn every_bound_sets_something_of_its_own() {
        let mut all = Vec::new();
        for bound in &LIMIT_SETTINGS {
            let mut bounds = InspectionLimits::default();
            (bound.set)(&mut bounds, 7);
            assert!(bounds != InspectionLimits::default() && !all.contains(&bounds), "{}", bound.name);
            assert_eq!(bounds.to_string(), format!("{}=7", bound.name));
            all.push(bounds);
        }
    }

    #[test]
    fn bad_bounds_are_refused() {
        for bad in
            ["bytes", "bytes=", "bytes=0", "bytes=-1", "bytes=2T", "bytes=2GG2", "byte=1", "=1", "bytes=99999999999G"]
        {
            let error = InspectionLimits::parse(bad).unwrap_err();
            assert!(error.contains(&format!("(`{bad}`)")), "{error}");
        }
    }
}
