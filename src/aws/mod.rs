//! The AWS clients and their errors.

pub mod service_error;
mod clients;

#[cfg(feature = "cli")]
pub(crate) use clients::CHUNK_TIMEOUT;
pub use clients::{
    Aws, ClientTimeouts, MissingVariable, TransferTimeouts, connector_with_timeouts, default_connector,
    endpoint_override,
};
