//! The calls of a walk, one after the other, and what is made to go wrong with each.
//!
//! Does not know what comes of it. The codes of each action are those that the ECR and SNS API references list for it.

use serde_json::Value;

use super::faults::{CONNECTION, Failure, GATEWAY, JSON, PASSING, STORAGE, always, once};
use super::object::Object;
use crate::support::aws::Fault::{self, *};
use crate::support::layout::{Builder, promising};

/// One call of a walk.
pub struct Stage {
    pub title: &'static str,
    /// What stands before it.
    pub about: &'static str,
    pub action: &'static str,
    /// Which calls of the action fail: those that name this, and no others.
    pub object: Object,
    pub image: fn(&Builder) -> Value,
    /// What the repository declares.
    pub runtimes: &'static str,
    /// Whether there is a topic.
    pub is_told: bool,
    /// The mark, but for the digest at its end, that another image has already, in a repository with immutable tags.
    pub taken: Option<&'static str>,
    pub failures: Vec<Failure>,
}

/// A wrong image: arm64 for App Runner.
fn arm64(layout: &Builder) -> Value {
    layout.image("arm64")
}

/// An index of both platforms.
fn index(layout: &Builder) -> Value {
    let child = |architecture| promising(&layout.image(architecture), "linux", architecture);
    layout.index(&[child("amd64"), child("arm64")])
}

const WRONG: &str = "The image is for arm64, and the repository for App Runner: without the failure it fails, is marked, \
                     and one message is sent.";
const SOUND: &str = "The image is for arm64, as the repository is: without the failure it runs, is marked, and nobody is \
                     told.";
const INDEX: &str = "An index for amd64 and arm64 in a repository for ECS on arm64: without the failure it runs, is \
                     marked, and nobody is told.";

const TAKEN: &str = "The image is for arm64, and the repository for App Runner and its tags immutable; another image has \
                     the very tag that is to be the mark. Without the failure the message says so.";

/// A presigned address elsewhere, without TLS.
const PLAIN: Fault = Says(r#"{"downloadUrl":"http://bucket.example/x?X-Amz-Signature=0SECRET0"}"#);
const FILE: Fault = Says(r#"{"downloadUrl":"file:///etc/passwd"}"#);
const NO_ADDRESS: Fault = Says(r#"{"downloadUrl":"https://\u0000?0SECRET0"}"#);

fn codes(status: u16, codes: &[&'static str]) -> Vec<Failure> {
    always(&codes.iter().map(|code| Error(status, code)).collect::<Vec<_>>())
}

/// What may go wrong with any call of the ECR API, after what is this one's own.
fn ecr(own: Vec<Failure>) -> Vec<Failure> {
    [own, always(&JSON), always(&CONNECTION), once(&PASSING)].concat()
}

/// The codes of `ImageFailure`, and one that is not among them.
const FAILURES: [&str; 12] = [
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

fn manifest() -> Vec<Failure> {
    let own = [
        "InvalidParameterException",
        "LimitExceededException",
        "RepositoryNotFoundException",
        "ServerException",
        "UnableToGetUpstreamImageException",
    ];
    let replies =
        [Says("{}"), Says(r#"{"images":[{}]}"#), Says(r#"{"images":7,"failures":"x"}"#), Holds(6_000_000), Corrupted];
    let own = [codes(400, &own), always(&FAILURES.map(Failure)), always(&replies)].concat();
    [ecr(own), once(&[Failure("ImageNotFound"), Corrupted])].concat()
}

fn address() -> Vec<Failure> {
    let own = [
        "InvalidParameterException",
        "LayerInaccessibleException",
        "LayersNotFoundException",
        "RepositoryNotFoundException",
        "ServerException",
        "UnableToGetUpstreamLayerException",
    ];
    ecr([codes(400, &own), always(&[Says("{}"), PLAIN, FILE, NO_ADDRESS])].concat())
}

fn blob() -> Vec<Failure> {
    let large = always(&[Holds(1024 * 1024 + 1)]);
    let passing = [Expired, Error(503, "SlowDown"), Refused, Dropped, Stalled, Reset, Hung, Corrupted, Holds(0)];
    [always(&STORAGE), large, always(&CONNECTION), once(&passing)].concat()
}

fn mark() -> Vec<Failure> {
    let own = [
        "ImageAlreadyExistsException",
        "ImageDigestDoesNotMatchException",
        "ImageTagAlreadyExistsException",
        "InvalidParameterException",
        "KmsException",
        "LayersNotFoundException",
        "LimitExceededException",
        "ReferencedImagesNotFoundException",
        "RepositoryNotFoundException",
        "ServerException",
    ];
    ecr(codes(400, &own))
}

fn message() -> Vec<Failure> {
    let denied = [
        "AuthorizationError",
        "AccessDenied",
        "InvalidSecurity",
        "KMSOptInRequired",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
    ];
    let refused = [
        "EndpointDisabled",
        "InvalidParameter",
        "ParameterValueInvalid",
        "KMSAccessDenied",
        "KMSDisabled",
        "KMSInvalidState",
        "KMSNotFound",
        "KMSThrottling",
        "PlatformApplicationDisabled",
        "ValidationException",
        "ExpiredToken",
        "RequestExpired",
        "Throttling",
        "ThrottledException",
        "SomethingNew",
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
        Says("no XML"),
        Says("<Other/>"),
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
    let denied = [codes(403, &denied), always(&[Unsigned])].concat();
    [denied, codes(400, &refused), always(&others), always(&CONNECTION), once(&passing)].concat()
}

/// All of them, in the order of the walk.
pub fn stages() -> Vec<Stage> {
    let wrong = |title, action, failures| Stage {
        title,
        about: WRONG,
        action,
        object: Object::Any,
        image: arm64,
        runtimes: "apprunner",
        is_told: true,
        taken: None,
        failures,
    };
    let sound =
        |title, action, failures| Stage { about: SOUND, runtimes: "ecs/arm64", ..wrong(title, action, failures) };
    let again = ecr(always(&[Failure("ImageTagDoesNotMatchDigest"), Failure("ImageNotFound"), Says("{}")]));
    vec![
        Stage {
            object: Object::Image,
            ..wrong("`ecr:BatchGetImage`: the image", "BatchGetImage", [always(&[Unsigned]), manifest()].concat())
        },
        Stage {
            object: Object::Child,
            about: INDEX,
            image: index,
            ..sound(
                "`ecr:BatchGetImage`: the child that matters of an index that is there",
                "BatchGetImage",
                manifest(),
            )
        },
        wrong(
            "`ecr:ListTagsForResource`: what the repository declares",
            "ListTagsForResource",
            ecr([
                codes(400, &["InvalidParameterException", "RepositoryNotFoundException", "ServerException"]),
                always(&[Says("{}")]),
            ]
            .concat()),
        ),
        Stage {
            object: Object::Config,
            ..wrong("`ecr:GetDownloadUrlForLayer`: the config", "GetDownloadUrlForLayer", address())
        },
        Stage {
            object: Object::Config,
            about: INDEX,
            image: index,
            ..sound("`ecr:GetDownloadUrlForLayer`: the config of an index's child", "GetDownloadUrlForLayer", address())
        },
        Stage {
            object: Object::Layer,
            ..sound("`ecr:GetDownloadUrlForLayer`: a layer", "GetDownloadUrlForLayer", address())
        },
        Stage {
            object: Object::Layer,
            ..wrong(
                "`ecr:GetDownloadUrlForLayer`: a layer of what fails by its label",
                "GetDownloadUrlForLayer",
                address(),
            )
        },
        Stage { object: Object::Config, ..wrong("The storage service: the config", "Blob", blob()) },
        Stage { object: Object::Layer, ..sound("The storage service: a layer", "Blob", blob()) },
        Stage {
            object: Object::Layer,
            ..wrong("The storage service: a layer of what fails by its label", "Blob", blob())
        },
        wrong("`ecr:PutImage`: the mark of what fails", "PutImage", mark()),
        sound("`ecr:PutImage`: the mark of what runs, of which nobody else would hear", "PutImage", mark()),
        Stage {
            is_told: false,
            ..wrong("`ecr:PutImage`: the mark of what fails, where there is no topic", "PutImage", mark())
        },
        Stage {
            object: Object::Mark,
            about: TAKEN,
            taken: Some("preflight-fail-apprunner"),
            ..wrong("`ecr:BatchGetImage`: whose a mark is that is there already", "BatchGetImage", again)
        },
        wrong("`sns:Publish`: the message", "Publish", message()),
    ]
}
