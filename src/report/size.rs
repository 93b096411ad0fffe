//! Sizes for people.
//!
//! Does not measure anything.

/// Bytes, as registries show them: in powers of a thousand.
#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn format_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::format_size;

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        for (bytes, said) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (52_428_800, "52.4 MB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(format_size(bytes), said);
        }
    }
}
