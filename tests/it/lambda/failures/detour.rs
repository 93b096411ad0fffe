//! Requests that do not arrive: they are sent to where nobody listens, to where nobody speaks TLS, or to a host whose name
//! has no address.
//!
//! Does not answer any.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::support::aws::Fault;

/// An address where nobody listens: the port of a service that is long dead, and that only root could revive.
const NOBODY: &str = "http://127.0.0.1:1";

/// As long as no label of a name in the DNS may be (RFC 1035, 2.3.4: 63 bytes), so that no name server is asked.
const TOO_LONG: usize = 64;

/// Which requests are sent elsewhere, and how many were made of their kind.
#[derive(Debug, Clone)]
pub struct Detour {
    action: &'static str,
    /// What they name.
    name: String,
    /// Which of them.
    calls: RangeInclusive<usize>,
    /// Where they are sent instead.
    to: String,
    made: Arc<AtomicUsize>,
}

impl Detour {
    /// Where a fault sends requests; `None` for one that is not of this kind.
    pub fn of(fault: Fault, action: &'static str, name: &str, calls: RangeInclusive<usize>) -> Option<Self> {
        let to = match fault {
            Fault::Refused => NOBODY.to_owned(),
            Fault::NotTls => plain(),
            Fault::Nameless => format!("http://{}.localhost", "a".repeat(TOO_LONG)),
            _ => return None,
        };
        Some(Self { action, name: name.to_owned(), calls, to, made: Arc::default() })
    }

    /// How many requests were made of their kind.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// How many of them were sent elsewhere.
    pub fn diverted(&self) -> usize {
        (1..=self.made()).filter(|number| self.calls.contains(number)).count()
    }
}

/// The address of a server that answers whoever greets it with TLS in plain text.
fn plain() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let greeted = connection.read(&mut [0; 4096]);
            let said = greeted.and_then(|_| connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
            // Until the other side has read it and closes: else it would see a reset.
            if said.and_then(|()| connection.shutdown(Shutdown::Write)).is_ok() {
                while connection.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
            }
        }
    });
    format!("https://{address}")
}

/// A connector that sends some requests elsewhere.
#[derive(Debug)]
pub struct Diverting {
    pub direct: SharedHttpConnector,
    pub detour: Detour,
}

impl HttpConnector for Diverting {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let of_ecr = request.headers().get("x-amz-target").and_then(|target| target.rsplit_once('.'));
        let path = request.uri().splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        let action = match of_ecr {
            Some((_, action)) => action,
            None if path.starts_with("blob/") => "Blob",
            None => "Publish",
        };
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        if action == self.detour.action && (path.contains(&self.detour.name) || body.contains(&self.detour.name)) {
            let number = self.detour.made.fetch_add(1, Ordering::Relaxed) + 1;
            if self.detour.calls.contains(&number) {
                request.set_uri(format!("{}/{path}", self.detour.to)).unwrap();
            }
        }
        self.direct.call(request)
    }
}
