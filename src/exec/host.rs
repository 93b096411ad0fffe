//! The machine that a program is to start on.
//!
//! Does not know of interpreters registered with `binfmt_misc`, such as qemu: the services that images are meant for
//! have none.

use crate::elf::{EM_386, EM_486, EM_AARCH64, EM_ARM, EM_X86_64, ElfHeader};

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
    pub fn from_architecture(architecture: &str) -> Option<Self> {
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
    pub runs_32_bit: Option<bool>,
}

/// Whether a machine takes a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MachineSupport {
    Yes,
    No,
    Unknown,
}

impl Host {
    /// `elf_check_arch` and `compat_elf_check_arch`, in `arch/x86/include/asm/elf.h` and `arch/arm64/include/asm/elf.h`.
    pub(crate) fn machine_support(self, header: &ElfHeader) -> MachineSupport {
        /// An arm program says which edition of the calling convention it keeps, or it is too old for the 64-bit kernel.
        const EF_ARM_EABI_MASK: u64 = 0xff00_0000;
        let compat = match (self.processor, header.machine) {
            (Processor::Amd64, EM_X86_64) | (Processor::Arm64, EM_AARCH64) => return MachineSupport::Yes,
            (Processor::Amd64, EM_386 | EM_486) => true,
            (Processor::Arm64, EM_ARM) => header.flags & EF_ARM_EABI_MASK != 0,
            _ => false,
        };
        match (compat, self.runs_32_bit) {
            (false, _) | (_, Some(false)) => MachineSupport::No,
            (true, Some(true)) => MachineSupport::Yes,
            (true, None) => MachineSupport::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(processor: Processor, compat: Option<bool>, machine: u16, flags: u32) -> MachineSupport {
        let mut bytes = [b"\x7fELF".as_slice(), &[0; 60]].concat();
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[36..40].copy_from_slice(&flags.to_le_bytes());
        let header = ElfHeader::parse(&bytes).unwrap();
        Host { processor, runs_32_bit: compat }.machine_support(&header)
    }

    #[test]
    fn a_host_takes_its_own_machine_and_perhaps_the_32_bits_of_its_family() {
        use Processor::{Amd64, Arm64};
        for (processor, machine, flags, on, off, open) in [
            (Amd64, EM_X86_64, 0, MachineSupport::Yes, MachineSupport::Yes, MachineSupport::Yes),
            (Arm64, EM_AARCH64, 0, MachineSupport::Yes, MachineSupport::Yes, MachineSupport::Yes),
            (Amd64, EM_AARCH64, 0, MachineSupport::No, MachineSupport::No, MachineSupport::No),
            (Arm64, EM_X86_64, 0, MachineSupport::No, MachineSupport::No, MachineSupport::No),
            (Amd64, EM_386, 0, MachineSupport::Yes, MachineSupport::No, MachineSupport::Unknown),
            (Amd64, EM_486, 0, MachineSupport::Yes, MachineSupport::No, MachineSupport::Unknown),
            (Arm64, EM_ARM, 0x0500_0000, MachineSupport::Yes, MachineSupport::No, MachineSupport::Unknown),
            (Arm64, EM_ARM, 0, MachineSupport::No, MachineSupport::No, MachineSupport::No),
            (Amd64, EM_ARM, 0x0500_0000, MachineSupport::No, MachineSupport::No, MachineSupport::No),
            (Arm64, EM_386, 0, MachineSupport::No, MachineSupport::No, MachineSupport::No),
        ] {
            let answers = [Some(true), Some(false), None].map(|compat| takes(processor, compat, machine, flags));
            assert_eq!(answers, [on, off, open], "{processor:?} {machine}");
        }
    }
}
