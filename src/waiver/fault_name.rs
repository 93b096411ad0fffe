//! Parses the name of a fault, and suggests one that exists.

use crate::text::sanitize_quoted;
use crate::verdict::FaultCode;

/// The text is not the code of a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown fault `{word}`{}", format_nearest(*nearest))]
pub struct FaultNameError {
    /// The word, sanitized.
    word: String,
    /// The most similar code, if one is similar.
    nearest: Option<&'static str>,
}

/// From this similarity on, between 0 and 1, a code is suggested.
const MIN_SIMILARITY: f64 = 0.75;

fn format_nearest(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => ": expected a fault code, for example `wrong-architecture`".to_owned(),
    }
}

/// Parses a fault code.
///
/// # Errors
/// There is no fault with this code.
pub fn parse_fault_name(name: &str) -> Result<FaultCode, FaultNameError> {
    FaultCode::from_name(name).ok_or_else(|| {
        let word: String = name.chars().take(100).collect();
        // Favors a common beginning: `wrong-arch` is closer to `wrong-architecture` than to `wrong-os`.
        let similarity = |code: FaultCode| strsim::jaro_winkler(&word, code.as_str());
        let codes = FaultCode::ALL.iter().copied().filter(|code| similarity(*code) >= MIN_SIMILARITY);
        let nearest = codes.max_by(|one, other| similarity(*one).total_cmp(&similarity(*other)));
        FaultNameError { word: sanitize_quoted(name), nearest: nearest.map(FaultCode::as_str) }
    })
}
