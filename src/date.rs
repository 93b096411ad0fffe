//! Calendar dates: the last day of a waiver, and the day on which an image was created.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A day of the Gregorian calendar, in UTC, from the year 0001 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// The text is not a date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a date: expected YYYY-MM-DD, for example 2027-01-31")]
pub struct DateError;

const SECONDS_PER_DAY: u64 = 86_400;

impl Date {
    /// Creates a date; `None` if there is no such day.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => return None,
        };
        ((1..=9999).contains(&year) && (1..=days).contains(&day)).then_some(Self { year, month, day })
    }

    /// Returns the day of a time in seconds since 1970; after the year 9999, its last day.
    pub fn from_unix_seconds(seconds: u64) -> Self {
        const LAST: Date = Date { year: 9999, month: 12, day: 31 };
        // `civil_from_days` in "chrono-Compatible Low-Level Date Algorithms" by Howard Hinnant: years begin in March.
        let days = seconds / SECONDS_PER_DAY + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        match (u16::try_from(year), u8::try_from(month), u8::try_from(day)) {
            (Ok(year), Ok(month), Ok(day)) => Self::new(year, month, day).unwrap_or(LAST),
            _ => LAST,
        }
    }
}

impl Date {
    /// Returns the number of days since an arbitrary day.
    pub fn day_number(self) -> i64 {
        let (year, month, day) = (i64::from(self.year), i64::from(self.month), i64::from(self.day));
        // Years begin in March, so that a leap day is the last.
        let year = if month < 3 { year - 1 } else { year };
        let days_before_month = (153 * ((month + 9) % 12) + 2) / 5;
        365 * year + year / 4 - year / 100 + year / 400 + days_before_month + day
    }
}

impl FromStr for Date {
    type Err = DateError;

    /// Parses `YYYY-MM-DD`, and nothing else.
    fn from_str(text: &str) -> Result<Self, DateError> {
        let bytes = text.as_bytes();
        let is_digit_at = |at: usize| bytes[at].is_ascii_digit();
        let has_form = bytes.len() == 10
            && bytes[4] == b'-'
            && bytes[7] == b'-'
            && [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(is_digit_at);
        if !has_form {
            return Err(DateError);
        }
        let number = |part: &str| part.parse::<u16>().map_err(|_| DateError);
        let small = |part: &str| part.parse::<u8>().map_err(|_| DateError);
        Self::new(number(&text[..4])?, small(&text[5..7])?, small(&text[8..])?).ok_or(DateError)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Formats a time in seconds since 1970 as an RFC 3339 date in UTC: `2027-01-31T11:02:00Z`.
pub fn format_rfc3339(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{}T{hours:02}:{minutes:02}:{:02}Z", Date::from_unix_seconds(seconds), seconds % 60)
}

/// Formats a time in seconds since 1970 for people: `2027-01-31 11:02 UTC`.
pub fn format_minute(seconds: u64) -> String {
    format!("{} {:02}:{:02} UTC", Date::from_unix_seconds(seconds), seconds / 3600 % 24, seconds / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_parse_and_print_alike() {
        for text in ["2027-01-31", "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"] {
            assert_eq!(text.parse::<Date>().map(|date| date.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "", "2027-1-31", "2027-02-29", "2100-02-29", "2027-04-31", "2027-13-01", "2027-00-01", "2027-01-00",
            "0000-01-01", "31.01.2027", "2027-01-31T00:00:00Z", "2027/01/31", "+027-01-31", "2027-01-3é", "tomorrow",
        ] {
            assert_eq!(text.parse::<Date>(), Err(DateError), "{text}");
        }
    }

    #[test]
    fn times_are_formatted_in_utc() {
        for (seconds, expected, minute) in [
            (0, "1970-01-01T00:00:00Z", "1970-01-01 00:00 UTC"),
            (1_801_440_000 - 1, "2027-01-31T23:59:59Z", "2027-01-31 23:59 UTC"),
            (1_801_483_384, "2027-02-01T12:03:04Z", "2027-02-01 12:03 UTC"),
        ] {
            assert_eq!((format_rfc3339(seconds).as_str(), format_minute(seconds).as_str()), (expected, minute));
        }
    }

    #[test]
    fn seconds_are_of_a_day() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (86_400, "1970-01-02"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (1_709_251_199, "2024-02-29"),
            (1_801_439_999, "2027-01-31"),
            (1_801_440_000, "2027-02-01"),
            (u64::MAX, "9999-12-31"),
        ] {
            assert_eq!(Date::from_unix_seconds(seconds).to_string(), date);
        }
    }
}
