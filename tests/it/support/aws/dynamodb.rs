//! A table of Amazon DynamoDB with a partition key `pk` and a sort key `sk`: keys, pages, and the expressions that
//! conditions and updates need.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The attributes of an item, each with its type: `{"S": "text"}`.
pub type Item = Map<String, Value>;

/// The only table.
#[derive(Debug, Default)]
pub struct Dynamo {
    pub items: BTreeMap<(String, String), Item>,
    /// How many items a page of `Query` has; zero for all.
    pub page_size: usize,
    /// How many items of each further `BatchWriteItem` are not taken.
    pub unprocessed: usize,
}

/// An error: its code, and the item that made a condition fail.
pub type Failure = (&'static str, Option<Item>);

impl Dynamo {
    /// The response to an action; `None` for an action of another service.
    pub fn answer(&mut self, action: &str, body: &Value) -> Option<Result<Value, Failure>> {
        Some(match action {
            "GetItem" => {
                let item = self.items.get(&key(&body["Key"]));
                Ok(item.map_or_else(|| json!({}), |item| json!({ "Item": item })))
            }
            "PutItem" => {
                let item = body["Item"].as_object().unwrap().clone();
                let before = self.items.get(&key(&body["Item"])).cloned().unwrap_or_default();
                if holds(body, &before) {
                    self.items.insert(key(&body["Item"]), item);
                    Ok(json!({}))
                } else {
                    Err(("ConditionalCheckFailedException", None))
                }
            }
            "Query" => Ok(self.query(body)),
            "UpdateItem" => self.update(body),
            "BatchWriteItem" => Ok(self.write_batch(body)),
            _ => return None,
        })
    }

    fn query(&self, body: &Value) -> Value {
        let value = |name: &str| body["ExpressionAttributeValues"][name]["S"].as_str().unwrap_or_default();
        let has_prefix = match body["KeyConditionExpression"].as_str().unwrap() {
            "pk = :pk" => false,
            "pk = :pk AND begins_with(sk, :prefix)" => true,
            other => panic!("the fake does not know `{other}`"),
        };
        let prefix = if has_prefix { value(":prefix") } else { "" };
        let after = body.get("ExclusiveStartKey").map(key);
        let found = self.items.iter().filter(|((pk, sk), _)| pk == value(":pk") && sk.starts_with(prefix));
        let mut found: Vec<_> = found.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after)).collect();
        let mut page = json!({});
        if self.page_size > 0 && found.len() > self.page_size {
            found.truncate(self.page_size);
            let (pk, sk) = found.last().unwrap().0;
            page["LastEvaluatedKey"] = json!({"pk": {"S": pk}, "sk": {"S": sk}});
        }
        page["Items"] = found.into_iter().map(|(_, item)| item.clone()).collect::<Vec<_>>().into();
        page
    }

    fn update(&mut self, body: &Value) -> Result<Value, Failure> {
        let key = key(&body["Key"]);
        let old = self.items.get(&key).cloned();
        let before = old.clone().unwrap_or_default();
        let values = &body["ExpressionAttributeValues"];
        if !holds(body, &before) {
            let returns_item = body["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
            return Err(("ConditionalCheckFailedException", old.filter(|_| returns_item)));
        }
        let mut item = before.clone();
        item.extend(body["Key"].as_object().unwrap().clone());
        let expression = body["UpdateExpression"].as_str().unwrap();
        let (expression, removed) = expression.split_once(" REMOVE ").unwrap_or((expression, ""));
        removed.split(", ").for_each(|name| drop(item.remove(name)));
        {
            for assignment in split_assignments(expression.strip_prefix("SET ").expect("it begins with SET")) {
                let (name, value) = assignment.split_once(" = ").unwrap();
                let value = match value.strip_prefix("if_not_exists(").and_then(|rest| rest.strip_suffix(')')) {
                    Some(arguments) => {
                        let (attribute, default) = arguments.split_once(", ").unwrap();
                        before.get(attribute).unwrap_or(&values[default])
                    }
                    None => &values[value],
                };
                assert!(!value.is_null(), "`{assignment}` has no value");
                item.insert(name.to_owned(), value.clone());
            }
        }
        self.items.insert(key, item);
        let returned = (body["ReturnValues"] == "ALL_OLD").then_some(old).flatten();
        Ok(returned.map_or_else(|| json!({}), |old| json!({ "Attributes": old })))
    }

    fn write_batch(&mut self, body: &Value) -> Value {
        let (table, requests) = body["RequestItems"].as_object().unwrap().iter().next().unwrap();
        let requests = requests.as_array().unwrap();
        assert!((1..=25).contains(&requests.len()), "{} items at once", requests.len());
        let taken = requests.len().saturating_sub(std::mem::take(&mut self.unprocessed)).max(1);
        for request in &requests[..taken] {
            match request.get("PutRequest") {
                Some(put) => drop(self.items.insert(key(&put["Item"]), put["Item"].as_object().unwrap().clone())),
                None => drop(self.items.remove(&key(&request["DeleteRequest"]["Key"]))),
            }
        }
        let left = &requests[taken..];
        json!({"UnprocessedItems": if left.is_empty() { json!({}) } else { json!({ table: left }) }})
    }
}

/// Whether the condition of a write holds for the item that is there.
fn holds(body: &Value, before: &Item) -> bool {
    let Some(condition) = body["ConditionExpression"].as_str() else { return true };
    let tokens = tokens(condition);
    let mut parser = Parser { tokens: &tokens, item: before, values: &body["ExpressionAttributeValues"] };
    let holds = parser.any();
    assert!(parser.tokens.is_empty(), "the fake does not know `{condition}`");
    holds
}

/// The keys of an item.
fn key(item: &Value) -> (String, String) {
    let part = |name: &str| item[name]["S"].as_str().unwrap_or_else(|| panic!("no {name} in {item}")).to_owned();
    (part("pk"), part("sk"))
}

/// Splits at commas outside parentheses.
fn split_assignments(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn tokens(text: &str) -> Vec<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// A condition: `any := all (OR all)*`, `all := one (AND one)*`.
struct Parser<'a> {
    tokens: &'a [String],
    item: &'a Item,
    values: &'a Value,
}

impl Parser<'_> {
    fn take(&mut self) -> &str {
        let (first, rest) = self.tokens.split_first().expect("a further word");
        self.tokens = rest;
        first
    }

    fn take_if(&mut self, word: &str) -> bool {
        let is_next = self.tokens.first().is_some_and(|token| token == word);
        if is_next {
            self.take();
        }
        is_next
    }

    fn any(&mut self) -> bool {
        let mut result = self.all();
        while self.take_if("OR") {
            result |= self.all();
        }
        result
    }

    fn all(&mut self) -> bool {
        let mut result = self.one();
        while self.take_if("AND") {
            result &= self.one();
        }
        result
    }

    fn one(&mut self) -> bool {
        let first = self.take().to_owned();
        match first.as_str() {
            "(" => {
                let result = self.any();
                assert_eq!(self.take(), ")");
                result
            }
            "attribute_exists" | "attribute_not_exists" => {
                assert_eq!(self.take(), "(");
                let exists = self.item.contains_key(self.tokens[0].as_str());
                self.take();
                assert_eq!(self.take(), ")");
                exists == (first == "attribute_exists")
            }
            name => {
                let operator = self.take().to_owned();
                let right = self.values[self.take()].clone();
                // A missing attribute is different from every value and has no order.
                let Some(left) = self.item.get(name) else { return operator == "<>" };
                let numbers = |value: &Value| value["N"].as_str().map(|number| number.parse::<u64>().unwrap());
                match operator.as_str() {
                    "=" => *left == right,
                    "<>" => *left != right,
                    "<=" => numbers(left) <= numbers(&right),
                    "<" => numbers(left) < numbers(&right),
                    other => panic!("the fake does not know `{other}`"),
                }
            }
        }
    }
}
