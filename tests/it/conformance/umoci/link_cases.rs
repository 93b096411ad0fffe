//! Cases of links, and of directories that layers replace, empty and fill. `oci::layer_rules` has those in which umoci
//! differs from container runtimes.

use ecr_preflight::rootfs::Permissions;

use super::file_cases::{Row, base, change, over};
use super::layer::{EntryKind, Layer};
use crate::conformance::kernel::elf::own;
use crate::conformance::kernel::tree::OPEN;

pub fn links() -> Vec<Row> {
    let link = |name: &'static str, path: &str, target: &str| base().link(path, target).file(name, "");
    let merged = || Layer::default().directory("usr").directory("usr/bin").file("usr/bin/sh", own().bytes());
    let layered = |lower: Layer, upper: Layer| vec![base(), lower, upper];
    let private = Permissions { mode: 0o700, ..OPEN };
    vec![
        (
            "a link loop",
            layered(change().link("a", "b").link("b", "x"), change().link("b", "a")),
            vec![("/a", "ELOOP"), ("/b", "ELOOP")],
        ),
        (
            "a dangling link",
            vec![link("y", "a", "x"), change().whiteout("x")],
            vec![("/a", "ENOENT"), ("/app/x", "starts")],
        ),
        (
            "a link to a file of an upper layer",
            vec![link("y", "a", "/none"), change().file("none", own().bytes())],
            vec![("/a", "starts")],
        ),
        (
            "a link replaced by a directory",
            vec![link("y", "go", "app"), change().directory("go").file("go/y", own().bytes())],
            vec![("/go/x", "ENOENT"), ("/go/y", "starts"), ("/app/y", "ENOENT"), ("/app/x", "starts")],
        ),
        (
            "a directory replaced by a link",
            layered(change().directory("go").file("go/y", own().bytes()), change().link("go", "app")),
            vec![("/go/y", "ENOENT"), ("/go/x", "starts")],
        ),
        (
            "a file replaced by a link to a directory",
            over(change().link("x", "/app")),
            vec![("/x", "EACCES"), ("/x/x", "starts")],
        ),
        (
            "a directory replaced by a file and back",
            vec![base(), change().file("app", ""), change().directory("app").file("app/y", own().bytes())],
            vec![("/app/x", "ENOENT"), ("/app/y", "starts")],
        ),
        ("a link through a file", over(change().link("a", "x/y")), vec![("/a", "ENOTDIR"), ("/x/", "ENOTDIR")]),
        (
            "an opaque directory",
            over(change().directory("app").opaque("app").file("app/y", own().bytes())),
            vec![("/app/x", "ENOENT"), ("/app/y", "starts")],
        ),
        (
            "an opaque marker at the end",
            over(change().directory("app").file("app/y", own().bytes()).opaque("app")),
            vec![("/app/x", "ENOENT"), ("/app/y", "starts")],
        ),
        (
            "an opaque directory, without an entry of its own",
            over(change().file("app/y", own().bytes()).opaque("app")),
            vec![("/app/x", "ENOENT"), ("/app/y", "starts")],
        ),
        (
            "a hard link to a removed file",
            vec![base().hard_link("hard", "x"), change().whiteout("x")],
            vec![("/hard", "starts"), ("/x", "ENOENT")],
        ),
        (
            "a merged /usr, its link replaced by a directory",
            vec![merged().link("bin", "usr/bin"), change().directory("bin").file("bin/x", own().bytes())],
            vec![("/bin/x", "starts"), ("/usr/bin/x", "ENOENT"), ("/bin/sh", "ENOENT")],
        ),
        (
            "a directory closed by an upper layer",
            over(change().with("app", private, EntryKind::Directory)),
            vec![("/app/x", "starts"), ("/app/y", "ENOENT")],
        ),
    ]
}
