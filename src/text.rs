//! Text for messages: sanitizes untrusted text, escapes it for each output format, and formats an error with its causes.

use std::error::Error;

/// Sanitizes text to be quoted in backticks: at most 100 characters, without backticks.
pub(crate) fn sanitize_quoted(text: &str) -> String {
    sanitize(text, 100).replace('`', "\u{fffd}")
}

/// Replaces characters that could control a terminal or disguise the text: control characters and invisible ones. Tabs
/// and line breaks become spaces. The result has at most `max_chars` characters.
pub(crate) fn sanitize(text: &str, max_chars: usize) -> String {
    // Almost every text: a message sanitizes hundreds, and going through their characters would be a sixth of an event.
    if text.len() <= max_chars && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let printable = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() || is_invisible(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(printable).take(max_chars).collect()
}

/// Characters that are not visible, or change the order of others: the general categories Cf, Zl and Zp of Unicode 16,
/// and the letters that are displayed as nothing (`Default_Ignorable_Code_Point`).
const INVISIBLE: [(char, char); 24] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

fn is_invisible(c: char) -> bool {
    INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Escapes a line for a terminal whose output a CI server may read: without control characters and commands to the
/// server. GitHub Actions and Azure Pipelines take commands from lines that begin with `::` or contain `##[` or `##vso[`,
/// `TeamCity` from `##teamcity[`.
#[cfg(feature = "cli")]
pub(crate) fn escape_terminal(line: &str) -> String {
    let line = sanitize(line, usize::MAX);
    let begins_command = line.trim_start().starts_with("::");
    let line = if begins_command { line.replacen("::", ":\u{fffd}", 1) } else { line };
    let mut parts = line.split("##");
    let mut escaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_command = part.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).starts_with('[');
        escaped += if is_command { "#\u{fffd}" } else { "##" };
        escaped += part;
    }
    escaped
}

/// Escapes a JSON document for output that a CI server may read, see [`escape_terminal`]: a parser reads the same values.
/// Two number signs are always in a string, where the second one can be an escape.
#[cfg(feature = "cli")]
pub(crate) fn escape_json_commands(json: &str) -> String {
    json.replace("##", "#\\u0023")
}

/// Escapes an XML document without CDATA sections and comments for output that a CI server may read, see
/// [`escape_json_commands`].
#[cfg(feature = "cli")]
pub(crate) fn escape_xml_commands(xml: &str) -> String {
    xml.replace("##", "#&#35;")
}

/// Escapes a line for an e-mail in plain text. Mail programs make links of URLs, and names from an image must not be
/// links, so the colon of a URL is put in brackets, as security reports write it.
pub(crate) fn escape_email(line: &str) -> String {
    sanitize(line, usize::MAX).replace("://", "[:]//")
}

/// Escapes a sentence for Slack's markup: its three control characters
/// (<https://docs.slack.dev/messaging/formatting-message-text>) and, outside of code between backticks, what Slack or
/// Amazon Q would format, link or notify people of. Such a character is replaced by one that looks alike.
pub(crate) fn escape_slack(text: &str) -> String {
    let mut escaped = String::new();
    // A backtick without a partner begins no code.
    let mut backticks = text.matches('`').count();
    let mut is_code = false;
    let mut previous = ' ';
    let text: Vec<char> = sanitize(text, usize::MAX).chars().collect();
    for (at, &c) in text.iter().enumerate() {
        let next = text.get(at + 1).copied().unwrap_or(' ');
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '`' if is_code || backticks > 1 => {
                is_code = !is_code;
                escaped.push('`');
            }
            c if is_code => escaped.push(c),
            '`' => escaped.push('\''),
            '*' => escaped.push('\u{2217}'),
            '~' => escaped.push('\u{223c}'),
            '_' if !(previous.is_alphanumeric() && next.is_alphanumeric()) => escaped.push('\u{ff3f}'),
            '@' if next.is_alphanumeric() && !previous.is_alphanumeric() => escaped.push('\u{ff20}'),
            '(' if previous == ']' => escaped += " (",
            ':' if text[at..].starts_with(&[':', '/', '/']) => escaped += ": ",
            c => escaped.push(c),
        }
        backticks -= usize::from(c == '`');
        previous = c;
    }
    escaped
}

/// Escapes text for Slack's code between backticks, which a backtick would end.
pub(crate) fn escape_slack_code(text: &str) -> String {
    sanitize(&text.replace('`', "'"), usize::MAX).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Truncates Slack's markup to this many characters. The last one is then an ellipsis, and neither an escape nor a link
/// nor code is left open.
pub(crate) fn truncate_slack(markup: &str, max_chars: usize) -> String {
    if markup.chars().count() <= max_chars {
        return markup.to_owned();
    }
    // One character for the ellipsis, one for a backtick.
    let mut kept: String = markup.chars().take(max_chars.saturating_sub(2)).collect();
    for (open, close) in [('<', '>'), ('&', ';')] {
        if let Some(at) = kept.rfind(open).filter(|at| !kept[*at..].contains(close)) {
            kept.truncate(at);
        }
    }
    kept.push('\u{2026}');
    if kept.matches('`').count() % 2 == 1 {
        kept.push('`');
    }
    kept
}

/// Escapes a cell of a CSV file that a spreadsheet would evaluate as a formula, by an apostrophe before it. Spreadsheets
/// of some languages separate cells at a semicolon, even between quotation marks, so what follows one is escaped too.
#[cfg(feature = "cli")]
pub(crate) fn escape_csv(text: &str) -> String {
    const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let escape = |cell: &str| {
        let word = cell.trim_start_matches(' ');
        let spaces = &cell[..cell.len() - word.len()];
        if word.starts_with(FORMULA) { format!("{spaces}'{word}") } else { cell.to_owned() }
    };
    text.split(';').map(escape).collect::<Vec<_>>().join(";")
}

/// Messages of the AWS SDK and its HTTP client that add nothing to their causes.
const WRAPPER_MESSAGES: [&str; 12] = [
    "an error occurred while loading an access token",
    "an error occurred while loading credentials",
    "client error (Connect)",
    "client error (SendRequest)",
    "dispatch failure",
    "dns error",
    "io error",
    "other",
    "service error",
    "tcp connect error",
    "the credential provider was not enabled",
    "timeout",
];

/// Collects the items without repetitions, in the order in which they first occur.
pub(crate) fn collect_unique<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut unique = Vec::new();
    for item in items {
        if !unique.contains(&item) {
            unique.push(item);
        }
    }
    unique
}

/// Returns the messages of an error and its causes, without those that an earlier one contains and without wrappers of
/// the AWS SDK.
pub(crate) fn error_messages(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut messages = vec![error.to_string()];
    for cause in std::iter::successors(error.source(), |&cause| cause.source()) {
        let text = cause.to_string();
        let is_wrapper = cause.source().is_some() && WRAPPER_MESSAGES.contains(&text.as_str());
        if !is_wrapper && !messages.iter().any(|earlier| earlier.contains(&text)) {
            messages.push(shorten_credentials_error(&text).unwrap_or(text));
        }
    }
    messages
}

/// Shortens the SDK's list of all places without credentials. Only the profile's entry may name something to fix.
fn shorten_credentials_error(message: &str) -> Option<String> {
    let attempts = message.strip_prefix("no credentials found in chain")?;
    let entry = "Profile: the credential provider was not enabled: ";
    let reason = attempts.lines().find_map(|line| line.trim().strip_prefix(entry));
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    Some(format!("no AWS credentials found{reason}"))
}

/// Joins the messages of an error and its causes with `: `, without repetitions and wrappers of the AWS SDK.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    error_messages(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "cli")]
    fn documents_have_no_commands_of_ci_servers_and_the_same_values() {
        for text in ["##vso[task.setvariable variable=x]y", "##[error]x", "###", "####", "a#b # c", "\\##"] {
            let json = escape_json_commands(&serde_json::to_string(text).unwrap());
            assert!(!json.contains("##"), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            let xml = escape_xml_commands(&format!("<a>{text}</a>"));
            assert!(!xml.contains("##"), "{xml}");
            assert_eq!(xml.replace("&#35;", "#"), format!("<a>{text}</a>"));
        }
    }

    #[test]
    fn text_is_sanitized_and_truncated() {
        assert_eq!(sanitize_quoted("a`\u{1b}\u{202e}\u{200b}\nb"), "a\u{fffd}\u{fffd}\u{fffd}\u{fffd} b");
        assert_eq!(sanitize_quoted(&"é".repeat(101)).chars().count(), 100);
        assert_eq!(sanitize("a\u{1b}[31m\u{202e}\n\té", 100), "a\u{fffd}[31m\u{fffd}  é");
        assert_eq!(sanitize(&"é".repeat(1000), 3), "ééé");
    }

    /// Names as an attacker would choose them, without the characters that `sanitize` replaces.
    const HOSTILE: [&str; 12] = [
        "##[error]no", "##vso[task.complete]", "##teamcity[a]", "::error::no", "  ::add-mask::x",
        "[a](https://e.example)", "<https://e.example|a>", "*a* _b_ ~c~ a_b", "@channel <!here> a@b", "`x *y*", "=1+1",
        "a; =1;-2;b=c",
    ];

    fn escape_all(escape: impl Fn(&str) -> String) -> Vec<String> {
        HOSTILE.iter().map(|name| escape(name)).collect()
    }

    #[test]
    #[cfg(feature = "cli")]
    fn terminal_gets_no_commands_of_ci_servers() {
        let escaped = escape_all(escape_terminal);
        let expected =
            ["#\u{fffd}[error]no", "#\u{fffd}vso[task.complete]", "#\u{fffd}teamcity[a]", ":\u{fffd}error::no"];
        assert_eq!(escaped[..4], expected);
        assert_eq!(escaped[4], "  :\u{fffd}add-mask::x");
        assert_eq!(escaped[5..], HOSTILE[5..]);
        assert_eq!(escape_terminal("## a # ##b a::b"), "## a # ##b a::b");
    }

    #[test]
    fn email_gets_no_links() {
        let escaped = escape_all(escape_email);
        assert_eq!(escaped[5], "[a](https[:]//e.example)");
        assert_eq!(escaped[6], "<https[:]//e.example|a>");
    }

    #[test]
    fn slack_sentence_gets_no_markup() {
        let escaped = escape_all(escape_slack);
        assert_eq!(
            escaped[5..10],
            [
                "[a] (https: //e.example)",
                "&lt;https: //e.example|a&gt;",
                "\u{2217}a\u{2217} \u{ff3f}b\u{ff3f} \u{223c}c\u{223c} a_b",
                "\u{ff20}channel &lt;!here&gt; a@b",
                "'x \u{2217}y\u{2217}",
            ]
        );
        assert_eq!(escape_slack("`*a*` *b* `<`"), "`*a*` \u{2217}b\u{2217} `&lt;`");
    }

    #[test]
    fn slack_code_stays_code() {
        let escaped = escape_all(escape_slack_code);
        assert_eq!(
            escaped[6..10],
            ["&lt;https://e.example|a&gt;", "*a* _b_ ~c~ a_b", "@channel &lt;!here&gt; a@b", "'x *y*"]
        );
    }

    #[test]
    fn truncated_markup_is_closed() {
        for (markup, max, truncated) in [
            ("short", 5, "short"),
            ("a `long code`", 8, "a `lon\u{2026}`"),
            ("abc &amp; d", 8, "abc \u{2026}"),
            ("ab <https://x|y>", 9, "ab \u{2026}"),
            ("ab &lt; cdefgh", 10, "ab &lt; \u{2026}"),
        ] {
            assert_eq!(truncate_slack(markup, max), truncated);
        }
    }

    #[test]
    #[cfg(feature = "cli")]
    fn csv_cell_is_no_formula() {
        let escaped = escape_all(escape_csv);
        assert_eq!(escaped[10..], ["'=1+1", "a; '=1;'-2;b=c"]);
        for formula in ["=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", "\t=1", "\u{ff1d}1"] {
            assert_eq!(escape_csv(formula), format!("'{formula}"));
        }
        for text in ["team/app", "a=b", "", "docker a --b; c"] {
            assert_eq!(escape_csv(text), text);
        }
    }

    #[test]
    fn invisible_characters_are_replaced() {
        for c in
            ['\u{ad}', '\u{61c}', '\u{200d}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{e0041}', '\u{3164}']
        {
            assert_eq!(sanitize(&format!("a{c}b"), 9), "a\u{fffd}b", "{c:?}");
        }
        assert_eq!(sanitize("東京 é ✗ …", 99), "東京 é ✗ …");
    }
}
