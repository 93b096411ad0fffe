//! The table that both functions share, in Amazon `DynamoDB`: what runs images, and the history of their tags.
//!
//! | `pk` | `sk` | written by | content |
//! |---|---|---|---|
//! | `consumers` | repository, `#`, a hash | the census | a consumer |
//! | `census` | `last` | the census | when each service was read last |
//! | `cache` | the kind and the key | the census | what never changes, for example a task definition |
//! | `claims` | a hash | the census | that a stopped container was handled lately |
//! | `changes` | an ARN | the census | when a consumer was read because it changed |
//! | `tag#` and the image | `tag` | the function | what a tag points at, what it pointed at before, and what was reported |
//!
//! The consumers of all repositories are one partition, so that the census can compare them with what it finds, and those of
//! one repository are a range of it. All items but `census` have a time to live, `expiresAt`. The names
//! of attributes in expressions have two words, because Amazon `DynamoDB` reserves many single words.

mod client;
mod item;
mod read;
mod census_record;
mod lookup;
mod tag_state;
#[cfg(feature = "consumers")]
mod write;
#[cfg(feature = "consumers")]
mod claim;
#[cfg(feature = "consumers")]
mod census_cache;
#[cfg(feature = "consumers")]
mod census_writer;

#[cfg(feature = "consumers")]
pub use self::census_cache::TableCache;
pub use self::census_record::{CENSUS_PERIOD_SECONDS, CensusRecord, ServiceRecord};
#[cfg(feature = "consumers")]
pub use self::census_writer::{ChangedConsumers, StoredConsumer, StoredConsumers};
pub use self::client::Table;
pub use self::tag_state::{NotifiedState, TagMoment, TagRecord};
