//! The intended runtimes of an image, and the source that declares them. From strongest to weakest, the sources are the
//! image tag, the repository's resource tag, the label, and the default setting.

mod image_tag;
mod declaration;

pub use declaration::{DeclarationSource, DeclaredRuntime, Intent, InvalidDeclaration};
