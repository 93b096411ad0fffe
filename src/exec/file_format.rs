//! Detects the format of a file that the kernel does not start, from its first bytes.

use super::host::Host;
use crate::elf::{ET_CORE, ET_DYN, ET_EXEC, ET_REL, ElfHeader, ElfIdent, ElfMachine};
use crate::rootfs::FileContents;

/// The format of a file that is not a program for this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// A program for another architecture, named as in image platforms.
    OtherArchitecture(&'static str),
    /// A program for any other machine, by its ELF number.
    UnknownMachine(u16),
    /// An ELF file that is not a program: an object file or a core dump.
    NonExecutableElf,
    /// An ELF file with damaged or truncated headers.
    DamagedElf,
    /// A program or a loader that ends before its first instruction.
    TruncatedElf,
    /// An empty file.
    Empty,
    /// Text without `#!`.
    NoShebang,
    /// A `#!` line that names no interpreter within the 256 bytes that the kernel reads.
    InvalidShebang,
    /// A `#!` line after a byte order mark, a blank or an empty line.
    MisplacedShebang,
    /// Text in UTF-16.
    Utf16,
    /// A program for macOS.
    MachO,
    /// A program for Windows.
    Pe,
    /// A WebAssembly module.
    Wasm,
    /// Another binary format.
    Other,
}

impl FileFormat {
    /// Detects the format of a file that this host does not start.
    pub(super) fn detect(host: Host, contents: &FileContents) -> Self {
        let head = contents.head();
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        match head {
            _ if contents.size == 0 => Self::Empty,
            _ if contents.is_elf() => Self::detect_elf(host, head),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'#', 0, b'!', 0, ..] => Self::Utf16,
            [b'#', b'!', ..] => Self::InvalidShebang,
            [0, b'a', b's', b'm', ..] => Self::Wasm,
            [b'M', b'Z', ..] => Self::Pe,
            _ if is_mach_o(head) => Self::MachO,
            _ if text.trim_ascii_start().starts_with(b"#!") => Self::MisplacedShebang,
            _ if head.contains(&0) => Self::Other,
            _ => Self::NoShebang,
        }
    }

    fn detect_elf(host: Host, head: &[u8]) -> Self {
        let Some(ident) = ElfIdent::parse(head) else { return Self::DamagedElf };
        let is_supported = ElfHeader::parse(head).is_some_and(|header| host.supports_machine(&header) != Some(false));
        match (ident.file_type, ident.machine) {
            (ET_REL | ET_CORE, _) => Self::NonExecutableElf,
            (ET_EXEC | ET_DYN, ElfMachine::Other(number)) if !is_supported => Self::UnknownMachine(number),
            (ET_EXEC | ET_DYN, ElfMachine::Named(name)) if !is_supported && name != host.processor.architecture() => {
                Self::OtherArchitecture(name)
            }
            _ => Self::DamagedElf,
        }
    }
}

/// Returns whether a file is a program for macOS: `mach-o/loader.h`, `mach-o/fat.h`. A Java class has the same magic
/// number as a universal binary, but its version, at least 45, instead of the number of architectures.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::sample::header;
    use crate::exec::Processor;

    fn detect(runs_32_bit: bool, bytes: &[u8]) -> FileFormat {
        let host = Host { processor: Processor::Amd64, runs_32_bit: Some(runs_32_bit) };
        FileFormat::detect(host, &FileContents::from_bytes(bytes))
    }

    #[test]
    fn elf_files_have_another_machine_or_type_or_are_damaged() {
        for (order, file_type, machine, expected) in [
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
            assert_eq!(detect(false, &header(order, file_type, machine)), expected, "{order} {file_type} {machine}");
        }
        assert_eq!(detect(false, b"\x7fELF\x02\x01"), FileFormat::DamagedElf);
        assert_eq!(detect(true, &header(1, 2, 3)), FileFormat::DamagedElf);
        assert_eq!(detect(false, &header(1, 2, 3)), FileFormat::OtherArchitecture("386"));
    }

    #[test]
    fn other_files_are_detected_by_their_first_bytes() {
        for (expected, files) in [
            (FileFormat::Empty, [b"".as_slice()].as_slice()),
            (FileFormat::NoShebang, &[b"echo hello\n", b"# !/bin/sh\n"]),
            (FileFormat::InvalidShebang, &[b"#!\n", b"#!  \t\n/bin/sh\n"]),
            (FileFormat::MisplacedShebang, &[b"\xef\xbb\xbf#!/bin/sh\n", b"\r\n\n#!/bin/sh\n", b" #!/bin/sh\n"]),
            (FileFormat::Utf16, &[b"\xff\xfe#\0!\0/\0", b"\xfe\xff\0#\0!", b"#\0!\0/\0"]),
            (FileFormat::MachO, &[b"\xcf\xfa\xed\xfe\x07\0\0\x01", b"\xfe\xed\xfa\xce\0\0\0\x12"]),
            (FileFormat::MachO, &[b"\xca\xfe\xba\xbe\0\0\0\x02"]),
            (FileFormat::Pe, &[b"MZ\x90\0"]),
            (FileFormat::Wasm, &[b"\0asm\x01\0\0\0"]),
            (FileFormat::Other, &[b"\xca\xfe\xba\xbe\0\0\0\x41", b"PK\x03\x04\0"]),
        ] {
            files.iter().for_each(|bytes| assert_eq!(detect(false, bytes), expected, "{}", bytes.escape_ascii()));
        }
    }
}
