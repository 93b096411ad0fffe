//! What wrappers, shells and scripts start, against the real programs in a runc container.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, id};
use std::{fs, thread};

use ecr_preflight::exec::{ExecOutcome, Host};
use ecr_preflight::launch::{Launch, Launcher, predict_launches};
use ecr_preflight::rootfs::{FilesystemView, Permissions, Rootfs, UnknownReason, User};
use serde_json::{Value, json};

use super::elf::{foreign, own};
use super::tree::{Entry, OPEN, Tree};
use crate::support::random::Random;

/// The exit code of a target program that ran.
const RAN: i32 = 42;
const SEARCH: &str = "/none:/t:/u:/usr/bin:/bin:/usr/sbin";

/// Their paths in Debian: tini, dumb-init, catatonit, gosu, util-linux, busybox-static, dash, bash, coreutils.
const PROGRAMS: [&str; 10] = [
    "/usr/bin/tini", "/usr/bin/tini-static", "/usr/bin/dumb-init", "/usr/bin/catatonit", "/usr/sbin/gosu",
    "/usr/bin/setpriv", "/usr/bin/env", "/bin/dash", "/bin/bash", "/bin/busybox",
];

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    let packages = "apt-get install tini dumb-init catatonit gosu util-linux busybox-static dash bash coreutils runc";
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}; this test needs: {packages}", path.display()))
}

/// A program that exits with [`RAN`].
fn program_that_exits_42() -> Vec<u8> {
    let (from, to): (&[u8], &[u8]) = match super::elf::OWN.0 {
        62 => (&[0x31, 0xff, 0x0f, 0x05, 0, 0, 0, 0], &[0xbf, 42, 0, 0, 0, 0x0f, 0x05, 0]),
        _ => (&[0, 0, 0x80, 0xd2, 0x01, 0, 0, 0xd4], &[0x40, 0x05, 0x80, 0xd2, 0x01, 0, 0, 0xd4]),
    };
    // The code is in the last sixteen bytes, followed by an unnamed one.
    let mut bytes = own().bytes();
    bytes.resize(bytes.len() + 16, 0);
    let at = bytes.windows(from.len()).position(|bytes| bytes == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

fn libraries() -> Vec<PathBuf> {
    let output = Command::new("ldd").args(PROGRAMS).stderr(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut paths: Vec<PathBuf> =
        text.split_whitespace().filter(|word| word.starts_with('/')).map(Into::into).collect();
    paths.retain(|path| path.to_str().unwrap().contains(".so"));
    paths.sort();
    paths.dedup();
    paths
}

/// The programs, their libraries, and scripts that start another program.
fn tree() -> Tree {
    let mut tree = Tree::default();
    let mut made: Vec<PathBuf> = Vec::new();
    let directories = ["t", "u", "alt", "alt/bash", "alt/bb", "etc", "proc", "dev", "sys"].map(PathBuf::from);
    let files: Vec<PathBuf> = PROGRAMS.iter().map(PathBuf::from).chain(libraries()).collect();
    let below = files.iter().flat_map(|path| path.parent().unwrap().ancestors().collect::<Vec<_>>().into_iter().rev());
    let below: Vec<PathBuf> = below.map(|path| path.strip_prefix("/").unwrap().to_path_buf()).collect();
    for path in below.into_iter().chain(directories) {
        if !path.as_os_str().is_empty() && !made.contains(&path) {
            tree = tree.directory(path.to_str().unwrap());
            made.push(path);
        }
    }
    for path in &files {
        tree = tree.file(&path.to_str().unwrap()[1..], read(path));
    }
    let closed = Permissions { mode: 0o644, ..OPEN };
    let passwd = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
    tree = tree
        .link("bin/sh", "dash")
        .link("alt/bash/sh", "/bin/bash")
        .link("alt/bb/sh", "/bin/busybox")
        .link("alt/bb/env", "/bin/busybox")
        .with("etc/passwd", closed, Entry::File(passwd.into()))
        .with("t/closed", closed, Entry::File(program_that_exits_42()))
        .with("t/private", Permissions { mode: 0o700, ..OPEN }, Entry::File(program_that_exits_42()))
        .file("t/ran", program_that_exits_42())
        .file("t/foreign", foreign().bytes())
        .file("t/text", "exit 7\n")
        .file("t/empty", "")
        .directory("t/dir")
        .file("t/lost", "#!/none\n")
        .file("t/crlf", "#!/bin/sh\r\nexit 42\r\n")
        .file("t/script", "#!/bin/sh\nexit 42\n")
        .file("t/toforeign", "#!/t/foreign\n")
        .file("t/loader", own().loaded_by("/lib/none").bytes())
        .file("t/badloader", own().loaded_by("/t/foreign").bytes())
        .file("t/twice", foreign().bytes())
        .file("u/twice", program_that_exits_42())
        .file("t/gone", "#!/none\n")
        .file("u/gone", program_that_exits_42());
    for (name, first, lines) in [
        ("entry", "#!/bin/sh", "set -e\n# x\nexport A=1\necho \"$A; x\" >&2\nexec \"$@\"\n"),
        ("entry-e", "#!/bin/dash -eu", "umask 022\nexec \"$@\""),
        ("entry-bash", "#!/usr/bin/env bash", "set -Eeuo pipefail\nprintf '%s' x\nexec \"$@\" # all\n"),
        ("entry-bb", "#!/alt/bb/sh", "exec \"$@\";\n"),
        ("entry-if", "#!/bin/sh", "if [ \"$1\" = /t/foreign ]; then exit 42; fi\nexec \"$@\"\n"),
        ("entry-gosu", "#!/bin/sh", "exec gosu root \"$@\"\n"),
        ("entry-braces", "#!/bin/bash", "exec \"${@}\"\n"),
        ("entry-split", "#!/bin/sh", "exec $@\n"),
        ("entry-call", "#!/bin/dash -e", "\"$@\"\n# end"),
        ("entry-bb-call", "#!/alt/bb/sh", "\"${@}\""),
        ("bash-array", "#!/bin/sh", "echo x\nA=(1 2)\nexec /t/ran\n"),
        ("bash-function", "#!/bin/sh", "function f() {\n  exit 42\n}\nexec /t/ran\n"),
        ("bash-source", "#!/bin/sh", "set -e\nsource /none\nexec /t/ran\n"),
        ("bash-test", "#!/bin/sh", "set -eu\n# x\n[[ -x /t/ran ]]\nexec /t/ran\n"),
        ("bash-goes-on", "#!/bin/sh", "source /none\nexec /t/ran\n"),
        ("bash-words", "#!/bin/dash", "set -e\nfunction f {\nexit 42\n}\nexec /t/ran\n"),
        ("bash-bb", "#!/alt/bb/sh", "set -e\n[[ -x /t/ran ]]\nexec /t/ran\n"),
        ("env-cr-bash", "#!/bin/bash -e\r", "exit 42"),
        ("env-cr-dash", "#!/bin/sh -eu\r", "exit 42"),
        ("env-cr-bb", "#!/alt/bb/sh -x\r", "exit 42"),
        ("env-words", "#!/alt/bb/env sh -e", "exit 42"),
        ("env-none", "#!/usr/bin/env node", ""),
        ("env-cr", "#!/usr/bin/env sh\r", "exit 42"),
        ("env-two", "#!/usr/bin/env sh -e", "exit 42"),
        ("env-s", "#!/usr/bin/env -S sh -e", "exit 42"),
        ("env-s-none", "#!/usr/bin/env -S node --flag", ""),
        ("env-ran", "#!/usr/bin/env ran", ""),
        ("env-foreign", "#!/usr/bin/env foreign", ""),
        ("env-bb-none", "#!/alt/bb/env node", ""),
        ("env-bb-cr", "#!/alt/bb/env sh\r", ""),
        ("env-loop", "#!/usr/bin/env A=1", ""),
    ] {
        tree = tree.file(name, format!("{first}\n{lines}"));
    }
    tree
}

const TARGETS: [&str; 22] = [
    "/t/ran", "/t/foreign", "/t/text", "/t/empty", "/t/missing", "/t/closed", "/t/private", "/t/lost", "/t/crlf",
    "/t/script", "/t/toforeign", "/t/loader", "/t/badloader", "/t/dir", "/t/ran/x", "ran", "foreign", "missing",
    "closed", "text", "twice", "gone",
];

/// Words before the target command.
const BEFORE: [&str; 49] = [
    "tini",
    "tini --",
    "/usr/bin/tini-static -g --",
    "tini -s -vv -e 143 -p SIGTERM -w --",
    "dumb-init",
    "dumb-init -c --",
    "dumb-init --rewrite 15:2 -v -r15:3",
    "catatonit",
    "catatonit -g --",
    "gosu root",
    "gosu 0:0",
    "gosu 1000:1000",
    "gosu nobody",
    "gosu none",
    "env",
    "env -i",
    "env -u A B=1",
    "env PATH=/u:/t",
    "env -u PATH --",
    "env -",
    "env --none",
    "/alt/bb/env",
    "/alt/bb/env -i A=1",
    "tini -- dumb-init env A=1",
    "tini -- gosu 0:0 catatonit",
    "/entry",
    "/entry-e",
    "/entry-bash",
    "/entry-bb",
    "/entry-if",
    "/entry-gosu",
    "sh /entry",
    "bash -e /entry",
    "/alt/bb/sh /entry",
    "tini -- /entry",
    "busybox env",
    "/entry-braces",
    "/entry-split",
    "/entry-call",
    "/entry-bb-call",
    "gosu nobody:none",
    "setpriv",
    "setpriv --nnp --",
    "setpriv --reuid=nobody --clear-groups",
    "setpriv --reuid 65534 --regid 7 --keep-groups",
    "setpriv --reuid=none --init-groups",
    "setpriv --reuid=nobody --regid=none --init-groups",
    "setpriv --reuid=nobody --regid=65534 --init-groups --",
    "tini -- setpriv --reuid=root",
];

const SHELLS: [&str; 6] =
    ["sh -c", "bash -c", "/alt/bash/sh -ec", "/alt/bb/sh -c", "bash -euo pipefail -c", "tini -- sh -ec"];

/// Shell strings, with `@` for the target.
const STRINGS: [&str; 13] = [
    "@", "exec @", "A=1 exec @ x >&2", "cd /t && exec @ $A", "set -e; @ x", "@ && echo x", "@ || exit 42",
    "@; exit 42", "tini -- @", "@ 2>/dev/null", "['@']", "['@', '-x']", "cd /none && @",
];

fn cases() -> Vec<Vec<String>> {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut cases: Vec<Vec<String>> = Vec::new();
    for target in TARGETS {
        cases.extend(BEFORE.iter().map(|before| [words(before), words(target)].concat()));
        cases.push([words("sh -c"), vec!["exec \"$@\"".to_owned()], words("name"), words(target)].concat());
    }
    for (shell, string) in SHELLS.iter().flat_map(|shell| STRINGS.map(|string| (shell, string))) {
        // `-c` of bash and dash treats paths and PATH alike, so a few of each are enough.
        cases.extend(TARGETS.map(|target| [words(shell), vec![string.replace('@', target)]].concat()));
    }
    for shell in ["sh", "bash", "/alt/bb/sh", "tini -- dash -e"] {
        cases.extend(
            ["/none.sh", "none.sh", "./none.sh x", "/t/none/x.sh", "/t/ran/x.sh"]
                .map(|script| words(&format!("{shell} {script}"))),
        );
    }
    let scripts = [
        "cr-bash", "cr-dash", "cr-bb", "words", "none", "cr", "two", "s", "s-none", "ran", "foreign", "bb-none",
        "bb-cr",
    ];
    cases.extend(scripts.iter().flat_map(|name| {
        let script = format!("/env-{name}");
        [vec![script.clone()], words(&format!("tini -- {script} x"))]
    }));
    let scripts = ["array", "function", "source", "test", "goes-on", "words", "bb"];
    cases.extend(scripts.iter().flat_map(|name| {
        let script = format!("/bash-{name}");
        [vec![script.clone()], words(&format!("sh {script}")), words(&format!("bash {script}"))]
    }));
    let odd =
        ["sh -c 'echo'", "tini -v -- true", "sh /t/text", "env", "tini", "sh -c :", "gosu", "/entry", "/entry -x"];
    cases.extend(odd.map(words));
    cases
}

/// Pieces of shell strings with a meaning; strings that reach the end in another way exit with [`RAN`].
const PIECES: [&str; 52] = [
    "/t/ran", "/t/foreign", "/t/missing", "ran", "foreign", "missing", "/t/foreign", "foreign", "exec", "exec",
    "cd /t", "cd /none", "&&", "&&", "||", ";", "|", "&", "\n", "A=1", "A='x y'", "B=\"$A\"", "A+=1", "PATH=/u",
    "twice", "set -e", "set -eu", "set --", "'", "\"", "\\", "$A", "${A:-x}", "$(/t/ran)", "`/t/ran`", "(", ")", "{",
    "}", "!", "if", "then", "fi", ">/dev/null", "2>&1", "<", "2", "# x", "*", "exit 42", "-x", "=",
];

/// Lines of scripts; some start another program or swallow the next line.
const LINES: [&str; 55] = [
    "", "# x", "# x \\", "  # 'x", "set -e", "set -eu", "set -x", "set +e", "set -o pipefail", "set -- /t/ran",
    "set -n", "A=1", "export A=1", "A='x'", "A='x", "'", "\"", "A=\"x\"", "A=x\\", "export A", "echo x", "echo 'x",
    "echo \"x", "echo x\\", "echo \"$@\" >&2", "echo $1", "echo $B", "echo x; exit 42", "echo x && exit 42",
    "echo x | cat", "printf '%s' x", "printf -v PATH /u", "umask 022", ":", ": x", "true", "exit 42", "if true; then",
    "fi", "exec /t/ran", "shift", "PATH=/u", "cat <<E", "E", "f() {", "}", "exec \"$@\" || exit 42",
    "trap 'exit 42' EXIT", "A=(1 2)", "function f() {", "function f {", "source /none", "[[ -x /t/ran ]]",
    "declare A=1", "shopt -s nullglob",
];

/// Random scripts that all reach their arguments, and random strings.
fn random_scripts(seed: u64, mut tree: Tree) -> (Tree, Vec<Vec<String>>) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut cases = vec![];
    for place in 0..200 {
        let mut script = format!("#!{}\n", random.pick(&["/bin/sh", "/bin/bash", "/alt/bb/sh", "/usr/bin/env bash"]));
        for _ in 0..random.below(4) {
            script += &format!("{}\n", random.pick(&LINES));
        }
        script += *random.pick(&[
            "exec \"$@\"\n", "exec \"$@\"", "exec \"$@\" # x\n", " exec \"$@\";\nexit 42\n", "exec $@\n", "\"$@\"\n",
            "exec $*",
        ]);
        let path = format!("/random-{place}");
        tree = tree.file(&path[1..], script);
        cases.extend(["/t/foreign", "twice", "/t/ran"].map(|target| vec![path.clone(), target.to_owned()]));
    }
    for _ in 0..900 {
        let mut string = String::new();
        for _ in 0..=random.below(6) {
            string += *random.pick(&PIECES);
            string += *random.pick(&[" ", " ", " ", " ", ""]);
        }
        let shell = random.pick(&["sh", "bash", "/alt/bash/sh", "/alt/bb/sh"]).to_string();
        cases.push(vec![shell, "-c".to_owned(), string]);
    }
    (tree, cases)
}

/// The exit code of a start, and what was printed.
fn run_container(bundle: &Path, spec: &Value, argv: &[String], container: &str) -> (i32, String) {
    let mut spec = spec.clone();
    spec["process"]["args"] = json!(argv);
    fs::write(bundle.join("config.json"), spec.to_string()).unwrap();
    let mut command = Command::new("runc");
    let command = command.args(["run", "--bundle"]).arg(bundle).arg(container).stdin(Stdio::null());
    let output = command.output().expect("runc is installed");
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&printed).into_owned())
}

/// Whether the real outcome is as predicted, and if so, how much was predicted.
fn compare_end(launches: &[Launch], code: i32, printed: &str) -> Result<&'static str, String> {
    let last = launches.last().unwrap();
    let starts_wanted = last.argv[0].ends_with(b"ran") || last.argv[0].ends_with(b"twice");
    match (&last.start.outcome, &last.start.message) {
        (ExecOutcome::Starts { .. }, _) if starts_wanted && code != RAN => Err("predicted to run".to_owned()),
        (ExecOutcome::Starts { .. }, _) if starts_wanted => Ok("runs as predicted"),
        // A verified start ends neither because a program is missing, nor because it cannot be executed.
        (ExecOutcome::Starts { .. }, _)
            if matches!(code, 126 | 127) && launches.iter().all(|launch| launch.not_followed.is_none()) =>
        {
            Err("predicted to start nothing else".to_owned())
        }
        (ExecOutcome::Starts { .. }, _) if code == RAN => Ok("not followed, runs"),
        (ExecOutcome::Starts { .. }, _) => Ok("not followed, fails"),
        (ExecOutcome::Fails { .. } | ExecOutcome::Exits { .. }, _) if code == 0 || code == RAN => {
            Err("predicted to fail".to_owned())
        }
        (ExecOutcome::Fails { .. } | ExecOutcome::Exits { .. }, None) => Ok("fails as predicted"),
        (ExecOutcome::Fails { .. } | ExecOutcome::Exits { .. }, Some(words))
            if printed.replace("\\\"", "\"").contains(words.as_str()) =>
        {
            Ok("fails as predicted, word for word")
        }
        (ExecOutcome::Fails { .. } | ExecOutcome::Exits { .. }, Some(words)) => {
            Err(format!("predicted to print {words:?}"))
        }
        // Container runtimes and setpriv differ in the capabilities that a user other than root has before execve(2).
        (ExecOutcome::Unknown { reason: UnknownReason::UserPermission(_), .. }, _)
            if last.launcher == Launcher::Wrapper("setpriv") =>
        {
            Ok("unknown, because the user may have capabilities")
        }
        (ExecOutcome::Unknown { reason, .. }, _) => Err(format!("unexpectedly unknown: {reason}")),
    }
}

fn predict(rootfs: &Rootfs, host: Host, argv: &[String]) -> Vec<Launch> {
    let view =
        FilesystemView { files: rootfs, working_directory: Some(Vec::new()), user: User::default(), mounts: vec![] };
    let argv: Vec<Vec<u8>> = argv.iter().map(|word| word.clone().into_bytes()).collect();
    predict_launches(&view, host, &argv, Some(SEARCH.as_bytes()))
}

#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
pub fn compare(host: Host) {
    const THREADS: usize = 4;
    let directory = tempfile::tempdir().unwrap();
    let (tree, random) = random_scripts(1, tree());
    let (root, rootfs) = (directory.path().join("rootfs"), tree.rootfs());
    tree.write_to(&root);
    let made = Command::new("runc").args(["spec", "--bundle"]).arg(directory.path()).status();
    assert!(made.expect("runc is installed").success());
    let mut spec: Value = serde_json::from_slice(&read(directory.path().join("config.json"))).unwrap();
    spec["root"]["path"] = json!(root);
    spec["process"]["terminal"] = json!(false);
    spec["process"]["env"] = json!([format!("PATH={SEARCH}")]);
    for set in ["bounding", "effective", "permitted"] {
        spec["process"]["capabilities"][set] = json!(["CAP_SETUID", "CAP_SETGID", "CAP_DAC_OVERRIDE", "CAP_KILL"]);
    }
    let cases = [cases(), random].concat();
    let part = cases.len().div_ceil(THREADS);
    let run = |number: usize, cases: &[Vec<String>]| {
        let bundle = directory.path().join(number.to_string());
        fs::create_dir(&bundle).unwrap();
        let container = format!("preflight-{}-{number}", id());
        cases.iter().map(|argv| run_container(&bundle, &spec, argv, &container)).collect::<Vec<_>>()
    };
    let run = &run;
    let ends: Vec<(i32, String)> = thread::scope(|scope| {
        let parts = cases.chunks(part).enumerate();
        let threads: Vec<_> = parts.map(|(number, cases)| scope.spawn(move || run(number, cases))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::new());
    for (argv, (code, printed)) in cases.iter().zip(ends) {
        let launches = predict(&rootfs, host, argv);
        match compare_end(&launches, code, &printed) {
            Ok(how) => *counts.entry(how).or_insert(0) += 1,
            Err(why) => wrong.push(format!("{argv:?}: {why}, ended with {code}: {printed:?}\n  {:?}", launches.last())),
        }
    }
    assert!(wrong.is_empty(), "{} of {} disagree:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(counts.len(), 6, "too few different outcomes: {counts:?}");
    println!("{} chains of starts, all as predicted: {counts:?}", cases.len());
}
