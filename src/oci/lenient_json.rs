//! Reading the JSON of strangers: what is odd counts as absent, and what is long is kept only up to a bound.
//!
//! Does not know what the documents mean. Four megabytes of `{},{},…` would take hundreds in memory, were they kept;
//! and one odd field must not hide all the others.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

pub(super) use crate::text::sanitize;

/// How much of a parser's complaint is shown, in characters: it may quote the document.
const MAX_PARSE_ERROR: usize = 200;

/// Reads a document that must be an object. (A derived structure would take a list of its fields as well.)
pub(super) fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        return Err("it is no JSON object".to_owned());
    }
    serde_json::from_slice(bytes).map_err(|error| sanitize(&error.to_string(), MAX_PARSE_ERROR))
}

/// A value of one kind; what is of another kind is read past and counts as absent.
pub(super) trait LenientValue: Default {
    /// Reads a value of whatever kind.
    fn deserialize_leniently<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor(PhantomData))
    }

    fn from_text(_: &str) -> Self {
        Self::default()
    }

    fn from_number(_: u64) -> Self {
        Self::default()
    }

    fn from_list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn from_map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

struct LenientVisitor<T>(PhantomData<T>);

impl<'de, T: LenientValue> Visitor<'de> for LenientVisitor<T> {
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
        Ok(T::from_number(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::from_text(text))
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<T, A::Error> {
        T::from_list(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::from_map(entries)
    }
}

/// A text.
#[derive(Debug, Default, Clone)]
pub(super) struct LenientString(pub(super) String);

impl LenientValue for LenientString {
    fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for LenientString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LenientValue::deserialize_leniently(deserializer)
    }
}

/// A whole number from 0.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct LenientNumber(pub(super) Option<u64>);

impl LenientValue for LenientNumber {
    fn from_number(number: u64) -> Self {
        Self(Some(number))
    }
}

impl<'de> Deserialize<'de> for LenientNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LenientValue::deserialize_leniently(deserializer)
    }
}

/// An object.
#[derive(Debug)]
pub(super) struct LenientObject<T>(pub(super) Option<T>);

impl<T> Default for LenientObject<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: DeserializeOwned> LenientValue for LenientObject<T> {
    fn from_map<'de, A: MapAccess<'de>>(entries: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(entries)).map(|object| Self(Some(object)))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for LenientObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LenientValue::deserialize_leniently(deserializer)
    }
}

/// A list of which at most `MOST` elements are kept, however many there are.
#[derive(Debug)]
pub(super) struct LenientList<T, const MOST: usize> {
    pub(super) items: Vec<T>,
    /// How many there were; `None` where there was no list.
    pub(super) total: Option<usize>,
}

impl<T, const MOST: usize> Default for LenientList<T, MOST> {
    fn default() -> Self {
        Self { items: Vec::new(), total: None }
    }
}

impl<T: DeserializeOwned, const MOST: usize> LenientValue for LenientList<T, MOST> {
    fn from_list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < MOST {
            let Some(element) = elements.next_element()? else { break };
            kept.push(element);
        }
        let mut total = kept.len();
        while elements.next_element::<IgnoredAny>()?.is_some() {
            total += 1;
        }
        Ok(Self { items: kept, total: Some(total) })
    }
}

impl<'de, T: DeserializeOwned, const MOST: usize> Deserialize<'de> for LenientList<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LenientValue::deserialize_leniently(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Wire {
        text: LenientString,
        number: LenientNumber,
        list: LenientList<LenientString, 2>,
        object: LenientObject<Inner>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        text: LenientString,
    }

    fn read(json: &str) -> Wire {
        parse_object(json.as_bytes()).unwrap()
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
            let LenientList { items: found, total: counted } = read(json).list;
            let found: Vec<String> = found.into_iter().map(|text| text.0).collect();
            assert_eq!((found, counted), (kept.into_iter().map(str::to_owned).collect(), total), "{json}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_in_few_words() {
        let deep = format!("{{\"text\":{}", "[".repeat(100_000));
        let twice = format!(r#"{{"text":"a","text":"{}"}}"#, "A".repeat(100_000));
        for bad in ["", "[]", "7", "null", "\"x\"", "{", "{}x", r#"{"list":[1,2}"#, &deep, &twice] {
            let error = parse_object::<Wire>(bad.as_bytes()).unwrap_err();
            assert!((1..=MAX_PARSE_ERROR).contains(&error.chars().count()), "{error}");
        }
    }

    #[test]
    fn texts_are_made_fit_to_be_shown() {
        assert_eq!(sanitize("a\u{1b}[31m\u{202e}\n\té", 100), "a\u{fffd}[31m\u{fffd}  é");
        assert_eq!(sanitize(&"é".repeat(1000), 3), "ééé");
    }
}
