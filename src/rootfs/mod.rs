//! The files of an image as the kernel sees them: names, owners, heads of files, and path lookup.

mod contents;
mod files;
mod unknown;
mod user;
mod view;

pub use contents::{Collector, Contents, HEAD};
pub(crate) use contents::{NAME, Piece};
pub(crate) use files::ROOT;
pub use files::{Files, Node, Owner, Rootfs};
pub(crate) use unknown::Stop;
pub use unknown::Unknown;
pub use user::User;
pub use view::View;
