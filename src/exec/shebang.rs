//! Parses the `#!` line of a script as `load_script` in `fs/binfmt_script.c` does.

use crate::rootfs::BINPRM_BUF_SIZE;

/// The interpreter of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shebang {
    /// The interpreter's path, which may be relative or empty.
    pub(crate) interpreter: Vec<u8>,
    /// The rest of the line, as a single argument.
    pub(crate) argument: Option<Vec<u8>>,
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Parses the beginning of a file. Returns `None` if the kernel finds no interpreter in it.
pub(crate) fn parse_shebang(head: &[u8]) -> Option<Shebang> {
    let head = head.strip_prefix(b"#!").map(|_| &head[..head.len().min(BINPRM_BUF_SIZE)])?;
    // The kernel's buffer is padded with zeros, and its last byte is never part of a name.
    let mut buffer = head.to_vec();
    buffer.resize(BINPRM_BUF_SIZE, 0);
    let last = BINPRM_BUF_SIZE - 1;
    // As in the kernel, ranges include their end.
    let not_blank = |from: usize, to: usize| (from..=to).find(|at| !is_blank(buffer[*at]));
    let terminator = |from: usize, to: usize| (from..=to).find(|at| is_blank(buffer[*at]) || buffer[*at] == 0);

    let mut end = match buffer.iter().position(|byte| *byte == b'\n' || *byte == 0) {
        Some(at) if buffer[at] == b'\n' => at,
        // Without a newline the name may be truncated, unless it ends within the buffer.
        _ => not_blank(2, last).and_then(|name| terminator(name, last)).map(|_| last)?,
    };
    while is_blank(buffer[end - 1]) {
        end -= 1;
    }
    let name = not_blank(2, end).filter(|name| *name != end)?;
    let separator = terminator(name, end);
    let argument = separator.filter(|at| buffer[*at] != 0).and_then(|at| not_blank(at, end));
    let until_zero = |from: usize, to: usize| {
        let text = &buffer[from..to];
        text[..text.iter().position(|byte| *byte == 0).unwrap_or(text.len())].to_vec()
    };
    Some(Shebang {
        interpreter: until_zero(name, separator.filter(|_| argument.is_some()).unwrap_or(end)),
        argument: argument.map(|at| until_zero(at, end)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &[u8]) -> Option<(String, Option<String>)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        parse_shebang(head).map(|found| (text(found.interpreter), found.argument.map(text)))
    }

    #[test]
    fn line_has_an_interpreter_and_at_most_one_argument() {
        for (line, interpreter, argument) in [
            ("#!/bin/sh\n", "/bin/sh", None),
            ("#!/bin/sh", "/bin/sh", None),
            ("#! \t/bin/sh \t\necho", "/bin/sh", None),
            ("#!/bin/sh\r\n", "/bin/sh\r", None),
            ("#!/usr/bin/env sh\r\n", "/usr/bin/env", Some("sh\r")),
            ("#!/usr/bin/env -S  node  --flag \n", "/usr/bin/env", Some("-S  node  --flag")),
            ("#!bin/sh\n", "bin/sh", None),
            ("#!/bin/sh\0rest\n", "/bin/sh", None),
        ] {
            let expected = (interpreter.to_owned(), argument.map(str::to_owned));
            assert_eq!(read(line.as_bytes()), Some(expected), "{line:?}");
        }
    }

    #[test]
    fn other_lines_have_no_interpreter() {
        let long = format!("#!/{}\n", "a".repeat(300));
        let blank = format!("#!{}/bin/sh\n", " ".repeat(300));
        for line in ["", "#", "# !/bin/sh\n", "!/bin/sh", "#!\n", "#! \t \n", "\u{feff}#!/bin/sh\n", &long, &blank] {
            assert_eq!(read(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn long_arguments_are_truncated_and_long_names_refused() {
        let line = format!("#!/bin/sh {}\n", "a".repeat(300));
        assert_eq!(read(line.as_bytes()), Some(("/bin/sh".to_owned(), Some("a".repeat(245)))));
        let accepts = |length| read(format!("#!{}\n", "a".repeat(length)).as_bytes()).is_some();
        assert_eq!([252, 253, 254].map(accepts), [true, true, false]);
    }
}
