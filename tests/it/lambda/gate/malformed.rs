//! Payloads that no service should send, and registries that fail: the answer is always valid, and stops nothing.

use expect_test::expect;
use serde_json::{Value, json};

use super::super::function::Function;
use super::hook::{ask, sample, task_definition};
use super::{REGISTRY, STOPPING, aws_with_arm64_image};
use crate::support::aws::Fault;
use crate::support::cases::Cases;

#[test]
fn malformed_payloads_are_answered_with_success() {
    let aws = aws_with_arm64_image();
    let function = Function::start_consumers(&aws, &[STOPPING]);
    let mut cases = Cases::default();
    for (path, value) in [
        ("/requestData", json!(null)),
        ("/requestData", json!("text")),
        ("/requestData/targetName", json!(7)),
        ("/requestData/targetModel", json!([])),
        ("/requestData/targetModel/resourceProperties", json!(null)),
        ("/requestData/targetModel/resourceProperties", json!([1])),
        ("/requestData/targetModel/resourceProperties/ContainerDefinitions", json!({"Ref": "Containers"})),
        ("/requestData/targetModel/resourceProperties/ContainerDefinitions", json!([null, 7, [], {}])),
        ("/requestData/targetModel/resourceProperties/ContainerDefinitions/0/Image", json!({"Ref": "Image"})),
        (
            "/requestData/targetModel/resourceProperties/ContainerDefinitions/0/Image",
            json!("{{resolve:ssm:/team/app/image:7}}"),
        ),
        ("/requestData/targetModel/resourceProperties/RequiresCompatibilities", json!({"Ref": "Compatibilities"})),
        ("/actionInvocationPoint", json!(7)),
        ("/clientRequestToken", json!(null)),
        ("/requestContext", json!(null)),
    ] {
        let mut payload = sample("task-definition-arm64");
        *payload.pointer_mut(path).unwrap() = value.clone();
        let answer = ask(&aws, &payload);
        assert_eq!(answer["hookStatus"], "SUCCESS", "{path}");
        cases.add(format!("{path}: {value}"), answer["message"].as_str().unwrap());
    }
    expect![[r#"
        /requestData: null
            ecr-preflight: this type of resource is not judged
        /requestData: "text"
            ecr-preflight: this type of resource is not judged
        /requestData/targetName: 7
            ecr-preflight: this type of resource is not judged
        /requestData/targetModel: []
            ecr-preflight: Not judged: its properties are not an object
        /requestData/targetModel/resourceProperties: null
            ecr-preflight: Not judged: its properties are not an object
        /requestData/targetModel/resourceProperties: [1]
            ecr-preflight: Not judged: its properties are not an object
        /requestData/targetModel/resourceProperties/ContainerDefinitions: {"Ref":"Containers"}
            ecr-preflight: Not judged: its containers are not resolved yet, or not a list
        /requestData/targetModel/resourceProperties/ContainerDefinitions: [null,7,[],{}]
            ecr-preflight: Not judged: a container is not resolved yet, or not an object. Not judged: a container has no image
        /requestData/targetModel/resourceProperties/ContainerDefinitions/0/Image: {"Ref":"Image"}
            ecr-preflight: Not judged: container proxy of task definition web: `public.ecr.aws/docker/library/nginx:1.29` is not an image in Amazon ECR. Not judged: the image of container `app` is not resolved yet
        /requestData/targetModel/resourceProperties/ContainerDefinitions/0/Image: "{{resolve:ssm:/team/app/image:7}}"
            ecr-preflight: Not judged: container proxy of task definition web: `public.ecr.aws/docker/library/nginx:1.29` is not an image in Amazon ECR. Not judged: the image of container `app` is not resolved yet
        /requestData/targetModel/resourceProperties/RequiresCompatibilities: {"Ref":"Compatibilities"}
            ecr-preflight: Not judged: container app of task definition web and 1 more: its architecture is unknown: the properties that determine it are not resolved yet
        /actionInvocationPoint: 7
            ecr-preflight: container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 will start on ECS on arm64. Not judged: container proxy of task definition web: `public.ecr.aws/docker/library/nginx:1.29` is not an image in Amazon ECR
        /clientRequestToken: null
            ecr-preflight: container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 will start on ECS on arm64. Not judged: container proxy of task definition web: `public.ecr.aws/docker/library/nginx:1.29` is not an image in Amazon ECR
        /requestContext: null
            ecr-preflight: container app of task definition web: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 will start on ECS on arm64. Not judged: container proxy of task definition web: `public.ecr.aws/docker/library/nginx:1.29` is not an image in Amazon ECR
    "#]].assert_eq(cases.as_str());
    drop(function.log());
}

#[test]
fn oversized_payloads_are_answered() {
    let aws = aws_with_arm64_image();
    let function = Function::start_consumers(&aws, &[STOPPING]);
    let image = format!("{REGISTRY}/team/app:v1");
    let fargate = |containers: Vec<Value>| {
        task_definition(
            &json!({"Family": "web", "RequiresCompatibilities": ["FARGATE"], "ContainerDefinitions": containers}),
        )
    };
    let large = json!({"Name": "n".repeat(1_000_000), "Image": image, "Environment": [{"Name": "A", "Value": "b".repeat(500_000)}]});
    assert_eq!(ask(&aws, &fargate(vec![large]))["hookStatus"], "FAILED");
    let many: Vec<Value> = (0..10_000).map(|number| json!({"Name": number.to_string(), "Image": image})).collect();
    let answer = ask(&aws, &fargate(many));
    assert!(
        answer["message"].as_str().unwrap().contains("container 0 of task definition web and 199 more"),
        "{answer}"
    );
    let different: Vec<Value> = (0..10_000).map(|number| json!({"Image": format!("{image}-{number}")})).collect();
    let answer = ask(&aws, &fargate(different));
    assert_eq!(answer["hookStatus"], "SUCCESS");
    assert!(answer["message"].as_str().unwrap().contains("only 16 images of a deployment are judged"), "{answer}");
    assert_eq!(aws.calls_of("BatchGetImage").len(), 18);
    drop(function.log());
}

#[test]
fn images_that_cannot_be_read_stop_nothing() {
    let task = |image: &str| {
        let container = json!({"Name": "app", "Image": image});
        task_definition(
            &json!({"Family": "web", "RequiresCompatibilities": ["FARGATE"], "ContainerDefinitions": [container]}),
        )
    };
    let mut cases = Cases::default();
    for (image, fault) in [
        ("nginx:1.29".to_owned(), None),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1".to_owned(), None),
        (format!("{REGISTRY}/team/app:v2"), None),
        (format!("{REGISTRY}/team/other:v1"), None),
        (format!("{REGISTRY}/sandbox/app:v1"), None),
        (format!("{REGISTRY}/team/app:v1"), Some(("BatchGetImage", Fault::Error(400, "AccessDeniedException")))),
        (format!("{REGISTRY}/team/app:v1"), Some(("BatchGetImage", Fault::Error(400, "ServerException")))),
        (format!("{REGISTRY}/team/app:v1"), Some(("BatchGetImage", Fault::Body("no JSON")))),
        (format!("{REGISTRY}/team/app:v1"), Some(("ListTagsForResource", Fault::Error(400, "AccessDeniedException")))),
        (
            format!("{REGISTRY}/team/app:v1"),
            Some(("GetDownloadUrlForLayer", Fault::Error(400, "AccessDeniedException"))),
        ),
        (format!("{REGISTRY}/team/app:v1"), Some(("Blob", Fault::Corrupted))),
    ] {
        let aws = aws_with_arm64_image();
        let function = Function::start_consumers(&aws, &[STOPPING, ("PREFLIGHT_EXCLUDED_REPOSITORIES", "sandbox/")]);
        let name = fault.map(|(action, fault)| format!(" {action} {fault:?}")).unwrap_or_default();
        fault.into_iter().for_each(|(action, fault)| aws.fail(action, 1.., fault));
        let answer = ask(&aws, &task(&image));
        assert_eq!(answer["hookStatus"], "SUCCESS", "{image}{name}");
        cases.add(format!("{image}{name}"), answer["message"].as_str().unwrap());
        let log = function.log();
        assert_eq!(log.last().unwrap()["decision"], "skipped");
    }
    expect![[r#"
        nginx:1.29
            ecr-preflight: Not judged: container app of task definition web: `nginx:1.29` is not an image in Amazon ECR
        123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1
            ecr-preflight: Not judged: container app of task definition web: the image is in eu-west-1, but the gate reads us-west-2
        123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v2
            ecr-preflight: Not judged: container app of task definition web: the image does not exist yet
        123456789012.dkr.ecr.us-west-2.amazonaws.com/team/other:v1
            ecr-preflight: Not judged: container app of task definition web: its repository does not exist yet
        123456789012.dkr.ecr.us-west-2.amazonaws.com/sandbox/app:v1
            ecr-preflight: Not judged: container app of task definition web: the setting PREFLIGHT_EXCLUDED_REPOSITORIES excludes its repository
        123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 BatchGetImage Error(400, "AccessDeniedException")
            ecr-preflight: Not judged: container app of task definition web: it could not be read: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource
        123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 BatchGetImage Error(400, "ServerException")
            ecr-preflight: Not judged: container app of task definition web: it could not be read: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed
        123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 BatchGetImage Body("no JSON")
            ecr-preflight: Not judged: container app of task definition web: it could not be read: ecr:BatchGetImage on arn:aws:ecr:us-west-2:123456789012:repository/team/app failed
        123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 ListTagsForResource Error(400, "AccessDeniedException")
            ecr-preflight: Not judged: container app of task definition web: it could not be read: ecr:ListTagsForResource on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource
        123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 GetDownloadUrlForLayer Error(400, "AccessDeniedException")
            ecr-preflight: Not judged: container app of task definition web: it could not be read: ecr:GetDownloadUrlForLayer on arn:aws:ecr:us-west-2:123456789012:repository/team/app was denied: allow the caller this action on this resource
        123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1 Blob Corrupted
            ecr-preflight: Not judged: container app of task definition web: it could not be read: download of blob sha256:e3485f5ae1314c0b3e9a4f07d662d189bf6e52f33c21be430c5a508c2ae0a7e9 failed: its 197 bytes have another digest
    "#]].assert_eq(cases.as_str());
}
