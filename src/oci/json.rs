//! Reading the JSON of strangers: what is odd counts as absent, and what is long is kept only up to a bound.
//!
//! Does not know what the documents mean. Four megabytes of `{},{},…` would take hundreds in memory, were they kept;
//! and one odd field must not hide all the others.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

pub(super) use crate::text::printable;

/// How much of a parser's complaint is shown, in characters: it may quote the document.
const MAX_COMPLAINT: usize = 200;

/// Reads a document that must be an object. (A derived structure would take a list of its fields as well.)
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        return Err("it is no JSON object".to_owned());
    }
    serde_json::from_slice(bytes).map_err(|error| printable(&error.to_string(), MAX_COMPLAINT))
}

/// A value of one kind; what is of another kind is read past and counts as absent.
pub(super) trait Shape: Default {
    /// Reads a value of whatever kind.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }

    fn text(_: &str) -> Self {
        Self::default()
    }

    fn number(_: u64) -> Self {
        Self::default()
    }

    fn list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Shape> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<T, A::Error> {
        T::list(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::map(entries)
    }
}

/// A text.
#[derive(Debug, Default, Clone)]
pub(super) struct Text(pub(super) String);

impl Shape for Text {
    fn text(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Shape::read(deserializer)
    }
}

/// A whole number from 0.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Number(pub(super) Option<u64>);

impl Shape for Number {
    fn number(number: u64) -> Self {
        Self(Some(number))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Shape::read(deserializer)
    }
}

/// An object.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: DeserializeOwned> Shape for Object<T> {
    fn map<'de, A: MapAccess<'de>>(entries: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(|object| Self(Some(object)))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Shape::read(deserializer)
    }
}

/// A list of which at most `MOST` elements are kept, however many there are.
#[derive(Debug)]
pub(super) struct List<T, const MOST: usize> {
    pub(super) kept: Vec<T>,
    /// How many there were; `None` where there was no list.
    pub(super) total: Option<usize>,
}

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self { kept: Vec::new(), total: None }
    }
}

impl<T: DeserializeOwned, const MOST: usize> Shape for List<T, MOST> {
    fn list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < MOST {
            let Some(element) = elements.next_element()? else { break };
            kept.push(element);
        }
        let mut total = kept.len();
        while elements.next_element::<IgnoredAny>()?.is_some() {
            total += 1;
        }
        Ok(Self { kept, total: Some(total) })
    }
}

impl<'de, T: DeserializeOwned, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Shape::read(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Wire {
        text: Text,
        number: Number,
        list: List<Text, 2>,
        object: Object<Inner>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        text: Text,
    }

    fn read(json: &str) -> Wire {
        object(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_of_another_kind_counts_as_absent() {
        for odd in ["7", "-7", "7.5", "true", "null", "\"a\"", "[{\"a\":[]}]", "{\"text\":{\"a\":[1]}}"] {
            let wire = read(&format!(r#"{{"number":{odd},"text":{odd},"object":{odd},"list":{odd}}}"#));
            assert_eq!(wire.text.0, if odd == "\"a\"" { "a" } else { "" }, "{odd}");
            assert_eq!(wire.number.0, (odd == "7").then_some(7), "{odd}");
            assert_eq!(wire.list.total, odd.starts_with('[').then_some(1), "{odd}");
            assert_eq!(wire.object.0.map(|inner| inner.text.0), odd.starts_with('{').then(String::new), "{odd}");
        }
    }

    #[test]
    fn lists_are_counted_whole_but_kept_in_part() {
        for (json, kept, total) in [
            (r#"{"list":["1","2","3","4"]}"#, vec!["1", "2"], Some(4)),
            (r#"{"list":["1",2]}"#, vec!["1", ""], Some(2)),
            (r#"{"list":[]}"#, vec![], Some(0)),
            ("{}", vec![], None),
        ] {
            let List { kept: found, total: counted } = read(json).list;
            let found: Vec<String> = found.into_iter().map(|text| text.0).collect();
            assert_eq!((found, counted), (kept.into_iter().map(str::to_owned).collect(), total), "{json}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_in_few_words() {
        let deep = format!("{{\"text\":{}", "[".repeat(100_000));
        let twice = format!(r#"{{"text":"a","text":"{}"}}"#, "A".repeat(100_000));
        for bad in ["", "[]", "7", "null", "\"x\"", "{", "{}x", r#"{"list":[1,2}"#, &deep, &twice] {
            let error = object::<Wire>(bad.as_bytes()).unwrap_err();
            assert!((1..=MAX_COMPLAINT).contains(&error.chars().count()), "{error}");
        }
    }

    #[test]
    fn texts_are_made_fit_to_be_shown() {
        assert_eq!(printable("a\u{1b}[31m\u{202e}\n\té", 100), "a\u{fffd}[31m\u{fffd}  é");
        assert_eq!(printable(&"é".repeat(1000), 3), "ééé");
    }
}
