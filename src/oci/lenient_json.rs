//! Parses untrusted JSON leniently: a value of an unexpected type counts as missing, so it does not make other fields
//! unreadable. Lists are truncated, because four megabytes of `{},{},…` would need hundreds of megabytes of memory.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::exact_json::{parse_exact, parse_exact_map};
use crate::text::sanitize;

/// How many characters of a parser's message are kept: it may quote the document.
const MAX_PARSE_ERROR: usize = 200;

/// Parses a document that must be an object (a derived implementation accepts lists too), with the keys written exactly
/// as the fields. The error is truncated.
pub(super) fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        return Err("not a JSON object".to_owned());
    }
    parse_exact(bytes).map_err(|error| sanitize(&error.to_string(), MAX_PARSE_ERROR))
}

/// A type that is parsed from one kind of value; any other kind is skipped and gives the default.
pub(super) trait LenientValue: Default {
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

/// Visits a value of any kind.
pub(super) struct LenientVisitor<T>(pub(super) PhantomData<T>);

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

/// Implements `Deserialize` for types that implement [`LenientValue`]. The generic parameters precede each type.
macro_rules! deserialize_leniently {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {$(
        impl<'de, $($generics)*> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let visitor = $crate::oci::lenient_json::LenientVisitor(std::marker::PhantomData);
                deserializer.deserialize_any(visitor)
            }
        }
    )*};
}

pub(super) use deserialize_leniently;

deserialize_leniently!(
    [] LenientString,
    [] LenientNumber,
    [T: DeserializeOwned + Default] LenientObject<T>,
    [T: DeserializeOwned + Default, const MAX: usize] LenientList<T, MAX>,
);

/// A string; empty by default.
#[derive(Debug, Default, Clone)]
pub(super) struct LenientString(pub(super) String);

impl LenientValue for LenientString {
    fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A non-negative whole number.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct LenientNumber(pub(super) Option<u64>);

impl LenientValue for LenientNumber {
    fn from_number(number: u64) -> Self {
        Self(Some(number))
    }
}

/// An object.
#[derive(Debug, Default)]
pub(super) struct LenientObject<T>(pub(super) Option<T>);

impl<T: DeserializeOwned + Default> LenientValue for LenientObject<T> {
    fn from_map<'de, A: MapAccess<'de>>(entries: A) -> Result<Self, A::Error> {
        parse_exact_map(entries).map(|object| Self(Some(object)))
    }
}

/// The first elements of a list, at most `MAX`.
#[derive(Debug, Default)]
pub(super) struct LenientList<T, const MAX: usize> {
    pub(super) items: Vec<T>,
    /// The number of elements in the document; `None` if it is not a list.
    pub(super) total: Option<usize>,
}

impl<T: DeserializeOwned + Default, const MAX: usize> LenientValue for LenientList<T, MAX> {
    fn from_list<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<Self, A::Error> {
        let mut items = Vec::new();
        while items.len() < MAX {
            let Some(item) = elements.next_element()? else { break };
            items.push(item);
        }
        let mut total = items.len();
        while elements.next_element::<IgnoredAny>()?.is_some() {
            total += 1;
        }
        Ok(Self { items, total: Some(total) })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

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
    fn values_of_another_kind_count_as_missing() {
        for odd in ["7", "-7", "7.5", "true", "null", "\"a\"", "[{\"a\":[]}]", "{\"text\":{\"a\":[1]}}"] {
            let wire = read(&format!(r#"{{"number":{odd},"text":{odd},"object":{odd},"list":{odd}}}"#));
            assert_eq!(wire.text.0, if odd == "\"a\"" { "a" } else { "" }, "{odd}");
            assert_eq!(wire.number.0, (odd == "7").then_some(7), "{odd}");
            assert_eq!(wire.list.total, odd.starts_with('[').then_some(1), "{odd}");
            assert_eq!(wire.object.0.map(|inner| inner.text.0), odd.starts_with('{').then(String::new), "{odd}");
        }
    }

    #[test]
    fn lists_are_counted_in_full_but_kept_in_part() {
        for (json, kept, total) in [
            (r#"{"list":["1","2","3","4"]}"#, vec!["1", "2"], Some(4)),
            (r#"{"list":["1",2]}"#, vec!["1", ""], Some(2)),
            (r#"{"list":[]}"#, vec![], Some(0)),
            ("{}", vec![], None),
        ] {
            let list = read(json).list;
            let items: Vec<&str> = list.items.iter().map(|text| text.0.as_str()).collect();
            assert_eq!((items, list.total), (kept, total), "{json}");
        }
    }

    #[test]
    fn invalid_documents_are_rejected_with_a_short_message() {
        let deep = format!("{{\"text\":{}", "[".repeat(100_000));
        let twice = format!(r#"{{"text":"a","text":"{}"}}"#, "A".repeat(100_000));
        for bad in ["", "[]", "7", "null", "\"x\"", "{", "{}x", r#"{"list":[1,2}"#, &deep, &twice] {
            let error = parse_object::<Wire>(bad.as_bytes()).unwrap_err();
            assert!((1..=MAX_PARSE_ERROR).contains(&error.chars().count()), "{error}");
        }
    }
}
