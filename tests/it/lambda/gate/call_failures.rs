//! Every call of the gate, and everything that can go wrong with it: the failures of `docs/failures.md`, and the answer to
//! `CloudFormation`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::consumers::respond::ConsumersHandler;
use ecr_preflight::lambda::gate::DeploymentReader;
use ecr_preflight::lambda::log::today;
use ecr_preflight::name::Repository;
use ecr_preflight::registry::ecr::EcrRegistry;
use ecr_preflight::settings::Settings;
use expect_test::expect_file;
use serde_json::Value;

use super::super::REPOSITORY;
use super::super::failures::faults::{Failure, describe, takes_time};
use super::super::failures::invocation::Log;
use super::super::failures::sections::{Section, sections};
use super::super::failures::timeouts::{KEY, TOKEN, clients};
use super::super::failures::unreachable_host::Diversion;
use super::STOPPING;
use super::hook::{assert_valid, sample};
use crate::support::aws::{FakeAws, Fault, SECRET};
use crate::support::layout::Builder;

/// How many invocations run at the same time.
const WORKERS: usize = 4;

/// The time of an invocation: what is kept for the answer, and a second.
const TIME_LEFT: Duration = Duration::from_secs(5);

/// The answer to a hook while a call fails, and how many requests of the call were made.
fn invoke(section: &Section, failure: Failure) -> (Value, usize) {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let image = (section.image)(&layout);
    let image = layout.tag("v1", &image);
    aws.push(REPOSITORY, &layout);
    let name = section.target.name(&layout, &image, None);
    // The gate reads the image by its tag.
    let name = if name == image.to_string() { "v1".to_owned() } else { name };
    let which = 1..=if failure.is_lasting { usize::MAX } else { 1 };
    let diversion = Diversion::for_fault(failure.fault, section.action, &name, which.clone());
    let is_signed = !matches!(failure.fault, Fault::NoCredentials);
    if diversion.is_none() && is_signed {
        aws.fail_naming(section.action, &name, which, failure.fault);
    }
    let clients = clients(1, false, diversion.as_ref(), is_signed);
    let endpoint = Some(aws.url());
    let ecr = EcrRegistry::new(&clients, endpoint.clone());
    let settings = Settings::from_variables([STOPPING].into_iter()).unwrap();
    let handler = ConsumersHandler {
        open_registry: |repository: &Repository| ecr.repository(repository),
        region: None,
        census: None,
        account: None,
        deployments: DeploymentReader::new(clients.ecs_client(endpoint.clone())),
        inspector: Inspector::new(&settings.check.limits),
        settings,
        today,
        write_metrics: |_| {},
    };
    let suits = if section.runtimes == "ecs/arm64" { "task-definition-arm64" } else { "task-definition" };
    let payload = serde_json::from_value(sample(suits)).unwrap();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(log.clone()).finish();
    let answer = tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(handler.respond(payload, TIME_LEFT)).unwrap()
    });
    let answer = serde_json::to_value(answer).unwrap();
    assert_valid(&answer, false);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for secret in [SECRET, KEY, TOKEN] {
        assert!(!log.contains(secret) && !answer.to_string().contains(secret), "{secret} shows: {answer} {log}");
    }
    assert!(aws.calls_of("Elsewhere").is_empty(), "a redirect was followed");
    let calls = aws.calls_of(section.action).iter().filter(|call| call.names(&name)).count();
    let requests = diversion.map_or(calls, |diversion| diversion.request_count());
    assert_eq!(requests == 0, !is_signed, "{}: {failure:?}", section.title);
    (answer, requests)
}

/// Whether the gate makes the calls of a section.
fn is_of_gate(section: &Section) -> bool {
    let is_of_push = matches!(section.action, "PutImage" | "Publish") || section.consumers.is_some();
    !is_of_push && section.first_call == 1 && section.taken_tag.is_none()
}

#[test]
fn failed_calls_never_stop_a_sound_image() {
    let sections: Vec<Section> = sections().into_iter().filter(is_of_gate).collect();
    let rows: Vec<(&Section, Failure)> =
        sections.iter().flat_map(|section| section.failures.iter().map(move |failure| (section, *failure))).collect();
    let (next, answers) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((at, (section, failure))) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    rows.get(at).map(|row| (at, *row))
                } {
                    let answer = invoke(section, failure);
                    answers.lock().unwrap().push((at, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap();
    answers.sort_by_key(|(at, _)| *at);
    let (mut table, mut last) = (String::new(), "");
    for ((section, failure), (_, (answer, requests))) in rows.iter().zip(&answers) {
        let status = answer["hookStatus"].as_str().unwrap();
        let is_sound = section.runtimes == "ecs/arm64";
        assert!(!is_sound || status != "FAILED", "{}: {failure:?}: {answer}", section.title);
        // Without every part of the image, its declared platform proves nothing. Of the resource tags, none is a value too.
        let is_proof = !failure.is_lasting || takes_time(failure.fault) || section.action == "ListTagsForResource";
        assert!(is_proof || status != "FAILED", "{}: {failure:?}: {answer}", section.title);
        if section.title != last {
            last = section.title;
            table += &format!("{}\n", section.title);
        }
        // How many requests a call makes that reaches its timeout depends on the speed of the machine.
        if takes_time(failure.fault) {
            table += &format!("    {}: {}\n", describe(*failure), if is_sound { "not FAILED" } else { "valid" });
        } else {
            table += &format!("    {}: {status} after {requests}\n", describe(*failure));
        }
    }
    assert!(answers.len() > 400, "{} failures", answers.len());
    expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/lambda/gate/call_failures.txt")].assert_eq(&table);
}
