//! The repository itself: module order, README and SAM template against the code.

mod dependencies;
mod module_order;
mod readme;
mod template;
