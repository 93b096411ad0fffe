//! An image for unit tests, and the launches in it.

use super::chain::{Launch, predict_launches};
use crate::elf::sample::program;
use crate::elf::{EM_AARCH64, EM_X86_64};
use crate::exec::{Host, Processor};
use crate::rootfs::{FileTree, FilesystemView, Node, Rootfs, User};

pub(super) const HOST: Host = Host { processor: Processor::Amd64, runs_32_bit: None };

pub(super) fn file(bytes: &[u8]) -> Node {
    Node::file(0o755, bytes)
}

pub(super) fn rootfs() -> Rootfs {
    let mut rootfs = Rootfs::default();
    for path in ["bin", "etc", "lib", "srv"] {
        rootfs.insert(path.into(), Node::directory(0o755));
    }
    let (own, foreign) = (program(EM_X86_64, ""), program(EM_AARCH64, ""));
    for name in
        ["tini", "dumb-init", "catatonit", "gosu", "setpriv", "env", "bash", "dash", "busybox", "own", "private"]
    {
        rootfs.insert(format!("bin/{name}").into(), file(&own));
    }
    rootfs.insert(b"bin/sh".to_vec(), Node::Symlink(b"dash".to_vec()));
    rootfs.insert(b"bin/ash".to_vec(), Node::Symlink(b"busybox".to_vec()));
    rootfs.insert(b"bin/su-exec".to_vec(), file(&program(EM_X86_64, "/lib/ld-musl-x86_64.so.1")));
    rootfs.insert(b"lib/ld-musl-x86_64.so.1".to_vec(), file(&own));
    rootfs.insert(b"bin/foreign".to_vec(), file(&foreign));
    rootfs.insert(b"srv/app".to_vec(), file(&foreign));
    rootfs.insert(b"bin/text".to_vec(), file(b"exit 0\n"));
    rootfs.insert(b"bin/broken".to_vec(), file(b"#!/bin/foreign\n"));
    rootfs.insert(b"etc/passwd".to_vec(), Node::file(0o644, b"root:x:0:0::/:/bin/sh\napp:x:7:7::/:/bin/sh\n"));
    rootfs.insert(b"entry".to_vec(), file(b"#!/bin/sh\nset -e\nexec \"$@\"\n"));
    rootfs.insert(b"other".to_vec(), file(b"#!/bin/sh\n. /env\nexec \"$@\"\n"));
    rootfs.insert(b"script".to_vec(), file(b"#!/usr/../bin/env python3\n"));
    rootfs.insert(b"words".to_vec(), file(b"#!/bin/env python3 -u\n"));
    rootfs.insert(b"loop".to_vec(), file(b"#!/bin/env A=1\n"));
    rootfs
}

pub(super) fn chain(files: &dyn FileTree, words: &[&str]) -> Vec<Launch> {
    let view = FilesystemView { mounts: vec![b"mnt".to_vec()], ..FilesystemView::new(files) };
    let argv: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    predict_launches(&view, HOST, &argv, Some(b"/none:/bin"))
}

/// The same with interpreters, and files that they cannot run.
pub(super) fn rootfs_with_scripts() -> Rootfs {
    let mut rootfs = rootfs();
    let own = program(EM_X86_64, "");
    for name in ["python3", "node", "java"] {
        rootfs.insert(format!("bin/{name}").into(), file(&own));
    }
    for (path, mode, text) in [
        ("crlf", 0o755, "#!/bin/bash -e\r\n"),
        ("crlf-python", 0o755, "#!/bin/python3 -u\r\n"),
        ("closed", 0o711, "#!/bin/sh\n"),
        ("private.py", 0o700, ""),
        ("app.py", 0o644, ""),
        ("x", 0o644, ""),
    ] {
        rootfs.insert(path.into(), Node::file(mode, text.as_bytes()));
    }
    rootfs
}

pub(super) fn launch_as(rootfs: &Rootfs, user: &User, line: &str) -> Vec<Launch> {
    let view = FilesystemView { user: user.clone(), ..FilesystemView::new(rootfs) };
    let argv: Vec<Vec<u8>> = line.split(',').map(Vec::from).collect();
    predict_launches(&view, HOST, &argv, Some(b"/none:/bin"))
}

pub(super) fn app_user() -> User {
    User::Account { uid: 7, gid: 7, supplementary_gids: Vec::new() }
}
