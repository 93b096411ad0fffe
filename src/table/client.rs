//! The access to the table.

use aws_sdk_dynamodb::Client;

/// The table.
#[derive(Debug, Clone)]
pub struct Table {
    pub(super) client: Client,
    pub(super) name: String,
}

impl Table {
    /// Creates the access to the table with this name.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }
}
