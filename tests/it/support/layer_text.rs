//! Layers in a short notation, and root filesystems as lines.
//!
//! An entry is a kind, a path, and for links a target: `d` directory, `f` file, `l` symbolic link, `h` hard link, `p`
//! pipe, `c` character device 1/3, `n` character device 0/0, `w` whiteout of the path, `o` opaque directory. `@750:5`
//! sets the mode and the owner. Entries are separated by commas, layers by bars; the lowest is first.

use ecr_preflight::rootfs::{Node, Permissions, Rootfs};

use crate::support::archive::{Archive, Fields};

/// Parses layers into archives. The content of a file is its path.
pub fn parse_layers(text: &str) -> Vec<Vec<u8>> {
    let layer = |layer: &str| {
        layer.split(',').map(str::trim).filter(|entry| !entry.is_empty()).fold(Archive::default(), add_entry).end()
    };
    text.split('|').map(layer).collect()
}

fn add_entry(archive: Archive, entry: &str) -> Archive {
    let (owner, words): (Vec<&str>, Vec<&str>) = entry.split(' ').partition(|word| word.starts_with('@'));
    let (mode, user) = owner.first().map_or((0o755, 0), |owner| {
        let (mode, user) = owner[1..].split_once(':').unwrap_or((&owner[1..], "0"));
        (u32::from_str_radix(mode, 8).unwrap(), user.parse().unwrap())
    });
    let (path, target) = (words[1], words.get(2).copied().unwrap_or_default());
    let fields = |kind| Fields { kind, mode, user, target: target.as_bytes(), ..Fields::default() };
    let numbered = |archive: Archive, kind, numbers: [&[u8]; 2]| {
        let set = |block: &mut [u8; 512]| {
            block[329..337].copy_from_slice(numbers[0]);
            block[337..345].copy_from_slice(numbers[1]);
        };
        archive.block(path.as_bytes(), fields(kind), 0, set)
    };
    let (parent, name) = path.rsplit_once('/').map_or((String::new(), path), |(at, name)| (format!("{at}/"), name));
    match words[0] {
        "d" => archive.entry(path.as_bytes(), fields(b'5'), b""),
        "f" => archive.entry(path.as_bytes(), fields(b'0'), path.as_bytes()),
        "l" => archive.entry(path.as_bytes(), fields(b'2'), b""),
        "h" => archive.entry(path.as_bytes(), fields(b'1'), b""),
        "p" => archive.entry(path.as_bytes(), fields(b'6'), b""),
        "c" => numbered(archive, b'3', [b"0000001\0", b"0000003\0"]),
        "n" => numbered(archive, b'3', [b"0000000\0", b"0000000\0"]),
        "w" => archive.file(&format!("{parent}.wh.{name}"), b""),
        "o" => archive.file(&format!("{path}/.wh..wh..opq"), b""),
        kind => panic!("unknown kind {kind}"),
    }
}

/// Formats a node: kind, mode, path, owner, and the beginning of a file or the target of a link.
pub fn format_node(kind: char, permissions: Permissions, path: &[u8], rest: &[u8]) -> String {
    let Permissions { mode, uid, gid } = permissions;
    let owner = if (uid, gid) == (0, 0) { String::new() } else { format!(" {uid}:{gid}") };
    let rest = if rest.is_empty() { String::new() } else { format!(" {}", rest[..rest.len().min(40)].escape_ascii()) };
    format!("{kind}{mode:o} {}{owner}{rest}", path.escape_ascii())
}

/// Lists a root filesystem in the order of the paths. The contents of files that are not executable are left out, and links have no mode.
pub fn list_rootfs(rootfs: &Rootfs) -> Vec<String> {
    let line = |(path, node): (&[u8], &Node)| match node {
        Node::Directory(permissions) => format_node('d', *permissions, path, b""),
        Node::Special(permissions) => format_node('s', *permissions, path, b""),
        Node::File(permissions, contents) => {
            let head = if permissions.mode & 0o111 == 0 { b"" } else { contents.head() };
            format_node('f', *permissions, path, head)
        }
        Node::Symlink(target) => format_node('l', Permissions::default(), path, target),
    };
    rootfs.descendants(b"").map(line).collect()
}
