//! The intended runtimes of an image, and which source declared them.
//!
//! The texts of the sources are passed in, the strongest source first: image tag, repository tag, label, default setting.

mod image_tag;
mod declaration;

pub use declaration::{DeclarationSource, DeclaredRuntime, Intent, InvalidDeclaration};
