//! Lets one of several deliveries go on until it waits.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use futures_util::future::LocalBoxFuture;

use super::fake_ecr::FakeEcr;

/// Polls a delivery until it waits again; returns its outcome if it ends. If it sleeps, waits for it; no other goes on meanwhile.
pub async fn poll_until_wait<T>(
    ecr: &Rc<FakeEcr>,
    delivery: usize,
    sleeps: &mut bool,
    future: &mut LocalBoxFuture<'static, T>,
) -> Option<T> {
    // By the end of its sleep, every pushed tag is visible.
    if *sleeps {
        ecr.hidden.borrow_mut().clear();
    }
    ecr.current.set(delivery);
    poll_fn(|context| {
        ecr.is_calling.set(false);
        match Pin::new(&mut *future).poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if ecr.is_calling.get() => {
                *sleeps = false;
                Poll::Ready(None)
            }
            // It sleeps from now on, and others may go on.
            Poll::Pending if !*sleeps => {
                *sleeps = true;
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
