//! How the image came into its repository, which decides where it is fixed: where it was pushed, in the repository that
//! it is replicated from, or upstream of a pull-through cache.

use crate::date::Date;
use crate::event::{Arrival, ArrivalKind};
use crate::report::model::{FindingCase, Remedy};
use crate::runtime::Runtime;
use crate::text::{collect_unique, sanitize_quoted};

/// From this age on, in days, a pushed image was more likely copied than built: a build is pushed within minutes, or
/// within hours if somebody must approve it. Only the order of two remedies depends on it.
const COPIED_DAYS: i64 = 2;

/// The first year in which Docker made images. Earlier dates are fixed ones, which reproducible builds set.
const FIRST_YEAR: u16 = 2013;

impl FindingCase<'_> {
    fn arrival_kind(&self) -> Option<ArrivalKind> {
        self.context.arrival.map(|arrival| arrival.how)
    }

    /// Returns whether a pull-through cache fetched the image. Nobody pushes to such a repository.
    pub(super) fn is_cached(&self) -> bool {
        self.arrival_kind() == Some(ArrivalKind::PullThroughCache)
    }

    /// Returns the name under which to push a corrected image. For a replica it is in the source repository: an image
    /// that is pushed to a destination is not replicated back, and the next replica replaces it.
    pub(super) fn push_uri(&self) -> String {
        match self.context.arrival {
            Some(Arrival { how: ArrivalKind::Replica, source: Some(source), .. }) => {
                source.uri_with_tag(self.context.tag)
            }
            Some(Arrival { how: ArrivalKind::Replica, .. }) => {
                format!("SOURCE_REPOSITORY:{}", self.context.tag.map_or("TAG".to_owned(), ToString::to_string))
            }
            _ => self.context.image_uri(),
        }
    }

    /// Says where to apply remedies of a replica. Those with a command for the runtime itself apply as they are.
    pub(super) fn at_source(&self, mut remedies: Vec<Remedy>) -> Vec<Remedy> {
        if self.arrival_kind() != Some(ArrivalKind::Replica) {
            return remedies;
        }
        let source = self.context.arrival.and_then(|arrival| arrival.source.as_ref());
        let place = source
            .map_or_else(String::new, |source| format!(" (`{}`, account `{}`)", source.region(), source.account()));
        let uri = self.push_uri();
        let pushes = |remedy: &Remedy| remedy.command.as_ref().is_some_and(|command| command.contains(&uri));
        let no_push = !remedies.iter().any(pushes);
        for (at, remedy) in remedies.iter_mut().enumerate() {
            if pushes(remedy) || no_push && at == 0 {
                remedy.advice = format!("{}, in the repository that it is replicated from{place}", remedy.advice);
            }
        }
        remedies
    }

    /// Suggests what fixes a cached image that lacks the platform.
    pub(super) fn cached_platform_remedies(&self, runtime: Runtime) -> Vec<Remedy> {
        let runtimes = self.all_runtimes(runtime);
        let platforms = collect_unique(runtimes.iter().map(|runtime| runtime.platform().to_string())).join(" and ");
        let list = format!("docker buildx imagetools inspect {}/IMAGE:TAG", self.upstream());
        let use_other =
            format!("Use another tag of the upstream image that has {platforms}. This lists what a tag has");
        let copy = format!("Or copy an image that has {platforms} into a repository that is not a cache, and use that");
        let command = copy_command("SOURCE", &self.own_repository_uri(), &runtimes);
        vec![Remedy::with_command(use_other, list), Remedy::with_command(copy, command)]
    }

    /// Suggests copying one image of a cached index, for a service that accepts no index.
    pub(super) fn cached_index_remedy(&self, runtime: Runtime) -> Remedy {
        let platform = runtime.platform();
        let advice = format!("Copy the image for {platform} into a repository that is not a cache, and use that");
        let command = copy_command(&self.context.image_uri(), &self.own_repository_uri(), &[runtime]);
        Remedy::with_command(advice, command)
    }

    /// Suggests what fixes a cached image that is wrong for every runtime.
    pub(super) fn cached_image_remedies(&self) -> Vec<Remedy> {
        let upstream = self.upstream();
        vec![
            Remedy::advice_only(format!(
                "Use another tag of the upstream image, or report this to its publisher: the cache holds it as it is \
                 in `{upstream}`"
            )),
            Remedy::advice_only(
                "Or build an image of your own from it that corrects this, in a repository that is not a cache",
            ),
        ]
    }

    fn upstream(&self) -> &str {
        match self.context.arrival.and_then(|arrival| arrival.upstream.as_deref()) {
            // The host of Docker Hub's API, which people do not use in names.
            Some("registry-1.docker.io") => "docker.io",
            Some(host) => host.trim_end_matches('/'),
            None => "UPSTREAM",
        }
    }

    /// Returns a placeholder for a repository in the same registry.
    fn own_repository_uri(&self) -> String {
        let uri = self.context.repository_uri();
        format!("{}/REPOSITORY:TAG", uri.split('/').next().unwrap_or_default())
    }

    /// Returns the date on which a pushed image was created, if that is so long ago that it was probably copied.
    pub(super) fn copied_since(&self) -> Option<String> {
        let arrival = self.context.arrival?;
        let pushed_at = match arrival.how {
            ArrivalKind::Push => arrival.sent_at.as_deref(),
            ArrivalKind::Audit => arrival.pushed_at.as_deref(),
            ArrivalKind::Replica | ArrivalKind::PullThroughCache | ArrivalKind::Consumer | ArrivalKind::StoppedTask => {
                None
            }
        };
        let created = self.image?.created()?;
        let day = parse_day(created).filter(|day| Some(*day) >= Date::new(FIRST_YEAR, 1, 1))?;
        (parse_day(pushed_at?)?.day_number() - day.day_number() >= COPIED_DAYS)
            .then(|| sanitize_quoted(&created.chars().take(10).collect::<String>()))
    }
}

/// Returns the command that copies an image. An image for several platforms is copied without pulling it: `docker push`
/// of a pulled image pushes the platform of the host if the containerd image store has only that one (moby,
/// `daemon/containerd/image_push.go`). Where the service accepts no index, `--platform` pushes a single image.
pub(super) fn copy_command(source: &str, uri: &str, runtimes: &[Runtime]) -> String {
    match runtimes.iter().find(|runtime| !runtime.profile().service.accepts_index()) {
        None => format!("docker buildx imagetools create --tag {uri} {source}"),
        Some(single) => {
            let platform = single.platform();
            format!(
                "docker pull --platform {platform} {source} && docker tag {source} {uri} && docker push --platform \
                 {platform} {uri}"
            )
        }
    }
}

/// Returns the day of an RFC 3339 date in its own time zone; `None` if it is malformed.
fn parse_day(date: &str) -> Option<Date> {
    date.get(..10)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_day;

    #[test]
    fn days_between_dates() {
        for (from, to, days) in [
            ("2026-11-16T01:54:34Z", "2026-11-16T23:00:00+01:00", Some(0)),
            ("2026-02-28T23:00:00Z", "2026-03-01", Some(1)),
            ("2024-02-28", "2024-03-01", Some(2)),
            ("2025-12-31", "2026-01-01", Some(1)),
            ("1970-01-01", "2026-11-27", Some(20_784)),
            ("2026-13-01", "2026-11-27", None),
            ("2026-1-01x", "2026-11-27", None),
            ("", "2026-11-27", None),
            ("20é6-11-2", "2026-11-27", None),
        ] {
            let between = parse_day(from).zip(parse_day(to)).map(|(from, to)| to.day_number() - from.day_number());
            assert_eq!(between, days, "{from} {to}");
        }
    }
}
