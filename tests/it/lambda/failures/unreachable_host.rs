//! Requests that do not arrive: they go to a closed port, to a server without TLS, or to a host name that does not
//! resolve.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::support::aws::Fault;

/// A port that nothing listens on, and that only root could open.
const CLOSED_PORT: &str = "http://127.0.0.1:1";

/// Longer than a DNS label may be (RFC 1035, 2.3.4: 63 bytes), so that no name server is queried.
const LABEL_LENGTH: usize = 64;

/// Which requests are diverted, and how many were made.
#[derive(Debug, Clone)]
pub struct Diversion {
    action: &'static str,
    /// What the requests name.
    name: String,
    /// Which of them, by number.
    calls: RangeInclusive<usize>,
    /// Where they are sent instead.
    to: String,
    made: Arc<AtomicUsize>,
}

impl Diversion {
    /// Where a fault diverts requests to; `None` for other faults.
    pub fn for_fault(fault: Fault, action: &'static str, name: &str, calls: RangeInclusive<usize>) -> Option<Self> {
        let to = match fault {
            Fault::Refused => CLOSED_PORT.to_owned(),
            Fault::NotTls => plain_http_server(),
            Fault::UnresolvableHost => format!("http://{}.localhost", "a".repeat(LABEL_LENGTH)),
            _ => return None,
        };
        Some(Self { action, name: name.to_owned(), calls, to, made: Arc::default() })
    }

    /// How many requests were made.
    pub fn request_count(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// How many of them were diverted.
    pub fn diverted_count(&self) -> usize {
        (1..=self.request_count()).filter(|number| self.calls.contains(number)).count()
    }
}

/// The address of a server that answers a TLS handshake in plain text.
fn plain_http_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let greeted = connection.read(&mut [0; 4096]);
            let sent = greeted.and_then(|_| connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
            // Closed after the client has read the answer: otherwise it would see a reset.
            if sent.and_then(|()| connection.shutdown(Shutdown::Write)).is_ok() {
                while connection.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
            }
        }
    });
    format!("https://{address}")
}

/// A connector that diverts some requests.
#[derive(Debug)]
pub struct DivertingConnector {
    pub direct: SharedHttpConnector,
    pub diversion: Diversion,
}

impl HttpConnector for DivertingConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let of_ecr = request.headers().get("x-amz-target").and_then(|target| target.rsplit_once('.'));
        let path = request.uri().splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        let action = match of_ecr {
            Some((_, action)) => action,
            None if path.starts_with("blob/") => "Blob",
            None => "Publish",
        };
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        if action == self.diversion.action
            && (path.contains(&self.diversion.name) || body.contains(&self.diversion.name))
        {
            let number = self.diversion.made.fetch_add(1, Ordering::Relaxed) + 1;
            if self.diversion.calls.contains(&number) {
                request.set_uri(format!("{}/{path}", self.diversion.to)).unwrap();
            }
        }
        self.direct.call(request)
    }
}
