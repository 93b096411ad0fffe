//! Clients whose time runs out faster.
//!
//! Does not change how often they ask, nor what they make of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use ecr_preflight::aws::{Aws, ClientTimeouts, connector_with_timeouts};

use super::detour::{Detour, Diverting};

/// What must not show: the key and the token that requests are signed with.
pub const KEY: &str = "0KEYKEY0";
pub const TOKEN: &str = "0TOKEN0";

/// The function's own patience, divided.
pub fn patience(speed: u32) -> ClientTimeouts {
    let ClientTimeouts { connect, read, attempt, call, blob_transfer: storage } = ClientTimeouts::default();
    let storage = ecr_preflight::aws::TransferTimeouts { whole: storage.whole / speed, piece: storage.piece / speed };
    ClientTimeouts {
        connect: connect / speed,
        read: read / speed,
        attempt: attempt / speed,
        call: call / speed,
        blob_transfer: storage,
    }
}

/// The clients as the function builds them, in a hurry. Where nothing waits for time to run out, its bounds are the
/// function's own. The pauses between attempts are short in any case: the SDK draws them by lot.
pub fn clients(speed: u32, takes_time: bool, detour: Option<&Detour>, is_signed: bool) -> Aws {
    // The SDK keeps one quota of retries a region for the whole process.
    static CLIENTS: AtomicUsize = AtomicUsize::new(0);
    let region = Region::new(format!("us-fault-{}", CLIENTS.fetch_add(1, Ordering::Relaxed)));
    let credentials = Credentials::new("id", KEY, Some(TOKEN.to_owned()), None, "test");
    let retries = RetryConfig::standard().with_max_backoff(Duration::from_millis(1));
    let mut config = SdkConfig::builder()
        .behavior_version(aws_smithy_runtime_api::client::behavior_version::BehaviorVersion::latest())
        .region(region)
        .retry_config(retries);
    config.set_credentials_provider(is_signed.then(|| SharedCredentialsProvider::new(credentials)));
    let patience = patience(if takes_time { speed } else { 1 });
    let direct = connector_with_timeouts(patience.connect, patience.read);
    let http = match detour {
        Some(detour) => SharedHttpConnector::new(Diverting { direct, detour: detour.clone() }),
        None => direct,
    };
    Aws::new(config.build(), http).with_timeouts(patience)
}
