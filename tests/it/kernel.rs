//! The prediction of execve(2) against the kernel that runs this test, errno for errno.

mod elf;
mod random;
mod runc;
mod table;
mod tree;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::{fs, fs::File};

use ecr_preflight::exec::{Answer, Errno, Host, Processor, Rootfs, User, View, execve};

use tree::Tree;

/// A question to the kernel, and what is known of the answer beforehand: a name of an errno or `starts`.
#[derive(Clone)]
struct Case {
    name: String,
    tree: Rc<Tree>,
    directory: Vec<u8>,
    path: Vec<u8>,
    user: User,
    known: Option<&'static str>,
}

impl Case {
    fn new(name: impl Into<String>, tree: impl Into<Rc<Tree>>, path: impl AsRef<[u8]>) -> Self {
        let (directory, path, user) = (Vec::new(), path.as_ref().to_vec(), User::default());
        Self { name: name.into(), tree: tree.into(), directory, path, user, known: None }
    }

    fn predicted(&self, rootfs: &Rootfs, host: Host) -> String {
        let (directory, user) = (Some(self.directory.clone()), self.user.clone());
        let view = View { files: rootfs, directory, user, mounts: Vec::new() };
        match execve(&view, host, &self.path) {
            Answer::Starts { .. } => "starts".to_owned(),
            Answer::Fails { errno, .. } => errno.to_string(),
            Answer::Unknown { reason, .. } => reason.to_string(),
        }
    }
}

/// What the kernel answers to each of them.
fn asked(cases: &[Case]) -> Vec<String> {
    let room = tempfile::tempdir().unwrap();
    let mut questions = String::new();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut root = PathBuf::new();
    let mut laid: Option<&Rc<Tree>> = None;
    for (place, case) in cases.iter().enumerate() {
        // Cases of one tree follow each other, and are asked of the same files.
        if laid.is_none_or(|laid| !Rc::ptr_eq(laid, &case.tree)) {
            root = room.path().join(place.to_string());
            case.tree.lay(&root);
            laid = Some(&case.tree);
        }
        let directory = [b"/", case.directory.as_slice()].concat();
        let texts = [root.as_os_str().as_bytes(), &directory, &case.path].map(hex).join(" ");
        let User::Exact { user, group, groups } = &case.user else { panic!("no numbers: {:?}", case.user) };
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        writeln!(questions, "{texts} {user} {group} {}", groups.join(",")).unwrap();
    }
    let input = room.path().join("questions");
    fs::write(&input, questions).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/kernel/ask.py");
    let mut command = Command::new("python3");
    let command = command.arg("-B").arg(script).stdin(File::open(&input).unwrap()).stderr(Stdio::inherit());
    let output = command.output().expect("python3 asks the kernel");
    assert!(output.status.success(), "asking the kernel needs Python 3 and the right to make another root");
    let answers: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(named).collect();
    assert_eq!(answers.len(), cases.len(), "every question has its answer");
    answers
}

fn named(number: &str) -> String {
    match number.parse().unwrap() {
        0 => "starts".to_owned(),
        999 => panic!("asking the kernel needs root: chroot, chdir or another user's number was refused"),
        number => Errno::from_number(number).map_or_else(|| format!("errno {number}"), |errno| errno.to_string()),
    }
}

/// This machine, as the kernel itself tells whether it starts programs of 32 bits; and its counterpart.
fn hosts() -> (Host, Host) {
    let tree = Tree::default().file("compat", elf::compat().bytes());
    let compat = Some(asked(&[Case::new("32 bits", tree, "/compat")])[0] == "starts");
    let (own, other) = match elf::OWN.0 {
        62 => (Processor::Amd64, Processor::Arm64),
        _ => (Processor::Arm64, Processor::Amd64),
    };
    (Host { processor: own, compat }, Host { processor: other, compat })
}

/// Holds the prediction against the kernel, and the mirrored prediction against the plain one.
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn compare(cases: &[Case]) {
    let (host, mirror) = hosts();
    let (mut wrong, mut tally) = (Vec::new(), BTreeMap::new());
    let mut names: Option<(&Rc<Tree>, Rootfs, Rootfs)> = None;
    for (case, kernel) in cases.iter().zip(asked(cases)) {
        let (_, plain, mirrored) = match names.take() {
            Some(kept) if Rc::ptr_eq(kept.0, &case.tree) => names.insert(kept),
            _ => names.insert((&case.tree, case.tree.names(), case.tree.mirrored().names())),
        };
        let (plain, mirrored) = (case.predicted(plain, host), case.predicted(mirrored, mirror));
        let known = case.known.unwrap_or(&kernel);
        if plain != kernel || mirrored != kernel || known != kernel {
            wrong
                .push(format!("{}: kernel {kernel}, predicted {plain}, mirrored {mirrored}, known {known}", case.name));
        }
        *tally.entry(kernel).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{} of {} disagree:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(tally.len() > 3, "these cases hardly tell one answer from another: {tally:?}");
    println!("{} cases, every one as the kernel answers it: {tally:?}", cases.len());
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn the_kernel_answers_as_the_table_says_and_as_predicted() {
    compare(&table::cases());
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn every_altered_byte_of_a_program_and_every_length_of_it_is_answered_as_predicted() {
    compare(&random::altered());
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn random_first_lines_are_answered_as_predicted() {
    compare(&random::lines(1));
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn random_trees_are_answered_as_predicted() {
    compare(&random::trees(2));
}

#[test]
#[ignore = "needs root, Python 3 and runc: make test-kernel"]
fn runc_starts_what_is_predicted_to_start_and_prints_the_predicted_words_for_the_rest() {
    runc::compare(hosts().0);
}
