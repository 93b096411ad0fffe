//! The machine that a program is to start on.
//!
//! Does not know of interpreters registered with `binfmt_misc`, such as qemu: the services that images are meant for
//! have none.

use crate::elf::{EM_386, EM_486, EM_AARCH64, EM_ARM, EM_X86_64, Header};

/// The processor of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Processor {
    /// `x86_64`.
    Amd64,
    /// `aarch64`.
    Arm64,
}

impl Processor {
    /// Its architecture, as platforms name it.
    #[must_use]
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The processor of an architecture, for those whose kernel's rules are known here.
    #[must_use]
    pub fn of(architecture: &str) -> Option<Self> {
        [Self::Amd64, Self::Arm64].into_iter().find(|processor| processor.architecture() == architecture)
    }
}

/// A machine, as far as it decides what starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Its processor.
    pub processor: Processor,
    /// Whether it starts programs of 32 bits for its family, if that is known: `CONFIG_IA32_EMULATION` on amd64; on arm64
    /// `CONFIG_COMPAT` and a processor that still has the 32-bit state.
    pub compat: Option<bool>,
}

/// Whether a machine takes a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Yes,
    No,
    Perhaps,
}

impl Host {
    /// `elf_check_arch` and `compat_elf_check_arch`, in `arch/x86/include/asm/elf.h` and `arch/arm64/include/asm/elf.h`.
    pub(crate) fn takes(self, header: &Header) -> Takes {
        /// An arm program says which edition of the calling convention it keeps, or it is too old for the 64-bit kernel.
        const EF_ARM_EABI_MASK: u64 = 0xff00_0000;
        let compat = match (self.processor, header.machine) {
            (Processor::Amd64, EM_X86_64) | (Processor::Arm64, EM_AARCH64) => return Takes::Yes,
            (Processor::Amd64, EM_386 | EM_486) => true,
            (Processor::Arm64, EM_ARM) => header.flags & EF_ARM_EABI_MASK != 0,
            _ => false,
        };
        match (compat, self.compat) {
            (false, _) | (_, Some(false)) => Takes::No,
            (true, Some(true)) => Takes::Yes,
            (true, None) => Takes::Perhaps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(processor: Processor, compat: Option<bool>, machine: u16, flags: u32) -> Takes {
        let mut bytes = [b"\x7fELF".as_slice(), &[0; 60]].concat();
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[36..40].copy_from_slice(&flags.to_le_bytes());
        let header = Header::read(&bytes).unwrap();
        Host { processor, compat }.takes(&header)
    }

    #[test]
    fn a_host_takes_its_own_machine_and_perhaps_the_32_bits_of_its_family() {
        use Processor::{Amd64, Arm64};
        for (processor, machine, flags, on, off, open) in [
            (Amd64, EM_X86_64, 0, Takes::Yes, Takes::Yes, Takes::Yes),
            (Arm64, EM_AARCH64, 0, Takes::Yes, Takes::Yes, Takes::Yes),
            (Amd64, EM_AARCH64, 0, Takes::No, Takes::No, Takes::No),
            (Arm64, EM_X86_64, 0, Takes::No, Takes::No, Takes::No),
            (Amd64, EM_386, 0, Takes::Yes, Takes::No, Takes::Perhaps),
            (Amd64, EM_486, 0, Takes::Yes, Takes::No, Takes::Perhaps),
            (Arm64, EM_ARM, 0x0500_0000, Takes::Yes, Takes::No, Takes::Perhaps),
            (Arm64, EM_ARM, 0, Takes::No, Takes::No, Takes::No),
            (Amd64, EM_ARM, 0x0500_0000, Takes::No, Takes::No, Takes::No),
            (Arm64, EM_386, 0, Takes::No, Takes::No, Takes::No),
        ] {
            let answers = [Some(true), Some(false), None].map(|compat| takes(processor, compat, machine, flags));
            assert_eq!(answers, [on, off, open], "{processor:?} {machine}");
        }
    }
}
