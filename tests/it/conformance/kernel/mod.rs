//! The prediction of execve(2) against the kernel that runs this test, errno for errno.

mod chains;
pub mod elf;
pub mod random;
pub mod runc;
mod table;
pub mod tree;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, fs::File};

use ecr_preflight::errno::Errno;
use ecr_preflight::exec::{ExecOutcome, Host, Processor, predict_execve};
use ecr_preflight::rootfs::{FilesystemView, Rootfs, User};

use tree::Tree;

/// One test at a time: a file that is being written when another thread forks cannot be started until that child is
/// gone, and the kernel says ETXTBSY.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A question to the kernel, and what is known of the answer beforehand: a name of an errno or `starts`.
#[derive(Clone)]
pub struct Case {
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
        let view = FilesystemView { files: rootfs, working_directory: directory, user, mounts: Vec::new() };
        told(&predict_execve(&view, host, &self.path))
    }
}

/// An answer as the kernel's is written here.
pub fn told(answer: &ExecOutcome) -> String {
    match answer {
        ExecOutcome::Starts { .. } => "starts".to_owned(),
        ExecOutcome::Fails { errno, .. } => errno.to_string(),
        ExecOutcome::Unknown { reason, .. } => reason.to_string(),
    }
}

/// Where the kernel is asked what: below a root, in a directory of it, of a path, as a user.
pub struct Question<'a> {
    pub root: PathBuf,
    pub directory: &'a [u8],
    pub path: &'a [u8],
    pub user: &'a User,
}

/// What the kernel answers to each of them.
fn asked(cases: &[Case]) -> Vec<String> {
    let room = tempfile::tempdir().unwrap();
    let mut root = PathBuf::new();
    let mut laid: Option<&Rc<Tree>> = None;
    let mut questions = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        // Cases of one tree follow each other, and are asked of the same files.
        if laid.is_none_or(|laid| !Rc::ptr_eq(laid, &case.tree)) {
            root = room.path().join(place.to_string());
            case.tree.lay(&root);
            laid = Some(&case.tree);
        }
        let (directory, path, user) = (&case.directory, &case.path, &case.user);
        questions.push(Question { root: root.clone(), directory, path, user });
    }
    answers(&questions)
}

/// What the kernel answers to each question.
pub fn answers(questions: &[Question<'_>]) -> Vec<String> {
    let room = tempfile::tempdir().unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut lines = String::new();
    for question in questions {
        let directory = [b"/", question.directory].concat();
        let texts = [question.root.as_os_str().as_bytes(), &directory, question.path].map(hex).join(" ");
        let User::Exact { uid: user, gid: group, supplementary_gids: groups } = question.user else {
            panic!("no numbers: {:?}", question.user)
        };
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        writeln!(lines, "{texts} {user} {group} {}", groups.join(",")).unwrap();
    }
    let input = room.path().join("questions");
    fs::write(&input, lines).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/conformance/kernel/ask.py");
    let mut command = Command::new("python3");
    let command = command.arg("-B").arg(script).stdin(File::open(&input).unwrap()).stderr(Stdio::inherit());
    let output = command.output().expect("python3 asks the kernel");
    assert!(output.status.success(), "asking the kernel needs Python 3 and the right to make another root");
    let answers: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(named).collect();
    assert_eq!(answers.len(), questions.len(), "every question has its answer");
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
pub fn hosts() -> (Host, Host) {
    let tree = Tree::default().file("compat", elf::compat().bytes());
    let compat = Some(asked(&[Case::new("32 bits", tree, "/compat")])[0] == "starts");
    let (own, other) = match elf::OWN.0 {
        62 => (Processor::Amd64, Processor::Arm64),
        _ => (Processor::Arm64, Processor::Amd64),
    };
    (Host { processor: own, runs_32_bit: compat }, Host { processor: other, runs_32_bit: compat })
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
    let _alone = alone();
    compare(&table::cases());
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn every_altered_byte_of_a_program_and_every_length_of_it_is_answered_as_predicted() {
    let _alone = alone();
    compare(&random::altered());
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn random_first_lines_are_answered_as_predicted() {
    let _alone = alone();
    compare(&random::lines(1));
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn random_trees_are_answered_as_predicted() {
    let _alone = alone();
    compare(&random::trees(2));
}

#[test]
#[ignore = "needs root, Python 3 and runc: make test-kernel"]
fn runc_starts_what_is_predicted_to_start_and_prints_the_predicted_words_for_the_rest() {
    let _alone = alone();
    runc::compare(hosts().0);
}

#[test]
#[ignore = "needs root, Python 3, runc, tini, dumb-init, catatonit, gosu and busybox: make test-kernel"]
fn wrappers_shells_and_scripts_start_what_is_predicted_and_print_the_predicted_words_for_the_rest() {
    let _alone = alone();
    chains::compare(hosts().0);
}
