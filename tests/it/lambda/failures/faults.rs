//! What can go wrong with a call, and how the page describes it.

use crate::support::aws::Fault::{self, *};

/// A fault, and whether it lasts.
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

/// The response of an AWS gateway in front of a service.
pub const GATEWAY: &str = "<html><body>Bad Gateway</body></html>";

/// The responses that every action of a service with a JSON protocol can give, or a gateway in front of it. The codes
/// are the "Common Errors" of the ECR API reference, and those for signatures that the service rejects.
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
    Body("no JSON"),
    Body("[]"),
    Redirected,
];

/// Faults of any connection.
pub const CONNECTION: [Fault; 13] = [
    Refused, NotTls, UnresolvableHost, Dropped, Stalled, Truncated, Reset, Hung, Trickled, NotHttp,
    ContentLengthTooLong, ContentLengthTooShort, RedirectedToItself,
];

/// Faults that a retry within the call fixes.
pub const PASSING: [Fault; 7] = [
    Error(400, "ThrottlingException"),
    Error(500, "ServerException"),
    Status(502, GATEWAY),
    Refused,
    Dropped,
    Stalled,
    Reset,
];

/// The responses of the storage service.
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
    Blanks(0),
];

/// Whether the fault runs into a timeout.
pub fn takes_time(fault: Fault) -> bool {
    matches!(fault, Stalled | Hung | Trickled)
}

/// Describes a failure.
pub fn describe(Failure { fault, is_lasting }: Failure) -> String {
    let text = match fault {
        Error(status, code) => format!("`{code}` ({status})"),
        Failure(code) => format!("200 with the failure `{code}`"),
        Status(status, "") => format!("{status} without a body"),
        Status(status, text) => format!("{status}: `{text}`"),
        Body(text) => format!("200: `{text}`"),
        Blanks(0) => "200 without a body".to_owned(),
        Blanks(bytes) => format!("200 and {bytes} bytes"),
        Refused => "connection refused".to_owned(),
        NotTls => "plain text instead of TLS".to_owned(),
        UnresolvableHost => "host name does not resolve".to_owned(),
        NoCredentials => "no credentials".to_owned(),
        Dropped => "connection closed without a response".to_owned(),
        Stalled => "no response".to_owned(),
        Truncated => "connection closed after half of the body".to_owned(),
        Reset => "connection reset after half of the body".to_owned(),
        Hung => "no data after half of the body".to_owned(),
        Trickled => "one byte of the body per second".to_owned(),
        NotHttp => "a response that is not HTTP".to_owned(),
        Corrupted => "one byte changed".to_owned(),
        ContentLengthTooLong => "`Content-Length` is one too long".to_owned(),
        ContentLengthTooShort => "`Content-Length` is one too short".to_owned(),
        Redirected => "302 to another URL".to_owned(),
        RedirectedToItself => "307 to the same URL".to_owned(),
        Expired => "403, `Request has expired`".to_owned(),
    };
    if is_lasting { text } else { format!("once: {text}") }
}
