//! Every call of the gate, and everything that can go wrong with it: the deployment goes on. The answers are in
//! `call_failures.txt`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ecr_preflight::inspect::Inspector;
use ecr_preflight::lambda::gate::{DeploymentReader, GateJudge, answer_ecs_hook};
use ecr_preflight::lambda::log::today;
use ecr_preflight::name::Repository;
use ecr_preflight::registry::ecr::{EcrRegistry, EcrRepository};
use expect_test::expect_file;
use serde_json::Value;

use super::super::failures::faults::{CONNECTION, Failure, JSON, PASSING, STORAGE, describe, takes_time};
use super::super::failures::timeouts::clients;
use super::super::failures::unreachable_host::Diversion;
use super::super::settings;
use super::{Images, definition, on_fargate, payload};
use crate::support::aws::Fault;

/// By how much timeouts of the clients are divided.
const SPEED: u32 = 10;

/// How many invocations run at the same time.
const WORKERS: usize = 6;

/// The calls of a gate, each with the number of the first that fails.
const CALLS: [(&str, usize); 7] = [
    ("DescribeServiceRevisions", 1),
    ("DescribeTaskDefinition", 1),
    ("BatchGetImage", 1),
    ("ListTagsForResource", 1),
    ("GetDownloadUrlForLayer", 1),
    // The config, and the layer.
    ("Blob", 1),
    ("Blob", 2),
];

/// Replies of Amazon ECS without what was asked for.
const EMPTY: [Fault; 4] = [
    Fault::Body("{}"),
    Fault::Body(r#"{"serviceRevisions":[{}],"taskDefinition":{}}"#),
    Fault::Body(r#"{"serviceRevisions":7,"taskDefinition":[]}"#),
    Fault::Blanks(6_000_000),
];

/// The faults of a call, each with whether it lasts.
fn faults(action: &str) -> Vec<(Fault, bool)> {
    let own: &[Fault] = match action {
        "Blob" => &STORAGE,
        "DescribeServiceRevisions" | "DescribeTaskDefinition" => &EMPTY,
        _ => &[],
    };
    let lasting = JSON.iter().chain(&CONNECTION).chain(own).map(|fault| (*fault, true));
    lasting.chain(PASSING.iter().map(|fault| (*fault, false))).collect()
}

/// The function's time for a call that takes time: two seconds, without the reserve.
const SHORT: Duration = Duration::from_secs(7);

/// Answers a deployment of the image with this tag while a call fails.
fn answer(tag: &str, (action, first): (&'static str, usize), fault: Fault, is_lasting: bool) -> Value {
    let images = Images::push();
    images.deploy(&on_fargate(), &definition(tag));
    images.aws.set_trickle(Duration::from_secs(1) / SPEED);
    let which = first..=if is_lasting { usize::MAX } else { first };
    let diversion = Diversion::for_fault(fault, action, "", which.clone());
    if diversion.is_none() {
        images.aws.fail(action, which, fault);
    }
    let clients = clients(SPEED, takes_time(fault), diversion.as_ref(), true);
    let endpoint = Some(images.aws.url());
    let ecr = EcrRegistry::new(&clients, endpoint.clone());
    let settings = settings(&[("PREFLIGHT_GATES", "fail")]);
    let inspector = Inspector::new(&settings.check.limits);
    let open_registry = |repository: &Repository| ecr.repository(repository);
    let deployments = DeploymentReader::new(clients.ecs_client(endpoint));
    let judge = GateJudge {
        open_registry: &open_registry,
        inspector: &inspector,
        settings: &settings,
        region: None,
        today: today(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    let time_left = if takes_time(fault) { SHORT } else { Duration::from_secs(60) };
    let answer = runtime.block_on(answer_ecs_hook(&judge, &deployments, &payload(), time_left, |_| {}));
    assert!(began.elapsed() < Duration::from_secs(30), "{action} {fault:?}: {:?}", began.elapsed());
    serde_json::to_value(answer).unwrap()
}

#[test]
fn failing_calls_stop_no_deployment() {
    let rows: Vec<_> =
        CALLS.iter().flat_map(|call| faults(call.0).into_iter().map(move |fault| (*call, fault))).collect();
    let (next, wrong, answers) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((at, (call, (fault, is_lasting)))) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    rows.get(at).map(|row| (at, *row))
                } {
                    let sound = answer("amd64", call, fault, is_lasting)["hookStatus"].clone();
                    let faulty = answer("arm64", call, fault, is_lasting)["hookStatus"].clone();
                    // Without the layer, the architecture in the config proves nothing. A slow call is tried again.
                    let expected = if is_lasting { "SUCCEEDED" } else { "FAILED" };
                    let may_wait = call.0 == "Blob" && takes_time(fault);
                    let is_right = |status: &Value, expected| status == expected || may_wait && status == "IN_PROGRESS";
                    let (is_sound_right, is_faulty_right) =
                        (is_right(&sound, "SUCCEEDED"), is_right(&faulty, expected));
                    if !is_sound_right || !is_faulty_right {
                        wrong.lock().unwrap().push(format!("{call:?} {fault:?} {is_lasting}: {sound} {faulty}"));
                    }
                    // Whether there is time to ask again depends on the speed of the machine.
                    let text = |status: &Value| match status.as_str() {
                        Some(status) if !may_wait => status.to_owned(),
                        _ => "not FAILED".to_owned(),
                    };
                    let row = format!(
                        "    {}: {} for a sound image, {} for a wrong one\n",
                        describe(Failure { fault, is_lasting }),
                        text(&sound),
                        text(&faulty)
                    );
                    answers.lock().unwrap().push((at, call, row));
                }
            });
        }
    });
    assert_eq!(wrong.into_inner().unwrap(), Vec::<String>::new());
    let mut answers = answers.into_inner().unwrap();
    answers.sort_by_key(|(at, ..)| *at);
    let (mut table, mut last) = (String::new(), None);
    for (_, (action, first), row) in answers {
        if last != Some((action, first)) {
            last = Some((action, first));
            table += &format!("{action}, call {first}\n");
        }
        table += &row;
    }
    expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/lambda/ecs_gate/call_failures.txt")].assert_eq(&table);
}

#[test]
fn panics_stop_no_deployment() {
    let images = Images::push();
    images.deploy(&on_fargate(), &definition("arm64"));
    let clients = clients(1, false, None, true);
    let settings = settings(&[("PREFLIGHT_GATES", "fail")]);
    let inspector = Inspector::new(&settings.check.limits);
    let open_registry = |_: &Repository| -> EcrRepository { panic!("as a test") };
    let deployments = DeploymentReader::new(clients.ecs_client(Some(images.aws.url())));
    let judge = GateJudge {
        open_registry: &open_registry,
        inspector: &inspector,
        settings: &settings,
        region: None,
        today: today(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(answer_ecs_hook(&judge, &deployments, &payload(), Duration::from_secs(60), |line| {
        assert_eq!(line["decision"], "skipped", "{line}");
    }));
    assert_eq!(serde_json::to_value(answer).unwrap(), serde_json::json!({"hookStatus": "SUCCEEDED"}));
}
