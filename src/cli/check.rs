//! `ecr-preflight check IMAGE`: one image, before or after its push.
//!
//! Does not write anywhere but to its output.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;

use super::choice::Choice;
use super::image::ImageArgument;
use super::{Error, Format};
use crate::event::Ignored;
use crate::handler::{Inspect, Look, look};
use crate::image::Depth;
use crate::reference::{Repository, Selector};
use crate::registry::Registry;
use crate::registry::archive::Archive;
use crate::registry::counted::Counted;
use crate::registry::distribution::Distribution;
use crate::registry::layout::Layout;
use crate::report::{self, Place, Report};
use crate::runtime::Runtime;
use crate::settings::Rules;
use crate::verdict::Verdict;

/// Check one image against the runtimes that it is meant for.
///
/// Without --runtime, what the image's tag, its repository's resource tag or its label declares counts.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// `oci:DIR[:TAG|@DIGEST]` for an OCI image layout, `oci-archive:FILE[:TAG|@DIGEST]` for a tar archive of one,
    /// `docker-archive:FILE[:[REPOSITORY:]TAG]` for what `docker save` writes, the URI of an image in Amazon ECR, or
    /// `HOST[:PORT]/REPO[:TAG][@DIGEST]` for one in any other registry, with docker's credentials; without HOST, Docker
    /// Hub.
    image: String,
    /// Where it is meant to run; may be given several times.
    #[arg(long = "runtime", value_name = "RUNTIME", value_parser = super::runtime)]
    runtimes: Vec<Runtime>,
    /// Say on standard error how much was read, and how long it took.
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    inspect: super::InspectArguments,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  ecr-preflight check oci:image:v1 --runtime ecs/arm64 --runtime apprunner
  ecr-preflight check oci:image@sha256:3c949327… --runtime lambda/amd64 --format json
  ecr-preflight check docker-archive:image.tar --runtime ecs/amd64
  ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1
  ecr-preflight check public.ecr.aws/docker/library/busybox:1.37 --runtime ecs/arm64
  ecr-preflight check grafana/grafana:11.4.0 --runtime apprunner";

pub(super) async fn run(arguments: Arguments, out: &mut impl Write, err: &mut impl Write) -> Result<Verdict, Error> {
    let mut rules = super::settings()?.rules;
    arguments.inspect.apply(&mut rules);
    let began = Instant::now();
    let asked = Some(arguments.runtimes.as_slice()).filter(|runtimes| !runtimes.is_empty());
    let checked = match arguments.image.parse()? {
        ImageArgument::Layout { directory, selector } => {
            let layout = Layout::open(&directory, None)?;
            let choice = Choice::of_layout(&arguments.image, "layout", layout.listed());
            let selector = choice.selector(selector)?;
            check(&layout, &arguments.image, &selector, None, asked, &rules).await?.ok_or_else(|| choice.absent())?
        }
        ImageArgument::OciArchive { file, selector } => {
            let archive = Archive::oci(&file)?;
            let choice = Choice::of_layout(&arguments.image, "archive", archive.listed());
            let selector = choice.selector(selector)?;
            check(&archive, &arguments.image, &selector, None, asked, &rules).await?.ok_or_else(|| choice.absent())?
        }
        ImageArgument::DockerArchive { file, name } => {
            let archive = Archive::docker(&file)?;
            let choice = Choice::of_archive(&arguments.image, archive.listed());
            let selector = choice.named(name.as_ref())?;
            check(&archive, &arguments.image, &selector, None, asked, &rules).await?.ok_or_else(|| choice.absent())?
        }
        ImageArgument::Ecr { repository, selector } => {
            let aws = super::aws(Some(repository.region().to_owned())).await;
            let registry = aws.ecr(super::endpoint("ECR")).open(&repository);
            let absent = || Error::Absent { reference: arguments.image.clone(), hint: None };
            check(&registry, &arguments.image, &selector, Some(&repository), asked, &rules).await?.ok_or_else(absent)?
        }
        ImageArgument::Remote { repository, selector } => {
            let registry = Distribution::new(repository, super::far());
            let may_have_moved = "its tag may point at another image by now: without it, the digest alone counts";
            let hint = matches!(selector, Selector::Both(..)).then(|| may_have_moved.to_owned());
            let absent = || Error::Absent { reference: arguments.image.clone(), hint };
            check(&registry, &arguments.image, &selector, None, asked, &rules).await?.ok_or_else(absent)?
        }
    };
    match arguments.format {
        Format::Text => write!(out, "{}", report::text(&checked.report))?,
        Format::Json => writeln!(out, "{}", super::json(&checked.report)?)?,
    }
    if arguments.verbose {
        writeln!(err, "read {} bytes in {:.2} s", checked.bytes, began.elapsed().as_secs_f64())?;
    }
    Ok(checked.report.verdict)
}

struct Checked {
    report: Report,
    /// How many bytes were read of manifests, configs and layers.
    bytes: u64,
}

/// Checks one image; `None` where it is not there.
async fn check(
    registry: &impl Registry,
    reference: &str,
    selector: &Selector,
    repository: Option<&Repository>,
    asked: Option<&[Runtime]>,
    rules: &Rules,
) -> Result<Option<Checked>, Error> {
    let registry = Counted::new(registry);
    let inspector = super::inspector(rules);
    let by = Inspect { inspector: &inspector, left: Duration::MAX };
    let found = look(&registry, selector, asked, rules, by).await?;
    let labels_only = rules.depth < Depth::Binaries;
    let place = Place { arrival: None, reference, repository, tag: selector.tag(), key: &rules.key, labels_only };
    let is_absent = matches!(found, Look::Ignored(Ignored::Deleted | Ignored::Superseded, _));
    Ok((!is_absent).then(|| Checked { report: found.report(place), bytes: registry.bytes() }))
}
