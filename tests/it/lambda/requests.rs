//! What is asked of AWS, to the letter.

use ecr_preflight::name::Tag;
use ecr_preflight::verdict::Verdict;
use expect_test::expect;
use serde_json::{Value, json};

use super::{ARN, REPOSITORY, TOPIC, pushed, settings, walk};
use crate::support::aws::{ACCOUNT, FakeAws, SECRET};
use crate::support::layout::{Builder, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, config, promising};

/// An arm64 image under the tag `v1`, in a repository for App Runner and ECS on amd64.
async fn failing_walk() -> (FakeAws, ecr_preflight::name::Digest, Builder) {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    aws.tag_resource(REPOSITORY, "intended-runtime", "apprunner ecs/amd64");
    let report = walk(&aws, settings(&[("PREFLIGHT_VERDICT_TAGS", "all")]), pushed(&digest, "v1")).await.unwrap();
    assert_eq!(report.verdict, Verdict::Fails);
    (aws, digest, layout)
}

fn bodies(aws: &FakeAws, action: &str) -> Vec<Value> {
    aws.calls_of(action).into_iter().map(|call| call.body).collect()
}

#[tokio::test]
async fn the_manifest_is_asked_for_by_digest_and_tag_in_every_type_that_ecr_stores() {
    let (aws, digest, _) = failing_walk().await;
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
    assert_eq!(bodies(&aws, "BatchGetImage"), [expected]);
}

#[tokio::test]
async fn an_image_whose_event_names_no_digest_is_asked_for_by_tag_and_marked_by_the_digest_that_came() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let digest = layout.tag("v1-apprunner", &layout.image("arm64"));
    aws.push(REPOSITORY, &layout);
    let mut event = pushed(&digest, "v1-apprunner");
    event["detail"]["image-digest"] = Value::Null;
    let report = walk(&aws, settings(&[("PREFLIGHT_VERDICT_TAGS", "failures")]), event).await.unwrap();
    assert_eq!(report.verdict, Verdict::Fails);
    assert_eq!(bodies(&aws, "BatchGetImage")[0]["imageIds"], json!([{"imageTag": "v1-apprunner"}]));
    assert_eq!(bodies(&aws, "PutImage")[0]["imageDigest"], digest.as_str());
}

#[tokio::test]
async fn the_children_of_an_index_are_asked_for_together_by_digest_alone() {
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let children = [layout.image("amd64"), layout.image("arm64")];
    let platforms = [promising(&children[0], "linux", "amd64"), promising(&children[1], "linux", "arm64")];
    let digest = layout.tag("v1-ecs-arm64", &layout.index(&platforms));
    aws.push(REPOSITORY, &layout);
    walk(&aws, settings(&[]), pushed(&digest, "v1-ecs-arm64")).await.unwrap();
    let asked: Vec<Value> = bodies(&aws, "BatchGetImage").into_iter().map(|body| body["imageIds"].clone()).collect();
    let by_digest = |child: &Value| json!({"imageDigest": child["digest"]});
    let tagged = json!([{"imageDigest": digest.as_str(), "imageTag": "v1-ecs-arm64"}]);
    // The one that the verdict depends on first, then its siblings.
    assert_eq!(asked, [tagged, json!([by_digest(&children[1]), by_digest(&children[0])])]);
}

#[tokio::test]
async fn the_repository_tags_are_asked_for_by_arn() {
    let (aws, ..) = failing_walk().await;
    assert_eq!(bodies(&aws, "ListTagsForResource"), [json!({"resourceArn": ARN})]);
}

#[tokio::test]
async fn config_and_layer_are_asked_for_by_their_digests_and_fetched_without_a_signature_of_ours() {
    let (aws, digest, layout) = failing_walk().await;
    let manifest = std::fs::read(layout.path().join("blobs/sha256").join(digest.hex())).unwrap();
    let manifest = serde_json::from_slice::<Value>(&manifest).unwrap();
    let (config, layer) = (manifest["config"]["digest"].clone(), manifest["layers"][0]["digest"].clone());
    let asked = |blob: &Value| json!({"registryId": ACCOUNT, "repositoryName": REPOSITORY, "layerDigest": blob});
    assert_eq!(bodies(&aws, "GetDownloadUrlForLayer"), [asked(&config), asked(&layer)]);
    let [fetched, second] = aws.calls_of("Blob").try_into().unwrap();
    assert!(second.target.contains(layer.as_str().unwrap()) && second.header("authorization").is_none());
    let path = format!("/blob/{REPOSITORY}/{}", config.as_str().unwrap());
    assert_eq!(fetched.target, format!("{path}?X-Amz-Expires=3600&X-Amz-Signature={SECRET}"));
    assert_eq!(fetched.header("authorization"), None);
}

#[tokio::test]
async fn a_mark_is_the_same_manifest_byte_for_byte_under_another_tag() {
    let (aws, digest, layout) = failing_walk().await;
    let manifest = std::fs::read_to_string(layout.path().join("blobs/sha256").join(digest.hex())).unwrap();
    let mark = |subject: &str| {
        json!({
            "registryId": ACCOUNT,
            "repositoryName": REPOSITORY,
            "imageManifest": manifest,
            "imageManifestMediaType": OCI_MANIFEST,
            "imageTag": Tag::for_verdict(false, subject, &digest).as_str(),
            "imageDigest": digest.as_str(),
        })
    };
    assert_eq!(bodies(&aws, "PutImage"), [mark("apprunner"), mark("ecs/amd64")]);
    let marks = ["apprunner", "ecs-amd64"].map(|subject| format!("preflight-fail-{subject}-{}", digest.short()));
    assert_eq!(aws.tags(REPOSITORY), [marks[0].as_str(), marks[1].as_str(), "v1"]);
}

#[tokio::test]
async fn every_kind_of_manifest_is_marked_in_its_own_type_and_to_the_byte() {
    type Make = fn(&Builder) -> Value;
    let bare: Make = |layout| {
        let config = layout.json(OCI_CONFIG, &config("linux", "arm64", json!({})));
        // Neither its type nor tidy: line ends of Windows, escapes, a letter beyond ASCII.
        let odd = format!(
            "{{\r\n\t\"schemaVersion\": 2, \"config\": {config}, \"layers\": [],\r\n \"\\u003c\": \"\\/é\u{2028}\"}}\n\n"
        );
        layout.blob(OCI_MANIFEST, odd.as_bytes())
    };
    let index: Make = |layout| layout.index(&[promising(&layout.image("arm64"), "linux", "arm64")]);
    let docker: Make = |layout| layout.docker("arm64");
    for (make, media_type) in [(bare, OCI_MANIFEST), (index, OCI_INDEX), (docker, DOCKER_MANIFEST)] {
        let (aws, mut layout) = (FakeAws::start(), Builder::new());
        let image = make(&layout);
        let digest = layout.tag("v1-ecs-amd64", &image);
        aws.push(REPOSITORY, &layout);
        walk(&aws, settings(&[("PREFLIGHT_VERDICT_TAGS", "failures")]), pushed(&digest, "v1-ecs-amd64")).await.unwrap();
        let [put] = bodies(&aws, "PutImage").try_into().unwrap();
        let manifest = std::fs::read_to_string(layout.path().join("blobs/sha256").join(digest.hex())).unwrap();
        assert_eq!((&put["imageManifestMediaType"], &put["imageManifest"]), (&json!(media_type), &json!(manifest)));
        // The registry took it: its digest is the one that guards the call.
        assert_eq!(aws.tags(REPOSITORY), [&format!("preflight-fail-ecs-amd64-{}", digest.short()), "v1-ecs-amd64"]);
    }
}

#[tokio::test]
async fn the_message_has_a_short_subject_and_a_body_for_each_protocol() {
    let (aws, ..) = failing_walk().await;
    let [message] = bodies(&aws, "Publish").try_into().unwrap();
    let subject = message["Subject"].as_str().unwrap();
    assert!(subject.len() < 100 && subject.bytes().all(|c| c.is_ascii_graphic() || c == b' '), "{subject}");
    expect!["team/app:v1 will not start on App Runner, ECS on amd64"].assert_eq(subject);
    assert_eq!((&message["TopicArn"], &message["MessageStructure"]), (&json!(TOPIC), &json!("json")));
    let bodies: serde_json::Map<String, Value> = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
    assert_eq!(bodies.keys().collect::<Vec<_>>(), ["default", "email", "https", "lambda", "sms", "sqs"]);
    assert!(bodies.values().all(Value::is_string), "SNS refuses a body that is no text");
    for name in ["https", "lambda", "sqs"] {
        let body: Value = serde_json::from_str(bodies[name].as_str().unwrap()).unwrap();
        let known = if name == "https" { ("source", "custom") } else { ("schema", "ecr-preflight/1") };
        assert_eq!(body[known.0], known.1);
    }
    assert!(bodies["sms"].as_str().unwrap().len() <= 160);
}

#[tokio::test]
async fn the_message_can_be_filtered_by_verdict_repository_runtime_and_fault() {
    let (aws, ..) = failing_walk().await;
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
async fn a_declaration_with_nothing_in_it_is_told_of_though_there_is_no_runtime_to_filter_by() {
    for empty in ["", " "] {
        let (aws, mut layout) = (FakeAws::start(), Builder::new());
        let digest = layout.tag("v1", &layout.image("arm64"));
        aws.push(REPOSITORY, &layout);
        aws.tag_resource(REPOSITORY, "intended-runtime", empty);
        let report = walk(&aws, settings(&[]), pushed(&digest, "v1")).await.unwrap();
        assert_eq!(report.verdict, Verdict::Unknown);
        let [message] = bodies(&aws, "Publish").try_into().unwrap();
        expect!["team/app:v1: where it is meant to run is not readable"]
            .assert_eq(message["Subject"].as_str().unwrap());
    }
}

/// The small SNS refuses what is larger than 256 KiB, as the real one does.
#[tokio::test]
async fn the_message_about_the_worst_index_is_one_that_sns_takes() {
    let long = |word: &str, number: usize| format!("{word}{number:0>width$}", width = 32 - word.len());
    let (aws, mut layout) = (FakeAws::start(), Builder::new());
    let child = layout.image("arm64");
    let entry = |number| {
        let mut entry = promising(&child, "linux", &long("a", number));
        entry["platform"]["variant"] = long("v", number).into();
        entry
    };
    let digest = layout.tag("v1", &layout.index(&(0..200).map(entry).collect::<Vec<_>>()));
    aws.push(REPOSITORY, &layout);
    walk(&aws, settings(&[]), pushed(&digest, "v1")).await.unwrap();
    let unreadable = (0..16).map(|number| long("esc/arm", number)).collect::<Vec<_>>().join(" ");
    for declared in ["ecs/amd64 ecs/arm64 apprunner lambda/amd64 lambda/arm64 linux/amd64 linux/arm64", &unreadable] {
        aws.tag_resource(REPOSITORY, "intended-runtime", declared);
        walk(&aws, settings(&[]), pushed(&digest, "v1")).await.unwrap();
    }
    assert_eq!(bodies(&aws, "Publish").len(), 3);
}
