//! ELF files for unit tests.

use super::ident::{ET_EXEC, MAGIC};

/// Builds a header of 64 bytes; `order` is 1 for little and 2 for big endian.
pub(crate) fn header(order: u8, file_type: u16, machine: u16) -> Vec<u8> {
    let mut bytes = [MAGIC, &[2, order, 1], &[0; 57]].concat();
    let encode = |value: u16| if order == 2 { value.to_be_bytes() } else { value.to_le_bytes() };
    set(&mut bytes, 16, &encode(file_type));
    set(&mut bytes, 18, &encode(machine));
    bytes
}

/// Builds a 64-bit executable with one program header, which names the loader unless it is empty.
pub(crate) fn program(machine: u16, loader: &str) -> Vec<u8> {
    let name = if loader.is_empty() { String::new() } else { format!("{loader}\0") };
    let mut bytes = [header(1, ET_EXEC, machine).as_slice(), &[0; 56], name.as_bytes()].concat();
    let kind = if loader.is_empty() { 1 } else { 3 };
    let length = u8::try_from(name.len()).unwrap();
    for (at, value) in [(32, 64), (54, 56), (56, 1), (64, kind), (72, 120), (96, length)] {
        bytes[at] = value;
    }
    bytes
}

pub(crate) fn set(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}
