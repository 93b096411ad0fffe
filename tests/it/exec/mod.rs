//! What an image starts: how far its layers are read, and the faults of its program.

mod faults;
mod inspect;
