//! A small AWS on this very machine: Amazon ECR with its blob storage, SNS, and Lambda's runtime interface, over real
//! HTTP. It keeps every request, answers late where it is told to, and fails on purpose.
#![allow(clippy::unwrap_used, reason = "it serves tests alone")]

mod bus;
mod ecr;
pub mod http;
mod lambda;
mod plan;
mod serve;
mod sns;
mod throttle;

use std::net::{Shutdown, SocketAddr, TcpListener};
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::ecr::Repository;
use self::http::End;
use self::serve::World;
use self::throttle::Throttle;
use super::layout::Builder;

pub use self::lambda::Invocation;

pub const ACCOUNT: &str = "123456789012";
/// What stands in the query of every address of a blob, and nowhere else.
pub const SECRET: &str = "0SECRET0";

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// This status, and an error of this code, in the form of the service.
    Error(u16, &'static str),
    /// `BatchGetImage` names this code for every image asked for; where the fault is that of one, for that one.
    Failure(&'static str),
    /// Status 200 and this body.
    Says(&'static str),
    /// The connection is closed without an answer.
    Dropped,
    /// There is no answer, and the connection stays open.
    Stalled,
    /// The connection is closed after half of the body.
    Truncated,
    /// The connection is reset after half of the body.
    Reset,
    /// Half of the body comes, then nothing more, and the connection stays open.
    Hung,
    /// The body comes byte by byte, each as late as the others.
    Dripped,
    /// What answers does not speak HTTP.
    Garbled,
    /// This status and this body, whatever the service.
    Status(u16, &'static str),
    /// Status 403 from the storage service, as to an address whose time is over.
    Expired,
    /// One byte of the blob, or of each manifest, is another.
    Corrupted,
    /// The body holds this many bytes.
    Holds(usize),
    /// `Content-Length` says one more, and the connection is closed.
    TooLongALength,
    /// `Content-Length` says one less.
    TooShortALength,
    /// Another address of this machine is named.
    Redirected,
    /// The very address that was asked is named.
    RedirectedToItself,
    /// Nobody listens. Neither this nor the next three are this server's to do: whoever asks is to be sent elsewhere, or
    /// to ask in another way.
    Refused,
    /// Whoever listens does not speak TLS.
    NotTls,
    /// The name of the host has no address.
    Nameless,
    /// There are no credentials to sign the request with.
    Unsigned,
}

/// One request that was made.
#[derive(Debug, Clone)]
pub struct Call {
    pub action: String,
    /// What it said: JSON as it is, a form as an object.
    pub body: Value,
    pub target: String,
    headers: Vec<(String, String)>,
    pub began: Instant,
    /// When its answer was ready.
    pub ended: Option<Instant>,
    /// The answer's status; none where there was no answer.
    pub status: Option<u16>,
    /// What went wrong with it on purpose.
    pub fault: Option<Fault>,
}

impl Call {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether its address or its body has this word: a digest, a tag.
    pub fn names(&self, word: &str) -> bool {
        word.is_empty() || self.target.contains(word) || self.body.to_string().contains(word)
    }
}

#[derive(Debug)]
pub struct FakeAws {
    address: SocketAddr,
    world: Arc<World>,
}

impl FakeAws {
    /// Its threads end with the test.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(World::default());
        let shared = world.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let world = shared.clone();
                std::thread::spawn(move || {
                    match world.serve(&connection, address) {
                        End::Reset => world.reset(connection),
                        // A clone of it is kept elsewhere, so that it does not close by itself.
                        _ => drop(connection.shutdown(Shutdown::Both)),
                    }
                });
            }
        });
        Self { address, world }
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Fills a repository with what a layout holds by now.
    pub fn push(&self, repository: &str, layout: &Builder) {
        self.world.repositories.lock().unwrap().insert(repository.to_owned(), Repository::new(layout));
    }

    /// Makes repositories with nothing in them.
    pub fn create(&self, names: &[&str]) {
        let empty = names.iter().map(|name| ((*name).to_owned(), Repository::default()));
        self.world.repositories.lock().unwrap().extend(empty);
    }

    /// The resource tags of a repository.
    pub fn resource_tags(&self, repository: &str) -> Vec<(String, String)> {
        self.change(repository, |repository| repository.resource_tags.clone().into_iter().collect())
    }

    /// Fills a repository with so many indexes of one platform.
    pub fn push_indexes(&self, repository: &str, count: usize, architecture: &str) {
        let filled = Repository::of_indexes(count, architecture);
        self.world.repositories.lock().unwrap().insert(repository.to_owned(), filled);
    }

    /// Says when an image was pushed, in seconds since 1970.
    pub fn date(&self, repository: &str, digest: &str, seconds: i64) {
        self.change(repository, |repository| repository.pushed.insert(digest.to_owned(), seconds));
    }

    pub fn tag_resource(&self, repository: &str, key: &str, value: &str) {
        self.change(repository, |repository| repository.resource_tags.insert(key.to_owned(), value.to_owned()));
    }

    /// Puts an image tag on a digest.
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
        change(self.world.repositories.lock().unwrap().get_mut(name).expect("a repository that was pushed to"))
    }

    /// Has these calls of an action fail; the first one is 1.
    pub fn fail(&self, action: &'static str, calls: impl RangeBounds<usize>, fault: Fault) {
        self.fail_naming(action, "", calls, fault);
    }

    /// Has these calls fail of those of an action that name this: a digest, a tag. `BatchGetImage` answers truly of the
    /// others that it asks for.
    pub fn fail_naming(&self, action: &'static str, name: &str, calls: impl RangeBounds<usize>, fault: Fault) {
        let calls = (calls.start_bound().cloned(), calls.end_bound().cloned());
        self.world.plan.lock().unwrap().add(action, name, calls, fault);
    }

    /// Has pages hold as many entries; three, where nothing is said.
    pub fn page(&self, largest: usize) {
        *self.world.largest.lock().unwrap() = largest;
    }

    /// Has an action be throttled beyond so many calls a second, with bursts of a tenth of it.
    pub fn throttle(&self, action: &'static str, rate: f64) {
        self.world.throttles.lock().unwrap().insert(action, Throttle::new(rate));
    }

    /// Has it keep no requests any more, where there are too many of them.
    pub fn forget(&self) {
        self.world.is_forgetful.store(true, Ordering::Relaxed);
    }

    /// Has the event bus refuse the next events as too many.
    pub fn refuse_events(&self, events: usize) {
        self.world.bus.refuse(events);
    }

    /// Writes a line into the function's log.
    pub fn log(&self, line: String) {
        self.world.bus.write(line);
    }

    /// How many events were handed out so far.
    pub fn handed_out(&self) -> usize {
        self.world.lambda.handed_out()
    }

    /// Has every answer wait.
    pub fn delay(&self, delay: Duration) {
        *self.world.delay.lock().unwrap() = delay;
    }

    /// How late each byte of a body is that drips.
    pub fn pace(&self, pace: Duration) {
        *self.world.pace.lock().unwrap() = pace;
    }

    /// Closes every connection, as happens to those of a function that sleeps.
    pub fn hang_up(&self) {
        // One that the client has closed already is as good.
        self.world
            .connections
            .lock()
            .unwrap()
            .drain(..)
            .for_each(|connection| drop(connection.shutdown(Shutdown::Both)));
    }

    /// Every request, in the order of their arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.world.calls.lock().unwrap().clone()
    }

    /// The requests of one action.
    pub fn calls_of(&self, action: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.action == action).collect()
    }

    /// Hands an event to the function that serves this AWS, and waits for what becomes of it.
    pub fn invoke(&self, event: &str) -> Invocation {
        self.world.lambda.invoke(event)
    }
}
