//! STUB
//!
//! Does not
use super::{Answer, Host, View};
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    Foreign(&'static str),
    OtherMachine(u16),
    NoProgram,
    Empty,
    NoShebang,
    MisplacedShebang,
    MachO,
    Pe,
    Wasm,
    CarriageReturn,
    InterpreterMissing,
    LoaderMissing { loader: Vec<u8>, other_libc: bool },
    LoaderForeign(&'static str),
    LoaderDamaged,
    Missing,
    Dangling(Vec<u8>),
    NotADirectory,
    Loop,
    NameTooLong,
    NotExecutable { mode: u32 },
    Directory,
    Special,
    ScriptsNest,
}
pub fn cause(_: &View<'_>, _: Host, _: &Answer) -> Option<Cause> {
    None
}
