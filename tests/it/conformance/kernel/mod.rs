//! The prediction of execve(2) against the running kernel, errno for errno.

pub mod elf;
mod known_cases;
pub mod random_cases;
pub mod runc;
pub mod tree;
mod wrappers;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, fs::File};

use ecr_preflight::errno::Errno;
use ecr_preflight::exec::{ExecOutcome, ExitReason, Host, Processor, predict_execve};
use ecr_preflight::rootfs::{FilesystemView, Rootfs, UnknownReason, User};

use tree::Tree;

/// One test at a time: while another thread has forked, its child may hold a file open for writing, and the kernel
/// answers ETXTBSY.
pub fn lock() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A question to the kernel, with the expected answer if it is known: the name of an errno, or `starts`.
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

    fn predict(&self, rootfs: &Rootfs, host: Host) -> String {
        let (directory, user) = (Some(self.directory.clone()), self.user.clone());
        let view = FilesystemView { files: rootfs, working_directory: directory, user, mounts: Vec::new() };
        answer_text(&predict_execve(&view, host, &self.path))
    }
}

/// An answer in the words used for the kernel's.
pub fn answer_text(answer: &ExecOutcome) -> String {
    match answer {
        ExecOutcome::Starts { .. } => "starts".to_owned(),
        ExecOutcome::Fails { errno, .. } => errno.to_string(),
        // execve(2) itself succeeds.
        ExecOutcome::Exits { reason: ExitReason::Truncated, .. } => "starts".to_owned(),
        ExecOutcome::Exits { reason, .. } => format!("{reason:?}"),
        ExecOutcome::Unknown { reason: UnknownReason::TruncatedProgram(_), .. } => "starts".to_owned(),
        ExecOutcome::Unknown { reason, .. } => reason.to_string(),
    }
}

/// A call of execve(2): a root, a directory in it, a path, and a user.
pub struct Question<'a> {
    pub root: PathBuf,
    pub directory: &'a [u8],
    pub path: &'a [u8],
    pub user: &'a User,
}

/// The kernel's answers to these cases.
fn ask_about(cases: &[Case]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut root = PathBuf::new();
    let mut current: Option<&Rc<Tree>> = None;
    let mut questions = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        // Consecutive cases with the same tree share its files.
        if current.is_none_or(|current| !Rc::ptr_eq(current, &case.tree)) {
            root = directory.path().join(place.to_string());
            case.tree.write_to(&root);
            current = Some(&case.tree);
        }
        let (directory, path, user) = (&case.directory, &case.path, &case.user);
        questions.push(Question { root: root.clone(), directory, path, user });
    }
    ask_kernel(&questions)
}

/// The kernel's answers to these questions.
pub fn ask_kernel(questions: &[Question<'_>]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut lines = String::new();
    for question in questions {
        let working_directory = [b"/", question.directory].concat();
        let texts = [question.root.as_os_str().as_bytes(), &working_directory, question.path].map(hex).join(" ");
        let User::Exact { uid: user, gid: group, supplementary_gids: groups } = question.user else {
            panic!("no numbers: {:?}", question.user)
        };
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        writeln!(lines, "{texts} {user} {group} {}", groups.join(",")).unwrap();
    }
    let input = directory.path().join("questions");
    fs::write(&input, lines).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/conformance/kernel/execve.py");
    let mut command = Command::new("python3");
    let command = command.arg("-B").arg(script).stdin(File::open(&input).unwrap()).stderr(Stdio::inherit());
    let output = command.output().expect("python3 asks the kernel");
    assert!(output.status.success(), "asking the kernel needs Python 3 and the right to call chroot(2)");
    let answers: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(answer_name).collect();
    assert_eq!(answers.len(), questions.len(), "every question has its answer");
    answers
}

fn answer_name(number: &str) -> String {
    match number.parse().unwrap() {
        0 => "starts".to_owned(),
        999 => panic!("asking the kernel needs root: chroot, chdir or another user's number was refused"),
        number => Errno::from_number(number).map_or_else(|| format!("errno {number}"), |errno| errno.to_string()),
    }
}

/// This machine, with the kernel's answer on whether it runs 32-bit programs, and the machine with the other
/// architecture.
pub fn hosts() -> (Host, Host) {
    let tree = Tree::default().file("compat", elf::compat().bytes());
    let compat = Some(ask_about(&[Case::new("32 bits", tree, "/compat")])[0] == "starts");
    let (own, other) = match elf::OWN.0 {
        62 => (Processor::Amd64, Processor::Arm64),
        _ => (Processor::Arm64, Processor::Amd64),
    };
    (Host { processor: own, runs_32_bit: compat }, Host { processor: other, runs_32_bit: compat })
}

/// Compares the prediction with the kernel's answer, and the prediction for the other architecture too.
#[allow(clippy::print_stdout, reason = "how much was compared belongs to the result")]
fn compare(cases: &[Case]) {
    let (host, mirror) = hosts();
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::new());
    let mut names: Option<(&Rc<Tree>, Rootfs, Rootfs)> = None;
    for (case, kernel) in cases.iter().zip(ask_about(cases)) {
        let (_, plain, mirrored) = match names.take() {
            Some(kept) if Rc::ptr_eq(kept.0, &case.tree) => names.insert(kept),
            _ => names.insert((&case.tree, case.tree.rootfs(), case.tree.mirrored().rootfs())),
        };
        let (plain, mirrored) = (case.predict(plain, host), case.predict(mirrored, mirror));
        let known = case.known.unwrap_or(&kernel);
        if plain != kernel || mirrored != kernel || known != kernel {
            wrong
                .push(format!("{}: kernel {kernel}, predicted {plain}, mirrored {mirrored}, known {known}", case.name));
        }
        *counts.entry(kernel).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{} of {} disagree:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(counts.len() > 3, "too few different answers: {counts:?}");
    println!("{} cases, all as predicted: {counts:?}", cases.len());
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn known_cases_match_the_kernel() {
    let _alone = lock();
    compare(&known_cases::cases());
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn altered_programs_match_the_kernel() {
    let _alone = lock();
    compare(&random_cases::altered());
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn random_shebang_lines_match_the_kernel() {
    let _alone = lock();
    compare(&random_cases::lines(1));
}

#[test]
#[ignore = "needs root and Python 3: make test-kernel"]
fn random_trees_match_the_kernel() {
    let _alone = lock();
    compare(&random_cases::trees(2));
}

#[test]
#[ignore = "needs root, Python 3 and runc: make test-kernel"]
fn starts_and_errors_match_runc() {
    let _alone = lock();
    runc::compare(hosts().0);
}

#[test]
#[ignore = "needs root, Python 3, runc, tini, dumb-init, catatonit, gosu and busybox: make test-kernel"]
fn wrappers_shells_and_scripts_match_runc() {
    let _alone = lock();
    wrappers::compare(hosts().0);
}
