//! The actions of Amazon ECS that describe what a deployment starts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Service revisions and task definitions, by ARN.
#[derive(Debug, Default)]
pub struct Ecs {
    pub revisions: BTreeMap<String, Value>,
    pub definitions: BTreeMap<String, Value>,
}

impl Ecs {
    /// The response to an action, or the code of its error; `None` for an action of another service.
    pub fn answer(&self, action: &str, body: &Value) -> Option<Result<Value, &'static str>> {
        // Then the tasks and services of the account are asked for.
        if self.revisions.is_empty() && self.definitions.is_empty() {
            return None;
        }
        match action {
            "DescribeServiceRevisions" => {
                let arns: Vec<&str> =
                    body["serviceRevisionArns"].as_array()?.iter().filter_map(Value::as_str).collect();
                let (known, unknown): (Vec<&str>, Vec<&str>) =
                    arns.into_iter().partition(|arn| self.revisions.contains_key(*arn));
                let failures: Vec<Value> = unknown.iter().map(|arn| json!({"arn": arn, "reason": "MISSING"})).collect();
                let revisions: Vec<&Value> = known.iter().map(|arn| &self.revisions[*arn]).collect();
                Some(Ok(json!({"serviceRevisions": revisions, "failures": failures})))
            }
            "DescribeTaskDefinition" => {
                let definition = self.definitions.get(body["taskDefinition"].as_str()?);
                Some(
                    definition
                        .map(|definition| json!({"taskDefinition": definition, "tags": []}))
                        .ok_or("ClientException"),
                )
            }
            _ => None,
        }
    }
}
