//! The exact requests to AWS.

use ecr_preflight::event::IgnoreReason;
use ecr_preflight::name::Tag;
use ecr_preflight::verdict::Verdict;
use expect_test::expect;
use serde_json::{Value, json};

use super::{ARN, REPOSITORY, TOPIC, handle, push_event, settings, verdict_tag};
use crate::support::aws::{ACCOUNT, FakeAws, Fault, SECRET};
use crate::support::layout::{Builder, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, config, with_platform};

/// Handles the push of an arm64 image `v1` to a repository for App Runner and ECS on amd64.
async fn handle_failing_push() -> (FakeAws, ecr_preflight::name::Digest, Builder) {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", "apprunner ecs/amd64");
    let report = handle(&aws, settings(&[("PREFLIGHT_VERDICT_TAGS", "all")]), push_event(&digest, "v1")).await.unwrap();
    assert_eq!(report.verdict, Verdict::Fails);
    (aws, digest, layout)
}

fn bodies(aws: &FakeAws, action: &str) -> Vec<Value> {
    aws.calls_of(action).into_iter().map(|call| call.body).collect()
}

#[tokio::test]
async fn manifest_is_read_by_digest_and_tag() {
    let (aws, digest, _) = handle_failing_push().await;
    let expected = json!({
        "registryId": ACCOUNT,
        "repositoryName": REPOSITORY,
        "imageIds": [{"imageDigest": digest.as_str(), "imageTag": "v1"}],
        "acceptedMediaTypes": [
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
        ],
    });
    let calls = bodies(&aws, "BatchGetImage");
    assert_eq!(calls[0], expected);
    // Again before each of two verdict tags, in the stored format.
    for again in &calls[1..] {
        assert_eq!((&again["imageIds"], &again["acceptedMediaTypes"]), (&expected["imageIds"], &json!([OCI_MANIFEST])));
    }
    assert_eq!(calls.len(), 3);
}

#[tokio::test]
async fn image_that_is_gone_is_not_tagged() {
    for (code, ignored) in [("ImageNotFound", "deleted"), ("ImageTagDoesNotMatchDigest", "superseded")] {
        let (aws, mut layout) = (FakeAws::start(), Builder::new());
        let digest = layout.tag("v1", &layout.image("arm64"));
        aws.push(REPOSITORY, &layout);
        aws.tag_resource(REPOSITORY, "intended-runtime", "apprunner");
        // It is deleted, or its tag is moved, after it was checked.
        aws.fail("BatchGetImage", 2.., Fault::Failure(code));
        let settings = settings(&[("PREFLIGHT_VERDICT_TAGS", "all")]);
        let report = handle(&aws, settings, push_event(&digest, "v1")).await.unwrap();
        assert_eq!(report.ignored.map(IgnoreReason::as_str), Some(ignored));
        assert!(bodies(&aws, "PutImage").is_empty() && bodies(&aws, "Publish").is_empty());
    }
}

#[tokio::test]
async fn event_without_digest_is_read_by_tag() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1-apprunner", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    let mut event = push_event(&digest, "v1-apprunner");
    event["detail"]["image-digest"] = Value::Null;
    let report = handle(&aws, settings(&[("PREFLIGHT_VERDICT_TAGS", "failures")]), event).await.unwrap();
    assert_eq!(report.verdict, Verdict::Fails);
    assert_eq!(bodies(&aws, "BatchGetImage")[0]["imageIds"], json!([{"imageTag": "v1-apprunner"}]));
    assert_eq!(bodies(&aws, "PutImage")[0]["imageDigest"], digest.as_str());
}

#[tokio::test]
async fn index_children_are_read_together_by_digest() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let children = [layout.image("amd64"), layout.image("arm64")];
    let platforms = [with_platform(&children[0], "linux", "amd64"), with_platform(&children[1], "linux", "arm64")];
    let digest = layout.tag("v1-ecs-arm64", &layout.index(&platforms));
    aws.push(REPOSITORY, &layout);
    handle(&aws, settings(&[]), push_event(&digest, "v1-ecs-arm64")).await.unwrap();
    let requested: Vec<Value> =
        bodies(&aws, "BatchGetImage").into_iter().map(|body| body["imageIds"].clone()).collect();
    let by_digest = |child: &Value| json!({"imageDigest": child["digest"]});
    let tagged = json!([{"imageDigest": digest.as_str(), "imageTag": "v1-ecs-arm64"}]);
    // The child that decides the verdict comes first.
    assert_eq!(requested, [tagged, json!([by_digest(&children[1]), by_digest(&children[0])])]);
}

#[tokio::test]
async fn repository_tags_are_read_by_arn() {
    let (aws, ..) = handle_failing_push().await;
    assert_eq!(bodies(&aws, "ListTagsForResource"), [json!({"resourceArn": ARN})]);
}

#[tokio::test]
async fn blobs_are_read_by_digest_without_credentials() {
    let (aws, digest, layout) = handle_failing_push().await;
    let manifest = std::fs::read(layout.path().join("blobs/sha256").join(digest.hex())).unwrap();
    let manifest = serde_json::from_slice::<Value>(&manifest).unwrap();
    let (config, layer) = (manifest["config"]["digest"].clone(), manifest["layers"][0]["digest"].clone());
    let requested = |blob: &Value| json!({"registryId": ACCOUNT, "repositoryName": REPOSITORY, "layerDigest": blob});
    assert_eq!(bodies(&aws, "GetDownloadUrlForLayer"), [requested(&config), requested(&layer)]);
    let [fetched, second] = aws.calls_of("Blob").try_into().unwrap();
    assert!(second.target.contains(layer.as_str().unwrap()) && second.header("authorization").is_none());
    let path = format!("/blob/{REPOSITORY}/{}", config.as_str().unwrap());
    assert_eq!(fetched.target, format!("{path}?X-Amz-Expires=3600&X-Amz-Signature={SECRET}"));
    assert_eq!(fetched.header("authorization"), None);
}

#[tokio::test]
async fn verdict_tag_puts_the_same_manifest_bytes() {
    let (aws, digest, layout) = handle_failing_push().await;
    let manifest = std::fs::read_to_string(layout.path().join("blobs/sha256").join(digest.hex())).unwrap();
    let request = |subject: &str| {
        json!({
            "registryId": ACCOUNT,
            "repositoryName": REPOSITORY,
            "imageManifest": manifest,
            "imageManifestMediaType": OCI_MANIFEST,
            "imageTag": Tag::for_verdict(false, subject, &digest).as_str(),
            "imageDigest": digest.as_str(),
        })
    };
    assert_eq!(bodies(&aws, "PutImage"), [request("apprunner"), request("ecs/amd64")]);
    let verdict_tags = ["fail-apprunner", "fail-ecs-amd64"].map(|verdict| verdict_tag(verdict, &digest));
    assert_eq!(aws.tags(REPOSITORY), [verdict_tags[0].as_str(), verdict_tags[1].as_str(), "v1"]);
}

#[tokio::test]
async fn verdict_tag_keeps_the_media_type_and_bytes() {
    type Make = fn(&Builder) -> Value;
    let bare: Make = |layout| {
        let config = layout.json(OCI_CONFIG, &config("linux", "arm64", json!({})));
        // No media type, CRLF line ends, escapes, and characters beyond ASCII.
        let odd = format!(
            "{{\r\n\t\"schemaVersion\": 2, \"config\": {config}, \"layers\": [],\r\n \"\\u003c\": \"\\/é\u{2028}\"}}\n\n"
        );
        layout.blob(OCI_MANIFEST, odd.as_bytes())
    };
    let index: Make = |layout| layout.index(&[with_platform(&layout.image("arm64"), "linux", "arm64")]);
    let docker: Make = |layout| layout.docker("arm64");
    for (make, media_type) in [(bare, OCI_MANIFEST), (index, OCI_INDEX), (docker, DOCKER_MANIFEST)] {
        let (aws, mut layout) = (FakeAws::start(), Builder::new());
        let image = make(&layout);
        let digest = layout.tag("v1-ecs-amd64", &image);
        aws.push(REPOSITORY, &layout);
        handle(&aws, settings(&[("PREFLIGHT_VERDICT_TAGS", "failures")]), push_event(&digest, "v1-ecs-amd64"))
            .await
            .unwrap();
        let [put] = bodies(&aws, "PutImage").try_into().unwrap();
        let manifest = std::fs::read_to_string(layout.path().join("blobs/sha256").join(digest.hex())).unwrap();
        assert_eq!((&put["imageManifestMediaType"], &put["imageManifest"]), (&json!(media_type), &json!(manifest)));
        // The registry accepted it, so the digest in the call matched.
        assert_eq!(aws.tags(REPOSITORY), [&verdict_tag("fail-ecs-amd64", &digest), "v1-ecs-amd64"]);
    }
}

#[tokio::test]
async fn message_has_a_subject_and_a_body_per_protocol() {
    let (aws, ..) = handle_failing_push().await;
    let [message] = bodies(&aws, "Publish").try_into().unwrap();
    let subject = message["Subject"].as_str().unwrap();
    assert!(subject.len() < 100 && subject.bytes().all(|c| c.is_ascii_graphic() || c == b' '), "{subject}");
    expect!["[ecr-preflight] team/app:v1 will not start on App Runner, ECS on amd64: the image is arm64, App ..."]
        .assert_eq(subject);
    assert_eq!((&message["TopicArn"], &message["MessageStructure"]), (&json!(TOPIC), &json!("json")));
    let bodies: serde_json::Map<String, Value> = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
    assert_eq!(bodies.keys().collect::<Vec<_>>(), ["default", "email", "https", "lambda", "sms", "sqs"]);
    assert!(bodies.values().all(Value::is_string), "SNS rejects a body that is not a string");
    for name in ["https", "lambda", "sqs"] {
        let body: Value = serde_json::from_str(bodies[name].as_str().unwrap()).unwrap();
        let known = if name == "https" { ("source", "custom") } else { ("schema", "ecr-preflight/1") };
        assert_eq!(body[known.0], known.1);
    }
    assert!(bodies["sms"].as_str().unwrap().len() <= 160);
}

#[tokio::test]
async fn message_attributes_allow_filtering() {
    let (aws, ..) = handle_failing_push().await;
    let [message] = bodies(&aws, "Publish").try_into().unwrap();
    let form = message.as_object().unwrap();
    let attributes =
        form.iter().filter_map(|(name, value)| Some((name.strip_prefix("MessageAttributes.entry.")?, value)));
    let field = |number: &str, field: &str| form[&format!("MessageAttributes.entry.{number}.{field}")].clone();
    let numbers = attributes.filter_map(|(name, _)| name.strip_suffix(".Name"));
    let mut attributes: Vec<String> = numbers
        .map(|number| {
            let values = ["Name", "Value.DataType", "Value.StringValue"].map(|name| field(number, name));
            values.map(|value| value.as_str().unwrap().to_owned()).join(" ")
        })
        .collect();
    attributes.sort();
    expect![[r#"
        fault String wrong-architecture
        repository String team/app
        runtime String.Array ["apprunner","ecs/amd64"]
        verdict String fails"#]]
    .assert_eq(&attributes.join("\n"));
}

#[tokio::test]
async fn empty_declaration_is_reported() {
    let mut subjects = Vec::new();
    for empty in ["", " "] {
        let (aws, mut layout) = (FakeAws::start(), Builder::new());
        let digest = layout.tag("v1", &layout.image("arm64"));
        aws.push(REPOSITORY, &layout);
        aws.tag_resource(REPOSITORY, "intended-runtime", empty);
        let report = handle(&aws, settings(&[]), push_event(&digest, "v1")).await.unwrap();
        assert_eq!(report.verdict, Verdict::Unknown);
        let [message] = bodies(&aws, "Publish").try_into().unwrap();
        subjects.push(message["Subject"].as_str().unwrap().to_owned());
    }
    assert_eq!(subjects[0], subjects[1]);
    expect!["[ecr-preflight] team/app:v1: the declared runtime is unknown: the repository's tag declares ``, ..."]
        .assert_eq(&subjects[0]);
}

/// The fake SNS refuses messages larger than 256 KiB, as the real one does.
#[tokio::test]
async fn largest_message_is_accepted_by_sns() {
    let long = |word: &str, number: usize| format!("{word}{number:0>width$}", width = 32 - word.len());
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let child = layout.image("arm64");
    let entry = |number| {
        let mut entry = with_platform(&child, "linux", &long("a", number));
        entry["platform"]["variant"] = long("v", number).into();
        entry
    };
    let digest = layout.tag("v1", &layout.index(&(0..200).map(entry).collect::<Vec<_>>()));
    aws.push(REPOSITORY, &layout);
    handle(&aws, settings(&[]), push_event(&digest, "v1")).await.unwrap();
    let unreadable = (0..16).map(|number| long("esc/arm", number)).collect::<Vec<_>>().join(" ");
    for declared in ["ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 linux/amd64 linux/arm64", &unreadable] {
        aws.tag_resource(REPOSITORY, "intended-runtime", declared);
        handle(&aws, settings(&[]), push_event(&digest, "v1")).await.unwrap();
    }
    assert_eq!(bodies(&aws, "Publish").len(), 3);
}
