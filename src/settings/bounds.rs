//! The setting `PREFLIGHT_LIMITS`: how far inspections go, as words such as `bytes=2G seconds=120`.
//!
//! Does not know what a bound is good for; the limits themselves say so.

use std::fmt;

use super::limits::Limits;

/// How far inspections go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a caller sets single bounds and takes the rest from the default")]
pub struct Bounds {
    /// How much of layers is read and remembered.
    pub limits: Limits,
    /// How many bytes the cache keeps of layers that were read.
    pub cache: usize,
    /// How long the inspection of one image may take, in seconds. In the function it never takes longer than what is
    /// left of the invocation either.
    pub seconds: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            // With two layers in the works and one image's names laid out, all of them at their bounds, that leaves a
            // function of 512 MB the half of its memory.
            cache: 64 * 1024 * 1024,
            // Lambda's own limit for an invocation.
            seconds: 900,
        }
    }
}

/// One bound by its name.
struct Bound {
    name: &'static str,
    set: fn(&mut Bounds, u64),
    get: fn(&Bounds) -> u64,
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Every bound.
const BOUNDS: [Bound; 11] = [
    Bound { name: "bytes", set: |bounds, number| bounds.limits.bytes = number, get: |bounds| bounds.limits.bytes },
    Bound { name: "ratio", set: |bounds, number| bounds.limits.ratio = number, get: |bounds| bounds.limits.ratio },
    Bound {
        name: "ratio-from",
        set: |bounds, number| bounds.limits.ratio_from = number,
        get: |bounds| bounds.limits.ratio_from,
    },
    Bound { name: "window", set: |bounds, number| bounds.limits.window = number, get: |bounds| bounds.limits.window },
    Bound {
        name: "entries",
        set: |bounds, number| bounds.limits.entries = size(number),
        get: |bounds| bounds.limits.entries as u64,
    },
    Bound {
        name: "names",
        set: |bounds, number| bounds.limits.entries_in_all = size(number),
        get: |bounds| bounds.limits.entries_in_all as u64,
    },
    Bound {
        name: "path",
        set: |bounds, number| bounds.limits.path = size(number),
        get: |bounds| bounds.limits.path as u64,
    },
    Bound {
        name: "depth",
        set: |bounds, number| bounds.limits.depth = size(number),
        get: |bounds| bounds.limits.depth as u64,
    },
    Bound {
        name: "memory",
        set: |bounds, number| bounds.limits.kept = size(number),
        get: |bounds| bounds.limits.kept as u64,
    },
    Bound { name: "cache", set: |bounds, number| bounds.cache = size(number), get: |bounds| bounds.cache as u64 },
    Bound { name: "seconds", set: |bounds, number| bounds.seconds = number, get: |bounds| bounds.seconds },
];

/// Units of numbers, as powers of 1024.
const UNITS: [(char, u32); 3] = [('K', 1), ('M', 2), ('G', 3)];

impl Bounds {
    /// Reads bounds; those that are not named keep their defaults.
    ///
    /// # Errors
    /// Says what is allowed in the place of the word that cannot be read.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut bounds = Self::default();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            let read = word.split_once('=').and_then(|(name, number)| {
                let bound = BOUNDS.iter().find(|bound| bound.name == name)?;
                Some((bound, number_of(number)?))
            });
            let (bound, number) = read.ok_or_else(|| {
                let names: Vec<&str> = BOUNDS.iter().map(|bound| bound.name).collect();
                let word: String = word.chars().take(100).collect();
                format!("NAME=NUMBER with a unit K, M or G if need be, for {} (`{word}`)", names.join(", "))
            })?;
            (bound.set)(&mut bounds, number);
        }
        Ok(bounds)
    }
}

/// The bounds that are not at their defaults, as [`Bounds::read`] takes them.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = BOUNDS.iter().filter(|bound| (bound.get)(self) != (bound.get)(&Self::default()));
        for (at, bound) in other.enumerate() {
            write!(f, "{}{}={}", if at > 0 { " " } else { "" }, bound.name, (bound.get)(self))?;
        }
        Ok(())
    }
}

/// A number above zero, perhaps with a unit.
fn number_of(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(*unit));
    let digits = unit.map_or(text, |(unit, _)| text.trim_end_matches(*unit));
    let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
    number.checked_mul(1024_u64.pow(unit.map_or(0, |(_, power)| *power)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_by_their_names_and_keep_their_defaults() {
        let bounds = Bounds::read("bytes=2G, entries=10K seconds=120").unwrap();
        assert_eq!((bounds.limits.bytes, bounds.limits.entries, bounds.seconds), (2 << 30, 10_240, 120));
        assert_eq!(bounds.limits.path, Limits::default().path);
        assert_eq!(Bounds::read(" "), Ok(Bounds::default()));
    }

    #[test]
    fn every_bound_sets_something_of_its_own() {
        let mut all = Vec::new();
        for bound in &BOUNDS {
            let mut bounds = Bounds::default();
            (bound.set)(&mut bounds, 7);
            assert!(bounds != Bounds::default() && !all.contains(&bounds), "{}", bound.name);
            assert_eq!(bounds.to_string(), format!("{}=7", bound.name));
            all.push(bounds);
        }
    }

    #[test]
    fn bad_bounds_are_refused() {
        for bad in
            ["bytes", "bytes=", "bytes=0", "bytes=-1", "bytes=2T", "bytes=2GG2", "byte=1", "=1", "bytes=99999999999G"]
        {
            let error = Bounds::read(bad).unwrap_err();
            assert!(error.contains(&format!("(`{bad}`)")), "{error}");
        }
    }
}
