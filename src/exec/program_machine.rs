//! What a program is made for, whatever machine it was to start on: scripts are passed over to what interprets them, and
//! that has an ELF header.
//!
//! Does not say whether it starts.

use super::execve::ExecOutcome;
use crate::elf::machine_name;
use crate::rootfs::FilesystemView;
use crate::rootfs::Node;

/// A program, and what led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedProgram {
    /// What was opened on the way, as written: scripts, then the program.
    pub chain: Vec<Vec<u8>>,
    /// The processor that its header names.
    pub machine: ElfMachine,
}

/// A processor, by the header of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElfMachine {
    /// Named as platforms name it.
    Named(&'static str),
    /// A number of the ELF format that has no name here.
    Other(u16),
}

/// The types that can be started, and where type and machine stand: `include/uapi/linux/elf.h`.
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const E_TYPE: usize = 16;
const E_MACHINE: usize = 18;

/// The program that an answer is about; none where none was found, or what was found is no program.
pub(crate) fn detect_program(view: &FilesystemView<'_>, answer: &ExecOutcome) -> Option<DetectedProgram> {
    let (chain, last) = match answer {
        ExecOutcome::Starts { chain } | ExecOutcome::Unknown { chain, .. } => (chain, None),
        // What is in no directory of `PATH` may lie in the working directory, where nobody looks for it.
        ExecOutcome::Fails { path, chain, .. } if chain.is_empty() && !path.contains(&b'/') => return None,
        ExecOutcome::Fails { path, chain, .. } => (chain, Some(path)),
    };
    let mut way = Vec::new();
    for path in chain.iter().chain(last) {
        let Node::File(_, contents) = view.resolve(path).ok()?.node else { return None };
        way.push(path.clone());
        if !contents.head().starts_with(b"#!") {
            let machine = read_machine(contents.head())?;
            return Some(DetectedProgram { chain: way, machine });
        }
    }
    None
}

fn read_machine(head: &[u8]) -> Option<ElfMachine> {
    // Another machine's program may have the other order of bytes.
    let is_big = head.get(5) == Some(&2);
    let field = |at: usize| {
        let bytes = head.get(at..at + 2)?.try_into().ok()?;
        Some(if is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let (kind, machine) = (field(E_TYPE)?, field(E_MACHINE)?);
    let is_program = head.starts_with(b"\x7fELF") && matches!(kind, ET_EXEC | ET_DYN);
    is_program.then(|| match machine_name(machine) {
        // The name is that of the little one.
        Some("ppc64le") if is_big => ElfMachine::Named("ppc64"),
        Some(name) => ElfMachine::Named(name),
        None => ElfMachine::Other(machine),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_its_processor_in_its_own_order_of_bytes() {
        for (order, kind, number, told) in [
            (1, 2, 62, Some(ElfMachine::Named("amd64"))),
            (1, 3, 183, Some(ElfMachine::Named("arm64"))),
            (2, 2, 22, Some(ElfMachine::Named("s390x"))),
            (2, 2, 21, Some(ElfMachine::Named("ppc64"))),
            (1, 2, 21, Some(ElfMachine::Named("ppc64le"))),
            (1, 2, 8, Some(ElfMachine::Other(8))),
            (1, 1, 62, None),
        ] {
            let mut head = [b"\x7fELF\x02".as_slice(), &[order], &[0; 58]].concat();
            let low = usize::from(order == 2);
            (head[E_TYPE + low], head[E_MACHINE + low]) = (kind, number);
            assert_eq!(read_machine(&head), told, "{order} {kind} {number}");
        }
        assert_eq!([b"".as_slice(), b"\x7fELF", b"#!/bin/sh\n and so on, and so on"].map(read_machine), [None; 3]);
    }
}
