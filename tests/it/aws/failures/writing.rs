//! Writing: a mark, a message.

use expect_test::expect;

use super::{SERVER, Scene, table};
use crate::support::aws::Fault::*;

#[tokio::test]
async fn a_mark_that_is_not_set() {
    let own = [
        Error(400, "ImageAlreadyExistsException"),
        Error(400, "ImageDigestDoesNotMatchException"),
        Error(400, "ImageTagAlreadyExistsException"),
        Error(400, "KmsException"),
        Error(400, "LayersNotFoundException"),
        Error(400, "LimitExceededException"),
        Error(400, "ReferencedImagesNotFoundException"),
        Truncated,
    ];
    let expected = expect![[r#"
        Error(400, "AccessDeniedException") | fails: wrong-architecture; The image could not be marked: ecr:PutImage on ARN was denied: allow the function this action on this resource | 1 | 1 | -
        Error(400, "ThrottlingException") | Err: ecr:PutImage on ARN failed: ThrottlingException: as said | 4 | 0 | -
        Error(400, "InvalidParameterException") | fails: wrong-architecture; The image could not be marked: ecr:PutImage on ARN did not take the image's own manifest | 1 | 1 | -
        Error(400, "RepositoryNotFoundException") | fails: wrong-architecture; The image could not be marked: ARN does not exist any more | 1 | 1 | -
        Error(500, "ServerException") | Err: ecr:PutImage on ARN failed: ServerException: as said | 4 | 0 | -
        Error(503, "ServiceUnavailable") | Err: ecr:PutImage on ARN failed: ServiceUnavailable: as said | 4 | 0 | -
        Dropped | Err: ecr:PutImage on ARN failed: dispatch failure: other: client error (SendRequest): connection closed before message completed | 4 | 0 | -
        Stalled | Err: ecr:PutImage on ARN failed: dispatch failure: timeout: HTTP read timeout occurred after 500ms: timed out | 4 | 0 | -
        Error(400, "ImageAlreadyExistsException") | fails: wrong-architecture | 1 | 1 | -
        Error(400, "ImageDigestDoesNotMatchException") | fails: wrong-architecture; The image could not be marked: ecr:PutImage on ARN did not take the image's own manifest | 1 | 1 | -
        Error(400, "ImageTagAlreadyExistsException") | fails: wrong-architecture; The image could not be marked: ARN has immutable tags, and another image has the tag preflight-fail-apprunner-SHORT already | 1 | 1 | -
        Error(400, "KmsException") | fails: wrong-architecture; The image could not be marked: the key of ARN cannot be used (KmsException) | 1 | 1 | -
        Error(400, "LayersNotFoundException") | fails: wrong-architecture; The image could not be marked: the image in ARN has lost a part | 1 | 1 | -
        Error(400, "LimitExceededException") | fails: wrong-architecture; The image could not be marked: the image in ARN has as many tags as ECR allows | 4 | 1 | -
        Error(400, "ReferencedImagesNotFoundException") | fails: wrong-architecture; The image could not be marked: the image in ARN has lost a part | 1 | 1 | -
        Truncated | Err: ecr:PutImage on ARN failed: response error: error reading a body from connection: end of file before message length reached | 4 | 0 | marked
    "#]];
    table(&Scene::default(), "PutImage", &[&SERVER[..], &own].concat(), expected).await;
}

#[tokio::test]
async fn a_message_that_is_not_sent() {
    let faults = [
        Error(403, "AuthorizationError"),
        Error(403, "AccessDenied"),
        Error(400, "EndpointDisabled"),
        Error(500, "InternalError"),
        Error(400, "InvalidParameter"),
        Error(400, "ParameterValueInvalid"),
        Error(403, "InvalidSecurity"),
        Error(400, "KMSAccessDenied"),
        Error(400, "KMSDisabled"),
        Error(400, "KMSInvalidState"),
        Error(400, "KMSNotFound"),
        Error(403, "KMSOptInRequired"),
        Error(400, "KMSThrottling"),
        Error(404, "NotFound"),
        Error(400, "PlatformApplicationDisabled"),
        Error(400, "ValidationException"),
        Error(400, "Throttling"),
        Error(503, "ServiceUnavailable"),
        Says("no XML"),
        Truncated,
        Dropped,
        Stalled,
    ];
    let expected = expect![[r#"
        Error(403, "AuthorizationError") | Err: sns:Publish on TOPIC was denied: allow the function this action on this resource: AuthorizationError: as said | 1 | 0 | marked
        Error(403, "AccessDenied") | Err: sns:Publish on TOPIC was denied: allow the function this action on this resource: AccessDenied: as said | 1 | 0 | marked
        Error(400, "EndpointDisabled") | Err: sns:Publish on TOPIC failed: EndpointDisabled: as said | 1 | 0 | marked
        Error(500, "InternalError") | Err: sns:Publish on TOPIC failed: InternalError: as said | 4 | 0 | marked
        Error(400, "InvalidParameter") | Err: sns:Publish on TOPIC failed: InvalidParameter: as said | 1 | 0 | marked
        Error(400, "ParameterValueInvalid") | Err: sns:Publish on TOPIC failed: ParameterValueInvalid: as said | 1 | 0 | marked
        Error(403, "InvalidSecurity") | Err: sns:Publish on TOPIC failed: InvalidSecurity: as said | 1 | 0 | marked
        Error(400, "KMSAccessDenied") | Err: sns:Publish on TOPIC was denied by the topic's key: allow the function kms:GenerateDataKey* and kms:Decrypt on it: KMSAccessDenied: as said | 1 | 0 | marked
        Error(400, "KMSDisabled") | Err: sns:Publish on TOPIC failed: KMSDisabled: as said | 1 | 0 | marked
        Error(400, "KMSInvalidState") | Err: sns:Publish on TOPIC failed: KMSInvalidState: as said | 1 | 0 | marked
        Error(400, "KMSNotFound") | Err: sns:Publish on TOPIC failed: KMSNotFound: as said | 1 | 0 | marked
        Error(403, "KMSOptInRequired") | Err: sns:Publish on TOPIC failed: KMSOptInRequired: as said | 1 | 0 | marked
        Error(400, "KMSThrottling") | Err: sns:Publish on TOPIC failed: KMSThrottling: as said | 1 | 0 | marked
        Error(404, "NotFound") | Err: sns:Publish on TOPIC failed: there is no such topic: NotFound: as said | 1 | 0 | marked
        Error(400, "PlatformApplicationDisabled") | Err: sns:Publish on TOPIC failed: PlatformApplicationDisabled: as said | 1 | 0 | marked
        Error(400, "ValidationException") | Err: sns:Publish on TOPIC failed: ValidationException: as said | 1 | 0 | marked
        Error(400, "Throttling") | Err: sns:Publish on TOPIC failed: Throttling: as said | 4 | 0 | marked
        Error(503, "ServiceUnavailable") | Err: sns:Publish on TOPIC failed: ServiceUnavailable: as said | 4 | 0 | marked
        Says("no XML") | Err: sns:Publish on TOPIC failed: service error: unhandled error: error parsing XML: no root element | 1 | 1 | marked
        Truncated | Err: sns:Publish on TOPIC failed: response error: error reading a body from connection: end of file before message length reached | 4 | 4 | marked
        Dropped | Err: sns:Publish on TOPIC failed: dispatch failure: other: client error (SendRequest): connection closed before message completed | 4 | 0 | marked
        Stalled | Err: sns:Publish on TOPIC failed: dispatch failure: timeout: HTTP read timeout occurred after 500ms: timed out | 4 | 0 | marked
    "#]];
    table(&Scene::default(), "Publish", &faults, expected).await;
}

#[tokio::test]
async fn a_mark_that_nobody_else_would_hear_of() {
    let faults = [Error(400, "AccessDeniedException"), Error(400, "ImageTagAlreadyExistsException")];
    let passing = Scene { runtimes: "ecs/arm64", ..Scene::default() };
    let expected = expect![[r#"
        Error(400, "AccessDeniedException") | Err: the mark was not set: ecr:PutImage on ARN was denied: allow the function this action on this resource | 1 | 0 | -
        Error(400, "ImageTagAlreadyExistsException") | Err: the mark was not set: ARN has immutable tags, and another image has the tag preflight-pass-ecs-arm64-SHORT already | 1 | 0 | -
    "#]];
    table(&passing, "PutImage", &faults, expected).await;
    let no_topic = Scene { is_told: false, ..Scene::default() };
    let expected = expect![[r#"
        Error(400, "AccessDeniedException") | Err: the mark was not set: ecr:PutImage on ARN was denied: allow the function this action on this resource | 1 | 0 | -
        Error(400, "ImageTagAlreadyExistsException") | Err: the mark was not set: ARN has immutable tags, and another image has the tag preflight-fail-apprunner-SHORT already | 1 | 0 | -
    "#]];
    table(&no_topic, "PutImage", &faults, expected).await;
}
