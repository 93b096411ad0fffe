//! Clients with shorter timeouts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use ecr_preflight::aws::{Aws, ClientTimeouts, connector_with_timeouts};

use super::unreachable_host::{Diversion, DivertingConnector};

/// The key and token that sign requests, which must not be printed.
pub const KEY: &str = "0KEYKEY0";
pub const TOKEN: &str = "0TOKEN0";

/// The function's timeouts, divided by `speed`.
pub fn timeouts(speed: u32) -> ClientTimeouts {
    let ClientTimeouts { connect, read, attempt, call, blob, chunk } = ClientTimeouts::default();
    ClientTimeouts {
        connect: connect / speed,
        read: read / speed,
        attempt: attempt / speed,
        call: call / speed,
        blob: blob / speed,
        chunk: chunk / speed,
    }
}

/// The clients as the function builds them, with shorter timeouts if the fault runs into one. The pauses between
/// attempts are always short, because the SDK randomises them.
pub fn clients(speed: u32, takes_time: bool, diversion: Option<&Diversion>, is_signed: bool) -> Aws {
    // The SDK keeps one retry quota per region for the whole process.
    static CLIENTS: AtomicUsize = AtomicUsize::new(0);
    let region = Region::new(format!("us-fault-{}", CLIENTS.fetch_add(1, Ordering::Relaxed)));
    let credentials = Credentials::new("id", KEY, Some(TOKEN.to_owned()), None, "test");
    let retries = RetryConfig::standard().with_max_backoff(Duration::from_millis(1));
    let mut config = SdkConfig::builder()
        .behavior_version(aws_smithy_runtime_api::client::behavior_version::BehaviorVersion::latest())
        .region(region)
        .retry_config(retries);
    config.set_credentials_provider(is_signed.then(|| SharedCredentialsProvider::new(credentials)));
    let timeouts = timeouts(if takes_time { speed } else { 1 });
    let direct = connector_with_timeouts(timeouts.connect, timeouts.read);
    let http = match diversion {
        Some(diversion) => SharedHttpConnector::new(DivertingConnector { direct, diversion: diversion.clone() }),
        None => direct,
    };
    Aws::new(config.build(), http).with_timeouts(timeouts)
}
