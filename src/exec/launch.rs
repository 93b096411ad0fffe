//! STUB
//!
//! Does not
use super::{Host, Start, View, start};
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    pub by: By,
    pub argv: Vec<Vec<u8>>,
    pub start: Start,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    Runtime,
    Wrapper(&'static str),
    Shell,
    Script(Vec<u8>),
}
pub fn launches(view: &View<'_>, host: Host, argv: &[Vec<u8>], search: Option<&[u8]>) -> Vec<Launch> {
    vec![Launch { by: By::Runtime, argv: argv.to_vec(), start: start(view, host, argv, search) }]
}
