//! What a file that the kernel does not start is, by its first bytes.
//!
//! Does not say that it could not be started: that the kernel does, and this only looks for the reason.

use super::host::{Host, MachineSupport, Processor};
use crate::elf::ElfHeader;
use crate::elf::machine_name;
use crate::rootfs::FileContents;

/// What a file is instead of a program for this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// A program for this other architecture, named as platforms name it.
    OtherArchitecture(&'static str),
    /// A program for a machine that has no name here.
    UnknownMachine(u16),
    /// An ELF file that is no program: an object file or a core dump.
    NonExecutableElf,
    /// An ELF file whose headers are damaged or cut off.
    DamagedElf,
    /// Nothing at all.
    Empty,
    /// Text without `#!`.
    NoShebang,
    /// A first line `#!` that names no interpreter, or one whose name does not fit into the kernel's 256 bytes.
    InvalidShebang,
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

impl FileFormat {
    /// What a file is that this host does not start.
    pub(crate) fn detect(host: Host, contents: &FileContents) -> Self {
        let head = contents.head();
        if contents.size == 0 {
            return Self::Empty;
        }
        if head.starts_with(b"\x7fELF") {
            return Self::detect_elf(host, head);
        }
        match head {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'#', 0, b'!', 0, ..] => Self::Utf16,
            [b'#', b'!', ..] => Self::InvalidShebang,
            [0, b'a', b's', b'm', ..] => Self::Wasm,
            [b'M', b'Z', ..] => Self::Pe,
            _ if is_mach_o(head) => Self::MachO,
            _ if has_misplaced_shebang(head) => Self::MisplacedShebang,
            _ if head.contains(&0) => Self::Other,
            _ => Self::NoShebang,
        }
    }

    fn detect_elf(host: Host, head: &[u8]) -> Self {
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
        let taken = ElfHeader::parse(head).is_some_and(|header| host.machine_support(&header) != MachineSupport::No);
        match (field(16), field(18)) {
            (Some(ET_REL | ET_CORE), Some(_)) => Self::NonExecutableElf,
            (Some(ET_EXEC | ET_DYN), Some(machine)) if !taken => match machine_name(machine) {
                // The name is that of the little one.
                Some("ppc64le") if is_big => Self::OtherArchitecture("ppc64"),
                Some(name) if name == own => Self::DamagedElf,
                Some(name) => Self::OtherArchitecture(name),
                None => Self::UnknownMachine(machine),
            },
            _ => Self::DamagedElf,
        }
    }
}

/// `mach-o/loader.h` and `mach-o/fat.h` of macOS. A class of Java begins as a program for several processors does; its
/// version, which is 45 or more, stands where that one has the number of processors.
fn is_mach_o(head: &[u8]) -> bool {
    const MAX_FAT_ARCHITECTURES: u32 = 30;
    match head {
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => true,
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, a, b, c, d, ..] => {
            (1..=MAX_FAT_ARCHITECTURES).contains(&u32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => false,
    }
}

fn has_misplaced_shebang(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    text.trim_ascii_start().starts_with(b"#!")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::ContentsCollector;

    fn elf(order: u8, kind: u8, machine: u8) -> Vec<u8> {
        let mut bytes = [b"\x7fELF\x02".as_slice(), &[order], &[0; 58]].concat();
        let low = usize::from(order == 2);
        (bytes[16 + low], bytes[18 + low]) = (kind, machine);
        bytes
    }

    fn format(bytes: &[u8]) -> FileFormat {
        let mut collector = ContentsCollector::default();
        collector.push(bytes);
        FileFormat::detect(Host { processor: Processor::Amd64, runs_32_bit: Some(false) }, &collector.finish())
    }

    #[test]
    fn elf_files_tell_their_machine_in_their_own_order_of_bytes() {
        for (order, kind, machine, told) in [
            (1, 2, 183, FileFormat::OtherArchitecture("arm64")),
            (1, 3, 3, FileFormat::OtherArchitecture("386")),
            (1, 3, 243, FileFormat::OtherArchitecture("riscv64")),
            (2, 2, 22, FileFormat::OtherArchitecture("s390x")),
            (1, 2, 21, FileFormat::OtherArchitecture("ppc64le")),
            (2, 2, 21, FileFormat::OtherArchitecture("ppc64")),
            (1, 2, 8, FileFormat::UnknownMachine(8)),
            (1, 1, 62, FileFormat::NonExecutableElf),
            (1, 4, 183, FileFormat::NonExecutableElf),
            (1, 9, 62, FileFormat::DamagedElf),
            (1, 2, 62, FileFormat::DamagedElf),
            (2, 2, 62, FileFormat::DamagedElf),
        ] {
            assert_eq!(format(&elf(order, kind, machine)), told, "{order} {kind} {machine}");
        }
        assert_eq!(format(b"\x7fELF\x02\x01"), FileFormat::DamagedElf);
        let contents = |compat| {
            FileFormat::detect(Host { processor: Processor::Amd64, runs_32_bit: compat }, &{
                let mut collector = ContentsCollector::default();
                collector.push(&elf(1, 2, 3));
                collector.finish()
            })
        };
        assert_eq!(
            (contents(Some(true)), contents(Some(false))),
            (FileFormat::DamagedElf, FileFormat::OtherArchitecture("386"))
        );
    }

    #[test]
    fn other_files_are_known_by_how_they_begin() {
        for (bytes, told) in [
            (b"".as_slice(), FileFormat::Empty),
            (b"echo hello\n", FileFormat::NoShebang),
            (b"# !/bin/sh\n", FileFormat::NoShebang),
            (b"#!\n", FileFormat::InvalidShebang),
            (b"#!  \t\n/bin/sh\n", FileFormat::InvalidShebang),
            (b"\xef\xbb\xbf#!/bin/sh\n", FileFormat::MisplacedShebang),
            (b"\r\n\n#!/bin/sh\n", FileFormat::MisplacedShebang),
            (b" #!/bin/sh\n", FileFormat::MisplacedShebang),
            (b"\xff\xfe#\0!\0/\0", FileFormat::Utf16),
            (b"\xfe\xff\0#\0!", FileFormat::Utf16),
            (b"#\0!\0/\0", FileFormat::Utf16),
            (b"\xcf\xfa\xed\xfe\x07\0\0\x01", FileFormat::MachO),
            (b"\xfe\xed\xfa\xce\0\0\0\x12", FileFormat::MachO),
            (b"\xca\xfe\xba\xbe\0\0\0\x02", FileFormat::MachO),
            (b"\xca\xfe\xba\xbe\0\0\0\x41", FileFormat::Other),
            (b"MZ\x90\0", FileFormat::Pe),
            (b"\0asm\x01\0\0\0", FileFormat::Wasm),
            (b"PK\x03\x04\0", FileFormat::Other),
        ] {
            assert_eq!(format(bytes), told, "{}", bytes.escape_ascii());
        }
    }
}
