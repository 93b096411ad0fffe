//! The contents of one file, of which only what the kernel would look at before it starts a program is kept.
//!
//! Does not judge them.

use std::sync::Arc;

use crate::elf::{Header, Stretch};
use crate::shell::Scanner;

/// What is kept of a file. Of most files that is the size alone, so the rest lies elsewhere; names that share a file share
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Its size in bytes.
    pub size: u64,
    kept: Option<Arc<Kept>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    /// The first bytes, at most [`HEAD`] of them.
    head: Vec<u8>,
    /// Pieces that lie further back, with their offsets: at most program headers (64 KiB) and a loader's name (4 KiB).
    further: Vec<(u64, Vec<u8>)>,
    /// Whether it is a shell's script that certainly ends in executing its arguments.
    hands_over: bool,
}

/// How many of a file's first bytes are kept. The kernel reads 256 (`BINPRM_BUF_SIZE`); program headers and the name of
/// the interpreter lie behind the ELF header, in what linkers make within the first page.
pub const HEAD: usize = 4096;

/// The magic number of programs. Of other files no more than the first bytes are kept, as the kernel itself looks no
/// further (`BINPRM_BUF_SIZE` in `include/uapi/linux/binfmts.h`).
const ELF: &[u8] = b"\x7fELF";
const LOOKED_AT: usize = 256;

/// A loader's name takes no more, with its final NUL: `PATH_MAX`.
pub(crate) const NAME: u64 = 4096;

/// What there is at a place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// All that was asked for.
    Whole(Vec<u8>),
    /// The file ends before.
    Short,
    /// It is there, but was not kept.
    Lost,
}

impl Contents {
    /// A file of which nothing but its size is known.
    #[must_use]
    pub fn sized(size: u64) -> Self {
        Self { size, kept: None }
    }

    /// Whether it is a shell's script that certainly ends in executing its arguments.
    #[must_use]
    pub fn hands_over(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.hands_over)
    }

    /// Its first bytes, as far as they are kept.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.kept.as_ref().map_or(&[], |kept| &kept.head)
    }

    /// How much memory is taken by what is kept.
    pub(crate) fn weight(&self) -> usize {
        let piece = |(_, bytes): &(u64, Vec<u8>)| size_of::<(u64, Vec<u8>)>() + bytes.len();
        let pieces = |kept: &Kept| kept.further.iter().map(piece).sum::<usize>();
        self.kept.as_ref().map_or(0, |kept| size_of::<Kept>() + kept.head.len() + pieces(kept))
    }

    /// The bytes of one stretch.
    pub(crate) fn piece(&self, stretch: Stretch) -> Piece {
        match &self.kept {
            Some(kept) => kept.piece(self.size, stretch),
            None => Kept::default().piece(self.size, stretch),
        }
    }
}

impl Kept {
    fn piece(&self, file: u64, Stretch { at, size }: Stretch) -> Piece {
        if at.checked_add(size).is_none_or(|end| end > file) {
            return Piece::Short;
        }
        let bytes: Option<Vec<u8>> = (at..at + size).map(|place| self.byte(place)).collect();
        bytes.map_or(Piece::Lost, Piece::Whole)
    }

    fn byte(&self, at: u64) -> Option<u8> {
        let within = |(begin, bytes): (u64, &[u8])| bytes.get(usize::try_from(at.checked_sub(begin)?).ok()?).copied();
        let further = self.further.iter().map(|(begin, bytes)| (*begin, bytes.as_slice()));
        std::iter::once((0, self.head.as_slice())).chain(further).find_map(within)
    }
}

/// Takes a file's contents as they stream by.
#[derive(Debug, Default)]
pub struct Collector {
    size: u64,
    kept: Kept,
    /// How much has been learnt of what is wanted, and the stretch that is waited for.
    stage: Stage,
    wanted: Option<Stretch>,
    scanner: Scanner,
}

/// An ELF file names the place of its program headers, and these the place of the loader's name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    Table,
    Name,
    Enough,
}

impl Collector {
    /// The next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.scanner.push(bytes);
        let room = HEAD.saturating_sub(self.kept.head.len());
        let (head, _) = bytes.split_at(bytes.len().min(room));
        self.kept.head.extend_from_slice(head);
        self.pass(&mut bytes, head.len());
        while !bytes.is_empty() && self.kept.head.len() == HEAD {
            self.take(&mut bytes);
        }
    }

    fn pass(&mut self, bytes: &mut &[u8], count: usize) {
        *bytes = &bytes[count..];
        self.size = self.size.saturating_add(count as u64);
    }

    /// One step behind the head: up to the stretch that is wanted, through it, or through all when none is.
    fn take(&mut self, bytes: &mut &[u8]) {
        let position = self.size;
        let all = bytes.len();
        let until = |place: u64| usize::try_from(place - position).unwrap_or(usize::MAX).min(all);
        match self.wanted {
            None if self.stage == Stage::Enough => self.pass(bytes, all),
            None => self.learn(),
            Some(Stretch { at, .. }) if at > position => self.pass(bytes, until(at)),
            Some(Stretch { at, size }) if at.saturating_add(size) <= position => {
                self.wanted = None;
                self.learn();
            }
            Some(Stretch { at, size }) => {
                let count = until(at.saturating_add(size));
                match self.kept.further.last_mut() {
                    Some((begin, piece)) if *begin + piece.len() as u64 == position => {
                        piece.extend_from_slice(&bytes[..count]);
                    }
                    _ => self.kept.further.push((position, bytes[..count].to_vec())),
                }
                self.pass(bytes, count);
            }
        }
    }

    /// What is wanted next, by what is kept so far.
    fn learn(&mut self) {
        let header = Header::read(&self.kept.head);
        let table = header.and_then(|header| header.table());
        (self.stage, self.wanted) = match (self.stage, header, table) {
            (Stage::Head, Some(_), Some(table)) => (Stage::Table, Some(table)),
            (Stage::Table, Some(header), Some(table)) => (Stage::Name, self.name(&header, table)),
            _ => (Stage::Enough, None),
        };
    }

    fn name(&self, header: &Header, table: Stretch) -> Option<Stretch> {
        let Piece::Whole(table) = self.kept.piece(self.size, table) else { return None };
        header.interpreter(&table).filter(|name| name.size <= NAME)
    }

    /// What is kept of them.
    #[must_use]
    pub fn finish(mut self) -> Contents {
        let enough = self.enough();
        self.kept.hands_over = self.scanner.finish();
        self.kept.head.truncate(enough);
        self.kept.head.shrink_to_fit();
        self.kept.further.iter_mut().for_each(|(_, piece)| piece.shrink_to_fit());
        self.kept.further.shrink_to_fit();
        let kept = (!self.kept.head.is_empty()).then(|| Arc::new(self.kept));
        Contents { size: self.size, kept }
    }

    /// How many of the first bytes the kernel would look at, or something does that explains its answer.
    fn enough(&self) -> usize {
        let head = &self.kept.head;
        if !head.starts_with(ELF) {
            return LOOKED_AT;
        }
        let header = Header::read(head);
        let table = header.and_then(|header| header.table());
        let name = header.zip(table).and_then(|(header, table)| self.name(&header, table));
        let within = |stretch: &Stretch| usize::try_from(stretch.at).is_ok_and(|at| at < head.len());
        let end = |Stretch { at, size }: Stretch| usize::try_from(at.saturating_add(size)).unwrap_or(HEAD);
        table.into_iter().chain(name).filter(within).map(end).fold(LOOKED_AT, usize::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::EM_X86_64;

    /// A program whose headers and loader's name lie where they are told to.
    fn program(table_at: usize, name_at: usize, size: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        bytes[..4].copy_from_slice(b"\x7fELF");
        let mut set = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        set(18, &EM_X86_64.to_le_bytes());
        set(32, &(table_at as u64).to_le_bytes());
        set(54, &[56, 0, 1, 0]);
        set(table_at, &[3, 0, 0, 0]);
        set(table_at + 8, &(name_at as u64).to_le_bytes());
        set(table_at + 32, &5_u64.to_le_bytes());
        set(name_at, b"/ld\0\0");
        bytes
    }

    fn collect(bytes: &[u8], step: usize) -> Contents {
        let mut collector = Collector::default();
        bytes.chunks(step).for_each(|chunk| collector.push(chunk));
        collector.finish()
    }

    #[test]
    fn headers_and_name_are_kept_wherever_they_lie_ahead() {
        for (table, name) in [(64, 200), (64, 9000), (4090, 9000), (5000, 9000), (9000, 100), (5000, 5056)] {
            let bytes = program(table, name, 10_000);
            let contents = collect(&bytes, 10_000);
            let piece = contents.piece(Stretch { at: name as u64, size: 5 });
            assert_eq!(piece, Piece::Whole(b"/ld\0\0".to_vec()), "{table} {name}");
            assert_eq!(contents.size, 10_000);
            for step in [1, 7, 4096, 4097] {
                assert_eq!(collect(&bytes, step), contents, "{table} {name} by {step}");
            }
        }
    }

    #[test]
    fn what_lies_behind_is_lost_and_what_is_not_there_is_short() {
        let contents = collect(&program(9000, 5000, 10_000), 512);
        assert_eq!(contents.piece(Stretch { at: 5000, size: 5 }), Piece::Lost);
        assert_eq!(contents.piece(Stretch { at: 9998, size: 5 }), Piece::Short);
        assert_eq!(contents.piece(Stretch { at: u64::MAX, size: 5 }), Piece::Short);
    }

    #[test]
    fn of_what_is_no_program_only_the_head_is_kept() {
        for begins in ["aa", "#!", "\x7fELF"] {
            let contents = collect(&[begins.as_bytes(), &vec![b'a'; 100_000]].concat(), 1000);
            assert_eq!(contents.size, 100_000 + begins.len() as u64);
            assert_eq!(contents.weight(), size_of::<Kept>() + LOOKED_AT, "{begins}");
        }
        assert_eq!(Contents::sized(7).piece(Stretch { at: 0, size: 1 }), Piece::Lost);
        assert_eq!(collect(b"", 1), Contents::default());
    }

    #[test]
    fn of_a_program_no_more_of_the_head_is_kept_than_headers_and_name_take() {
        for (table, name, kept) in
            [(64, 200, 256), (64, 1000, 1005), (500, 100, 556), (64, 4094, HEAD), (4090, 90, HEAD)]
        {
            let contents = collect(&program(table, name, 10_000), 1000);
            assert_eq!(contents.head().len(), kept, "{table} {name}");
        }
    }

    #[test]
    fn a_script_that_hands_over_behind_the_head_is_told_and_not_kept() {
        let script = format!("#!/bin/sh\n{}exec \"$@\"\n", "# more\n".repeat(1000));
        for step in [1, 4096, 10_000] {
            let contents = collect(script.as_bytes(), step);
            assert!(contents.hands_over() && contents.head().len() == LOOKED_AT, "{step}");
        }
        assert!(!collect(&script.as_bytes()[..7000], 512).hands_over());
    }
}
