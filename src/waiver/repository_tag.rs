//! Waivers in resource tags of a repository: `FAULT [RUNTIME] [until YYYY-MM-DD] REASON`.

use super::fault_name::{FaultNameError, parse_fault_name};
use super::rule::{Waiver, parse_reason};
use crate::date::{Date, DateError};
use crate::runtime::{Runtime, RuntimeError, Service};
use crate::text::sanitize_quoted;
use crate::verdict::FaultCode;

/// The key of the tag. A repository can have several waivers: more keys begin with this one and a colon.
pub const WAIVER_KEY: &str = "ecr-preflight:waive";

/// How many waivers of a repository are parsed: a repository has at most 50 resource tags ("Tagging a private repository" in
/// the Amazon ECR user guide).
const MAX_WAIVERS: usize = 50;

/// The word before the last day.
const UNTIL: &str = "until";

/// The words that somebody may take for the beginning of a condition. As with names of services, a reason cannot begin with
/// them, in any case and with any punctuation.
const CONDITION_WORDS: [&str; 5] = ["on", "for", UNTIL, "expires", "app-runner"];

/// A value that is not a waiver, and waives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the repository's tag `{key}` waives nothing: {problem}")]
pub struct WaiverTagError {
    key: String,
    problem: WaiverTagProblem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum WaiverTagProblem {
    #[error("it is empty; expected `FAULT [RUNTIME] [until YYYY-MM-DD] REASON`")]
    Empty,
    #[error(transparent)]
    Fault(#[from] FaultNameError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("what follows `until` is {0}")]
    Date(#[from] DateError),
    #[error("`until` is missing before the date {0}")]
    UntilMissing(Date),
    #[error(
        "a tag waives one fault on one runtime, or on all; `{0}` needs a tag of its own, `{WAIVER_KEY}:2` for example"
    )]
    SecondCondition(String),
    #[error("the runtime {0} is after the date; expected `FAULT [RUNTIME] [until YYYY-MM-DD] REASON`")]
    RuntimeAfterDate(Runtime),
    #[error(
        "`{0}` looks like a condition, but is in the place of the reason; expected `FAULT [RUNTIME] [until YYYY-MM-DD] REASON`"
    )]
    ConditionInReason(String),
    #[error("the reason is missing; expected `FAULT [RUNTIME] [until YYYY-MM-DD] REASON`")]
    ReasonMissing,
}

/// Parses the waivers among a repository's resource tags, in the order of their keys.
pub fn parse_waiver_tags(tags: &[(String, String)]) -> (Vec<Waiver>, Vec<WaiverTagError>) {
    let is_waiver =
        |key: &str| key.strip_prefix(WAIVER_KEY).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    let mut found: Vec<&(String, String)> = tags.iter().filter(|(key, _)| is_waiver(key)).collect();
    found.sort();
    let (mut waivers, mut errors) = (Vec::new(), Vec::new());
    for (key, value) in found.into_iter().take(MAX_WAIVERS) {
        match parse_waiver(value) {
            Ok(waiver) => waivers.push(waiver),
            Err(problem) => errors.push(WaiverTagError { key: sanitize_quoted(key), problem }),
        }
    }
    (waivers, errors)
}

/// Parses one value. Whatever may be a condition in the wrong place is an error: as a part of the reason it would be missing,
/// and the waiver would accept more than was meant.
fn parse_waiver(text: &str) -> Result<Waiver, WaiverTagProblem> {
    let mut words = text.split_whitespace().peekable();
    let fault = parse_fault_name(words.next().ok_or(WaiverTagProblem::Empty)?)?;
    let mut runtime = None;
    if let Some(word) = words.peek() {
        match word.parse::<Runtime>() {
            Ok(parsed) => runtime = Some(parsed),
            // The names of runtimes contain a slash, words of a reason hardly ever.
            Err(error) if word.contains('/') => return Err(error.into()),
            Err(_) => {}
        }
    }
    words.next_if(|_| runtime.is_some());
    let mut expires = None;
    if words.next_if_eq(&UNTIL).is_some() {
        expires = Some(words.next().unwrap_or_default().parse::<Date>()?);
    }
    if let Some(word) = words.peek() {
        if let Ok(date) = word.parse() {
            return Err(WaiverTagProblem::UntilMissing(date));
        }
        let other = word.parse::<Runtime>();
        if let (Ok(other), true, None) = (&other, expires.is_some(), runtime) {
            return Err(WaiverTagProblem::RuntimeAfterDate(*other));
        }
        if other.is_ok() || FaultCode::from_name(word).is_some() {
            return Err(WaiverTagProblem::SecondCondition((*word).to_owned()));
        }
    }
    let words: Vec<&str> = words.collect();
    let is_condition = |(at, word): (usize, &str)| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let begins_condition = CONDITION_WORDS.contains(&word.as_str())
            || Service::from_name(&word).is_some()
            || FaultCode::from_name(&word).is_some();
        at == 0 && begins_condition || word.parse::<Date>().is_ok() || word.parse::<Runtime>().is_ok()
    };
    if let Some((_, word)) = words.iter().copied().enumerate().find(|entry| is_condition(*entry)) {
        return Err(WaiverTagProblem::ConditionInReason(sanitize_quoted(word)));
    }
    let reason = parse_reason(&words.join(" ")).ok_or(WaiverTagProblem::ReasonMissing)?;
    Ok(Waiver { fault, image: None, runtime, reason, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_values_are_waivers() {
        for (text, expected) in [
            ("wrong-architecture legacy", "wrong-architecture | - | legacy"),
            ("wrong-architecture ecs/arm64 legacy", "wrong-architecture on ecs/arm64 | - | legacy"),
            ("exec-format until 2027-01-31 see JIRA-1", "exec-format | 2027-01-31 | see JIRA-1"),
            (
                " wrong-os  lambda/x86_64 until 2027-01-31 moves  in January ",
                "wrong-os on lambda/amd64 | 2027-01-31 | moves in January",
            ),
            ("exec-loader apprunner until 2027-01-31 a", "exec-loader on apprunner | 2027-01-31 | a"),
            // Only at the beginning of the reason.
            ("exec-format legacy until we move", "exec-format | - | legacy until we move"),
            ("exec-format moves to ecs for good", "exec-format | - | moves to ecs for good"),
            ("exec-format see https://example.com/1", "exec-format | - | see https://example.com/1"),
        ] {
            let waiver = parse_waiver(text).unwrap();
            let expires = waiver.expires.map_or("-".to_owned(), |date| date.to_string());
            assert_eq!(format!("{} | {expires} | {}", waiver.describe(), waiver.reason), expected);
        }
    }

    #[test]
    fn malformed_values_waive_nothing() {
        let form = "expected `FAULT [RUNTIME] [until YYYY-MM-DD] REASON`";
        let no_date = "what follows `until` is not a date: expected YYYY-MM-DD, for example 2027-01-31";
        let second = "needs a tag of its own, `ecr-preflight:waive:2` for example";
        for (text, expected) in [
            ("", format!("it is empty; {form}")),
            ("  ", format!("it is empty; {form}")),
            ("legacy", "unknown fault `legacy`: expected a fault code, for example `wrong-architecture`".to_owned()),
            ("wrong-arch legacy", "unknown fault `wrong-arch`; did you mean `wrong-architecture`?".to_owned()),
            (
                "Wrong-Architecture a",
                "unknown fault `Wrong-Architecture`; did you mean `wrong-architecture`?".to_owned(),
            ),
            ("* legacy", "unknown fault `*`: expected a fault code, for example `wrong-architecture`".to_owned()),
            ("wrong-architecture", format!("the reason is missing; {form}")),
            ("wrong-architecture ecs/arm64", format!("the reason is missing; {form}")),
            ("wrong-architecture ecs/arm64 until 2027-01-31", format!("the reason is missing; {form}")),
            (
                "wrong-architecture ecs/amr64 a",
                "unknown runtime `ecs/amr64`; did you mean `ecs/amd64` or `ecs/arm64`?".to_owned(),
            ),
            ("wrong-architecture until 2027-02-30 a", no_date.to_owned()),
            ("wrong-architecture until tomorrow", no_date.to_owned()),
            ("wrong-architecture until", no_date.to_owned()),
            ("wrong-architecture 2027-01-31 a", "`until` is missing before the date 2027-01-31".to_owned()),
            (
                "wrong-architecture until 2027-01-31 2027-02-28 a",
                "`until` is missing before the date 2027-02-28".to_owned(),
            ),
            (
                "wrong-architecture until 2027-01-31 ecs/arm64 a",
                format!("the runtime ecs/arm64 is after the date; {form}"),
            ),
            (
                "wrong-architecture ecs/arm64 apprunner a",
                format!("a tag waives one fault on one runtime, or on all; `apprunner` {second}"),
            ),
            (
                "wrong-architecture exec-format a",
                format!("a tag waives one fault on one runtime, or on all; `exec-format` {second}"),
            ),
        ] {
            assert_eq!(parse_waiver(text).map_err(|error| error.to_string()), Err(expected), "{text}");
        }
    }

    #[test]
    fn conditions_in_the_reason_waive_nothing() {
        for (text, word) in [
            ("on ecs/arm64 legacy", "on"),
            ("ON: ecs/arm64 legacy", "ON:"),
            ("for Lambda", "for"),
            ("ecs legacy", "ecs"),
            ("ECS: legacy", "ECS:"),
            ("lambda legacy", "lambda"),
            ("fargate, legacy", "fargate,"),
            ("apprunner: moves", "apprunner:"),
            ("app-runner moves", "app-runner"),
            ("legacy on ecs/arm64", "ecs/arm64"),
            ("legacy (ECS/arm64).", "(ECS/arm64)."),
            ("legacy apprunner", "apprunner"),
            ("legacy until 2027-01-31", "2027-01-31"),
            ("legacy until 2027-01-31.", "2027-01-31."),
            ("ecs/arm64 legacy lambda/amd64:", "lambda/amd64:"),
            ("Until 2027-01-31 x", "Until"),
            ("until: 2027-01-31 x", "until:"),
            ("expires 2027-01-31 x", "expires"),
            ("until 2027-01-31 until x", "until"),
            ("until 2027-01-31 ecs: x", "ecs:"),
        ] {
            let expected = format!(
                "`{word}` looks like a condition, but is in the place of the reason; expected `FAULT [RUNTIME] [until \
                 YYYY-MM-DD] REASON`"
            );
            let parsed = parse_waiver(&format!("wrong-architecture {text}"));
            assert_eq!(parsed.map_err(|error| error.to_string()), Err(expected), "{text}");
        }
    }

    #[test]
    fn waivers_are_read_from_their_own_keys() {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let (waivers, errors) = parse_waiver_tags(&[
            tag("intended-runtime", "exec-format a"),
            tag("ecr-preflight:waive:2", "exec-loader b"),
            tag("ecr-preflight:waive", "exec-format a"),
            tag("ecr-preflight:waived", "wrong-os c"),
            tag("ecr-preflight:waive:b", "no"),
        ]);
        let reasons: Vec<&str> = waivers.iter().map(|waiver| waiver.reason.as_str()).collect();
        assert_eq!(reasons, ["a", "b"]);
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0].starts_with("the repository's tag `ecr-preflight:waive:b` waives nothing: unknown fault `no`")
        );
    }
}
