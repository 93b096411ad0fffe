//! ELF programs of both classes that exit at once, with or without a loader.

/// The parts of a program.
#[derive(Clone)]
pub struct Elf {
    pub machine: u16,
    pub wide: bool,
    pub loader: Option<Vec<u8>>,
    /// Offsets of the program headers and the loader's name, if not right after the header.
    pub table_at: Option<usize>,
    pub name_at: Option<usize>,
}

/// The machine of this processor, the other one, and the 32-bit machine of its family.
#[cfg(target_arch = "x86_64")]
pub const OWN: (u16, u16, u16) = (62, 183, 3);
#[cfg(target_arch = "aarch64")]
pub const OWN: (u16, u16, u16) = (183, 62, 40);

pub fn own() -> Elf {
    Elf { machine: OWN.0, wide: true, loader: None, table_at: None, name_at: None }
}

pub fn foreign() -> Elf {
    Elf { machine: OWN.1, ..own() }
}

pub fn compat() -> Elf {
    Elf { machine: OWN.2, wide: false, ..own() }
}

impl Elf {
    pub fn loaded_by(mut self, loader: impl AsRef<[u8]>) -> Self {
        self.loader = Some([loader.as_ref(), b"\0"].concat());
        self
    }

    fn code(&self) -> &'static [u8] {
        match self.machine {
            // mov eax, 60; xor edi, edi; syscall
            62 => &[0xb8, 0x3c, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05],
            // mov eax, 1; xor ebx, ebx; int 0x80
            3 => &[0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80],
            // mov x8, #93; mov x0, #0; svc #0
            183 => &[0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 0x01, 0, 0, 0xd4],
            // mov r7, #1; mov r0, #0; svc 0
            _ => &[0x01, 0x70, 0xa0, 0xe3, 0x00, 0x00, 0xa0, 0xe3, 0, 0, 0, 0xef],
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        const BASE: u64 = 0x40_0000;
        let (header, entry) = if self.wide { (64, 56) } else { (52, 32) };
        let entries = 1 + usize::from(self.loader.is_some());
        let table_at = self.table_at.unwrap_or(header);
        let code_at = header + if self.table_at.is_none() { entries * entry } else { 0 };
        let name = self.loader.clone().unwrap_or_default();
        let name_at = self.name_at.unwrap_or(code_at + 16);
        let size = [table_at + entries * entry, name_at + name.len(), code_at + 16].into_iter().max().unwrap();
        let mut bytes = vec![0; size];
        let mut put =
            |at: usize, value: u64, width: usize| bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        let word = if self.wide { 8 } else { 4 };
        put(0, u64::from_le_bytes(*b"\x7fELF\x02\x01\x01\0"), 8);
        put(4, if self.wide { 2 } else { 1 }, 1);
        put(16, 2, 2);
        put(18, self.machine.into(), 2);
        put(20, 1, 4);
        put(24, BASE + code_at as u64, word);
        put(24 + word, table_at as u64, word);
        let rest = 24 + 3 * word;
        // The version of arm's EABI; other machines ignore it.
        put(rest, 0x0500_0000, 4);
        for (place, half) in [header, entry, entries, 40, 0, 0].into_iter().enumerate() {
            put(rest + 4 + 2 * place, half as u64, 2);
        }
        let mut segment = |at: usize, kind: u64, offset: u64, address: u64, size: u64| {
            put(at, kind, 4);
            let (places, flags) = if self.wide { ([8, 16, 24, 32, 40, 48], 4) } else { ([4, 8, 12, 16, 20, 28], 24) };
            for (place, value) in places.into_iter().zip([offset, address, address, size, size, 0x1000]) {
                put(at + place, value, word);
            }
            put(at + flags, 5, 4);
        };
        if self.loader.is_some() {
            segment(table_at, 3, name_at as u64, 0, name.len() as u64);
        }
        segment(table_at + (entries - 1) * entry, 1, 0, BASE, size as u64);
        bytes[code_at..code_at + self.code().len()].copy_from_slice(self.code());
        bytes[name_at..name_at + name.len()].copy_from_slice(&name);
        bytes
    }
}
