//! Cases of files and of the files that they name: a base, a change to it, and the kernel's answer.

use ecr_preflight::rootfs::User;

use super::layer::{EntryKind, Layer};
use super::link_cases::links;
use super::unpacked::{Image, Question};
use crate::conformance::kernel::elf::{compat, foreign, own};
use crate::conformance::kernel::tree::OPEN;

/// The seed of the first case; random images have lower ones.
pub const SEED: u64 = u64::MAX / 3;

/// A name, the layers, and paths with their expected answers.
pub type Row = (&'static str, Vec<Layer>, Vec<(&'static str, &'static str)>);

/// The bottom layer: a shell, a loader, other files, and a program that most changes affect.
pub fn base() -> Layer {
    let layer = Layer::default().directory("bin").directory("lib").directory("app").file("bin/sh", own().bytes());
    let layer = layer.file("lib/ld", own().bytes()).file("lib/text", "x".repeat(64)).file("lib/short", "x".repeat(63));
    let layer = layer.file("app/x", own().bytes()).file("script", "#!/bin/sh\n").file("x", own().bytes());
    layer.file("loaded", own().loaded_by("/lib/ld").bytes())
}

/// A change on top of the base.
pub fn over(change: Layer) -> Vec<Layer> {
    vec![base(), change]
}

pub fn change() -> Layer {
    Layer::default()
}

/// One file that replaces the program of the base.
fn file(name: &'static str, bytes: impl AsRef<[u8]>, known: &'static str) -> Row {
    (name, over(change().file("x", bytes)), vec![("/x", known)])
}

fn files() -> Vec<Row> {
    let altered = |at: usize, value: u8| {
        let mut bytes = own().bytes();
        bytes[at] = value;
        bytes
    };
    vec![
        file("empty", "", "ENOEXEC"),
        file("text without #!", "echo hello\n", "ENOEXEC"),
        file("a byte order mark before #!", "\u{feff}#!/bin/sh\n", "ENOEXEC"),
        file("a space before #!", " #!/bin/sh\n", "ENOEXEC"),
        file("a comment before #!", "# x\n#!/bin/sh\n", "ENOEXEC"),
        file("#! and a newline alone", "#!\n", "ENOEXEC"),
        file("#! alone", "#!", "EACCES"),
        file("an interpreter's name of more than 256 bytes", format!("#!/{}\n", "a".repeat(300)), "ENOEXEC"),
        file("a carriage return", "#!/bin/sh\r\n", "ENOENT"),
        file("a space behind #!", "#! /bin/sh\n", "starts"),
        file("no newline", "#!/bin/sh", "starts"),
        file("another machine", foreign().bytes(), "ENOEXEC"),
        file("an object file", altered(16, 1), "ENOEXEC"),
        file("truncated", &own().bytes()[..40], "ENOEXEC"),
        file("Mach-O", b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x02\0\0\0", "ENOEXEC"),
        file("PE", b"MZ\x90\0\x03\0\0\0", "ENOEXEC"),
        file("WASM", b"\0asm\x01\0\0\0", "ENOEXEC"),
        file("EI_CLASS altered", altered(4, 1), "starts"),
        file("EI_DATA altered", altered(5, 2), "starts"),
        file("EI_OSABI altered", altered(7, 9), "starts"),
        file("e_phnum 0", altered(56, 0), "ENOEXEC"),
        file("a wrong e_phentsize", altered(54, 32), "ENOEXEC"),
        // The kernel's answer depends on its configuration.
        file("i386", compat().bytes(), ""),
        file("a relative interpreter", "#!bin/sh\n", "starts"),
        file("a relative loader", own().loaded_by("lib/ld").bytes(), "starts"),
        ("no x bit", over(change().closed("x", own().bytes())), vec![("/x", "EACCES")]),
        ("a directory", over(change().directory("x")), vec![("/x", "EACCES"), ("/x/", "EACCES")]),
        ("a pipe", over(change().with("x", OPEN, EntryKind::Pipe)), vec![("/x", "EACCES")]),
        ("no file", over(change().whiteout("x")), vec![("/x", "ENOENT"), ("/app/x", "starts")]),
    ]
}

/// A script and a program whose interpreter or loader is changed by a layer.
fn dependencies() -> Vec<Row> {
    let shell = |name, change, known| -> Row { (name, over(change), vec![("/script", known), ("script", known)]) };
    let loader = |name, change, known| -> Row { (name, over(change), vec![("/loaded", known), ("/script", "starts")]) };
    let (sh, ld) = ("bin/sh", "lib/ld");
    vec![
        shell("the interpreter removed", change().whiteout(sh), "ENOENT"),
        shell("the interpreter's directory removed", change().whiteout("bin"), "ENOENT"),
        shell("the interpreter of another machine", change().file(sh, foreign().bytes()), "ENOEXEC"),
        shell("the interpreter text", change().file(sh, "echo\n"), "ENOEXEC"),
        shell("the interpreter a script", change().file(sh, "#!/x\n"), "starts"),
        shell("the interpreter itself", change().file(sh, "#!/script\n"), "ELOOP"),
        shell("the interpreter not executable", change().closed(sh, own().bytes()), "EACCES"),
        shell("the interpreter a directory", change().directory("bin").directory(sh), "EACCES"),
        shell("the interpreter a link", change().directory("bin").link(sh, "../x"), "starts"),
        shell("the interpreter a link to itself", change().directory("bin").link(sh, "sh"), "ELOOP"),
        loader("the loader removed", change().whiteout(ld), "ENOENT"),
        loader("the loader of another machine", change().file(ld, foreign().bytes()), "ELIBBAD"),
        loader("the loader text", change().file(ld, "x".repeat(64)), "ELIBBAD"),
        loader("the loader short", change().file(ld, "x".repeat(63)), "EIO"),
        loader("the loader not executable", change().closed(ld, own().bytes()), "EACCES"),
        loader("the loader a directory", change().directory("lib").directory(ld), "EACCES"),
        loader("the loader's directory opaque", change().directory("lib").opaque("lib"), "ENOENT"),
        loader("the loader a dangling link", change().directory("lib").link(ld, "/none"), "ENOENT"),
    ]
}

/// All cases. Each question is asked as root, and as another user, for whom only the kernel's answer is known.
pub fn images() -> Vec<Image> {
    let other = User::Exact { uid: 10, gid: 20, supplementary_gids: Vec::new() };
    let image = |(seed, (name, layers, paths)): (u64, Row)| {
        let mut questions = Vec::new();
        for (path, known) in paths {
            let known = Some(known).filter(|known| !known.is_empty());
            let (path, directory, user) = (path.to_owned(), "/".to_owned(), User::default());
            let question = Question { path, directory, user, known };
            questions.push(Question { user: other.clone(), known: None, ..question.clone() });
            questions.push(question);
        }
        let from_app = questions[0].path.trim_start_matches('/').to_owned();
        let (user, known) = (User::default(), None);
        questions.push(Question {
            path: format!("../{from_app}"),
            directory: "/app".into(),
            user: user.clone(),
            known,
        });
        questions.push(Question { path: from_app, directory: "/app".into(), user, known });
        Image { name: name.to_owned(), seed, layers, questions }
    };
    let rows = [files(), dependencies(), links()];
    (SEED..).zip(rows.concat()).map(image).collect()
}
