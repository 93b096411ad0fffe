//! A fake AWS on this machine: Amazon ECR with its blob storage, what runs images, SNS, EventBridge, CloudWatch Logs and the
//! Lambda runtime API, over real HTTP. It keeps every request, and delays or fails on demand.
#![allow(clippy::unwrap_used, reason = "it is only used by tests")]

pub mod account;
pub mod dynamodb;
mod ecr;
mod ecs;
mod event_bus;
mod fault_plan;
pub mod http;
mod lambda;
pub mod server;
mod sns;
mod throttle;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::account::Account;
use self::dynamodb::Dynamo;
use self::ecr::Repository;
use self::http::End;
use self::server::State;
use self::throttle::Throttle;
use super::layout::Builder;

pub use self::lambda::Invocation;

pub const ACCOUNT: &str = "123456789012";
/// A secret in the query of every download URL, and nowhere else.
pub const SECRET: &str = "0SECRET0";

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// This status and an error with this code, in the format of the service.
    Error(u16, &'static str),
    /// `BatchGetImage` reports this code for every image, or for the named one.
    Failure(&'static str),
    /// Status 200 and this body.
    Body(&'static str),
    /// The connection is closed without a response.
    Dropped,
    /// There is no response, and the connection stays open.
    Stalled,
    /// The connection is closed after half of the body.
    Truncated,
    /// The connection is reset after half of the body.
    Reset,
    /// After half of the body nothing more is sent, and the connection stays open.
    Hung,
    /// The body is sent byte by byte, or in 4,096 pieces if it is longer, with a delay before each.
    Trickled,
    /// The response is not HTTP.
    NotHttp,
    /// This status and this body, for any service.
    Status(u16, &'static str),
    /// Status 403 from the storage service, as for an expired URL.
    Expired,
    /// One byte of the blob, or of each manifest, is changed.
    Corrupted,
    /// The body is this many blanks.
    Blanks(usize),
    /// `Content-Length` is one too large, and the connection is closed.
    ContentLengthTooLong,
    /// `Content-Length` is one too small.
    ContentLengthTooShort,
    /// A redirect to another URL of this machine.
    Redirected,
    /// A redirect to the same URL.
    RedirectedToItself,
    /// Nothing listens. The client must divert its requests for this fault and the next two, and leave them unsigned
    /// for the third.
    Refused,
    /// The server does not speak TLS.
    NotTls,
    /// The host name does not resolve.
    UnresolvableHost,
    /// There are no credentials to sign requests with.
    NoCredentials,
}

/// A request that was made.
#[derive(Debug, Clone)]
pub struct Call {
    pub action: String,
    /// JSON as it is, a form as an object.
    pub body: Value,
    pub target: String,
    headers: Vec<(String, String)>,
    pub began: Instant,
    /// When the response was ready.
    pub ended: Option<Instant>,
    /// The status of the response; none without a response.
    pub status: Option<u16>,
    /// The fault of this call.
    pub fault: Option<Fault>,
}

impl Call {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether the URL or the body contains this text: a digest, a tag.
    pub fn names(&self, word: &str) -> bool {
        word.is_empty() || self.target.contains(word) || self.body.to_string().contains(word)
    }
}

#[derive(Debug)]
pub struct FakeAws {
    address: SocketAddr,
    state: Arc<State>,
}

impl Drop for FakeAws {
    /// Closes the connections and the listener: a test process may start hundreds of servers, and may have only about a
    /// thousand open files.
    fn drop(&mut self) {
        self.state.is_stopped.store(true, Ordering::Relaxed);
        self.close_connections();
        // Wakes the thread that waits for connections. If it has ended, there is nothing to wake.
        let _ = TcpStream::connect(self.address);
    }
}

impl FakeAws {
    /// Starts the server. It ends when this value is dropped.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if shared.is_stopped.load(Ordering::Relaxed) {
                    break;
                }
                let state = shared.clone();
                std::thread::spawn(move || {
                    match state.serve(&connection, address) {
                        End::Reset => state.reset(connection),
                        // A clone of the connection is kept, so dropping it does not close it.
                        _ => drop(connection.shutdown(Shutdown::Both)),
                    }
                });
            }
        });
        Self { address, state }
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Fills a repository with the contents of a layout.
    pub fn push(&self, repository: &str, layout: &Builder) {
        self.state.repositories.lock().unwrap().insert(repository.to_owned(), Repository::new(layout));
    }

    /// Sets what runs images in the account.
    pub fn set_account(&self, account: Account) {
        *self.state.account.lock().unwrap() = account;
    }

    /// Creates empty repositories.
    pub fn create_repositories(&self, names: &[&str]) {
        let empty = names.iter().map(|name| ((*name).to_owned(), Repository::default()));
        self.state.repositories.lock().unwrap().extend(empty);
    }

    /// The resource tags of a repository.
    pub fn resource_tags(&self, repository: &str) -> Vec<(String, String)> {
        self.change(repository, |repository| repository.resource_tags.clone().into_iter().collect())
    }

    /// Fills a repository with this many indexes of one platform.
    pub fn push_indexes(&self, repository: &str, count: usize, architecture: &str) {
        let filled = Repository::of_indexes(count, architecture);
        self.state.repositories.lock().unwrap().insert(repository.to_owned(), filled);
    }

    /// Sets the time of a push, in seconds since 1970.
    pub fn set_pushed_at(&self, repository: &str, digest: &str, seconds: i64) {
        self.change(repository, |repository| repository.pushed.insert(digest.to_owned(), seconds));
    }

    /// Sets a service revision of Amazon ECS, and its task definition.
    pub fn deploy(&self, revision: &Value, definition: &Value) {
        let mut ecs = self.state.ecs.lock().unwrap();
        let arn = |document: &Value, field: &str| document[field].as_str().unwrap_or_default().to_owned();
        ecs.revisions.insert(arn(revision, "serviceRevisionArn"), revision.clone());
        ecs.definitions.insert(arn(definition, "taskDefinitionArn"), definition.clone());
    }

    /// Reads or changes the table.
    pub fn table<T>(&self, change: impl FnOnce(&mut Dynamo) -> T) -> T {
        change(&mut self.state.dynamo.lock().unwrap())
    }

    pub fn tag_resource(&self, repository: &str, key: &str, value: &str) {
        self.change(repository, |repository| repository.resource_tags.insert(key.to_owned(), value.to_owned()));
    }

    /// Points an image tag at a digest.
    pub fn tag(&self, repository: &str, tag: &str, digest: &str) {
        self.change(repository, |repository| repository.tags.insert(tag.to_owned(), digest.to_owned()));
    }

    pub fn make_immutable(&self, repository: &str) {
        self.change(repository, |repository| repository.immutable = true);
    }

    /// The image tags of a repository.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        self.change(repository, |repository| repository.tags.keys().cloned().collect())
    }

    fn change<T>(&self, name: &str, change: impl FnOnce(&mut Repository) -> T) -> T {
        change(self.state.repositories.lock().unwrap().get_mut(name).expect("a repository that was pushed to"))
    }

    /// Makes these calls of an action fail; the first one is 1.
    pub fn fail(&self, action: &'static str, calls: impl RangeBounds<usize>, fault: Fault) {
        self.fail_naming(action, "", calls, fault);
    }

    /// Makes those of these calls fail that name a digest or a tag. `BatchGetImage` answers correctly for the other
    /// images of the call.
    pub fn fail_naming(&self, action: &'static str, name: &str, calls: impl RangeBounds<usize>, fault: Fault) {
        let calls = (calls.start_bound().cloned(), calls.end_bound().cloned());
        self.state.plan.lock().unwrap().add(action, name, calls, fault);
    }

    /// Sets the number of entries per page; the default is three.
    pub fn set_page_size(&self, page_size: usize) {
        *self.state.page_size.lock().unwrap() = page_size;
    }

    /// Throttles an action to this many calls per second, with bursts of a tenth of it.
    pub fn throttle(&self, action: &'static str, rate: f64) {
        self.state.throttles.lock().unwrap().insert(action, Throttle::new(rate));
    }

    /// Keeps no requests from now on, to save memory.
    pub fn discard_requests(&self) {
        self.state.discards_requests.store(true, Ordering::Relaxed);
    }

    /// Makes the event bus refuse the next events due to throttling.
    pub fn refuse_events(&self, events: usize) {
        self.state.bus.refuse(events);
    }

    /// Makes the event bus keep the events that it accepts: no function gets them.
    pub fn hold_events(&self) {
        self.state.bus.hold();
    }

    /// Adds a line to the function's log.
    pub fn log(&self, line: String) {
        self.state.bus.write(line);
    }

    /// How many events were handed out so far.
    pub fn handed_out(&self) -> usize {
        self.state.lambda.handed_out()
    }

    /// Delays every response.
    pub fn set_delay(&self, delay: Duration) {
        *self.state.delay.lock().unwrap() = delay;
    }

    /// Sets the delay of each piece of a trickled body.
    pub fn set_trickle(&self, pace: Duration) {
        *self.state.pace.lock().unwrap() = pace;
    }

    /// Closes every connection, as happens to a frozen function.
    pub fn close_connections(&self) {
        // The client may have closed it already.
        self.state
            .connections
            .lock()
            .unwrap()
            .drain(..)
            .for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
    }

    /// Every request, in the order of their arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().unwrap().clone()
    }

    /// The requests of one action.
    pub fn calls_of(&self, action: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.action == action).collect()
    }

    /// Sets the time that the function has for each event.
    pub fn set_time_left(&self, left: Duration) {
        self.state.lambda.set_time_left(left);
    }

    /// Hands an event to the function and waits for its result.
    pub fn invoke(&self, event: &str) -> Invocation {
        self.state.lambda.invoke(event)
    }
}
