//! Predicts the kernel's answer to execve(2).

use super::host::Host;
use super::setup_refusal::AccountKind;
use super::shebang::parse_shebang;
use crate::elf::{ET_DYN, ET_EXEC, ElfHeader, FileRange};
use crate::errno::Errno;
use crate::path::PATH_MAX;
use crate::rootfs::{
    BINPRM_BUF_SIZE, ExecError, FileContents, FilesystemView, Node, Permissions, RangeContents, UnknownReason,
};

/// The maximum depth of scripts that are interpreters of scripts: `exec_binprm` in `fs/exec.c`.
const MAX_SCRIPT_DEPTH: usize = 5;

/// The kernel's answer. A chain lists the opened paths, as written: program, interpreters of scripts, loader.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names explain themselves")]
pub enum ExecOutcome {
    /// A program starts. It may exit immediately.
    Starts { chain: Vec<Vec<u8>> },
    /// Nothing starts: the kernel returns this error for this path, which is not in the chain.
    Fails { errno: Errno, path: Vec<u8>, chain: Vec<Vec<u8>> },
    /// A program starts, and certainly exits with an error because of this path, name or option.
    Exits { reason: ExitReason, path: Vec<u8>, chain: Vec<Vec<u8>> },
    /// The image does not determine what follows after this chain.
    Unknown { reason: UnknownReason, chain: Vec<Vec<u8>> },
}

/// Why a program certainly exits with an error as soon as it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// The file or directory that its arguments name does not exist.
    MissingFile,
    /// The user may not read the file, which has this mode.
    UnreadableFile {
        /// The permission bits.
        mode: u32,
    },
    /// The option in the first line of a script ends with a carriage return.
    CarriageReturn,
    /// It does not accept the value of the option with this letter.
    RefusedOption(u8),
    /// It is to change to a user or group that does not exist.
    UnknownAccount(AccountKind),
    /// Its first instruction is beyond the end of its file, or of its loader's. The kernel kills it.
    Truncated,
    /// It is to change the user, and is not started by root.
    NotRoot,
    /// It is dash, and a script has a parenthesis of an array or a function of bash.
    BashSyntax,
    /// It is dash, and a script with option `errexit` runs this command of bash.
    BashCommand(&'static str),
}

/// Predicts the kernel's answer to starting a path.
pub fn predict_execve(view: &FilesystemView<'_>, host: Host, path: &[u8]) -> ExecOutcome {
    let mut chain = Vec::new();
    let mut path = path.to_vec();
    match open_chain(view, host, &mut path, &mut chain) {
        Ok(Opened::All) => ExecOutcome::Starts { chain },
        Ok(Opened::Truncated) => ExecOutcome::Exits { reason: ExitReason::Truncated, path, chain },
        Err(ExecError::Errno(errno)) => ExecOutcome::Fails { errno, path, chain },
        Err(ExecError::Unknown(reason)) => ExecOutcome::Unknown { reason, chain },
    }
}

impl ExecOutcome {
    /// Returns whether nothing starts, or the program certainly exits with an error.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Fails { .. } | Self::Exits { .. })
    }
}

/// What the kernel starts.
enum Opened {
    /// A program, and its loader if it has one.
    All,
    /// A program that it kills, because the last file that was opened ends before the first instruction.
    Truncated,
}

/// Follows `do_execveat_common` and `exec_binprm`. Afterwards, `path` is the last path that was opened, or empty if all
/// paths are in the chain.
fn open_chain(
    view: &FilesystemView<'_>,
    host: Host,
    path: &mut Vec<u8>,
    chain: &mut Vec<Vec<u8>>,
) -> Result<Opened, ExecError> {
    // `getname` refuses an empty path from a process, but not from a script or program.
    if path.is_empty() {
        return Err(Errno::NoEntry.into());
    }
    let mut advance = |path: &mut Vec<u8>, next: Vec<u8>| chain.push(std::mem::replace(path, next));
    let (mut permissions, mut file) = open_executable(view, path)?;
    for depth in 0.. {
        if depth > MAX_SCRIPT_DEPTH {
            return Err(Errno::Loop.into());
        }
        if !file.is_script() {
            break;
        }
        if (file.head().len() as u64) < file.size.min(BINPRM_BUF_SIZE as u64) {
            return Err(UnknownReason::ContentsNotKept(path.clone()).into());
        }
        let script = parse_shebang(file.head()).ok_or(Errno::ExecFormat)?;
        advance(path, script.interpreter);
        (permissions, file) = open_executable(view, path)?;
    }
    let loader = ElfFile { path, contents: file }.check_program(host)?;
    let program = path.clone();
    let mut truncated = ElfFile { path, contents: file }.is_truncated().then(|| program.clone());
    let mut first = file;
    if let Some(loader) = loader {
        advance(path, loader);
        first = open_executable(view, path)?.1;
        let loader = ElfFile { path, contents: first };
        loader.check_loader(host, file)?;
        truncated = truncated.or_else(|| loader.is_truncated().then(|| path.clone()));
    }
    if (ElfFile { path, contents: first }).begins_past_end() {
        return Ok(Opened::Truncated);
    }
    advance(path, Vec::new());
    if let Some(path) = truncated {
        return Err(UnknownReason::TruncatedProgram(path).into());
    }
    if permissions.mode & Permissions::NEEDS_CAPABILITIES != 0 {
        return Err(UnknownReason::Capabilities(program).into());
    }
    Ok(Opened::All)
}

/// Opens a regular file that the user may execute: `open_exec`.
fn open_executable<'a>(view: &FilesystemView<'a>, path: &[u8]) -> Result<(Permissions, &'a FileContents), ExecError> {
    if path.len() >= PATH_MAX {
        return Err(Errno::NameTooLong.into());
    }
    let found = view.resolve(path)?;
    match found.node {
        Node::File(permissions, contents) if view.may_execute(&found.path, *permissions)? => {
            Ok((*permissions, contents))
        }
        _ => Err(Errno::Access.into()),
    }
}

/// A file that the kernel opens as a program or as a loader. Its checks are in the order of `load_elf_binary` in
/// `fs/binfmt_elf.c`, up to the point of no return. After it, a program that cannot be mapped is killed, and execve(2)
/// does not return.
struct ElfFile<'a> {
    path: &'a [u8],
    contents: &'a FileContents,
}

impl ElfFile<'_> {
    /// Returns whether the kernel starts the program, but maps parts that the file lacks.
    fn is_truncated(&self) -> bool {
        self.read_headers().is_some_and(|(header, table)| header.is_truncated(&table, self.contents.size))
    }

    /// Returns whether the file certainly ends before its first instruction.
    fn begins_past_end(&self) -> bool {
        self.read_headers().is_some_and(|(header, table)| header.begins_past_end(&table, self.contents.size))
    }

    fn read_headers(&self) -> Option<(ElfHeader, Vec<u8>)> {
        let header = ElfHeader::parse(self.contents.head())?;
        Some((header, self.read_range(header.program_headers()?).ok()?))
    }

    /// Checks the file as a program, and returns the path of the loader that it requests, if any.
    fn check_program(&self, host: Host) -> Result<Option<Vec<u8>>, ExecError> {
        let header = ElfHeader::parse(self.contents.head()).ok_or(Errno::ExecFormat)?;
        if header.file_type != ET_EXEC && header.file_type != ET_DYN {
            return Err(Errno::ExecFormat.into());
        }
        let table = self.check_headers(host, &header, Errno::ExecFormat)?;
        let Some(name) = header.find_interpreter(&table) else { return Ok(None) };
        if !(2..=PATH_MAX as u64).contains(&name.size) {
            return Err(Errno::ExecFormat.into());
        }
        let name = self.read_range(name)?;
        let (Some(0), Some(end)) = (name.last(), name.iter().position(|byte| *byte == 0)) else {
            return Err(Errno::ExecFormat.into());
        };
        Ok(Some(name[..end].to_vec()))
    }

    /// Checks the file as the loader that `program` requests.
    fn check_loader(&self, host: Host, program: &FileContents) -> Result<(), ExecError> {
        let class = ElfHeader::parse(program.head()).ok_or(Errno::ExecFormat)?.class;
        if self.contents.size < class.header_size() as u64 {
            return Err(Errno::InputOutput.into());
        }
        let header = ElfHeader::parse(self.contents.head()).filter(|header| header.class == class);
        self.check_headers(host, &header.ok_or(Errno::LibraryBad)?, Errno::LibraryBad).map(|_| ())
    }

    /// Checks the machine and returns the program headers. The kernel returns `refusal` for any error in reading them.
    fn check_headers(&self, host: Host, header: &ElfHeader, refusal: Errno) -> Result<Vec<u8>, ExecError> {
        match host.supports_machine(header) {
            Some(true) => {}
            Some(false) => return Err(refusal.into()),
            None => return Err(UnknownReason::Program32Bit(self.path.to_vec()).into()),
        }
        self.read_range(header.program_headers().ok_or(refusal)?)
            .map_err(|error| if let ExecError::Errno(_) = error { refusal.into() } else { error })
    }

    /// Reads a range like `elf_read`: EINVAL if no file can be that large, EIO if this file is shorter.
    fn read_range(&self, range: FileRange) -> Result<Vec<u8>, ExecError> {
        if range.offset.checked_add(range.size).is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(Errno::Invalid.into());
        }
        match self.contents.read_range(range) {
            RangeContents::Complete(bytes) => Ok(bytes),
            RangeContents::PastEnd => Err(Errno::InputOutput.into()),
            RangeContents::NotKept => Err(UnknownReason::ContentsNotKept(self.path.to_vec()).into()),
        }
    }
}
