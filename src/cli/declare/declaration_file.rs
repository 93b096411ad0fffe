//! Parses the file of `declare --from`: one repository in each line, followed by its runtimes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, stdin};

use super::repository_argument::parse_repository;
use crate::cli::error::CliError;
use crate::runtime::{Runtime, RuntimeError};

/// The largest file, in bytes: ten times that of the largest registry (100,000 repositories), with short names.
const MAX_FILE_BYTES: u64 = 32 << 20;

/// How many errors of a file are listed: enough to see a pattern.
const MAX_ERRORS: usize = 20;

/// In place of runtimes: removes the declaration of the repository.
pub(super) const NO_DECLARATION: &str = "-";

/// What one line of the file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestedDeclaration {
    /// The name, URI or ARN of the repository.
    pub(super) repository: String,
    /// The runtimes; none removes the declaration.
    pub(super) runtimes: Vec<Runtime>,
}

/// Reads the file, or standard input for `-`.
///
/// # Errors
/// The file cannot be read, is too large, or has invalid lines. All of them are named, up to [`MAX_ERRORS`].
pub(super) fn read_declaration_file(path: &str) -> Result<Vec<RequestedDeclaration>, CliError> {
    let failed = |source: std::io::Error| CliError::FileRead { path: path.to_owned(), source: source.into() };
    let mut text = String::new();
    let limit = MAX_FILE_BYTES + 1;
    let read = match path {
        "-" => stdin().lock().take(limit).read_to_string(&mut text),
        path => File::open(path).map_err(failed)?.take(limit).read_to_string(&mut text),
    };
    let length = read.map_err(failed)?;
    if length as u64 > MAX_FILE_BYTES {
        let message = format!("{path} is larger than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(CliError::Command { source: message.into(), hint: None, is_usage: true });
    }
    parse_declarations(&text).map_err(|errors| {
        let (shown, more) = (errors.iter().take(MAX_ERRORS), errors.len().saturating_sub(MAX_ERRORS));
        let mut lines: Vec<String> = shown.map(|error| format!("{path}:{error}")).collect();
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        usage_error(format!("nothing was written: {path} has invalid lines\n{}", lines.join("\n")))
    })
}

fn usage_error(message: String) -> CliError {
    let hint = "each line is a repository and its runtimes, for example `team/app ecs/arm64 apprunner`; `-` in place of \
                the runtimes removes the declaration, and `#` begins a comment";
    CliError::Command { source: message.into(), hint: Some(hint.to_owned()), is_usage: true }
}

/// Parses the lines. A repository without runtimes, as `declare --list --format tsv` writes it, asks for nothing. Fails
/// with one message for each invalid line, which begins with the line's number.
fn parse_declarations(text: &str) -> Result<Vec<RequestedDeclaration>, Vec<String>> {
    let (mut requested, mut errors) = (Vec::new(), Vec::new());
    let mut first_lines: HashMap<&str, usize> = HashMap::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let content = line.split_once('#').map_or(line, |(content, _)| content);
        let mut words = content.split_whitespace();
        let Some(repository) = words.next() else { continue };
        if let Err(error) = parse_repository(repository) {
            errors.push(format!("{number}: {error}"));
            continue;
        }
        if let Some(first) = first_lines.insert(repository, number) {
            errors.push(format!("{number}: {repository} is in line {first}, too"));
            continue;
        }
        let words: Vec<&str> = words.collect();
        if words.is_empty() {
            continue;
        }
        let runtimes = if words == [NO_DECLARATION] { Ok(Vec::new()) } else { parse_runtimes(&words) };
        match runtimes {
            Ok(runtimes) => requested.push(RequestedDeclaration { repository: repository.to_owned(), runtimes }),
            Err(error) => errors.push(format!("{number}: {error}")),
        }
    }
    if errors.is_empty() { Ok(requested) } else { Err(errors) }
}

fn parse_runtimes(words: &[&str]) -> Result<Vec<Runtime>, RuntimeError> {
    words.iter().map(|word| word.parse()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declare::declaration_value;

    #[test]
    fn lines_are_repositories_and_their_runtimes() {
        let text = "\u{feff}# the platform team\n\nteam/app ecs/arm64 apprunner # moves to arm64\r\nteam/job\tlambda/arm64\n\
                    team/old -\nteam/new\t\narn:aws:ecr:us-west-2:123456789012:repository/team/web linux/amd64";
        let parsed = parse_declarations(text).unwrap();
        let shown: Vec<(&str, String)> =
            parsed.iter().map(|one| (one.repository.as_str(), declaration_value(&one.runtimes))).collect();
        let web = "arn:aws:ecr:us-west-2:123456789012:repository/team/web";
        let expected =
            [("team/app", "ecs/arm64 apprunner"), ("team/job", "lambda/arm64"), ("team/old", ""), (web, "linux/amd64")];
        assert_eq!(shown, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn every_invalid_line_is_named() {
        let text = "team/app:v1 ecs/arm64\nteam/app esc/arm64\nteam/app ecs/arm64\nteam/api - ecs/arm64";
        expect_test::expect![[r"
            1: `team/app:v1` is not a valid repository name: expected lower-case letters and digits, separated by `.`, `_`, `-` or `/`
            2: unknown runtime `esc/arm64`; did you mean `ecs/arm64`?
            3: team/app is in line 2, too
            4: unknown runtime `-`; did you mean `ecs/amd64` or `ecs/arm64` or `apprunner` or `agentcore`?"]]
        .assert_eq(&parse_declarations(text).unwrap_err().join("\n"));
    }
}
