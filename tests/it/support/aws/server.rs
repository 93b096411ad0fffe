//! The server of the fake AWS: finds the action of a request and answers it.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::account::Account;
use super::dynamodb::Dynamo;
use super::ecr::{self, Repository};
use super::ecs::Ecs;
use super::event_bus::Bus;
use super::fault_plan::{Due, Plan};
use super::http::{End, Reply, Request};
use super::throttle::Throttle;
use super::{Call, Fault, SECRET, lambda, sns};

#[derive(Debug)]
pub(super) struct State {
    pub(super) account: Mutex<Account>,
    pub(super) repositories: Mutex<BTreeMap<String, Repository>>,
    pub(super) calls: Mutex<Vec<Call>>,
    pub(super) plan: Mutex<Plan>,
    /// The connections of the services, without those of the Lambda runtime API.
    pub(super) connections: Mutex<Vec<TcpStream>>,
    pub(super) delay: Mutex<Duration>,
    pub(super) pace: Mutex<Duration>,
    pub(super) lambda: lambda::Lambda,
    pub(super) bus: Bus,
    pub(super) ecs: Mutex<Ecs>,
    pub(super) dynamo: Mutex<Dynamo>,
    /// The entries of a page.
    pub(super) page_size: Mutex<usize>,
    pub(super) throttles: Mutex<BTreeMap<&'static str, Throttle>>,
    pub(super) discards_requests: AtomicBool,
    pub(super) is_stopped: AtomicBool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            account: Mutex::default(),
            repositories: Mutex::default(),
            calls: Mutex::default(),
            plan: Mutex::default(),
            connections: Mutex::default(),
            delay: Mutex::default(),
            pace: Mutex::default(),
            lambda: lambda::Lambda::default(),
            bus: Bus::default(),
            ecs: Mutex::default(),
            dynamo: Mutex::default(),
            page_size: Mutex::new(3),
            throttles: Mutex::default(),
            discards_requests: AtomicBool::default(),
            is_stopped: AtomicBool::default(),
        }
    }
}

impl State {
    /// Serves a connection until it ends; returns how.
    pub(super) fn serve(&self, mut connection: &TcpStream, address: SocketAddr) -> End {
        connection.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(connection);
        while let Ok(Some(request)) = Request::read(&mut reader) {
            let began = Instant::now();
            let action = action(&request);
            if action == "Lambda" {
                if self.lambda.answer(&request).send(&mut connection).is_err() {
                    return End::Closed;
                }
                continue;
            }
            if let Ok(connection) = connection.try_clone()
                && !self.discards_requests.load(Ordering::Relaxed)
            {
                self.connections.lock().unwrap().push(connection);
            }
            let body = body(&request);
            let (place, due) = self.record(&action, &body, &request, began);
            let fault = due.as_ref().map(|due| due.fault);
            let reply = self.reply(&action, &body, &request, address, due);
            std::thread::sleep(*self.delay.lock().unwrap());
            if let Some(call) = self.calls.lock().unwrap().get_mut(place) {
                (call.ended, call.status) = (Some(Instant::now()), reply.as_ref().map(|reply| reply.status));
            }
            let end = match reply {
                Some(reply) => reply.send(&mut connection).unwrap_or(End::Closed),
                None if matches!(fault, Some(Fault::Stalled)) => End::Open,
                None => End::Closed,
            };
            match end {
                End::Kept => {}
                // Until the client closes it.
                End::Open => while reader.read(&mut [0; 512]).is_ok_and(|read| read > 0) {},
                end => return end,
            }
        }
        End::Closed
    }

    /// Closes a connection with a reset.
    pub(super) fn reset(&self, connection: TcpStream) {
        let peer = connection.peer_addr().ok();
        self.connections.lock().unwrap().retain(|kept| kept.peer_addr().ok() != peer);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _inside = runtime.enter();
        connection.set_nonblocking(true).unwrap();
        // Closing with a linger time of zero resets the connection: tcp(7).
        tokio::net::TcpStream::from_std(connection).unwrap().set_zero_linger().unwrap();
    }

    /// Keeps a request; returns its index and its fault.
    fn record(&self, action: &str, body: &Value, request: &Request, began: Instant) -> (usize, Option<Due>) {
        let mut calls = self.calls.lock().unwrap();
        let Request { target, headers, .. } = request.clone();
        if self.discards_requests.load(Ordering::Relaxed) {
            return (usize::MAX, None);
        }
        let mut call = Call {
            action: action.to_owned(),
            body: body.clone(),
            target,
            headers,
            began,
            ended: None,
            status: None,
            fault: None,
        };
        let due = self.plan.lock().unwrap().due(&call);
        call.fault = due.as_ref().map(|due| due.fault);
        calls.push(call);
        (calls.len() - 1, due)
    }

    fn reply(&self, action: &str, body: &Value, request: &Request, at: SocketAddr, due: Option<Due>) -> Option<Reply> {
        let (fault, name) = due.map(|due| (due.fault, due.name)).unzip();
        match fault {
            Some(Fault::Dropped | Fault::Stalled) => return None,
            Some(Fault::Status(status, text)) => return Some(Reply::new(status, text)),
            Some(Fault::Expired) => return Some(expired()),
            Some(Fault::Error(status, code)) => return Some(error(action, status, code)),
            Some(Fault::Body(text)) => return Some(Reply::new(200, text)),
            Some(Fault::Blanks(bytes)) => return Some(Reply::new(200, vec![b' '; bytes])),
            Some(Fault::Redirected) => {
                return Some(Reply::new(302, "").with("location", format!("http://{at}/elsewhere?{SECRET}")));
            }
            Some(Fault::Failure(code)) => {
                let ids = body["imageIds"].as_array().cloned().unwrap_or_default();
                let is_meant = |id: &Value| id.to_string().contains(name.as_deref().unwrap_or_default());
                let (meant, others): (Vec<Value>, Vec<Value>) = ids.into_iter().partition(is_meant);
                let failed = |id| json!({"imageId": id, "failureCode": code, "failureReason": "service message"});
                let mut rest = body.clone();
                rest["imageIds"] = others.into();
                let mut answer = self.ecr(action, &rest, at).expect("a repository that is there");
                answer["failures"].as_array_mut().unwrap().extend(meant.into_iter().map(failed));
                return Some(Reply::new(200, answer.to_string()));
            }
            Some(Fault::RedirectedToItself) => {
                return Some(Reply::new(307, "").with("location", format!("http://{at}{}", request.target)));
            }
            // These faults change the regular response.
            Some(
                Fault::Truncated
                | Fault::Reset
                | Fault::Hung
                | Fault::Trickled
                | Fault::NotHttp
                | Fault::Corrupted
                | Fault::ContentLengthTooLong
                | Fault::ContentLengthTooShort
                | Fault::Refused
                | Fault::NotTls
                | Fault::UnresolvableHost
                | Fault::NoCredentials,
            )
            | None => {}
        }
        if self.throttles.lock().unwrap().get_mut(action).is_some_and(|throttle| !throttle.try_take()) {
            return Some(error(action, 400, "ThrottlingException"));
        }
        let mut reply = match action {
            "Publish" => match sns::rejection_code(body) {
                Some(code) => error(action, 400, code),
                None => Reply::new(200, include_str!("publish_response.xml")),
            },
            "PutEvents" => Reply::new(200, self.bus.put(body, &self.lambda).to_string()),
            "FilterLogEvents" => match self.bus.read(body) {
                Ok(page) => Reply::new(200, page.to_string()),
                Err(code) => error(action, 400, code),
            },
            "Blob" => self.blob(&request.target),
            "GetItem" | "PutItem" | "Query" | "UpdateItem" | "BatchWriteItem" => {
                let answer = self.dynamo.lock().unwrap().answer(action, body).expect("an action of the table");
                match answer {
                    Ok(value) => Reply::new(200, value.to_string()),
                    Err((code, item)) => {
                        let mut body = json!({"__type": code, "message": "The conditional request failed"});
                        if let Some(item) = item {
                            body["Item"] = item.into();
                        }
                        Reply::new(400, body.to_string()).with("content-type", "application/x-amz-json-1.0")
                    }
                }
            }
            _ => {
                let of_ecs = self.ecs.lock().unwrap().answer(action, body);
                let of_account = || self.account.lock().unwrap().answer(action, body, &request.target);
                let answer = of_ecs.or_else(of_account).unwrap_or_else(|| self.ecr(action, body, at));
                answer.map_or_else(|code| error(action, 400, code), |value| Reply::new(200, value.to_string()))
            }
        };
        match fault {
            Some(Fault::Truncated) => reply.cut = Some(reply.body.len() / 2),
            Some(Fault::Reset) => (reply.cut, reply.end) = (Some(reply.body.len() / 2), End::Reset),
            Some(Fault::Hung) => (reply.cut, reply.end) = (Some(reply.body.len() / 2), End::Open),
            Some(Fault::Trickled) => reply.pace = *self.pace.lock().unwrap(),
            Some(Fault::NotHttp) => reply.headers.push(("no header\r\n\0", String::new())),
            Some(Fault::ContentLengthTooLong) => reply.beyond = 1,
            Some(Fault::ContentLengthTooShort) => reply.beyond = -1,
            Some(Fault::Corrupted) if action == "BatchGetImage" => {
                let text = String::from_utf8(reply.body).unwrap();
                reply.body = text.replace(r#"schemaVersion\":2"#, r#"schemaVersion\":3"#).into_bytes();
            }
            Some(Fault::Corrupted) => {
                let middle = reply.body.len() / 2;
                reply.body[middle] ^= 1;
            }
            _ => {}
        }
        Some(reply)
    }

    fn ecr(&self, action: &str, body: &Value, at: SocketAddr) -> Result<Value, ecr::Refusal> {
        let page_size = *self.page_size.lock().unwrap();
        ecr::answer(&mut self.repositories.lock().unwrap(), action, body, &at.to_string(), page_size)
    }

    /// `/blob/REPOSITORY/DIGEST?…`, with the secret in the query.
    fn blob(&self, target: &str) -> Reply {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let place = path.strip_prefix("/blob/").and_then(|path| path.rsplit_once('/'));
        let repositories = self.repositories.lock().unwrap();
        let found = place.and_then(|(name, digest)| repositories.get(name)?.blob(digest));
        match found {
            Some(bytes) if query.contains(SECRET) => Reply::new(200, bytes),
            Some(_) => error("Blob", 403, "AccessDenied"),
            None => error("Blob", 404, "NoSuchKey"),
        }
    }
}

/// The response of S3 for an expired presigned URL.
fn expired() -> Reply {
    let xml = format!(
        "<Error><Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>3600</X-Amz-Expires><Expires>2026-11-16T02:54:34Z</Expires><Query>{SECRET}</Query></Error>"
    );
    Reply::new(403, xml).with("content-type", "application/xml")
}

/// The action of a request.
fn action(request: &Request) -> String {
    let of_ecr = request.header("x-amz-target").and_then(|target| target.rsplit_once('.'));
    match (of_ecr, request.target.as_str()) {
        (Some(("AppRunner", action)), _) => format!("AppRunner.{action}"),
        (Some((_, action)), _) => action.to_owned(),
        (None, target) if target.starts_with("/2018-06-01/runtime/") => "Lambda".to_owned(),
        (None, target) if target.starts_with("/blob/") => "Blob".to_owned(),
        (None, target) if rest_action(target).is_some() => rest_action(target).unwrap().to_owned(),
        _ => body(request)["Action"].as_str().unwrap_or("Elsewhere").to_owned(),
    }
}

fn body(request: &Request) -> Value {
    if request.header("content-type") == Some("application/x-www-form-urlencoded") {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        return pairs
            .map(|(name, value)| (decoded(name), Value::from(decoded(value))))
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    serde_json::from_slice(&request.body).unwrap_or_default()
}

/// The action of a service whose requests have paths.
pub fn rest_action(target: &str) -> Option<&'static str> {
    let path = target.split('?').next().unwrap().trim_end_matches('/');
    let (list, get) = match path.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["v1", "describejobdefinitions"] => return Some("DescribeJobDefinitions"),
        ["2015-03-31", "functions", ..] => ("ListFunctions", "GetFunction"),
        ["runtimes", ..] => ("ListAgentRuntimes", "GetAgentRuntime"),
        _ => return None,
    };
    Some(if path.ends_with("functions") || path.ends_with("runtimes") { list } else { get })
}

/// Decodes a word of a form or a path.
pub fn decoded(word: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).expect("two digits");
        bytes.push(match byte {
            b'%' => u8::try_from(digit() * 16 + digit()).expect("two digits"),
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// An error in the format of the action's service: JSON for ECR, XML for SNS and S3.
fn error(action: &str, status: u16, code: &str) -> Reply {
    match action {
        "Publish" => {
            let xml = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>service message</Message></Error></ErrorResponse>"
            );
            Reply::new(status, xml).with("content-type", "text/xml")
        }
        "Blob" => Reply::new(status, format!("<Error><Code>{code}</Code><Query>{SECRET}</Query></Error>")),
        _ => {
            let body = json!({"__type": format!("com.amazonaws.ecr#{code}"), "message": "service message"});
            Reply::new(status, body.to_string()).with("content-type", "application/x-amz-json-1.1")
        }
    }
}
