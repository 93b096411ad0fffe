//! Why an event that announces a change cannot be parsed.

/// The event is of a known type, but malformed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the variants")]
pub enum ConsumerEventError {
    #[error("the detail of the `{detail_type}` event is malformed")]
    Detail { detail_type: String, source: serde_json::Error },
    #[error("the event has no `{0}`")]
    Missing(&'static str),
    #[error("the `{detail_type}` event does not name the service that changed")]
    Resources { detail_type: String },
}
