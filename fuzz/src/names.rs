//! Names, declarations and events: what is read is printed as it is kept, and read again alike.
//!
//! Does not know which names there are.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use ecr_preflight::consumer::{ChangedConsumer, ConsumerEvent};
use ecr_preflight::event::Event;
use ecr_preflight::intent::{DeclarationSource, Intent};
use ecr_preflight::name::{Digest, RemoteRepository, Repository, Tag};
use ecr_preflight::platform::Platform;
use ecr_preflight::runtime::Runtime;
use serde_json::{Value, json};

use super::draw::Draw;
use super::plain::assert_line;

/// No complaint about a name takes more characters.
const LONGEST_COMPLAINT: usize = 700;

/// Reads a text; what is printed of it is read as the same.
fn canonical<T: FromStr<Err: Display> + Display + Eq + Debug>(text: &str) -> Option<T> {
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            assert_eq!(printed.parse::<T>().ok().as_ref(), Some(&value), "{text:?} as {printed:?}");
            assert_line(&printed);
            Some(value)
        }
        Err(error) => {
            let complaint = error.to_string();
            assert_line(&complaint);
            assert!(complaint.chars().count() <= LONGEST_COMPLAINT, "{complaint}");
            None
        }
    }
}

/// Names of all kinds.
pub fn reference(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let digest = canonical::<Digest>(&text).unwrap_or_else(|| Digest::of(input));
    assert_eq!((digest.hex().len(), digest.short().len()), (64, 12));
    if let Some(tag) = canonical::<Tag>(&text) {
        assert_eq!(tag.as_str(), text);
    }
    for passes in [true, false] {
        let tag = Tag::for_verdict(passes, &text, &digest);
        assert!(tag.is_verdict_tag() && canonical::<Tag>(tag.as_str()) == Some(tag));
    }
    if let Some(repository) = canonical::<Repository>(&text) {
        let (account, region, name) = (repository.account(), repository.region(), repository.name());
        assert_eq!(Repository::new(account, region, name).as_ref(), Ok(&repository));
    }
    if let Some(remote) = canonical::<RemoteRepository>(&text) {
        assert!(remote.path().len() <= 255 + "library/".len() && !remote.host().is_empty());
    }
    canonical::<Runtime>(&text);
    let mut parts = text.splitn(3, '/');
    let mut part = || parts.next().unwrap_or_default();
    let platform = Platform::new(part(), part(), part());
    let again = Platform::new(platform.os(), platform.architecture(), platform.variant());
    assert_eq!(platform, again);
    assert_line(&platform.to_string());
}

/// Declarations: a tag in the first line, the repository's and the label's in the next two.
pub fn intent(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(3, '\n');
    let tag = lines.next().and_then(|line| line.parse::<Tag>().ok());
    let of_tag = tag.as_ref().map(Intent::from_tag).unwrap_or_default();
    if let Some(upper) = tag.as_ref().and_then(|tag| tag.as_str().to_ascii_uppercase().parse::<Tag>().ok()) {
        assert_eq!(Intent::from_tag(&upper), of_tag, "the case of letters says nothing");
    }
    let whole = of_tag
        .clone()
        .or_declared_by(DeclarationSource::RepositoryTag, lines.next())
        .or_declared_by(DeclarationSource::Label, lines.next());
    let is_decided = whole.declared == of_tag.declared && whole.invalid == of_tag.invalid;
    assert!(!of_tag.is_declared() || is_decided, "the first source that declares anything decides");
    assert!(whole.repository_runtimes.len() <= 16 && (of_tag.is_declared() || whole.repository_runtimes.is_empty()));
    let mut runtimes: Vec<Runtime> = whole.declared.iter().map(|declared| declared.runtime).collect();
    let all = runtimes.len();
    runtimes.sort_by_key(ToString::to_string);
    runtimes.dedup();
    assert_eq!(runtimes.len(), all, "each runtime once");
    assert!(whole.invalid.len() + all <= 16 && (whole.architecture_hint.is_none() || of_tag.declared.is_empty()));
    whole.invalid.iter().for_each(|unreadable| assert_line(&unreadable.error.to_string()));
    assert!(whole.candidates().starts_with(&whole.declared.iter().map(|one| one.runtime).collect::<Vec<_>>()));
    assert!(whole.or_default(&[Runtime::LinuxAmd64]).is_declared());
}

/// An event whole, or, where the input is none, with what the input says of the fields that count.
pub fn event(input: &[u8]) {
    let event = serde_json::from_slice(input).unwrap_or_else(|_| drawn(Draw(input)));
    match Event::parse(&event) {
        Ok(Event::Arrival(arrival)) => {
            let reference = arrival.reference();
            assert!(reference.starts_with(&arrival.repository.to_string()), "{reference}");
            assert_line(&reference);
            assert!(arrival.selector.tag().is_some_and(|tag| !tag.is_verdict_tag()));
            arrival.pushed_at.iter().for_each(|date| assert_line(date));
            arrival.also_tagged.iter().for_each(|tag| assert_line(tag.as_str()));
            assert!(arrival.pushed_at.is_none_or(|date| date.len() <= 40));
        }
        Ok(Event::Ignored(why, ..)) => assert!(!why.as_str().is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match ConsumerEvent::parse(&event) {
        Ok(ConsumerEvent::Changed(changed)) => {
            assert_line(changed.arn());
            assert_eq!(ChangedConsumer::parse(changed.arn()).as_ref(), Some(&changed), "its ARN names the same");
        }
        Ok(ConsumerEvent::Stopped(containers)) => {
            assert!(!containers.is_empty());
            for reason in containers.iter().flat_map(|one| [&one.reason, &one.stopped_reason]).flatten() {
                assert_line(reason);
                assert!(reason.chars().count() <= 1024);
            }
        }
        Ok(ConsumerEvent::Ignored(why)) => assert_line(&why),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn drawn(mut draw: Draw<'_>) -> EventBridgeEvent<Value> {
    const KINDS: [&str; 6] = [
        "ECR Preflight Audit", "ECR Image Action", "ECR Replication Action", "ECR Pull Through Cache Action",
        "ECR Referrer Action", "ECR Image Scan",
    ];
    const FIELDS: [(&str, &[&str]); 9] = [
        ("pushed-at", &["2026-11-21T15:21:21Z", "<script>"]),
        ("action-type", &["PUSH", "DELETE", "REPLICATE"]),
        ("result", &["SUCCESS", "FAILURE"]),
        ("sync-status", &["SUCCESS", "FAILURE"]),
        ("repository-name", &["team/app", "a"]),
        ("image-digest", &["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ""]),
        ("image-tag", &["v1", "", "preflight-fail-x-0", "sha256-0.sig"]),
        ("manifest-media-type", &["application/vnd.oci.image.manifest.v1+json"]),
        ("artifact-media-type", &["application/vnd.cncf.helm.config.v1+json"]),
    ];
    let kind = draw.of(&KINDS);
    let mut detail = json!({});
    for (name, values) in FIELDS {
        match draw.below(8) {
            0 => {}
            1 => detail[name] = json!(draw.text()),
            2 => detail[name] = json!(draw.number()),
            _ => detail[name] = json!(draw.of(values)),
        }
    }
    match draw.below(8) {
        0 => {}
        1 => detail["also-tagged"] = json!(draw.text()),
        2 => detail["also-tagged"] = json!([draw.text(), "v2"]),
        _ => detail["also-tagged"] = json!(["latest", "v2"]),
    }
    let source = if kind == KINDS[0] { "ecr-preflight" } else { "aws.ecr" };
    let event = json!({
        "version": "0", "id": "1", "source": source, "account": "123456789012", "region": "us-west-2",
        "detail-type": kind, "time": "2026-01-01T00:00:00Z", "resources": [], "detail": detail,
    });
    serde_json::from_value(event).expect("an event has these fields")
}
