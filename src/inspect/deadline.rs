//! The time limit of an inspection.

use std::time::Instant;

/// Whether the deadline has passed; never, if there is none.
pub(super) fn is_past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// Runs a future until the deadline; `None` if it has not finished by then.
pub(super) async fn run_until<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), future).await.ok(),
        None => Some(future.await),
    }
}
