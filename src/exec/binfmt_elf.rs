//! The kernel's checks of an ELF program and its loader, in the order of `load_elf_binary` in `fs/binfmt_elf.c`, up to
//! the point of no return. After it, a program that cannot be mapped is killed, and execve(2) does not return.

use super::host::{Host, MachineSupport};
use crate::elf::{ET_DYN, ET_EXEC, ElfHeader, FileRange};
use crate::errno::Errno;
use crate::path::PATH_MAX;
use crate::rootfs::{ExecError, FileContents, RangeContents, UnknownReason};

/// Checks the program at `path`, and returns the path of the loader that it requests, if any.
pub(super) fn check_program(host: Host, path: &[u8], contents: &FileContents) -> Result<Option<Vec<u8>>, ExecError> {
    let header = ElfHeader::parse(contents.head()).ok_or(Errno::ExecFormat)?;
    if header.file_type != ET_EXEC && header.file_type != ET_DYN {
        return Err(Errno::ExecFormat.into());
    }
    check_machine(host, path, &header, Errno::ExecFormat)?;
    let table = read_program_headers(path, contents, &header, Errno::ExecFormat)?;
    let Some(name) = header.find_interpreter(&table) else { return Ok(None) };
    if !(2..=PATH_MAX as u64).contains(&name.size) {
        return Err(Errno::ExecFormat.into());
    }
    let name = read_range(path, contents, name)?;
    let (Some(0), Some(end)) = (name.last(), name.iter().position(|byte| *byte == 0)) else {
        return Err(Errno::ExecFormat.into());
    };
    Ok(Some(name[..end].to_vec()))
}

/// Checks the loader at `path` that `program` requests.
pub(super) fn check_loader(
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

/// Reads the program headers. The kernel returns `refusal` for any error in reading them.
fn read_program_headers(
    path: &[u8],
    contents: &FileContents,
    header: &ElfHeader,
    refusal: Errno,
) -> Result<Vec<u8>, ExecError> {
    let table = header.program_headers().ok_or(refusal)?;
    read_range(path, contents, table)
        .map_err(|error| if let ExecError::Errno(_) = error { refusal.into() } else { error })
}

/// Reads a range like `elf_read`: EINVAL if no file can be that large, EIO if this file is shorter.
fn read_range(path: &[u8], contents: &FileContents, range: FileRange) -> Result<Vec<u8>, ExecError> {
    if range.offset.checked_add(range.size).is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(Errno::Invalid.into());
    }
    match contents.read_range(range) {
        RangeContents::Complete(bytes) => Ok(bytes),
        RangeContents::PastEnd => Err(Errno::InputOutput.into()),
        RangeContents::NotKept => Err(UnknownReason::ContentsNotKept(path.to_vec()).into()),
    }
}
