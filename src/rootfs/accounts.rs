//! Parses `/etc/passwd` and `/etc/group` as container runtimes do: `ParsePasswdFilter` and `ParseGroupFilter` of runc's
//! `libcontainer/user`, which containerd and Docker share.

/// An entry of `/etc/passwd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PasswdEntry<'a> {
    /// The user name.
    pub(crate) name: &'a [u8],
    /// The user ID; `None` if it is not a number in the range of IDs.
    pub(crate) uid: Option<u32>,
    /// The ID of the primary group, in the same form.
    pub(crate) gid: Option<u32>,
}

/// An entry of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupEntry<'a> {
    /// The group name.
    pub(crate) name: &'a [u8],
    /// The group ID; `None` if it is not a number in the range of IDs.
    pub(crate) gid: Option<u32>,
    /// The names of the members.
    pub(crate) members: Vec<&'a [u8]>,
}

/// Parses a user or group ID as `strconv.Atoi` does: decimal, with an optional sign. IDs range from 0 to 2,147,483,647
/// (`minID` and `maxID`).
pub(crate) fn parse_id(text: &[u8]) -> Option<u32> {
    let number: i32 = std::str::from_utf8(text).ok()?.parse().ok()?;
    u32::try_from(number).ok()
}

/// Returns the fields of each line that is not blank.
fn split_lines(file: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let lines = file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.map(|line| line.split(|byte| *byte == b':').collect())
}

/// Parses the entries of `/etc/passwd`.
pub(crate) fn parse_passwd(file: &[u8]) -> impl Iterator<Item = PasswdEntry<'_>> {
    split_lines(file).map(|fields| {
        let id = |index: usize| fields.get(index).and_then(|field| parse_id(field));
        PasswdEntry { name: fields[0], uid: id(2), gid: id(3) }
    })
}

/// Parses the entries of `/etc/group`.
pub(crate) fn parse_groups(file: &[u8]) -> impl Iterator<Item = GroupEntry<'_>> {
    split_lines(file).map(|fields| {
        let members = fields.get(3).map(|field| field.split(|byte| *byte == b',').collect()).unwrap_or_default();
        GroupEntry { name: fields[0], gid: fields.get(2).and_then(|field| parse_id(field)), members }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_decimal_numbers_in_range() {
        for (text, id) in [
            ("0", Some(0)),
            ("01000", Some(1000)),
            ("+5", Some(5)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", None),
            ("-1", None),
            ("0x10", None),
            (" 0", None),
            ("", None),
            ("$UID", None),
        ] {
            assert_eq!(parse_id(text.as_bytes()), id, "{text}");
        }
    }

    #[test]
    fn entries_are_trimmed_and_may_be_incomplete() {
        let file = b"root:x:0:0:root:/root:/bin/sh\n\n  app:x:1000:50::/:/x \r\nbad:x:-5\nshort\n";
        let found: Vec<_> = parse_passwd(file).map(|entry| (entry.name, entry.uid, entry.gid)).collect();
        let expected: [(&[u8], _, _); 4] =
            [(b"root", Some(0), Some(0)), (b"app", Some(1000), Some(50)), (b"bad", None, None), (b"short", None, None)];
        assert_eq!(found, expected);
        let groups: Vec<GroupEntry<'_>> = parse_groups(b"app:x:50:\nextra:x:77:app,other\nlone").collect();
        let found: Vec<_> = groups.iter().map(|group| (group.name, group.gid, group.members.len())).collect();
        let expected: [(&[u8], _, _); 3] = [(b"app", Some(50), 1), (b"extra", Some(77), 2), (b"lone", None, 0)];
        assert_eq!(found, expected);
    }
}
