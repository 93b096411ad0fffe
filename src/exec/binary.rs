//! What the kernel checks of a program and of its loader before it starts them: `load_elf_binary` in
//! `fs/binfmt_elf.c`, in its order.
//!
//! Does not check what comes after the point of no return: a program that cannot be mapped is killed, and no caller gets
//! an errno.

use super::host::{Host, Takes};
use crate::elf::{Header, Stretch};
use crate::errno::Errno;
use crate::rootfs::{Contents, NAME, Piece};
use crate::rootfs::{Stop, Unknown};

/// The types that can be started: an executable and a position-independent one.
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;

/// The loader that a program asks for, if any; `path` is the program's own.
pub(crate) fn loader(host: Host, path: &[u8], contents: &Contents) -> Result<Option<Vec<u8>>, Stop> {
    let header = Header::read(contents.head()).ok_or(Errno::ExecFormat)?;
    if header.kind != ET_EXEC && header.kind != ET_DYN {
        return Err(Errno::ExecFormat.into());
    }
    taken(host, path, &header, Errno::ExecFormat)?;
    let table = table(path, contents, &header, Errno::ExecFormat)?;
    let Some(name) = header.interpreter(&table) else { return Ok(None) };
    if !(2..=NAME).contains(&name.size) {
        return Err(Errno::ExecFormat.into());
    }
    let name = read(path, contents, name)?;
    let (Some(0), Some(end)) = (name.last(), name.iter().position(|byte| *byte == 0)) else {
        return Err(Errno::ExecFormat.into());
    };
    Ok(Some(name[..end].to_vec()))
}

/// Whether the kernel takes this file for a loader; `program` asked for it.
pub(crate) fn check_loader(host: Host, program: &Contents, path: &[u8], contents: &Contents) -> Result<(), Stop> {
    let class = Header::read(program.head()).ok_or(Errno::ExecFormat)?.class;
    if contents.size < class.header_size() as u64 {
        return Err(Errno::InputOutput.into());
    }
    let header = Header::read(contents.head()).filter(|header| header.class == class).ok_or(Errno::LibraryBad)?;
    taken(host, path, &header, Errno::LibraryBad)?;
    table(path, contents, &header, Errno::LibraryBad).map(|_| ())
}

fn taken(host: Host, path: &[u8], header: &Header, refusal: Errno) -> Result<(), Stop> {
    match host.takes(header) {
        Takes::Yes => Ok(()),
        Takes::No => Err(refusal.into()),
        Takes::Perhaps => Err(Unknown::Compat(path.to_vec()).into()),
    }
}

/// The program headers. Whatever keeps the kernel from reading them, it answers the same.
fn table(path: &[u8], contents: &Contents, header: &Header, refusal: Errno) -> Result<Vec<u8>, Stop> {
    let table = header.table().ok_or(refusal)?;
    read(path, contents, table).map_err(|stop| if let Stop::Errno(_) = stop { refusal.into() } else { stop })
}

/// `elf_read`: a stretch that no offset can name is invalid, and one that the file does not have is an error of input.
fn read(path: &[u8], contents: &Contents, stretch: Stretch) -> Result<Vec<u8>, Stop> {
    if stretch.at.checked_add(stretch.size).is_none_or(|end| i64::try_from(end).is_err()) {
        return Err(Errno::Invalid.into());
    }
    match contents.piece(stretch) {
        Piece::Whole(bytes) => Ok(bytes),
        Piece::Short => Err(Errno::InputOutput.into()),
        Piece::Lost => Err(Unknown::NotKept(path.to_vec()).into()),
    }
}
