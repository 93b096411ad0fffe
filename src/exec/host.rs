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

/// Whether a machine runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MachineSupport {
    Yes,
    No,
    Unknown,
}

impl Host {
    /// Returns whether the kernel accepts the machine of a program: `elf_check_arch` and `compat_elf_check_arch` in
    /// `arch/x86/include/asm/elf.h` and `arch/arm64/include/asm/elf.h`.
    pub(crate) fn machine_support(self, header: &ElfHeader) -> MachineSupport {
        /// The version of the ABI. A 64-bit kernel refuses arm programs without one.
        const EF_ARM_EABI_MASK: u64 = 0xff00_0000;
        let is_compat = match (self.processor, header.machine) {
            (Processor::Amd64, EM_X86_64) | (Processor::Arm64, EM_AARCH64) => return MachineSupport::Yes,
            (Processor::Amd64, EM_386 | EM_486) => true,
            (Processor::Arm64, EM_ARM) => header.flags & EF_ARM_EABI_MASK != 0,
            _ => false,
        };
        match (is_compat, self.runs_32_bit) {
            (false, _) | (_, Some(false)) => MachineSupport::No,
            (true, Some(true)) => MachineSupport::Yes,
            (true, None) => MachineSupport::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::{ET_EXEC, sample};

    fn support(processor: Processor, runs_32_bit: Option<bool>, machine: u16, flags: u32) -> MachineSupport {
        let mut bytes = sample::header(1, ET_EXEC, machine);
        sample::set(&mut bytes, 36, &flags.to_le_bytes());
        Host { processor, runs_32_bit }.machine_support(&ElfHeader::parse(&bytes).unwrap())
    }

    #[test]
    fn host_supports_its_machine_and_maybe_its_32_bit_one() {
        use MachineSupport::{No, Unknown, Yes};
        use Processor::{Amd64, Arm64};
        for (processor, machine, flags, on, off, unknown) in [
            (Amd64, EM_X86_64, 0, Yes, Yes, Yes),
            (Arm64, EM_AARCH64, 0, Yes, Yes, Yes),
            (Amd64, EM_AARCH64, 0, No, No, No),
            (Arm64, EM_X86_64, 0, No, No, No),
            (Amd64, EM_386, 0, Yes, No, Unknown),
            (Amd64, EM_486, 0, Yes, No, Unknown),
            (Arm64, EM_ARM, 0x0500_0000, Yes, No, Unknown),
            (Arm64, EM_ARM, 0, No, No, No),
            (Amd64, EM_ARM, 0x0500_0000, No, No, No),
            (Arm64, EM_386, 0, No, No, No),
        ] {
            let answers =
                [Some(true), Some(false), None].map(|runs_32_bit| support(processor, runs_32_bit, machine, flags));
            assert_eq!(answers, [on, off, unknown], "{processor:?} {machine}");
        }
    }
}
