//! Reading: a manifest, the children of an index, the repository's tags, a config.

use expect_test::expect;
use serde_json::Value;

use super::{SERVER, Scene, table};
use crate::support::aws::Fault::*;
use crate::support::layout::{Builder, promising};

#[tokio::test]
async fn a_manifest_that_is_not_handed_out() {
    let failures = [
        "ImageNotFound",
        "ImageTagDoesNotMatchDigest",
        "InvalidImageDigest",
        "InvalidImageTag",
        "MissingDigestAndTag",
        "ImageReferencedByManifestList",
        "KmsError",
        "UpstreamAccessDenied",
        "UpstreamTooManyRequests",
        "UpstreamUnavailable",
        "ImageInaccessible",
        "SomethingNew",
    ];
    let expected = expect![[r#"
        Failure("ImageNotFound") | ignored: deleted | 2 | 0 | -
        Failure("ImageTagDoesNotMatchDigest") | ignored: superseded | 1 | 0 | -
        Failure("InvalidImageDigest") | Err: ecr:BatchGetImage on ARN failed: the reply names InvalidImageDigest: as said | 1 | 0 | -
        Failure("InvalidImageTag") | Err: ecr:BatchGetImage on ARN failed: the reply names InvalidImageTag: as said | 1 | 0 | -
        Failure("MissingDigestAndTag") | Err: ecr:BatchGetImage on ARN failed: the reply names MissingDigestAndTag: as said | 1 | 0 | -
        Failure("ImageReferencedByManifestList") | Err: ecr:BatchGetImage on ARN failed: the reply names ImageReferencedByManifestList: as said | 1 | 0 | -
        Failure("KmsError") | unknown: ECR does not hand out the manifest (KmsError: as said) | 1 | 1 | -
        Failure("UpstreamAccessDenied") | unknown: ECR does not hand out the manifest (UpstreamAccessDenied: as said) | 1 | 1 | -
        Failure("UpstreamTooManyRequests") | Err: ecr:BatchGetImage on ARN failed: the reply names UpstreamTooManyRequests: as said | 1 | 0 | -
        Failure("UpstreamUnavailable") | Err: ecr:BatchGetImage on ARN failed: the reply names UpstreamUnavailable: as said | 1 | 0 | -
        Failure("ImageInaccessible") | unknown: ECR does not hand out the manifest (ImageInaccessible: as said) | 1 | 1 | -
        Failure("SomethingNew") | Err: ecr:BatchGetImage on ARN failed: the reply names SomethingNew: as said | 1 | 0 | -
    "#]];
    table(&Scene::default(), "BatchGetImage", &failures.map(Failure), expected).await;
}

#[tokio::test]
async fn a_manifest_that_cannot_be_asked_for() {
    let own = [
        Error(400, "LimitExceededException"),
        Error(400, "UnableToGetUpstreamImageException"),
        Says("{}"),
        Says("no JSON"),
        Truncated,
        Corrupted,
        TooLongALength,
    ];
    let expected = expect![[r#"
        Error(400, "AccessDeniedException") | Err: ecr:BatchGetImage on ARN was denied: allow the caller this action on this resource: AccessDeniedException: as said | 1 | 0 | -
        Error(400, "ThrottlingException") | Err: ecr:BatchGetImage on ARN failed: ThrottlingException: as said | 4 | 0 | -
        Error(400, "InvalidParameterException") | Err: ecr:BatchGetImage on ARN failed: InvalidParameterException: as said | 1 | 0 | -
        Error(400, "RepositoryNotFoundException") | Err: ecr:BatchGetImage: ARN does not exist: RepositoryNotFoundException: as said | 1 | 0 | -
        Error(500, "ServerException") | Err: ecr:BatchGetImage on ARN failed: ServerException: as said | 4 | 0 | -
        Error(503, "ServiceUnavailable") | Err: ecr:BatchGetImage on ARN failed: ServiceUnavailable: as said | 4 | 0 | -
        Dropped | Err: ecr:BatchGetImage on ARN failed: dispatch failure: other: client error (SendRequest): connection closed before message completed | 4 | 0 | -
        Stalled | Err: ecr:BatchGetImage on ARN failed: dispatch failure: timeout: HTTP read timeout occurred after 500ms: timed out | 4 | 0 | -
        Error(400, "LimitExceededException") | Err: ecr:BatchGetImage on ARN failed: LimitExceededException: as said | 4 | 0 | -
        Error(400, "UnableToGetUpstreamImageException") | Err: ecr:BatchGetImage on ARN failed: UnableToGetUpstreamImageException: as said | 1 | 0 | -
        Says("{}") | Err: ecr:BatchGetImage on ARN failed: the reply names neither the image nor a failure | 1 | 0 | -
        Says("no JSON") | Err: ecr:BatchGetImage on ARN failed: service error: unhandled error: Error at offset 0: expected literal: null | 1 | 0 | -
        Truncated | Err: ecr:BatchGetImage on ARN failed: response error: error reading a body from connection: end of file before message length reached | 4 | 0 | -
        Corrupted | Err: manifest DIGEST arrived as DIGEST | 1 | 0 | -
        TooLongALength | Err: ecr:BatchGetImage on ARN failed: response error: error reading a body from connection: end of file before message length reached | 4 | 0 | -
    "#]];
    table(&Scene::default(), "BatchGetImage", &[&SERVER[..], &own].concat(), expected).await;
}

#[tokio::test]
async fn repository_tags_that_cannot_be_read() {
    let expected = expect![[r#"
        Error(400, "AccessDeniedException") | Err: ecr:ListTagsForResource on ARN was denied: allow the caller this action on this resource: AccessDeniedException: as said | 1 | 0 | -
        Error(400, "ThrottlingException") | Err: ecr:ListTagsForResource on ARN failed: ThrottlingException: as said | 4 | 0 | -
        Error(400, "InvalidParameterException") | Err: ecr:ListTagsForResource on ARN failed: InvalidParameterException: as said | 1 | 0 | -
        Error(400, "RepositoryNotFoundException") | Err: ecr:ListTagsForResource: ARN does not exist: RepositoryNotFoundException: as said | 1 | 0 | -
        Error(500, "ServerException") | Err: ecr:ListTagsForResource on ARN failed: ServerException: as said | 4 | 0 | -
        Error(503, "ServiceUnavailable") | Err: ecr:ListTagsForResource on ARN failed: ServiceUnavailable: as said | 4 | 0 | -
        Dropped | Err: ecr:ListTagsForResource on ARN failed: dispatch failure: other: client error (SendRequest): connection closed before message completed | 4 | 0 | -
        Stalled | Err: ecr:ListTagsForResource on ARN failed: dispatch failure: timeout: HTTP read timeout occurred after 500ms: timed out | 4 | 0 | -
        Says("{}") | undeclared | 1 | 0 | -
        Says("no JSON") | Err: ecr:ListTagsForResource on ARN failed: service error: unhandled error: Error at offset 0: expected literal: null | 1 | 0 | -
        Truncated | Err: ecr:ListTagsForResource on ARN failed: response error: error reading a body from connection: end of file before message length reached | 4 | 0 | -
    "#]];
    table(
        &Scene::default(),
        "ListTagsForResource",
        &[&SERVER[..], &[Says("{}"), Says("no JSON"), Truncated]].concat(),
        expected,
    )
    .await;
}

#[tokio::test]
async fn a_config_whose_address_is_not_handed_out() {
    let own = [
        Error(400, "LayersNotFoundException"),
        Error(400, "LayerInaccessibleException"),
        Error(400, "UnableToGetUpstreamLayerException"),
        Says("{}"),
        Says(r#"{"downloadUrl":"http://bucket.example/x?X-Amz-Signature=0SECRET0"}"#),
        Says(r#"{"downloadUrl":"no address ?0SECRET0"}"#),
        Says(r#"{"downloadUrl":"https:// ?0SECRET0"}"#),
        Truncated,
    ];
    let expected = expect![[r#"
        Error(400, "AccessDeniedException") | Err: ecr:GetDownloadUrlForLayer on ARN was denied: allow the caller this action on this resource: AccessDeniedException: as said | 1 | 0 | -
        Error(400, "ThrottlingException") | Err: ecr:GetDownloadUrlForLayer on ARN failed: ThrottlingException: as said | 4 | 0 | -
        Error(400, "InvalidParameterException") | Err: ecr:GetDownloadUrlForLayer on ARN failed: InvalidParameterException: as said | 1 | 0 | -
        Error(400, "RepositoryNotFoundException") | Err: ecr:GetDownloadUrlForLayer: ARN does not exist: RepositoryNotFoundException: as said | 1 | 0 | -
        Error(500, "ServerException") | Err: ecr:GetDownloadUrlForLayer on ARN failed: ServerException: as said | 4 | 0 | -
        Error(503, "ServiceUnavailable") | Err: ecr:GetDownloadUrlForLayer on ARN failed: ServiceUnavailable: as said | 4 | 0 | -
        Dropped | Err: ecr:GetDownloadUrlForLayer on ARN failed: dispatch failure: other: client error (SendRequest): connection closed before message completed | 4 | 0 | -
        Stalled | Err: ecr:GetDownloadUrlForLayer on ARN failed: dispatch failure: timeout: HTTP read timeout occurred after 500ms: timed out | 4 | 0 | -
        Error(400, "LayersNotFoundException") | unknown: its config is not in the repository | 1 | 1 | -
        Error(400, "LayerInaccessibleException") | unknown: its config cannot be had: ECR does not hand it out (LayerInaccessibleException) | 1 | 1 | -
        Error(400, "UnableToGetUpstreamLayerException") | Err: ecr:GetDownloadUrlForLayer on ARN failed: UnableToGetUpstreamLayerException: as said | 1 | 0 | -
        Says("{}") | Err: ecr:GetDownloadUrlForLayer on ARN failed: the reply names neither the image nor a failure | 1 | 0 | -
        Says("{\"downloadUrl\":\"http://bucket.example/x?X-Amz-Signature=0SECRET0\"}") | Err: blob DIGEST did not arrive whole: its address is not an https one | 2 | 0 | -
        Says("{\"downloadUrl\":\"no address ?0SECRET0\"}") | Err: blob DIGEST did not arrive whole: its address is not an https one | 2 | 0 | -
        Says("{\"downloadUrl\":\"https:// ?0SECRET0\"}") | Err: blob DIGEST did not arrive whole: its address cannot be read | 2 | 0 | -
        Truncated | Err: ecr:GetDownloadUrlForLayer on ARN failed: response error: error reading a body from connection: end of file before message length reached | 4 | 0 | -
    "#]];
    table(&Scene::default(), "GetDownloadUrlForLayer", &[&SERVER[..], &own].concat(), expected).await;
}

#[tokio::test]
async fn a_config_that_does_not_arrive() {
    let faults = [
        Truncated,
        Corrupted,
        Error(403, "AccessDenied"),
        Error(404, "NoSuchKey"),
        Error(500, "InternalError"),
        Redirected,
        Holds(1024 * 1024 + 1),
        Holds(0),
        TooLongALength,
        Dropped,
        Stalled,
    ];
    let expected = expect![[r#"
        Truncated | Err: blob DIGEST did not arrive whole: it broke off after HALF bytes | 2 | 0 | -
        Corrupted | Err: blob DIGEST did not arrive whole: its ALL bytes have another digest | 2 | 0 | -
        Error(403, "AccessDenied") | Err: blob DIGEST did not arrive whole: the storage service answered with status 403 | 2 | 0 | -
        Error(404, "NoSuchKey") | Err: blob DIGEST did not arrive whole: the storage service answered with status 404 | 2 | 0 | -
        Error(500, "InternalError") | Err: blob DIGEST did not arrive whole: the storage service answered with status 500 | 2 | 0 | -
        Redirected | Err: blob DIGEST did not arrive whole: the storage service answered with status 302 | 2 | 0 | -
        Holds(1048577) | unknown: its config cannot be had: it holds more than 1048576 bytes | 1 | 1 | -
        Holds(0) | Err: blob DIGEST did not arrive whole: its 0 bytes have another digest | 2 | 0 | -
        TooLongALength | Err: blob DIGEST did not arrive whole: it broke off after ALL bytes | 2 | 0 | -
        Dropped | Err: blob DIGEST did not arrive whole: the connection could not be used | 2 | 0 | -
        Stalled | Err: blob DIGEST did not arrive whole: the storage service did not answer in time | 2 | 0 | -
    "#]];
    table(&Scene::default(), "Blob", &faults, expected).await;
}

/// A sound image of arm64 for ECS there; its layer is what is asked for last.
fn layer() -> Scene {
    Scene { runtimes: "ecs/arm64", depth: "binaries", fails_from: 2, ..Scene::default() }
}

#[tokio::test]
async fn a_layer_whose_address_is_not_handed_out() {
    let own = [
        Error(400, "LayersNotFoundException"),
        Error(400, "LayerInaccessibleException"),
        Says("{}"),
        Says(r#"{"downloadUrl":"http://bucket.example/x?X-Amz-Signature=0SECRET0"}"#),
        Truncated,
    ];
    let expected = expect![[r#"
        Error(400, "AccessDeniedException") | Err: ecr:GetDownloadUrlForLayer on ARN was denied: allow the caller this action on this resource: AccessDeniedException: as said | 1 | 0 | -
        Error(400, "ThrottlingException") | Err: ecr:GetDownloadUrlForLayer on ARN failed: ThrottlingException: as said | 4 | 0 | -
        Error(400, "InvalidParameterException") | Err: ecr:GetDownloadUrlForLayer on ARN failed: InvalidParameterException: as said | 1 | 0 | -
        Error(400, "RepositoryNotFoundException") | Err: ecr:GetDownloadUrlForLayer: ARN does not exist: RepositoryNotFoundException: as said | 1 | 0 | -
        Error(500, "ServerException") | Err: ecr:GetDownloadUrlForLayer on ARN failed: ServerException: as said | 4 | 0 | -
        Error(503, "ServiceUnavailable") | Err: ecr:GetDownloadUrlForLayer on ARN failed: ServiceUnavailable: as said | 4 | 0 | -
        Dropped | Err: ecr:GetDownloadUrlForLayer on ARN failed: dispatch failure: other: client error (SendRequest): connection closed before message completed | 4 | 0 | -
        Stalled | Err: ecr:GetDownloadUrlForLayer on ARN failed: dispatch failure: timeout: HTTP read timeout occurred after 500ms: timed out | 4 | 0 | -
        Error(400, "LayersNotFoundException") | runs: layer SHORT is not in the repository | 1 | 0 | marked
        Error(400, "LayerInaccessibleException") | runs: layer SHORT cannot be had: ECR does not hand it out (LayerInaccessibleException) | 1 | 0 | marked
        Says("{}") | Err: ecr:GetDownloadUrlForLayer on ARN failed: the reply names neither the image nor a failure | 1 | 0 | -
        Says("{\"downloadUrl\":\"http://bucket.example/x?X-Amz-Signature=0SECRET0\"}") | Err: blob DIGEST did not arrive whole: its address is not an https one | 2 | 0 | -
        Truncated | Err: ecr:GetDownloadUrlForLayer on ARN failed: response error: error reading a body from connection: end of file before message length reached | 4 | 0 | -
    "#]];
    table(&layer(), "GetDownloadUrlForLayer", &[&SERVER[..], &own].concat(), expected).await;
}

#[tokio::test]
async fn a_layer_that_does_not_arrive() {
    let faults = [
        Truncated,
        Corrupted,
        Error(403, "AccessDenied"),
        Error(500, "InternalError"),
        Redirected,
        Holds(0),
        TooLongALength,
        Dropped,
        Stalled,
    ];
    let expected = expect![[r#"
        Truncated | Err: blob DIGEST did not arrive whole: the connection broke | 2 | 0 | -
        Corrupted | Err: blob DIGEST did not arrive whole: it has the digest DIGEST | 2 | 0 | -
        Error(403, "AccessDenied") | Err: blob DIGEST did not arrive whole: the storage service answered with status 403 | 2 | 0 | -
        Error(500, "InternalError") | Err: blob DIGEST did not arrive whole: the storage service answered with status 500 | 2 | 0 | -
        Redirected | Err: blob DIGEST did not arrive whole: the storage service answered with status 302 | 2 | 0 | -
        Holds(0) | Err: blob DIGEST did not arrive whole: it has the digest DIGEST | 2 | 0 | -
        TooLongALength | Err: blob DIGEST did not arrive whole: the connection broke | 2 | 0 | -
        Dropped | Err: blob DIGEST did not arrive whole: the connection could not be used | 2 | 0 | -
        Stalled | Err: blob DIGEST did not arrive whole: the storage service did not answer in time | 2 | 0 | -
    "#]];
    table(&layer(), "Blob", &faults, expected).await;
}

#[tokio::test]
async fn a_layer_that_fails_once_is_fetched_again() {
    let once = Scene { fails_to: 2, ..layer() };
    for fault in [Truncated, Corrupted, Error(403, "AccessDenied"), Holds(0), Dropped] {
        assert_eq!(super::line(&once, "Blob", fault).await, format!("{fault:?} | runs | 2 | 0 | marked\n"));
    }
}

/// An index of both platforms; the manifests of its children come with the second request.
fn index(layout: &Builder) -> Value {
    let child = |architecture| promising(&layout.image(architecture), "linux", architecture);
    layout.index(&[child("amd64"), child("arm64")])
}

#[tokio::test]
async fn children_of_an_index_that_cannot_be_read() {
    let scene = Scene { image: index, runtimes: "ecs/arm64", fails_from: 2, ..Scene::default() };
    let faults = [
        Failure("ImageNotFound"),
        Failure("KmsError"),
        Failure("UpstreamUnavailable"),
        Says("{}"),
        Error(400, "AccessDeniedException"),
        Error(500, "ServerException"),
        Corrupted,
    ];
    let expected = expect![[r#"
        Failure("ImageNotFound") | unknown: DIGEST is not in the repository | 1 | 1 | -
        Failure("KmsError") | unknown: ECR does not hand out the manifest (KmsError: as said) | 1 | 1 | -
        Failure("UpstreamUnavailable") | Err: ecr:BatchGetImage on ARN failed: the reply names UpstreamUnavailable: as said | 2 | 0 | -
        Says("{}") | Err: ecr:BatchGetImage on ARN failed: the reply names neither the image nor a failure | 2 | 0 | -
        Error(400, "AccessDeniedException") | Err: ecr:BatchGetImage on ARN was denied: allow the caller this action on this resource: AccessDeniedException: as said | 1 | 0 | -
        Error(500, "ServerException") | Err: ecr:BatchGetImage on ARN failed: ServerException: as said | 4 | 0 | -
        Corrupted | Err: manifest DIGEST arrived as DIGEST | 2 | 0 | -
    "#]];
    table(&scene, "BatchGetImage", &faults, expected).await;
}
