//! The sections of the page: the calls of an invocation in order, and the failures of each. The codes of each action
//! are those that the ECR and SNS API references list.

use serde_json::Value;

use super::faults::{CONNECTION, Failure, GATEWAY, JSON, PASSING, STORAGE, always, once};
use super::target::Target;
use crate::support::aws::Fault::{self, *};
use crate::support::layout::{Builder, with_platform};

/// A call, and how it fails.
pub struct Section {
    pub title: &'static str,
    /// The introduction of the section.
    pub about: &'static str,
    pub action: &'static str,
    /// Only calls for this fail.
    pub target: Target,
    /// The first of these calls that fails, by number.
    pub first_call: usize,
    pub image: fn(&Builder) -> Value,
    /// What the repository declares.
    pub runtimes: &'static str,
    /// Whether there is a topic.
    pub has_topic: bool,
    /// The setting `PREFLIGHT_CONSUMERS`; `None` if there is no table.
    pub consumers: Option<&'static str>,
    /// The verdict tag, without its digest, that another image already has in a repository with immutable tags.
    pub taken_tag: Option<&'static str>,
    pub failures: Vec<Failure>,
}

/// Adds an arm64 image, which does not run on App Runner.
fn arm64(layout: &Builder) -> Value {
    layout.image("arm64")
}

/// Adds an index of both platforms.
fn index(layout: &Builder) -> Value {
    let child = |architecture| with_platform(&layout.image(architecture), "linux", architecture);
    layout.index(&[child("amd64"), child("arm64")])
}

const WRONG: &str = "The image is built for arm64, and the repository declares App Runner. Without the failure, the image fails and \
                     is tagged, and one message is sent.";
const SOUND: &str = "The image is built for arm64, and the repository declares ECS on arm64. Without the failure, the image runs \
                     and is tagged, and no message is sent.";
const INDEX: &str = "An index for amd64 and arm64 in a repository that declares ECS on arm64. Without the failure, the image runs \
                     and is tagged, and no message is sent.";

const RUN: &str = "The image is built for arm64, the repository declares App Runner, and the table has a service of Amazon ECS on amd64 \
                   that runs the image. With `PREFLIGHT_CONSUMERS=on`, and without the failure, the message names both.";
const REQUIRED: &str = "The same with `PREFLIGHT_CONSUMERS=required`.";
const RECORDED: &str = "The same with `PREFLIGHT_CONSUMERS=on`. The call returns what the tag pointed at before, and what was \
                        reported about it.";
const REPORTED: &str = "The same with `PREFLIGHT_CONSUMERS=on`. The call is made after the message is sent, so that it is not sent \
                        again for another event.";

const TAKEN: &str = "The image is built for arm64, and the repository declares App Runner and has immutable tags. Another image \
                     already has the verdict tag. Without the failure, the message reports this.";

/// A presigned URL of another host, without TLS.
const PLAIN: Fault = Body(r#"{"downloadUrl":"http://bucket.example/x?X-Amz-Signature=0SECRET0"}"#);
const FILE: Fault = Body(r#"{"downloadUrl":"file:///etc/passwd"}"#);
const NO_HOST: Fault = Body(r#"{"downloadUrl":"https://\u0000?0SECRET0"}"#);

fn codes(status: u16, codes: &[&'static str]) -> Vec<Failure> {
    always(&codes.iter().map(|code| Error(status, code)).collect::<Vec<_>>())
}

/// The failures of one action, and those of every action of the ECR API.
fn ecr(own: Vec<Failure>) -> Vec<Failure> {
    [own, always(&JSON), always(&CONNECTION), once(&PASSING)].concat()
}

/// The codes of `ImageFailure`, and one that is not among them.
const FAILURES: [&str; 12] = [
    "ImageNotFound", "ImageTagDoesNotMatchDigest", "InvalidImageDigest", "InvalidImageTag", "MissingDigestAndTag",
    "ImageReferencedByManifestList", "KmsError", "UpstreamAccessDenied", "UpstreamTooManyRequests",
    "UpstreamUnavailable", "ImageInaccessible", "SomethingNew",
];

fn manifest() -> Vec<Failure> {
    let own = [
        "InvalidParameterException", "LimitExceededException", "RepositoryNotFoundException", "ServerException",
        "UnableToGetUpstreamImageException",
    ];
    let replies =
        [Body("{}"), Body(r#"{"images":[{}]}"#), Body(r#"{"images":7,"failures":"x"}"#), Blanks(6_000_000), Corrupted];
    let own = [codes(400, &own), always(&FAILURES.map(Failure)), always(&replies)].concat();
    [ecr(own), once(&[Failure("ImageNotFound"), Corrupted])].concat()
}

fn download_url() -> Vec<Failure> {
    let own = [
        "InvalidParameterException", "LayerInaccessibleException", "LayersNotFoundException",
        "RepositoryNotFoundException", "ServerException", "UnableToGetUpstreamLayerException",
    ];
    ecr([codes(400, &own), always(&[Body("{}"), PLAIN, FILE, NO_HOST])].concat())
}

fn blob() -> Vec<Failure> {
    let large = always(&[Blanks(1024 * 1024 + 1)]);
    let passing = [Expired, Error(503, "SlowDown"), Refused, Dropped, Stalled, Reset, Hung, Corrupted, Blanks(0)];
    [always(&STORAGE), large, always(&CONNECTION), once(&passing)].concat()
}

/// The failures of a call to the table: the errors of the Amazon DynamoDB API reference.
fn table() -> Vec<Failure> {
    let own = [
        "InternalServerError", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
        "ResourceNotFoundException", "ReplicatedWriteConflictException",
    ];
    [codes(400, &own), always(&JSON), always(&CONNECTION), once(&PASSING)].concat()
}

/// Some of them: one of each kind.
fn table_in_short() -> Vec<Failure> {
    let lasting = [
        Error(400, "ResourceNotFoundException"),
        Error(400, "AccessDeniedException"),
        Error(400, "ThrottlingException"),
        Error(500, "InternalFailure"),
        Body("no JSON"),
        Refused,
        Dropped,
        Stalled,
    ];
    [always(&lasting), once(&[Error(400, "ThrottlingException"), Dropped])].concat()
}

fn put_image() -> Vec<Failure> {
    let own = [
        "ImageAlreadyExistsException", "ImageDigestDoesNotMatchException", "ImageTagAlreadyExistsException",
        "InvalidParameterException", "KmsException", "LayersNotFoundException", "LimitExceededException",
        "ReferencedImagesNotFoundException", "RepositoryNotFoundException", "ServerException",
    ];
    ecr(codes(400, &own))
}

fn message() -> Vec<Failure> {
    let denied = [
        "AuthorizationError", "AccessDenied", "InvalidSecurity", "KMSOptInRequired", "InvalidClientTokenId",
        "MissingAuthenticationToken", "SignatureDoesNotMatch",
    ];
    let refused = [
        "EndpointDisabled", "InvalidParameter", "ParameterValueInvalid", "KMSAccessDenied", "KMSDisabled",
        "KMSInvalidState", "KMSNotFound", "KMSThrottling", "PlatformApplicationDisabled", "ValidationException",
        "ExpiredToken", "RequestExpired", "Throttling", "ThrottledException", "SomethingNew",
    ];
    let others = [
        Error(404, "NotFound"),
        Error(500, "InternalError"),
        Status(500, ""),
        Status(502, GATEWAY),
        Error(503, "ServiceUnavailable"),
        Status(504, GATEWAY),
        Status(403, ""),
        Status(400, "<ErrorResponse><Error>"),
        Body("no XML"),
        Body("<Other/>"),
        Redirected,
    ];
    let passing = [
        Error(400, "Throttling"),
        Error(500, "InternalError"),
        Status(502, GATEWAY),
        Error(503, "ServiceUnavailable"),
        Refused,
        Dropped,
        Stalled,
        Reset,
    ];
    let denied = [codes(403, &denied), always(&[NoCredentials])].concat();
    [denied, codes(400, &refused), always(&others), always(&CONNECTION), once(&passing)].concat()
}

/// All sections, in the order of the calls.
pub fn sections() -> Vec<Section> {
    let wrong = |title, action, failures| Section {
        title,
        about: WRONG,
        action,
        target: Target::Any,
        first_call: 1,
        image: arm64,
        runtimes: "apprunner",
        has_topic: true,
        consumers: None,
        taken_tag: None,
        failures,
    };
    let sound =
        |title, action, failures| Section { about: SOUND, runtimes: "ecs/arm64", ..wrong(title, action, failures) };
    let with_table =
        |title, action, about, failures| Section { about, consumers: Some("on"), ..wrong(title, action, failures) };
    let again = ecr(always(&[Failure("ImageTagDoesNotMatchDigest"), Failure("ImageNotFound"), Body("{}")]));
    vec![
        Section {
            target: Target::Image,
            ..wrong("`ecr:BatchGetImage`: the image", "BatchGetImage", [always(&[NoCredentials]), manifest()].concat())
        },
        Section {
            target: Target::Child,
            about: INDEX,
            image: index,
            ..sound(
                "`ecr:BatchGetImage`: the child of an index that determines the verdict",
                "BatchGetImage",
                manifest(),
            )
        },
        wrong(
            "`ecr:ListTagsForResource`: the declaration of the repository",
            "ListTagsForResource",
            ecr([
                codes(400, &["InvalidParameterException", "RepositoryNotFoundException", "ServerException"]),
                always(&[Body("{}")]),
            ]
            .concat()),
        ),
        Section {
            target: Target::Config,
            ..wrong("`ecr:GetDownloadUrlForLayer`: the config", "GetDownloadUrlForLayer", download_url())
        },
        Section {
            target: Target::Config,
            about: INDEX,
            image: index,
            ..sound(
                "`ecr:GetDownloadUrlForLayer`: the config of an index's child",
                "GetDownloadUrlForLayer",
                download_url(),
            )
        },
        Section {
            target: Target::Layer,
            ..sound("`ecr:GetDownloadUrlForLayer`: a layer", "GetDownloadUrlForLayer", download_url())
        },
        Section {
            target: Target::Layer,
            ..wrong(
                "`ecr:GetDownloadUrlForLayer`: a layer of an image whose platform is wrong",
                "GetDownloadUrlForLayer",
                download_url(),
            )
        },
        Section { target: Target::Config, ..wrong("The storage service: the config", "Blob", blob()) },
        Section { target: Target::Layer, ..sound("The storage service: a layer", "Blob", blob()) },
        Section {
            target: Target::Layer,
            ..wrong("The storage service: a layer of an image whose platform is wrong", "Blob", blob())
        },
        Section {
            target: Target::Image,
            first_call: 2,
            ..wrong(
                "`ecr:BatchGetImage`: the image, right before its verdict tag is written",
                "BatchGetImage",
                manifest(),
            )
        },
        wrong("`ecr:PutImage`: the verdict tag of an image that fails", "PutImage", put_image()),
        sound(
            "`ecr:PutImage`: the verdict tag of an image that runs, when no message is sent",
            "PutImage",
            put_image(),
        ),
        Section {
            has_topic: false,
            ..wrong(
                "`ecr:PutImage`: the verdict tag of an image that fails, if there is no topic",
                "PutImage",
                put_image(),
            )
        },
        Section {
            target: Target::VerdictTag,
            about: TAKEN,
            taken_tag: Some("fail-apprunner"),
            ..wrong("`ecr:BatchGetImage`: the image that already has the verdict tag", "BatchGetImage", again)
        },
        wrong("`sns:Publish`: the message", "Publish", message()),
        with_table("`dynamodb:Query`: what runs the image", "Query", RUN, table()),
        with_table("`dynamodb:GetItem`: the record of the census", "GetItem", RUN, table_in_short()),
        Section {
            consumers: Some("required"),
            ..with_table(
                "`dynamodb:Query`: what runs the image, if that is required",
                "Query",
                REQUIRED,
                table_in_short(),
            )
        },
        with_table("`dynamodb:UpdateItem`: the history of the tag", "UpdateItem", RECORDED, table_in_short()),
        Section {
            first_call: 2,
            ..with_table("`dynamodb:UpdateItem`: that the message was sent", "UpdateItem", REPORTED, table_in_short())
        },
    ]
}
