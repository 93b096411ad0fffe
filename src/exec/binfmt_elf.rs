//! The kernel's checks of an ELF program and its loader, in the order of `load_elf_binary` in `fs/binfmt_elf.c`, up to
//! the point of no return. After it, a program that cannot be mapped is killed, and execve(2) does not return.

use super::host::Host;
use crate::elf::{ET_DYN, ET_EXEC, ElfHeader, FileRange};
use crate::errno::Errno;
use crate::path::PATH_MAX;
use crate::rootfs::{ExecError, FileContents, RangeContents, UnknownReason};

/// A file that the kernel opens as a program or as a loader.
pub(super) struct ElfFile<'a> {
    pub(super) path: &'a [u8],
    pub(super) contents: &'a FileContents,
}

impl ElfFile<'_> {
    /// Checks the file as a program, and returns the path of the loader that it requests, if any.
    pub(super) fn check_program(&self, host: Host) -> Result<Option<Vec<u8>>, ExecError> {
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
    pub(super) fn check_loader(&self, host: Host, program: &FileContents) -> Result<(), ExecError> {
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
