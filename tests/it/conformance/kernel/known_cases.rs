//! Cases with the answers that the kernel was measured to give.

use std::rc::Rc;

use ecr_preflight::rootfs::{Permissions, User};

use super::Case;
use super::elf::{compat, foreign, own};
use super::tree::{Entry, OPEN, Tree};

/// The files of most cases: a shell, and files that are not interpreters.
pub fn base() -> Tree {
    Tree::default()
        .directory("bin")
        .file("bin/sh", own().bytes())
        .file("bin/foreign", foreign().bytes())
        .file("bin/text", "x".repeat(64))
        .file("bin/short", "x".repeat(63))
        .file("bin/empty", "")
        .file("bin/script", "#!/bin/sh\n")
        .with("bin/closed", Permissions { mode: 0o644, ..OPEN }, Entry::File(own().bytes()))
        .link("bin/loop", "loop")
        .link("bin/dangling", "none")
        .with("bin/pipe", OPEN, Entry::Pipe)
}

pub fn cases() -> Vec<Case> {
    let (links, users) = (links(), users());
    [files(), programs(), scripts(), names(), links, users].concat()
}

/// A case of one file, `/x`, next to the base.
fn one(name: &str, bytes: impl AsRef<[u8]>, known: &'static str) -> Case {
    Case { known: Some(known), ..Case::new(name, base().file("x", bytes), "/x") }
}

fn files() -> Vec<Case> {
    let program = own().bytes();
    let altered = |at: usize, value: u8| {
        let mut bytes = program.clone();
        bytes[at] = value;
        bytes
    };
    let mut cases = vec![
        one("an empty file", "", "ENOEXEC"),
        one("text", "echo hello\n", "ENOEXEC"),
        one("a byte order mark", "\u{feff}#!/bin/sh\n", "ENOEXEC"),
        one("UTF-16", b"\xff\xfe#\0!\0/\0b\0i\0n\0/\0s\0h\0\n\0", "ENOEXEC"),
        one("a blank line first", "\n#!/bin/sh\n", "ENOEXEC"),
        one("a space first", " #!/bin/sh\n", "ENOEXEC"),
        one("a comment first", "# hello\n#!/bin/sh\n", "ENOEXEC"),
        one("no hash", "!/bin/sh\n", "ENOEXEC"),
        one("Mach-O", b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x02\0\0\0", "ENOEXEC"),
        one("PE", b"MZ\x90\0\x03\0\0\0", "ENOEXEC"),
        one("WASM", b"\0asm\x01\0\0\0", "ENOEXEC"),
        one("a program", &program, "starts"),
        one("a foreign program", foreign().bytes(), "ENOEXEC"),
        one("an object file", altered(16, 1), "ENOEXEC"),
        one("a core dump", altered(16, 4), "ENOEXEC"),
        one("another class", altered(4, 1), "starts"),
        one("another byte order", altered(5, 2), "starts"),
        one("another version", altered(6, 9), "starts"),
        one("another system", altered(7, 9), "starts"),
        one("no program headers", altered(56, 0), "ENOEXEC"),
        one("a wrong size of program headers", altered(54, 32), "ENOEXEC"),
        one("a program of half a header", &program[..40], "ENOEXEC"),
    ];
    for (path, known) in [
        ("/bin/closed", "EACCES"),
        ("/bin", "EACCES"),
        ("/", "EACCES"),
        ("/bin/pipe", "EACCES"),
        ("/bin/loop", "ELOOP"),
        ("/bin/dangling", "ENOENT"),
        ("", "ENOENT"),
        ("/none", "ENOENT"),
        ("/bin/sh/x", "ENOTDIR"),
        ("/bin/sh/", "ENOTDIR"),
        ("/bin/", "EACCES"),
    ] {
        cases.push(Case { known: Some(known), ..Case::new(format!("the path {path:?}"), base(), path) });
    }
    cases
}

fn programs() -> Vec<Case> {
    let mut cases = vec![];
    for (loader, known) in [
        ("/bin/sh", "starts"),
        ("bin/sh", "starts"),
        ("/bin/foreign", "ELIBBAD"),
        ("/bin/text", "ELIBBAD"),
        ("/bin/short", "EIO"),
        ("/bin/empty", "EIO"),
        ("/bin/script", "EIO"),
        ("/none", "ENOENT"),
        ("/bin/closed", "EACCES"),
        ("/bin", "EACCES"),
        ("/bin/pipe", "EACCES"),
        ("/bin/loop", "ELOOP"),
        ("/bin/sh/x", "ENOTDIR"),
        ("/bin/sh/", "ENOTDIR"),
    ] {
        cases.push(one(&format!("the loader {loader}"), own().loaded_by(loader).bytes(), known));
    }
    let far = |table_at, name_at| super::elf::Elf { table_at, name_at, ..own().loaded_by("/none") }.bytes();
    for (table, name) in [(None, Some(9000)), (Some(5000), Some(9000)), (Some(8000), Some(200)), (Some(4090), None)] {
        cases.push(one(&format!("headers at {table:?}, the name at {name:?}"), far(table, name), "ENOENT"));
    }
    let named = |name: &[u8]| {
        let elf = super::elf::Elf { loader: Some(name.to_vec()), ..own() };
        Case::new(format!("a loader's name of {} bytes", name.len()), base().file("x", elf.bytes()), "/x")
    };
    cases.extend([b"".as_slice(), b"\0", b"\0\0", b"a\0", b"/bin/sh", b"/bin/sh\0none", b"/bin/sh\0\0"].map(named));
    for length in [300, 4094, 4095, 4096] {
        cases.push(named(&[b"/", "./".repeat(length / 2).as_bytes(), b"\0\0"].concat()[..=length]));
        cases.push(named(&[vec![b'/'; length - 6], b"bin/sh\0".to_vec()].concat()));
    }
    let wide = |machine| super::elf::Elf { machine, ..own() }.bytes();
    for (name, bytes) in [
        ("32 bits", compat().bytes()),
        ("32 bits in a header of 64", wide(compat().machine)),
        ("64 bits in a header of 32", super::elf::Elf { wide: false, ..own() }.bytes()),
        ("32 bits with a good loader", compat().loaded_by("/small").bytes()),
        ("32 bits with a loader of 64", compat().loaded_by("/bin/sh").bytes()),
        ("32 bits with a text as loader", compat().loaded_by("/bin/text").bytes()),
        ("32 bits with a loader of 63 bytes", compat().loaded_by("/bin/short").bytes()),
        ("32 bits with no loader", compat().loaded_by("/none").bytes()),
        ("64 bits with a loader of 32", own().loaded_by("/small").bytes()),
        ("the machine 8", wide(8)),
        ("the machine 0", wide(0)),
    ] {
        cases.push(Case::new(name, base().file("small", compat().bytes()).file("x", bytes), "/x"));
    }
    cases
}

fn scripts() -> Vec<Case> {
    let mut cases = vec![];
    for (line, known) in [
        ("#!", "EACCES"),
        ("#!\n", "ENOEXEC"),
        ("#! \t\n", "ENOEXEC"),
        ("#!/bin/sh\n", "starts"),
        ("#! /bin/sh\n", "starts"),
        ("#!/bin/sh", "starts"),
        ("#!/bin/sh -e -u\n", "starts"),
        ("#!/bin/sh\r\n", "ENOENT"),
        ("#!/bin/sh \r\n", "starts"),
        ("#!/none\n", "ENOENT"),
        ("#!/bin/foreign\n", "ENOEXEC"),
        ("#!/bin/text\n", "ENOEXEC"),
        ("#!/bin/empty\n", "ENOEXEC"),
        ("#!/bin/script\n", "starts"),
        ("#!/bin/closed\n", "EACCES"),
        ("#!/bin\n", "EACCES"),
        ("#!/bin/loop\n", "ELOOP"),
        ("#!bin/sh\n", "starts"),
        ("#!sh\n", "ENOENT"),
        ("#!/x\n", "ELOOP"),
    ] {
        cases.push(one(&format!("{line:?}"), line, known));
    }
    for (directory, known) in [("bin", "starts"), ("", "ENOENT")] {
        let case = Case::new(format!("#!sh from /{directory}"), base().file("x", "#!sh\n"), "/x");
        cases.push(Case { directory: directory.into(), known: Some(known), ..case });
    }
    for depth in 1..9 {
        let mut tree = base();
        for place in 0..depth {
            let next = if place + 1 == depth { "/bin/sh".to_owned() } else { format!("/{}", place + 1) };
            tree = tree.file(place.to_string(), format!("#!{next}\n"));
        }
        cases.push(Case::new(format!("{depth} scripts"), tree.clone(), "/0"));
        let last = (depth - 1).to_string();
        tree.0.retain(|(path, ..)| path != last.as_bytes());
        cases.push(Case::new(format!("{depth} scripts, of which the last is missing"), tree, "/0"));
    }
    for length in 240..260 {
        let name = format!("/{}bin/sh", "/".repeat(length - 7));
        for end in ["\n", "", " \n", " ", " argument\n", "\0", "\t\targument", " \0"] {
            let tree = base().file("x", format!("#!{name}{end}"));
            cases.push(Case::new(format!("a name of {length} bytes, then {end:?}"), tree, "/x"));
        }
    }
    cases
}

fn names() -> Vec<Case> {
    let mut cases = vec![];
    for length in [254, 255, 256, 300] {
        cases.push(Case::new(
            format!("a component of {length}"),
            base(),
            ["/".to_owned(), "a".repeat(length)].concat(),
        ));
    }
    for length in [4000, 4094, 4095, 4096, 5000] {
        let path = [vec![b'/'; length - 6], b"bin/sh".to_vec()].concat();
        cases.push(Case::new(format!("a path of {length}"), base(), path));
    }
    for (path, directory) in [
        ("bin/sh", ""),
        ("sh", "bin"),
        ("./sh", "bin"),
        ("../bin/sh", "bin"),
        ("../../../bin/./sh", "bin"),
        ("bin/../none/../bin/sh", ""),
        (".", "bin"),
        ("..", "bin"),
        ("/bin/sh/.", ""),
        ("/bin/sh/..", ""),
    ] {
        let case = Case::new(format!("{path} from /{directory}"), base(), path);
        cases.push(Case { directory: directory.into(), ..case });
    }
    cases
}

fn links() -> Vec<Case> {
    let mut tree = base();
    for (path, target) in [
        ("up", "../../../bin/sh"),
        ("absolute", "/bin/sh"),
        ("slash", "/bin/sh/"),
        ("root", "/"),
        ("roots", "///"),
        ("here", "."),
        ("b", "bin"),
        ("bs", "bin/"),
        ("through", "b/../bs/./sh"),
        ("one", "two"),
        ("two", "one"),
        ("into", "bin/sh/x"),
    ] {
        tree = tree.link(path, target);
    }
    let tree = Rc::new(tree);
    let ends = ["", "/", "/.", "/bin/sh", "/sh", "/../bin/sh", "//"];
    let paths = tree.0.iter().filter(|(_, _, entry)| matches!(entry, Entry::Link(_)));
    let paths = paths.flat_map(|(path, ..)| ends.map(|end| [b"/", path.as_slice(), end.as_bytes()].concat()));
    let case = |path: Vec<u8>| Case::new(format!("the link {}", String::from_utf8_lossy(&path)), tree.clone(), path);
    let mut cases: Vec<Case> = paths.map(case).collect();
    let mut tree = base();
    for place in 1..=42 {
        let target = if place == 1 { "bin".to_owned() } else { format!("l{}", place - 1) };
        tree = tree.link(format!("l{place}"), target);
    }
    let tree = Rc::new(tree);
    for count in 38..=42 {
        cases.push(Case::new(format!("{count} links, then a name"), tree.clone(), format!("/l{count}/sh")));
        cases.push(Case::new(format!("{count} links"), tree.clone(), format!("/l{count}")));
    }
    cases
}

fn users() -> Vec<Case> {
    let mut cases = vec![];
    let people = [(0, 0, vec![]), (10, 20, vec![]), (11, 20, vec![]), (11, 21, vec![20]), (11, 21, vec![])];
    let people = people.map(|(user, group, groups)| User::Exact { uid: user, gid: group, supplementary_gids: groups });
    for mode in [0o000, 0o100, 0o010, 0o001, 0o111, 0o677, 0o767, 0o776, 0o4755, 0o666] {
        let owner = Permissions { mode, uid: 10, gid: 20 };
        let mut tree = base()
            .with("x", owner, Entry::File(own().bytes()))
            .directory("d")
            .file("d/x", own().bytes())
            .directory("d/e")
            .link("l", "d/x")
            .file("s", "#!/x\n")
            .file("t", "#!/d/x\n")
            .file("p", own().loaded_by("/d/x").bytes())
            .file("q", own().loaded_by("/x").bytes());
        // The directory gets its mode after its contents were created.
        tree.0.iter_mut().find(|(path, ..)| path == b"d").unwrap().1 = owner;
        let tree = Rc::new(tree);
        for user in &people {
            for path in ["/x", "/d/x", "/d", "/d/none", "/d/../x", "/d/./x", "/d/e/../x", "/l", "/s", "/t", "/p", "/q"]
            {
                let case = Case::new(format!("{path} as {user:?}, mode {mode:o}"), tree.clone(), path);
                cases.push(Case { user: user.clone(), ..case });
            }
            let case = Case::new(format!("x from /d as {user:?}, mode {mode:o}"), tree.clone(), "x");
            cases.push(Case { user: user.clone(), directory: b"d".to_vec(), ..case });
        }
    }
    cases
}
