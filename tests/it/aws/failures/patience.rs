//! Clients whose time runs out faster.
//!
//! Does not change how often they ask, nor what they make of it.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use ecr_preflight::aws::{Aws, Patience, connector_within};
use ecr_preflight::registry::ecr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What must not show: the key and the token that requests are signed with.
pub const KEY: &str = "0KEYKEY0";
pub const TOKEN: &str = "0TOKEN0";

/// An address where nobody listens: the port of a service that is long dead, and that only root could revive.
const NOBODY: &str = "http://127.0.0.1:1";

/// The function's own patience, divided.
pub fn patience(speed: u32) -> Patience {
    let Patience { connect, read, attempt, call, storage } = Patience::default();
    let storage = ecr::Patience { whole: storage.whole / speed, piece: storage.piece / speed };
    Patience { connect: connect / speed, read: read / speed, attempt: attempt / speed, call: call / speed, storage }
}

/// The clients as the function builds them, in a hurry. Where nothing waits for time to run out, its bounds are the
/// function's own. The pauses between attempts are short in any case: the SDK draws them by lot.
pub fn clients(speed: u32, takes_time: bool, detour: Option<&Detour>) -> Aws {
    // The SDK keeps one quota of retries a region for the whole process.
    static CLIENTS: AtomicUsize = AtomicUsize::new(0);
    let region = Region::new(format!("us-fault-{}", CLIENTS.fetch_add(1, Ordering::Relaxed)));
    let credentials = Credentials::new("id", KEY, Some(TOKEN.to_owned()), None, "test");
    let retries = RetryConfig::standard().with_max_backoff(Duration::from_millis(1));
    let config = SdkConfig::builder()
        .behavior_version(aws_smithy_runtime_api::client::behavior_version::BehaviorVersion::latest())
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retries);
    let patience = patience(if takes_time { speed } else { 1 });
    let direct = connector_within(patience.connect, patience.read);
    let http = match detour {
        Some(detour) => SharedHttpConnector::new(Diverting { direct, detour: detour.clone() }),
        None => direct,
    };
    Aws::new(config.build(), http).waiting(patience)
}

/// Which requests are sent to where nobody listens, and how many were made of their kind.
#[derive(Debug, Clone)]
pub struct Detour {
    pub action: &'static str,
    /// The first and the last that are.
    pub from: usize,
    pub to: usize,
    pub made: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Diverting {
    direct: SharedHttpConnector,
    detour: Detour,
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
        if action == self.detour.action {
            let number = self.detour.made.fetch_add(1, Ordering::Relaxed) + 1;
            if (self.detour.from..=self.detour.to).contains(&number) {
                request.set_uri(format!("{NOBODY}/{path}")).unwrap();
            }
        }
        self.direct.call(request)
    }
}
