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
        Error(400, "ThrottlingException") | Err: ecr:PutImage on ARN failed: service error: unhandled error (ThrottlingException): Error { code: "ThrottlingException", message: "as said" } | 4 | 0 | -
        Error(400, "InvalidParameterException") | Err: ecr:PutImage on ARN failed: service error: InvalidParameterException: as said | 1 | 0 | -
        Error(400, "RepositoryNotFoundException") | fails: wrong-architecture; The image could not be marked: ARN does not exist any more | 1 | 1 | -
        Error(500, "ServerException") | Err: ecr:PutImage on ARN failed: service error: ServerException: as said | 4 | 0 | -
        Error(503, "ServiceUnavailable") | Err: ecr:PutImage on ARN failed: service error: unhandled error (ServiceUnavailable): Error { code: "ServiceUnavailable", message: "as said" } | 4 | 0 | -
        Dropped | Err: ecr:PutImage on ARN failed: dispatch failure: other: client error (SendRequest): connection closed before message completed | 4 | 0 | -
        Stalled | Err: ecr:PutImage on ARN failed: dispatch failure: timeout: HTTP read timeout occurred after 500ms: timed out | 4 | 0 | -
        Error(400, "ImageAlreadyExistsException") | fails: wrong-architecture | 1 | 1 | -
        Error(400, "ImageDigestDoesNotMatchException") | Err: ecr:PutImage on ARN failed: service error: ImageDigestDoesNotMatchException: as said | 1 | 0 | -
        Error(400, "ImageTagAlreadyExistsException") | fails: wrong-architecture; The image could not be marked: ARN has immutable tags, and another image has the tag preflight-fail-apprunner-SHORT already | 1 | 1 | -
        Error(400, "KmsException") | Err: ecr:PutImage on ARN failed: service error: KmsException: as said | 1 | 0 | -
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
        Error(403, "AuthorizationError") | Err: sns:Publish on TOPIC was denied: allow the function this action on this resource: service error: AuthorizationErrorException: as said | 1 | 0 | marked
        Error(403, "AccessDenied") | Err: sns:Publish on TOPIC was denied: allow the function this action on this resource: service error: unhandled error (AccessDenied): Error { code: "AccessDenied", message: "as said" } | 1 | 0 | marked
        Error(400, "EndpointDisabled") | Err: sns:Publish on TOPIC failed: service error: EndpointDisabledException: as said | 1 | 0 | marked
        Error(500, "InternalError") | Err: sns:Publish on TOPIC failed: service error: InternalErrorException: as said | 4 | 0 | marked
        Error(400, "InvalidParameter") | Err: sns:Publish on TOPIC failed: service error: InvalidParameterException: as said | 1 | 0 | marked
        Error(400, "ParameterValueInvalid") | Err: sns:Publish on TOPIC failed: service error: InvalidParameterValueException: as said | 1 | 0 | marked
        Error(403, "InvalidSecurity") | Err: sns:Publish on TOPIC failed: service error: InvalidSecurityException: as said | 1 | 0 | marked
        Error(400, "KMSAccessDenied") | Err: sns:Publish on TOPIC was denied by the topic's key: allow the function kms:GenerateDataKey* and kms:Decrypt on it: service error: KmsAccessDeniedException [KMSAccessDeniedException]: as said | 1 | 0 | marked
        Error(400, "KMSDisabled") | Err: sns:Publish on TOPIC failed: service error: KmsDisabledException [KMSDisabledException]: as said | 1 | 0 | marked
        Error(400, "KMSInvalidState") | Err: sns:Publish on TOPIC failed: service error: KmsInvalidStateException [KMSInvalidStateException]: as said | 1 | 0 | marked
        Error(400, "KMSNotFound") | Err: sns:Publish on TOPIC failed: service error: KmsNotFoundException [KMSNotFoundException]: as said | 1 | 0 | marked
        Error(403, "KMSOptInRequired") | Err: sns:Publish on TOPIC failed: service error: KmsOptInRequired [KMSOptInRequired]: as said | 1 | 0 | marked
        Error(400, "KMSThrottling") | Err: sns:Publish on TOPIC failed: service error: KmsThrottlingException [KMSThrottlingException]: as said | 1 | 0 | marked
        Error(404, "NotFound") | Err: sns:Publish on TOPIC failed: there is no such topic: service error: NotFoundException: as said | 1 | 0 | marked
        Error(400, "PlatformApplicationDisabled") | Err: sns:Publish on TOPIC failed: service error: PlatformApplicationDisabledException: as said | 1 | 0 | marked
        Error(400, "ValidationException") | Err: sns:Publish on TOPIC failed: service error: ValidationException: as said | 1 | 0 | marked
        Error(400, "Throttling") | Err: sns:Publish on TOPIC failed: service error: unhandled error (Throttling): Error { code: "Throttling", message: "as said" } | 4 | 0 | marked
        Error(503, "ServiceUnavailable") | Err: sns:Publish on TOPIC failed: service error: unhandled error (ServiceUnavailable): Error { code: "ServiceUnavailable", message: "as said" } | 4 | 0 | marked
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
