//! The smallest programs that Linux starts: a header, one segment, and `exit(0)`.

/// `e_machine` of amd64 and arm64, from the kernel's `include/uapi/linux/elf-em.h`, and the code.
const MACHINES: [(&str, u16, &[u8]); 3] = [
    // mov eax, 60; xor edi, edi; syscall
    ("amd64", 62, &[0xb8, 0x3c, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05]),
    // mov x8, #93; mov x0, #0; svc #0
    ("arm64", 183, &[0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 0x01, 0, 0, 0xd4]),
    // mov r7, #1; mov r0, #0; svc 0
    ("arm", 40, &[0x01, 0x70, 0xa0, 0xe3, 0x00, 0x00, 0xa0, 0xe3, 0, 0, 0, 0xef]),
];

/// The address of the program, and the length of its two headers.
const BASE: u64 = 0x40_0000;
const HEADERS: u64 = 64 + 56;
/// The same for 32-bit programs, and the version of arm's EABI, which every kernel requires.
const BASE_32: u32 = 0x1_0000;
const HEADERS_32: u32 = 52 + 32;
const EABI5: u32 = 0x0500_0000;

/// A static program for this architecture.
pub fn program(architecture: &str) -> Vec<u8> {
    let (_, machine, code) = MACHINES.iter().find(|(name, ..)| *name == architecture).expect("a known architecture");
    if *machine == 40 {
        return program_of_32_bits(*machine, code);
    }
    let size = HEADERS + code.len() as u64;
    let mut bytes = b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    bytes.extend(2_u16.to_le_bytes());
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((BASE + HEADERS).to_le_bytes());
    bytes.extend(64_u64.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    [64_u16, 56, 1, 64, 0, 0].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(5_u32.to_le_bytes());
    [0, BASE, BASE, size, size, 0x1000].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    bytes.extend(*code);
    bytes
}

/// A static 32-bit program.
fn program_of_32_bits(machine: u16, code: &[u8]) -> Vec<u8> {
    let size = HEADERS_32 + u32::try_from(code.len()).unwrap();
    let mut bytes = b"\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    [2_u16, machine].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    [1, BASE_32 + HEADERS_32, 52, 0, EABI5].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    [52_u16, 32, 1, 40, 0, 0].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    [1, 0, BASE_32, BASE_32, size, size, 5, 0x1000].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    bytes.extend(code);
    bytes
}

/// A program that prints `started` and a newline, and exits with 0. It may be loaded at any address, so it is also a
/// valid loader. Only amd64 runs it.
pub fn printing(loader: Option<&str>) -> Vec<u8> {
    const CODE: &[u8] = &[
        0xb8, 1, 0, 0, 0, // mov eax, 1
        0xbf, 1, 0, 0, 0, // mov edi, 1
        0x48, 0x8d, 0x35, 16, 0, 0, 0, // lea rsi, [rip + 16]
        0xba, 8, 0, 0, 0, // mov edx, 8
        0x0f, 0x05, // syscall
        0xb8, 60, 0, 0, 0, // mov eax, 60
        0x31, 0xff, // xor edi, edi
        0x0f, 0x05, // syscall
        b's', b't', b'a', b'r', b't', b'e', b'd', b'\n',
    ];
    let name = loader.map(|loader| format!("{loader}\0").into_bytes()).unwrap_or_default();
    let segments = 1 + u16::from(loader.is_some());
    let (table, entry) = (64_u64, 56_u16);
    let code_at = table + u64::from(entry * segments);
    let name_at = code_at + CODE.len() as u64;
    let size = name_at + name.len() as u64;
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    [3_u16, 62].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    bytes.extend(1_u32.to_le_bytes());
    [code_at, table, 0].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    [64, entry, segments, 64, 0, 0].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    let mut segment = |kind: u32, at: u64, size: u64, alignment: u64| {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(5_u32.to_le_bytes());
        [at, at, at, size, size, alignment].iter().for_each(|field| bytes.extend(field.to_le_bytes()));
    };
    if loader.is_some() {
        segment(3, name_at, name.len() as u64, 1);
    }
    segment(1, 0, size, 0x1000);
    bytes.extend(CODE);
    bytes.extend(name);
    bytes
}
