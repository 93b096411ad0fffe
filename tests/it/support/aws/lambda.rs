//! The Lambda runtime API: hands out events one by one and keeps their results.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::http::{Reply, Request};

/// How long a test waits for the function, unless its time is set.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The result of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// `response` or `error`.
    pub outcome: String,
    pub body: String,
}

#[derive(Debug, Default)]
pub struct Lambda {
    queues: Mutex<Queues>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queues {
    events: VecDeque<String>,
    handed_out: usize,
    done: VecDeque<Invocation>,
    /// The time that an invocation has; almost forever, if `None`.
    time_left: Option<Duration>,
}

impl Lambda {
    /// Hands out an event and waits for its result.
    pub fn invoke(&self, event: &str) -> Invocation {
        let mut queues = self.lock();
        queues.events.push_back(event.to_owned());
        self.changed.notify_all();
        let waits = |queues: &mut Queues| queues.done.is_empty();
        let timeout = queues.time_left.unwrap_or(TIMEOUT);
        let (mut queues, waited) = self.changed.wait_timeout_while(queues, timeout, waits).unwrap();
        assert!(!waited.timed_out(), "the function does not answer");
        queues.done.pop_front().expect("it was waited for")
    }

    pub fn answer(&self, request: &Request) -> Reply {
        let mut queues = self.lock();
        if request.method == "GET" {
            let waits = |queues: &mut Queues| queues.events.is_empty();
            queues = self.changed.wait_timeout_while(queues, TIMEOUT, waits).unwrap().0;
            let Some(event) = queues.events.pop_front() else { return Reply::new(500, "") };
            queues.handed_out += 1;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            let deadline = queues.time_left.map_or(4_102_444_800_000, |left| (now + left).as_millis());
            return Reply::new(200, event)
                .with("lambda-runtime-aws-request-id", format!("invocation-{}", queues.handed_out))
                .with("lambda-runtime-deadline-ms", deadline.to_string())
                .with("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-west-2:123456789012:function:preflight")
                .with("content-type", "application/json");
        }
        let outcome = request.target.rsplit('/').next().unwrap_or_default().to_owned();
        queues.done.push_back(Invocation { outcome, body: String::from_utf8_lossy(&request.body).into_owned() });
        self.changed.notify_all();
        Reply::new(202, "{\"status\":\"OK\"}")
    }

    /// Hands out an event without waiting.
    pub fn put(&self, event: &str) {
        self.lock().events.push_back(event.to_owned());
        self.changed.notify_all();
    }

    /// Sets the time that each invocation has.
    pub fn set_time_left(&self, left: Duration) {
        self.lock().time_left = Some(left);
    }

    pub fn handed_out(&self) -> usize {
        self.lock().handed_out
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap()
    }
}
