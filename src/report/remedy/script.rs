//! Remedies for scripts that the kernel cannot execute. Their commands are for the computer that builds the image, so
//! they must work with both GNU and BSD tools: `sed -i` does not, while macOS, Linux and Git for Windows have perl.

use super::program::file_name;
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
pub(super) fn first_line_remedies(path: &str) -> Vec<Remedy> {
    let extension = file_name(path).rsplit_once('.').map_or("", |(_, extension)| extension);
    let other = INTERPRETERS.iter().find(|(extensions, _)| extensions.contains(&extension));
    let (line, program, kind) = match other {
        Some((_, name)) => (format!("#!/usr/bin/env {name}"), *name, "its interpreter"),
        None => ("#!/bin/sh".to_owned(), "/bin/sh", "a shell"),
    };
    let insert = format!(r#"perl -pi -e 'print "{line}\n" if $. == 1' {}"#, file_name(path));
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
    use std::fs;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn commands_repair_scripts() {
        let insert = |path: &str| first_line_remedies(path).remove(0);
        let (shell, misplaced) = ("#!/bin/sh\necho $0 a\r\n", misplaced_line_remedy("app"));
        for (remedy, before, after) in [
            (line_ending_remedies("app").remove(0), "#!/bin/sh\r\na\rb\r\n\r\n", "#!/bin/sh\na\rb\n\n"),
            (insert("/app"), "echo $0\necho b\n", "#!/bin/sh\necho $0\necho b\n"),
            (insert("/srv/app.py"), "print(1)\nprint(2)", "#!/usr/bin/env python3\nprint(1)\nprint(2)"),
            (misplaced.clone(), &format!("\u{feff}{shell}"), shell),
            (misplaced.clone(), &format!("\n{shell}"), shell),
            (misplaced.clone(), &format!("\r\n  \n \t {shell}"), shell),
            (misplaced, &format!("\u{feff}\n {shell}\n#!/bin/sh\n"), &format!("{shell}\n#!/bin/sh\n")),
        ] {
            let (directory, command) = (TempDir::new().unwrap(), remedy.command.unwrap());
            let file = directory.path().join(command.rsplit(' ').next().unwrap());
            fs::write(&file, before).unwrap();
            assert!(Command::new("sh").args(["-c", &command]).current_dir(&directory).status().unwrap().success());
            assert_eq!(fs::read_to_string(file).unwrap(), after, "{command}");
        }
    }

    #[test]
    fn scripts_get_the_interpreter_of_their_extension() {
        for (path, interpreter) in
            [("/a.sh", "/bin/sh"), ("/a.mjs", "node"), ("/b.d/a", "/bin/sh"), ("/a.pl", "perl"), ("FILE", "/bin/sh")]
        {
            let command = first_line_remedies(path).pop().and_then(|remedy| remedy.command);
            assert_eq!(command, Some(format!(r#"ENTRYPOINT ["{interpreter}", "{path}"]"#)));
        }
    }
}
