//! Reads what runs images in the region of an audit, before the images are listed.

use std::io::Write;

use super::error::AuditError;
use super::region_consumers::RegionConsumers;
use super::runner::wait_for_stop_signal;
use crate::census::SERVICES;
use crate::cli::consumer_reader::{load_paced_aws, read_census};
use crate::cli::error::CliError;
use crate::cli::terminal::StyledOutput;

/// Reads all services, until a signal arrives. Without `region`, the region is that of the environment or the profile.
///
/// # Errors
/// No region is configured, every service refuses the caller, or a signal has arrived.
pub(super) async fn read_region_consumers<E: Write>(
    region: Option<String>,
    err: &mut StyledOutput<E>,
) -> Result<RegionConsumers, CliError> {
    let aws = load_paced_aws(region).await;
    let region = aws.region().ok_or(CliError::NoRegion)?;
    let census = tokio::select! {
        biased;
        stop = wait_for_stop_signal() => {
            stop?;
            return Err(AuditError::Interrupted.into());
        }
        census = read_census(&aws, &SERVICES, err) => census?,
    };
    Ok(RegionConsumers::new(census, region))
}
