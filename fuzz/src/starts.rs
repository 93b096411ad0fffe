//! What starts: scripts, programs, shells and wrappers in a root filesystem of any making.
//!
//! Does not know what the kernel would say; `tests/it/conformance/kernel` asks it.

use ecr_preflight::elf::detect_architecture;
use ecr_preflight::exec::{
    ExecOutcome, Host, Processor, diagnose_failure, predict_execve as ask, resolve_working_directory,
};
use ecr_preflight::launch::{Launch, MAX_LAUNCHES, predict_launches};
use ecr_preflight::rootfs::{
    ContentsCollector, FileContents, FileTree, FilesystemView, Node, Permissions, Rootfs, User,
};

use super::draw::Draw;

/// Scripts and a loader: `exec_binprm` in `fs/exec.c` opens no more.
const LONGEST_CHAIN: usize = 8;

const HOSTS: [Host; 3] = [
    Host { processor: Processor::Amd64, runs_32_bit: None },
    Host { processor: Processor::Amd64, runs_32_bit: Some(true) },
    Host { processor: Processor::Arm64, runs_32_bit: Some(false) },
];

const OPEN: Permissions = Permissions { mode: 0o755, uid: 0, gid: 0 };

fn collected(bytes: &[u8], step: usize) -> FileContents {
    let mut collector = ContentsCollector::default();
    bytes.chunks(step).for_each(|piece| collector.push(piece));
    collector.finish()
}

/// Contents do not hang on the pieces in which they arrive.
fn contents(bytes: &[u8]) -> FileContents {
    let whole = collected(bytes, bytes.len().max(1));
    for step in [1, 13, 4096] {
        assert_eq!(collected(bytes, step), whole, "by {step}");
    }
    assert_eq!(whole.size, bytes.len() as u64);
    assert!(whole.head().len() <= ecr_preflight::rootfs::HEAD_SIZE && bytes.starts_with(whole.head()));
    whole
}

fn view(files: &dyn FileTree) -> FilesystemView<'_> {
    FilesystemView { files, working_directory: Some(Vec::new()), user: User::default(), mounts: Vec::new() }
}

fn asked(rootfs: &Rootfs, host: Host, path: &[u8]) -> ExecOutcome {
    let answer = ask(&view(rootfs), host, path);
    let (ExecOutcome::Starts { chain }
    | ExecOutcome::Fails { chain, .. }
    | ExecOutcome::Exits { chain, .. }
    | ExecOutcome::Unknown { chain, .. }) = &answer;
    assert!(chain.len() <= LONGEST_CHAIN, "{chain:?}");
    let why = diagnose_failure(&view(rootfs), host, &answer);
    assert!(why.is_none() || answer.is_failure());
    answer
}

/// A script that begins with these bytes behind its `#!`.
pub fn script(input: &[u8]) {
    let bytes = [b"#!", input].concat();
    let mut rootfs = Rootfs::default();
    rootfs.insert(b"s".to_vec(), Node::File(OPEN, contents(&bytes)));
    let answer = asked(&rootfs, HOSTS[0], b"/s");
    let ExecOutcome::Fails { path, chain, .. } = &answer else { panic!("its interpreter is never there: {answer:?}") };
    // The script itself, which the kernel does not take for one, or what it names.
    if !chain.is_empty() && chain[0] == b"/s" {
        assert!(path.len() < 256 && !path.iter().any(|byte| b"\n\0".contains(byte)), "{}", path.escape_ascii());
        assert!(path.is_empty() || bytes.windows(path.len()).any(|window| window == path.as_slice()));
    }
    // The kernel reads 256 bytes, and what is behind them changes nothing.
    if bytes.len() >= 256 {
        for more in [b"".as_slice(), b"\n", b"/x y z"] {
            rootfs.insert(b"s".to_vec(), Node::File(OPEN, contents(&[&bytes[..256], more].concat())));
            assert_eq!(asked(&rootfs, HOSTS[0], b"/s"), answer);
        }
    }
}

/// A program, with a loader of the same bytes where it asks for one.
pub fn elf(input: &[u8]) {
    let bytes = if input.starts_with(b"\x7fELF") { input.to_vec() } else { [b"\x7fELF", input].concat() };
    let mut rootfs = Rootfs::default();
    let kept = contents(&bytes);
    rootfs.insert(b"p".to_vec(), Node::File(OPEN, kept.clone()));
    let made_for = detect_architecture(kept.head()).ok();
    assert_eq!(made_for, detect_architecture(&bytes).ok(), "what is kept says as much as the whole");
    for host in HOSTS {
        let mut answer = asked(&rootfs, host, b"/p");
        if let ExecOutcome::Fails { path, .. } = &answer {
            let place = path.strip_prefix(b"/").unwrap_or(path).to_vec();
            let is_clean = place.split(|byte| *byte == b'/').all(|name| !matches!(name, b"" | b"." | b".."));
            if *path != b"/p" && is_clean && place.len() < 200 {
                rootfs.insert(place, Node::File(OPEN, kept.clone()));
                answer = asked(&rootfs, host, b"/p");
            }
        }
        if let ExecOutcome::Starts { .. } = answer {
            let compat = ["386", "arm"];
            let own = made_for.is_none_or(|made| made == host.processor.architecture() || compat.contains(&made));
            assert!(own, "{made_for:?} starts on {host:?}");
        }
    }
}

/// A command string for a shell, and the same as a script that is started.
pub fn shell(input: &[u8]) {
    let mut rootfs = Rootfs::default();
    for place in ["bin/sh", "bin/bash", "bin/dash", "usr/bin/env", "bin/tini", "srv/app"] {
        rootfs.insert(place.into(), Node::File(OPEN, contents(PROGRAM)));
    }
    let script = [b"#!/bin/sh\n", input].concat();
    rootfs.insert(b"entry".to_vec(), Node::File(OPEN, contents(&script)));
    let word = |word: &[u8]| word.to_vec();
    for argv in [
        vec![word(b"/bin/sh"), word(b"-c"), word(input)],
        vec![word(b"bash"), word(b"-euc"), word(input), word(b"x"), word(b"srv/app")],
        vec![word(b"/entry"), word(b"/srv/app"), word(b"-x")],
        vec![word(b"env"), word(b"-S"), word(input)],
        input.split(|byte| *byte == b' ').map(word).collect(),
    ] {
        check(&predict_launches(&view(&rootfs), HOSTS[0], &argv, None), &argv);
    }
}

fn check(launches: &[Launch], argv: &[Vec<u8>]) {
    assert!((1..=MAX_LAUNCHES).contains(&launches.len()));
    assert_eq!(launches[0].argv, argv);
    let (last, before) = launches.split_last().expect("at least one");
    assert!(
        before.iter().all(|launch| matches!(launch.start.outcome, ExecOutcome::Starts { .. })),
        "only the last may fail"
    );
    assert!(last.start.message.is_none() || last.start.outcome.is_failure());
}

/// A command line drawn for files of any making.
pub(crate) fn check_launches(files: &dyn FileTree, draw: &mut Draw<'_>) {
    let user = User::from_config(draw.of(&["", "7", "app", "0:7"]));
    let mounts = draw.of(&[[b"proc".as_slice(), b"l"], [b"a", b"a/b"]]).map(<[u8]>::to_vec).to_vec();
    let directory =
        resolve_working_directory(files, &mounts, draw.of(&["", "/a", "/l/b", "bin/../a", "/bin/sh"]).as_bytes());
    let view = FilesystemView { files, working_directory: directory.ok(), user, mounts };
    let words = ["/bin/sh", "sh", "a", "/l", "env", "-c", "./b", "exec a", "/a/b", "--", "../bin/sh"];
    let argv: Vec<Vec<u8>> = (0..draw.below(4)).map(|_| draw.of(&words).into()).collect();
    let search = draw.of(&[None, Some("/bin:/a:l"), Some(""), Some("..:/usr/../bin")]);
    for host in HOSTS {
        let found = predict_launches(&view, host, &argv, search.map(str::as_bytes));
        check(&found, &argv);
        let last = &found[found.len() - 1].start.outcome;
        let why = diagnose_failure(&view, host, last);
        assert!(why.is_none() || last.is_failure());
        assert_eq!(found, predict_launches(&view, host, &argv, search.map(str::as_bytes)), "asked twice");
    }
}

/// A root filesystem of the input's files, and a question to it.
pub fn execve(input: &[u8]) {
    let mut draw = Draw(input);
    let mut rootfs = Rootfs::default();
    for _ in 0..draw.below(16) {
        let path = draw.of(&["a", "b", "bin", "bin/sh", "bin/a", "l", "a/b", "usr/bin/env", "lib/ld.so", "p/q/r"]);
        let owner = Permissions { mode: draw.of(&[0o755, 0o644, 0o711, 0o700, 0o4750]), uid: draw.of(&[0, 7]), gid: 0 };
        let node = match draw.below(8) {
            0 => Node::Directory(owner),
            1 => Node::Special(owner),
            2 | 3 => Node::Symlink(draw.of(&["a", "/l", "..", "../bin", "/bin/sh", "b/", "", "./a"]).into()),
            4 => Node::File(owner, contents(draw.bytes())),
            5 => Node::File(owner, contents(&[b"#!", draw.bytes()].concat())),
            6 => Node::File(owner, contents(PROGRAM)),
            _ => Node::File(owner, contents(&program(&mut draw))),
        };
        rootfs.insert(path.into(), node);
    }
    check_launches(&rootfs, &mut draw);
    let path = draw.bytes();
    for host in HOSTS {
        asked(&rootfs, host, path);
    }
}

/// A program whose fields are drawn: type, machine, place and number of its headers, and a name.
fn program(draw: &mut Draw<'_>) -> Vec<u8> {
    let mut bytes = vec![0; 400];
    bytes[..4].copy_from_slice(b"\x7fELF");
    let wide = draw.of(&[0, 0, 4000, u64::MAX - 10, 64]);
    bytes[16] = draw.of(&[2, 3, 1]);
    bytes[18] = draw.of(&[62, 183, 3, 40]);
    bytes[32] = draw.of(&[64, 200, 0]);
    bytes[28] = draw.of(&[52, 200]);
    bytes[54] = draw.of(&[56, 32]);
    bytes[56] = draw.of(&[1, 2, 0, 255]);
    bytes[64] = draw.of(&[3, 1]);
    bytes[72..80].copy_from_slice(&wide.wrapping_add(300).to_le_bytes());
    bytes[96] = draw.of(&[11, 2, 1, 0]);
    bytes[300..311]
        .copy_from_slice(draw.of(&[b"/lib/ld.so\0", b"/bin/sh\0\0\0\0", b"ld.so.1.2.3", b"/l\0\0\0\0\0\0\0\0\0"]));
    bytes
}

/// As much of a static program for amd64 as the kernel looks at: `include/uapi/linux/elf.h`.
pub(crate) const PROGRAM: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\
\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\x38\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
