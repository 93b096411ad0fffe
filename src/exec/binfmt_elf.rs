//! What the kernel checks of a program and of its loader before it starts them: `load_elf_binary` in
//! `fs/binfmt_elf.c`, in its order.
//!
//! Does not check what comes after the point of no return: a program that cannot be mapped is killed, and no caller gets
//! an errno.

use super::host::{Host, MachineSupport};
use crate::elf::{ElfHeader, FileRange};
use crate::errno::Errno;
use crate::rootfs::{ExecError, UnknownReason};
use crate::rootfs::{FileContents, MAX_LOADER_PATH, RangeContents};

/// The types that can be started: an executable and a position-independent one.
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;

/// The loader that a program asks for, if any; `path` is the program's own.
pub(crate) fn check_program(host: Host, path: &[u8], contents: &FileContents) -> Result<Option<Vec<u8>>, ExecError> {
    let header = ElfHeader::parse(contents.head()).ok_or(Errno::ExecFormat)?;
    if header.file_type != ET_EXEC && header.file_type != ET_DYN {
        return Err(Errno::ExecFormat.into());
    }
    check_machine(host, path, &header, Errno::ExecFormat)?;
    let table = read_program_headers(path, contents, &header, Errno::ExecFormat)?;
    let Some(name) = header.find_interpreter(&table) else { return Ok(None) };
    if !(2..=MAX_LOADER_PATH).contains(&name.size) {
        return Err(Errno::ExecFormat.into());
    }
    let name = read_range(path, contents, name)?;
    let (Some(0), Some(end)) = (name.last(), name.iter().position(|byte| *byte == 0)) else {
        return Err(Errno::ExecFormat.into());
    };
    Ok(Some(name[..end].to_vec()))
}

/// Whether the kernel takes this file for a loader; `program` asked for it.
pub(crate) fn check_loader(
    host: Host,
    program: &FileContents,
    path: &[u8],
    contents: &FileContents,
) -> Result<(), ExecError> {
    let class = ElfHeader::parse(program.head()).ok_or(Errno::ExecFormat)?.class;
    if contents.size < class.header_size() as u64 {
        return Err(Errno::InputOutput.into());
    }
    let header = ElfHeader::parse(contents.head()).filter(|header| header.class == class).ok_or(Errno::LibraryBad)?;
    check_machine(host, path, &header, Errno::LibraryBad)?;
    read_program_headers(path, contents, &header, Errno::LibraryBad).map(|_| ())
}

fn check_machine(host: Host, path: &[u8], header: &ElfHeader, refusal: Errno) -> Result<(), ExecError> {
    match host.machine_support(header) {
        MachineSupport::Yes => Ok(()),
        MachineSupport::No => Err(refusal.into()),
        MachineSupport::Unknown => Err(UnknownReason::Program32Bit(path.to_vec()).into()),
    }
}

/// The program headers. Whatever keeps the kernel from reading them, it answers the same.
fn read_program_headers(
    path: &[u8],
    contents: &FileContents,
    header: &ElfHeader,
    refusal: Errno,
) -> Result<Vec<u8>, ExecError> {
    let table = header.program_headers().ok_or(refusal)?;
    read_range(path, contents, table).map_err(|stop| if let ExecError::Errno(_) = stop { refusal.into() } else { stop })
}

/// `elf_read`: a stretch that no offset can name is invalid, and one that the file does not have is an error of input.
fn read_range(path: &[u8], contents: &FileContents, stretch: FileRange) -> Result<Vec<u8>, ExecError> {
    if stretch.offset.checked_add(stretch.size).is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(Errno::Invalid.into());
    }
    match contents.read_range(stretch) {
        RangeContents::Complete(bytes) => Ok(bytes),
        RangeContents::PastEnd => Err(Errno::InputOutput.into()),
        RangeContents::NotKept => Err(UnknownReason::ContentsNotKept(path.to_vec()).into()),
    }
}
