//! What can go wrong with a call, in words and in groups.
//!
//! Does not know the stages of the walk.

use crate::support::aws::Fault::{self, *};

/// A fault, and how long it lasts.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    pub fault: Fault,
    pub is_lasting: bool,
}

pub fn always(faults: &[Fault]) -> Vec<Failure> {
    faults.iter().map(|fault| Failure { fault: *fault, is_lasting: true }).collect()
}

pub fn once(faults: &[Fault]) -> Vec<Failure> {
    faults.iter().map(|fault| Failure { fault: *fault, is_lasting: false }).collect()
}

/// What AWS's gateways answer in the place of a service.
pub const GATEWAY: &str = "<html><body>Bad Gateway</body></html>";

/// What any action of a service with a JSON protocol may answer, or whoever stands before it. The codes are those of
/// "Common Errors" in the ECR API reference, and those of signatures that the service does not accept.
pub const JSON: [Fault; 18] = [
    Error(400, "AccessDeniedException"),
    Status(403, r#"{"Message":"User is not authorized"}"#),
    Error(400, "ExpiredTokenException"),
    Error(400, "UnrecognizedClientException"),
    Error(403, "MissingAuthenticationTokenException"),
    Error(403, "InvalidSignatureException"),
    Error(400, "ThrottlingException"),
    Error(400, "RequestTimeoutException"),
    Error(400, "ValidationException"),
    Error(400, "SomethingNew"),
    Error(500, "InternalFailure"),
    Status(500, ""),
    Status(502, GATEWAY),
    Error(503, "ServiceUnavailable"),
    Status(504, GATEWAY),
    Says("no JSON"),
    Says("[]"),
    Redirected,
];

/// What may happen to any connection.
pub const CONNECTION: [Fault; 13] = [
    Refused,
    NotTls,
    Nameless,
    Dropped,
    Stalled,
    Truncated,
    Reset,
    Hung,
    Dripped,
    Garbled,
    TooLongALength,
    TooShortALength,
    RedirectedToItself,
];

/// What a retry within the call mends.
pub const PASSING: [Fault; 7] = [
    Error(400, "ThrottlingException"),
    Error(500, "ServerException"),
    Status(502, GATEWAY),
    Refused,
    Dropped,
    Stalled,
    Reset,
];

/// What the storage service may answer.
pub const STORAGE: [Fault; 10] = [
    Expired,
    Error(403, "SignatureDoesNotMatch"),
    Error(404, "NoSuchKey"),
    Status(206, "part"),
    Status(416, ""),
    Error(500, "InternalError"),
    Error(503, "SlowDown"),
    Redirected,
    Corrupted,
    Holds(0),
];

/// Whether a bound in time is run into.
pub fn takes_time(fault: Fault) -> bool {
    matches!(fault, Stalled | Hung | Dripped)
}

/// A failure in words.
pub fn words(Failure { fault, is_lasting }: Failure) -> String {
    let words = match fault {
        Error(status, code) => format!("`{code}` ({status})"),
        Failure(code) => format!("200, and the failure `{code}`"),
        Status(status, "") => format!("{status} without a body"),
        Status(status, text) => format!("{status}: `{text}`"),
        Says(text) => format!("200: `{text}`"),
        Holds(0) => "200 without a body".to_owned(),
        Holds(bytes) => format!("200 and {bytes} bytes"),
        Refused => "connection refused".to_owned(),
        NotTls => "no TLS where TLS is expected".to_owned(),
        Nameless => "the host's name has no address".to_owned(),
        Unsigned => "there are no credentials".to_owned(),
        Dropped => "connection closed without an answer".to_owned(),
        Stalled => "no answer".to_owned(),
        Truncated => "connection closed after half of the body".to_owned(),
        Reset => "connection reset after half of the body".to_owned(),
        Hung => "nothing more after half of the body".to_owned(),
        Dripped => "one byte of the body a second".to_owned(),
        Garbled => "an answer that is not HTTP".to_owned(),
        Corrupted => "one byte of it is another".to_owned(),
        TooLongALength => "`Content-Length` is one too long".to_owned(),
        TooShortALength => "`Content-Length` is one too short".to_owned(),
        Redirected => "302 to another address".to_owned(),
        RedirectedToItself => "307 to the same address".to_owned(),
        Expired => "403, `Request has expired`".to_owned(),
    };
    if is_lasting { words } else { format!("once: {words}") }
}
