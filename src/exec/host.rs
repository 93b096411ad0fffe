//! The machine that a program starts on. `binfmt_misc` interpreters, for example qemu, are not modeled: services that
//! run images have none.

use crate::elf::{EM_386, EM_486, EM_AARCH64, EM_ARM, EM_X86_64, ElfHeader};

/// The processor of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Processor {
    /// `x86_64`.
    Amd64,
    /// `aarch64`.
    Arm64,
}

impl Processor {
    /// Returns the architecture name in image platforms.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// Returns the processor of an architecture, if the kernel's rules for it are implemented here.
    pub fn from_architecture(architecture: &str) -> Option<Self> {
        [Self::Amd64, Self::Arm64].into_iter().find(|processor| processor.architecture() == architecture)
    }
}

/// The properties of a machine that determine which programs start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// The processor.
    pub processor: Processor,
    /// Whether the machine runs 32-bit programs of its family, if known: with `CONFIG_IA32_EMULATION` on amd64, with
    /// `CONFIG_COMPAT` and a processor with `AArch32` state on arm64.
    pub runs_32_bit: Option<bool>,
}

impl Host {
    /// Returns whether the kernel accepts the machine of a program, if known: `elf_check_arch` and
    /// `compat_elf_check_arch` in `arch/x86/include/asm/elf.h` and `arch/arm64/include/asm/elf.h`.
    pub(crate) fn supports_machine(self, header: &ElfHeader) -> Option<bool> {
        /// The version of the ABI. A 64-bit kernel refuses arm programs without one.
        const EF_ARM_EABI_MASK: u64 = 0xff00_0000;
        match (self.processor, header.machine) {
            (Processor::Amd64, EM_X86_64) | (Processor::Arm64, EM_AARCH64) => Some(true),
            (Processor::Amd64, EM_386 | EM_486) => self.runs_32_bit,
            (Processor::Arm64, EM_ARM) if header.flags & EF_ARM_EABI_MASK != 0 => self.runs_32_bit,
            _ => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::{ET_EXEC, sample};

    #[test]
    fn host_supports_its_machine_and_maybe_its_32_bit_one() {
        use Processor::{Amd64, Arm64};
        let (yes, no) = ([Some(true); 3], [Some(false); 3]);
        let as_host = [Some(true), Some(false), None];
        for (processor, machine, flags, expected) in [
            (Amd64, EM_X86_64, 0_u32, yes),
            (Arm64, EM_AARCH64, 0, yes),
            (Amd64, EM_AARCH64, 0, no),
            (Arm64, EM_X86_64, 0, no),
            (Amd64, EM_386, 0, as_host),
            (Amd64, EM_486, 0, as_host),
            (Arm64, EM_ARM, 0x0500_0000, as_host),
            (Arm64, EM_ARM, 0, no),
            (Amd64, EM_ARM, 0x0500_0000, no),
            (Arm64, EM_386, 0, no),
        ] {
            let mut bytes = sample::header(1, ET_EXEC, machine);
            sample::set(&mut bytes, 36, &flags.to_le_bytes());
            let header = ElfHeader::parse(&bytes).unwrap();
            let answers = as_host.map(|runs_32_bit| Host { processor, runs_32_bit }.supports_machine(&header));
            assert_eq!(answers, expected, "{processor:?} {machine}");
        }
    }
}
