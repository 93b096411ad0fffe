//! Parses the arguments of setpriv(1) of util-linux (`sys-utils/setpriv.c`). Every rule was measured with util-linux
//! 2.38.1.

/// What setpriv changes before it starts a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SetprivArguments<'a> {
    /// The new user, real and effective: a name or a number.
    pub(super) user: Option<&'a [u8]>,
    /// The new group, in the same form.
    pub(super) group: Option<&'a [u8]>,
    /// What happens to the supplementary groups.
    pub(super) groups: Option<GroupChange>,
    /// The command and its arguments.
    pub(super) command: &'a [Vec<u8>],
}

/// What happens to the supplementary groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupChange {
    /// They become those of the user in the group database.
    Initialize,
    Clear,
    Keep,
}

/// Parses the arguments, including `argv[0]`. Options end at the first operand. Returns `None` for abbreviated options,
/// options that change capabilities or the environment, and arguments with which setpriv starts nothing.
pub(super) fn parse_setpriv_arguments(argv: &[Vec<u8>]) -> Option<SetprivArguments<'_>> {
    let mut rest = argv.get(1..)?;
    let (mut user, mut group, mut groups) = (None, None, None);
    let mut has_no_new_privileges = false;
    while let Some((first, after)) = rest.split_first().filter(|(first, _)| first.starts_with(b"-")) {
        rest = after;
        if first == b"--" {
            break;
        }
        let (name, value) = match first.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&first[..equals], Some(&first[equals + 1..])),
            None => (first.as_slice(), None),
        };
        match (name, value) {
            (b"--reuid" | b"--regid", _) => {
                let value = if let Some(value) = value {
                    value
                } else {
                    let (value, after) = rest.split_first()?;
                    rest = after;
                    value
                };
                let target = if name == b"--reuid" { &mut user } else { &mut group };
                // Container runtimes take a colon for the beginning of a group.
                if value.is_empty() || value.contains(&b':') || target.replace(value).is_some() {
                    return None;
                }
            }
            // "duplicate --no-new-privs option"
            (b"--no-new-privs" | b"--nnp", None) if !has_no_new_privileges => has_no_new_privileges = true,
            (b"--init-groups" | b"--clear-groups" | b"--keep-groups", None) => {
                let change = match name {
                    b"--init-groups" => GroupChange::Initialize,
                    b"--clear-groups" => GroupChange::Clear,
                    _ => GroupChange::Keep,
                };
                if groups.replace(change).is_some() {
                    return None;
                }
            }
            _ => return None,
        }
    }
    let is_valid = !rest.is_empty()
        && (group.is_none() || groups.is_some())
        && (groups != Some(GroupChange::Initialize) || user.is_some());
    is_valid.then_some(SetprivArguments { user, group, groups, command: rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(Vec::from).collect()
    }

    #[test]
    fn user_group_and_command_are_found() {
        use GroupChange::{Clear, Initialize, Keep};
        for (line, user, group, groups, command) in [
            ("setpriv app -x", None, None, None, "app -x"),
            (
                "setpriv --reuid=app --regid=app --init-groups app -x",
                Some("app"),
                Some("app"),
                Some(Initialize),
                "app -x",
            ),
            ("setpriv --reuid 1000 --clear-groups -- app", Some("1000"), None, Some(Clear), "app"),
            ("setpriv --keep-groups --regid 5 --nnp --reuid 6 /app", Some("6"), Some("5"), Some(Keep), "/app"),
        ] {
            let (argv, command) = (words(line), words(command));
            let expected = SetprivArguments {
                user: user.map(str::as_bytes),
                group: group.map(str::as_bytes),
                groups,
                command: &command,
            };
            assert_eq!(parse_setpriv_arguments(&argv), Some(expected), "{line}");
        }
    }

    #[test]
    fn other_arguments_are_not_followed() {
        for line in [
            "setpriv",
            "setpriv --reuid=1",
            "setpriv --reuid",
            "setpriv --regid=1 app",
            "setpriv --init-groups app",
            "setpriv --reui=1 app",
            "setpriv -d",
            "setpriv --dump",
            "setpriv --reset-env app",
            "setpriv --reuid= app",
            "setpriv --reuid=a:b app",
            "setpriv --inh-caps=-all app",
            "setpriv --reuid=1 --reuid=2 app",
            "setpriv --clear-groups --keep-groups app",
            "setpriv --nnp=1 app",
            "setpriv --nnp --no-new-privs app",
            "setpriv --groups=1 --regid=1 app",
        ] {
            assert_eq!(parse_setpriv_arguments(&words(line)), None, "{line}");
        }
    }
}
