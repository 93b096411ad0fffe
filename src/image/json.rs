//! Reading the JSON of strangers: only objects, and lists only up to a bound.
//!
//! Does not know what the documents mean.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

/// Reads a document that must be an object. (A derived structure would take a list of its fields as well.)
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        return Err(serde::de::Error::custom("it is no JSON object"));
    }
    serde_json::from_slice(bytes)
}

/// A text; anything else in its place counts as none, so that one odd field does not hide all the others.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Value")]
pub(super) struct Text(pub(super) String);

impl From<Value> for Text {
    fn from(value: Value) -> Self {
        Self(if let Value::String(text) = value { text } else { String::new() })
    }
}

/// A list of which at most `MOST` elements are kept, however many there are: four megabytes of `{},{},…` would
/// otherwise take hundreds in memory. `null` is an empty list.
#[derive(Debug)]
pub(super) struct List<T, const MOST: usize> {
    pub(super) kept: Vec<T>,
    /// How many there were.
    pub(super) total: usize,
}

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self { kept: Vec::new(), total: 0 }
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T, const MOST: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Elements<T, MOST> {
            type Value = List<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(List::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
                let mut list = List::default();
                while list.kept.len() < MOST {
                    let Some(element) = elements.next_element()? else { break };
                    list.kept.push(element);
                }
                list.total = list.kept.len();
                while elements.next_element::<IgnoredAny>()?.is_some() {
                    list.total += 1;
                }
                Ok(list)
            }
        }

        deserializer.deserialize_any(Elements(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Wire {
        text: Text,
        list: List<u8, 2>,
    }

    #[test]
    fn lists_are_counted_whole_but_kept_in_part() {
        for (json, kept, total) in [
            (r#"{"list":[1,2,3,4]}"#, vec![1, 2], 4),
            (r#"{"list":[1,2]}"#, vec![1, 2], 2),
            (r#"{"list":[1]}"#, vec![1], 1),
            (r#"{"list":null}"#, vec![], 0),
            ("{}", vec![], 0),
        ] {
            let list = object::<Wire>(json.as_bytes()).unwrap().list;
            assert_eq!((list.kept, list.total), (kept, total), "{json}");
        }
    }

    #[test]
    fn odd_texts_are_none_and_odd_documents_are_refused() {
        for (json, text) in [(r#"{"text":"a"}"#, "a"), (r#"{"text":7}"#, ""), (r#"{"text":{"a":[]}}"#, "")] {
            assert_eq!(object::<Wire>(json.as_bytes()).unwrap().text.0, text);
        }
        let deep = format!("{{\"text\":{}", "[".repeat(100_000));
        for bad in ["", "[]", "7", "null", "\"x\"", "{", "{}x", r#"{"list":{}}"#, r#"{"list":[1,2,"x"}"#, &deep] {
            assert!(object::<Wire>(bad.as_bytes()).is_err());
        }
    }
}
