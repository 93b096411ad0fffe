//! `EventBridge` and CloudWatch Logs as an audit needs them: events go to the function, and its log lines can be read.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::ACCOUNT;
use super::lambda::Lambda;

/// The lines of a log page: few, so that there are several pages.
const PAGE: usize = 3;

#[derive(Debug, Default)]
pub struct Bus {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    put: usize,
    /// Whether events are accepted, but not delivered.
    is_held: bool,
    /// How many events are still refused before any is accepted.
    refusals: usize,
    /// Time in milliseconds since 1970, and the line.
    log: Vec<(u64, String)>,
}

impl Bus {
    /// Refuses the next events due to throttling.
    pub fn refuse(&self, events: usize) {
        self.state.lock().unwrap().refusals = events;
    }

    /// Delivers no event from now on.
    pub fn hold(&self) {
        self.state.lock().unwrap().is_held = true;
    }

    /// Adds a log line of the function.
    pub fn write(&self, line: String) {
        self.state.lock().unwrap().log.push((now(), line));
    }

    /// `PutEvents`: up to ten events, each accepted or refused on its own.
    pub fn put(&self, body: &Value, lambda: &Lambda) -> Value {
        let mut state = self.state.lock().unwrap();
        let entries = body["Entries"].as_array().unwrap();
        assert!((1..=10).contains(&entries.len()), "{} events at once", entries.len());
        let mut results = Vec::new();
        for entry in entries {
            if state.refusals > 0 {
                state.refusals -= 1;
                results.push(json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "service message"}));
                continue;
            }
            state.put += 1;
            let id = format!("event-{}", state.put);
            let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            let event = json!({"version": "0", "id": id, "source": entry["Source"], "detail-type": entry["DetailType"],
                "account": ACCOUNT, "region": "us-west-2", "time": "2026-11-16T01:54:34Z",
                "resources": entry["Resources"], "detail": detail});
            if !state.is_held {
                lambda.put(&event.to_string());
            }
            results.push(json!({"EventId": id}));
        }
        let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
        json!({"FailedEntryCount": failed, "Entries": results})
    }

    /// `FilterLogEvents` of the only log group; the filter pattern is not applied.
    pub fn read(&self, body: &Value) -> Result<Value, &'static str> {
        if body["logGroupName"] != "/aws/lambda/ecr-preflight" {
            return Err("ResourceNotFoundException");
        }
        assert!(body["filterPattern"].as_str().is_some_and(|pattern| pattern.starts_with("{ ")), "{body}");
        let state = self.state.lock().unwrap();
        let from = body["startTime"].as_u64().unwrap();
        let all: Vec<_> = state.log.iter().filter(|(time, _)| *time >= from).collect();
        let start = body["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let end = all.len().min(start + PAGE);
        let event = |(time, line): &&(u64, String)| json!({"timestamp": time, "message": line, "logStreamName": "1"});
        let events: Vec<Value> = all[start..end].iter().map(event).collect();
        let next = (end < all.len()).then(|| end.to_string());
        Ok(json!({"events": events, "nextToken": next, "searchedLogStreams": []}))
    }
}

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
