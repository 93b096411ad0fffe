//! What a file that the kernel does not start is, by its first bytes.
//!
//! Does not say that it could not be started: that the kernel does, and this only looks for the reason.

use super::host::{Host, Processor, Takes};
use crate::elf::Header;
use crate::elf::machine_name;
use crate::rootfs::Contents;

/// What a file is instead of a program for this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A program for this other architecture, named as platforms name it.
    Foreign(&'static str),
    /// A program for a machine that has no name here.
    OtherMachine(u16),
    /// An ELF file that is no program: an object file or a core dump.
    NoProgram,
    /// An ELF file whose headers are damaged or cut off.
    DamagedElf,
    /// Nothing at all.
    Empty,
    /// Text without `#!`.
    NoShebang,
    /// A first line `#!` that names no interpreter, or one whose name does not fit into the kernel's 256 bytes.
    NoInterpreter,
    /// A line `#!` that does not stand in the first two bytes: a byte order mark, a blank or an empty line is before it.
    MisplacedShebang,
    /// Text in UTF-16, as some editors save it.
    Utf16,
    /// A program for macOS.
    MachO,
    /// A program for Windows.
    Pe,
    /// A module of WebAssembly.
    Wasm,
    /// Something else that is no text.
    Other,
}

/// The types of ELF files that are whole and yet no programs: relocatable and core, of `include/uapi/linux/elf.h`.
const ET_REL: u16 = 1;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const ET_CORE: u16 = 4;

impl Format {
    /// What a file is that this host does not start.
    pub(crate) fn of(host: Host, contents: &Contents) -> Self {
        let head = contents.head();
        if contents.size == 0 {
            return Self::Empty;
        }
        if head.starts_with(b"\x7fELF") {
            return Self::elf(host, head);
        }
        match head {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'#', 0, b'!', 0, ..] => Self::Utf16,
            [b'#', b'!', ..] => Self::NoInterpreter,
            [0, b'a', b's', b'm', ..] => Self::Wasm,
            [b'M', b'Z', ..] => Self::Pe,
            _ if is_mach_o(head) => Self::MachO,
            _ if follows_blanks(head) => Self::MisplacedShebang,
            _ if head.contains(&0) => Self::Other,
            _ => Self::NoShebang,
        }
    }

    fn elf(host: Host, head: &[u8]) -> Self {
        // Unlike the kernel, this takes the order of bytes from the file: another machine's may be the other one.
        let is_big = head.get(5) == Some(&2);
        let field = |at: usize| {
            let bytes = head.get(at..at + 2)?.try_into().ok()?;
            Some(if is_big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let own = match host.processor {
            Processor::Amd64 => "amd64",
            Processor::Arm64 => "arm64",
        };
        let taken = Header::read(head).is_some_and(|header| host.takes(&header) != Takes::No);
        match (field(16), field(18)) {
            (Some(ET_REL | ET_CORE), Some(_)) => Self::NoProgram,
            (Some(ET_EXEC | ET_DYN), Some(machine)) if !taken => match machine_name(machine) {
                // The name is that of the little one.
                Some("ppc64le") if is_big => Self::Foreign("ppc64"),
                Some(name) if name == own => Self::DamagedElf,
                Some(name) => Self::Foreign(name),
                None => Self::OtherMachine(machine),
            },
            _ => Self::DamagedElf,
        }
    }
}

/// `mach-o/loader.h` and `mach-o/fat.h` of macOS. A class of Java begins as a program for several processors does; its
/// version, which is 45 or more, stands where that one has the number of processors.
fn is_mach_o(head: &[u8]) -> bool {
    const MOST_PROCESSORS: u32 = 30;
    match head {
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => true,
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, a, b, c, d, ..] => {
            (1..=MOST_PROCESSORS).contains(&u32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => false,
    }
}

fn follows_blanks(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    text.trim_ascii_start().starts_with(b"#!")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::Collector;

    fn elf(order: u8, kind: u8, machine: u8) -> Vec<u8> {
        let mut bytes = [b"\x7fELF\x02".as_slice(), &[order], &[0; 58]].concat();
        let low = usize::from(order == 2);
        (bytes[16 + low], bytes[18 + low]) = (kind, machine);
        bytes
    }

    fn format(bytes: &[u8]) -> Format {
        let mut collector = Collector::default();
        collector.push(bytes);
        Format::of(Host { processor: Processor::Amd64, compat: Some(false) }, &collector.finish())
    }

    #[test]
    fn elf_files_tell_their_machine_in_their_own_order_of_bytes() {
        for (order, kind, machine, told) in [
            (1, 2, 183, Format::Foreign("arm64")),
            (1, 3, 3, Format::Foreign("386")),
            (1, 3, 243, Format::Foreign("riscv64")),
            (2, 2, 22, Format::Foreign("s390x")),
            (1, 2, 21, Format::Foreign("ppc64le")),
            (2, 2, 21, Format::Foreign("ppc64")),
            (1, 2, 8, Format::OtherMachine(8)),
            (1, 1, 62, Format::NoProgram),
            (1, 4, 183, Format::NoProgram),
            (1, 9, 62, Format::DamagedElf),
            (1, 2, 62, Format::DamagedElf),
            (2, 2, 62, Format::DamagedElf),
        ] {
            assert_eq!(format(&elf(order, kind, machine)), told, "{order} {kind} {machine}");
        }
        assert_eq!(format(b"\x7fELF\x02\x01"), Format::DamagedElf);
        let contents = |compat| {
            Format::of(Host { processor: Processor::Amd64, compat }, &{
                let mut collector = Collector::default();
                collector.push(&elf(1, 2, 3));
                collector.finish()
            })
        };
        assert_eq!((contents(Some(true)), contents(Some(false))), (Format::DamagedElf, Format::Foreign("386")));
    }

    #[test]
    fn other_files_are_known_by_how_they_begin() {
        for (bytes, told) in [
            (b"".as_slice(), Format::Empty),
            (b"echo hello\n", Format::NoShebang),
            (b"# !/bin/sh\n", Format::NoShebang),
            (b"#!\n", Format::NoInterpreter),
            (b"#!  \t\n/bin/sh\n", Format::NoInterpreter),
            (b"\xef\xbb\xbf#!/bin/sh\n", Format::MisplacedShebang),
            (b"\r\n\n#!/bin/sh\n", Format::MisplacedShebang),
            (b" #!/bin/sh\n", Format::MisplacedShebang),
            (b"\xff\xfe#\0!\0/\0", Format::Utf16),
            (b"\xfe\xff\0#\0!", Format::Utf16),
            (b"#\0!\0/\0", Format::Utf16),
            (b"\xcf\xfa\xed\xfe\x07\0\0\x01", Format::MachO),
            (b"\xfe\xed\xfa\xce\0\0\0\x12", Format::MachO),
            (b"\xca\xfe\xba\xbe\0\0\0\x02", Format::MachO),
            (b"\xca\xfe\xba\xbe\0\0\0\x41", Format::Other),
            (b"MZ\x90\0", Format::Pe),
            (b"\0asm\x01\0\0\0", Format::Wasm),
            (b"PK\x03\x04\0", Format::Other),
        ] {
            assert_eq!(format(bytes), told, "{}", bytes.escape_ascii());
        }
    }
}
