//! `ecr-preflight declare --suggest`: writes the file that `declare --from` reads, from what runs the images.
//!
//! A line is written only if it is certain that the declaration suits every image that runs; everything else is a comment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::repository_argument::MAX_CONCURRENT_READS;
use crate::census::SERVICES;
use crate::cli::consumer_reader::{describe_not_read, load_paced_aws, read_census};
use crate::cli::context::endpoint_url;
use crate::cli::error::CliError;
use crate::cli::error_text::describe_error_in_line;
use crate::cli::terminal::StyledOutput;
use crate::consumer::{Consumer, ConsumerPlatform};
use crate::declare::{declaration_value, find_conflict};
use crate::name::{EcrImage, Repository};
use crate::registry::ecr::EcrRegistry;
use crate::registry::ecr::listing::list_repositories;
use crate::runtime::Runtime;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// How many consumers a comment names.
const MAX_NAMES: usize = 5;

/// The longest name of a consumer, in characters: ECS allows 255 for clusters and for services.
const MAX_NAME: usize = 255;

/// What runs the images of one repository.
#[derive(Debug, Default)]
struct RepositoryUse {
    /// The runtimes of each image, by the image as the definitions name it.
    runtimes: BTreeMap<String, BTreeSet<Runtime>>,
    names: BTreeSet<String>,
    /// The consumers whose platform is unknown, and why.
    unknown: BTreeSet<(String, Cow<'static, str>)>,
}

pub(super) async fn run<E: Write>(
    key: &str,
    prefix: &str,
    out: &mut impl Write,
    err: &mut StyledOutput<E>,
) -> Result<Verdict, CliError> {
    let aws = load_paced_aws(None).await;
    let region = aws.region().ok_or(CliError::NoRegion)?;
    let client = aws.ecr_client(endpoint_url("ECR"));
    let listed: Vec<Repository> = list_repositories(&client, None, region).try_collect().await?;
    let census = read_census(&aws, &SERVICES, err).await?;
    let mut used: BTreeMap<String, RepositoryUse> = BTreeMap::new();
    for consumer in &census.consumers {
        if let Some(image) = EcrImage::parse(&consumer.image) {
            used.entry(image.repository.to_string()).or_default().add(consumer, &image);
        }
    }
    let ecr = EcrRegistry::new(&aws, endpoint_url("ECR"));
    let mut repositories: Vec<Repository> = listed.into_iter().filter(|one| one.name().starts_with(prefix)).collect();
    repositories.sort_by(|one, other| one.name().cmp(other.name()));
    let read = async |repository: Repository| {
        let of_repository = used.get(&repository.to_string());
        // A repository that nothing runs needs no declaration, so its tags do not matter.
        let declared = match of_repository {
            Some(_) => ecr.repository(&repository).fetch_resource_tag(key).await,
            None => Ok(None),
        };
        (repository, of_repository, declared)
    };
    let mut read = stream::iter(repositories).map(read).buffered(MAX_CONCURRENT_READS);
    let mut is_complete = census.not_read.is_empty();
    for failure in &census.not_read {
        writeln!(out, "# not read: {}", comment(&describe_not_read(failure, region)))?;
    }
    while let Some((repository, of_repository, declared)) = read.next().await {
        let name = repository.name();
        match (of_repository, declared) {
            (_, Err(error)) => {
                is_complete = false;
                writeln!(out, "# {name}: its tags could not be read: {}", comment(&describe_error_in_line(&error)))?;
            }
            (None, Ok(_)) => writeln!(out, "# {name}: nothing that was read runs its images")?,
            (Some(of_repository), Ok(declared)) => {
                of_repository.write(name, declared.as_deref(), census.not_read.is_empty(), out)?;
            }
        }
    }
    Ok(if is_complete { Verdict::Runs } else { Verdict::Unknown })
}

/// Makes a text safe in a comment: on one line.
fn comment(text: &str) -> String {
    sanitize(text, usize::MAX)
}

impl RepositoryUse {
    fn add(&mut self, consumer: &Consumer, image: &EcrImage) {
        let name = sanitize(&consumer.name, MAX_NAME);
        let selected = self.runtimes.entry(format!("{:?}", image.selector())).or_default();
        match &consumer.platform {
            ConsumerPlatform::Known(runtime, _) => {
                selected.insert(*runtime);
                self.names.insert(name);
            }
            ConsumerPlatform::Unknown(reason) => drop(self.unknown.insert((name, reason.clone()))),
            ConsumerPlatform::Windows => {
                self.unknown.insert((name, Cow::Borrowed("it runs Windows, which is not checked")));
            }
        }
    }

    /// Writes the line of a repository, or why there is none.
    fn write(
        &self,
        name: &str,
        declared: Option<&str>,
        is_complete: bool,
        out: &mut impl Write,
    ) -> Result<(), CliError> {
        let all: Vec<Runtime> = self.runtimes.values().flatten().copied().collect();
        let value = declaration_value(&all);
        if let Some(declared) = declared {
            let found = if value.is_empty() { "unknown" } else { &value };
            writeln!(out, "# {name}: declares \"{}\" already; found: {found}", comment(declared))?;
            return Ok(());
        }
        for (consumer, reason) in self.unknown.iter().take(MAX_NAMES) {
            writeln!(out, "# {name}: the architecture of {consumer} is unknown: {reason}")?;
        }
        if self.unknown.len() > MAX_NAMES {
            writeln!(out, "# {name}: the architecture of {} more is unknown", self.unknown.len() - MAX_NAMES)?;
        }
        if value.is_empty() {
            return Ok(());
        }
        let shown: Vec<&str> = self.names.iter().take(MAX_NAMES).map(String::as_str).collect();
        let more = self.names.len().saturating_sub(MAX_NAMES);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let names = format!("{}{more}", shown.join(", "));
        let unread = (!is_complete).then(|| "not everything could be read".to_owned());
        match self.find_problem(&all).or(unread) {
            None => writeln!(out, "{name}\t{value}\t# {names}")?,
            Some(problem) => writeln!(out, "# {name}\t{value}\t# {names}: {problem}")?,
        }
        Ok(())
    }

    /// Returns why one declaration would not suit every image, if it would not.
    fn find_problem(&self, all: &[Runtime]) -> Option<String> {
        if let Some((one, other)) = find_conflict(all) {
            return Some(format!("no image runs on both {one} and {other}"));
        }
        if !self.unknown.is_empty() {
            return Some("the architecture of others is unknown".to_owned());
        }
        let mut sets = self.runtimes.values().filter(|runtimes| !runtimes.is_empty());
        let first = sets.next()?;
        let differs = sets.any(|runtimes| runtimes != first);
        differs.then(|| "different images run on different runtimes; their image tags can declare them".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::{ConsumerService, PlatformSource, StartOverride};

    fn line(consumers: &[(&str, &str, ConsumerPlatform)], declared: Option<&str>) -> String {
        let mut found = RepositoryUse::default();
        for (name, tag, platform) in consumers {
            let image = format!("123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:{tag}");
            let consumer = Consumer {
                service: ConsumerService::Ecs,
                name: (*name).to_owned(),
                arn: String::new(),
                definition: String::new(),
                container: String::new(),
                image: image.clone(),
                digest: None,
                platform: platform.clone(),
                start: StartOverride::default(),
            };
            found.add(&consumer, &EcrImage::parse(&image).unwrap());
        }
        let mut out = Vec::new();
        found.write("app", declared, true, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_suits_every_image_is_suggested() {
        use Runtime::{EcsAmd64, EcsArm64, LambdaAmd64, LambdaArm64};
        let on = |runtime| ConsumerPlatform::Known(runtime, PlatformSource::Task);
        let unknown = ConsumerPlatform::unknown("a reason");
        for (consumers, declared, expected) in [
            (&[("a", "v1", on(EcsArm64)), ("b", "v2", on(EcsArm64))][..], None, "app\tecs/arm64\t# a, b\n"),
            // One image for both is an index.
            (&[("a", "v1", on(EcsArm64)), ("b", "v1", on(EcsAmd64))], None, "app\tecs/amd64 ecs/arm64\t# a, b\n"),
            (
                &[("a", "v1", on(EcsArm64)), ("b", "v2", on(EcsAmd64))],
                None,
                "# app\tecs/amd64 ecs/arm64\t# a, b: different images run on different runtimes; their image tags can declare them\n",
            ),
            (
                &[("a", "v1", on(EcsArm64)), ("b", "v2", on(LambdaArm64))],
                None,
                "# app\tecs/arm64 lambda/arm64\t# a, b: different images run on different runtimes; their image tags can declare them\n",
            ),
            (
                &[("a", "v1", on(EcsArm64)), ("b", "v1", on(LambdaAmd64))],
                None,
                "# app\tecs/arm64 lambda/amd64\t# a, b: no image runs on both lambda/amd64 and ecs/arm64\n",
            ),
            (
                &[("a", "v1", on(EcsArm64)), ("b", "v1", unknown.clone())],
                None,
                "# app: the architecture of b is unknown: a reason\n# app\tecs/arm64\t# a: the architecture of others is unknown\n",
            ),
            (&[("b", "v1", unknown)], None, "# app: the architecture of b is unknown: a reason\n"),
            (
                &[("a", "v1", on(EcsArm64))],
                Some("ecs/amd64"),
                "# app: declares \"ecs/amd64\" already; found: ecs/arm64\n",
            ),
        ] {
            assert_eq!(line(consumers, declared), expected);
        }
    }
}
