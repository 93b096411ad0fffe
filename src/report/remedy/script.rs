//! Remedies for scripts that the kernel cannot execute. Their commands are for the computer that builds the image, so
//! they must work on macOS and Linux: `sed -i` of BSD and GNU differ, but both systems and Git for Windows have perl.

use crate::report::model::Remedy;

/// Interpreters by the extension of the scripts that they run.
const INTERPRETERS: [(&[&str], &str); 5] =
    [(&["py"], "python3"), (&["rb"], "ruby"), (&["js", "mjs", "cjs"], "node"), (&["pl"], "perl"), (&["php"], "php")];

/// Suggests what fixes a script with carriage returns.
pub(super) fn line_ending_remedies(name: &str) -> Vec<Remedy> {
    vec![
        Remedy::with_command("Save the script with Unix line endings", format!(r"perl -pi -e 's/\r$//' {name}")),
        Remedy::with_command("And keep git from converting them, in .gitattributes", "*.sh text eol=lf"),
    ]
}

/// Suggests what fixes a script without a line that names its interpreter.
pub(super) fn first_line_remedies(path: &str, name: &str) -> Vec<Remedy> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let other = INTERPRETERS.iter().find(|(extensions, _)| extensions.contains(&extension));
    let (line, program, kind) = match other {
        Some((_, program)) => (format!("#!/usr/bin/env {program}"), *program, "its interpreter"),
        None => ("#!/bin/sh".to_owned(), "/bin/sh", "a shell"),
    };
    let insert = format!(r#"perl -pi -e 'print "{line}\n" if $. == 1' {name}"#);
    vec![
        Remedy::with_command("Begin the script with a line that names its interpreter", insert),
        Remedy::with_command(format!("Or start it with {kind}"), format!(r#"ENTRYPOINT ["{program}", "{path}"]"#)),
    ]
}

/// Suggests what fixes a script that has something before its first line.
pub(super) fn misplaced_line_remedy(name: &str) -> Remedy {
    Remedy::with_command(
        "Begin the file with `#!`: no byte order mark, blank line or space before it",
        format!(r"perl -0777 -pi -e 's/\A(\xEF\xBB\xBF|\s)+#!/#!/' {name}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_get_the_interpreter_of_their_extension() {
        for (path, interpreter) in
            [("/a.sh", "/bin/sh"), ("/a.mjs", "node"), ("/b.d/a", "/bin/sh"), ("/a.pl", "perl"), ("FILE", "/bin/sh")]
        {
            let command =
                first_line_remedies(path, path.rsplit('/').next().unwrap()).pop().and_then(|remedy| remedy.command);
            assert_eq!(command, Some(format!(r#"ENTRYPOINT ["{interpreter}", "{path}"]"#)));
        }
    }
}
