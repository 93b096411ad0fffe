//! Parses JSON documents whose keys must be written exactly as defined.
//!
//! Go's `encoding/json`, with which container runtimes read manifests and configs, also accepts keys that differ in case,
//! and the last key of several wins ("Unmarshal": "preferring an exact match but also accepting a case-insensitive
//! match"). Serde ignores such keys. A document with one would mean one image here and another to the runtime, so it is
//! invalid, like a document with a repeated key. containerd 1.6, Docker Engine 20.10 and skopeo 1.9 all run the layers of
//! a `Layers` that follows `layers`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Parses a document. The fields of derived structs must be written exactly; other keys may be anything, as in Go.
///
/// # Errors
/// The document is not valid, or a key differs from a field only in case.
pub(crate) fn parse_exact<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut document = serde_json::Deserializer::from_slice(bytes);
    let value = ExactSeed::<T>::default().deserialize(&mut document)?;
    document.end()?;
    Ok(value)
}

/// Parses the entries of an object that a visitor has begun to read.
pub(crate) fn parse_exact_map<'de, T: Deserialize<'de>, A: MapAccess<'de>>(entries: A) -> Result<T, A::Error> {
    ExactSeed::<T>::default().deserialize(MapAccessDeserializer::new(entries))
}

/// Returns whether Go takes a key for this field (`foldName` in `src/encoding/json/fold.go`). Field names are ASCII, and
/// two other characters fold to ASCII letters: the long s and the Kelvin sign.
fn is_same_in_go(key: &str, field: &str) -> bool {
    let fold = |c: char| match c {
        'ſ' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(field.chars().map(fold))
}

struct ExactSeed<T>(PhantomData<T>);

impl<T> Default for ExactSeed<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for ExactSeed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::deserialize(ExactDeserializer(deserializer))
    }
}

/// Deserializer that checks the keys of structs.
struct ExactDeserializer<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ExactDeserializer<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(ExactVisitor { fields: &[], visitor })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, ExactVisitor { fields, visitor })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(ExactVisitor { fields: &[], visitor })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier
    }
}

/// Visitor that refuses a key that differs from one of the fields only in case.
struct ExactVisitor<V> {
    fields: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for ExactVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.visitor.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<V::Value, E> {
        self.visitor.visit_i64(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<V::Value, E> {
        self.visitor.visit_u64(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<V::Value, E> {
        self.visitor.visit_f64(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.visitor.visit_str(text)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(ExactDeserializer(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(ExactElements(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(ExactEntries { fields: self.fields, entries })
    }
}

/// The elements of a list, each parsed exactly.
struct ExactElements<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for ExactElements<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(ExactNested(seed))
    }
}

/// The entries of an object, whose keys are checked and whose values are parsed exactly.
struct ExactEntries<A> {
    fields: &'static [&'static str],
    entries: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for ExactEntries<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(key) = self.entries.next_key::<String>()? else { return Ok(None) };
        if let Some(field) = self.fields.iter().find(|field| **field != key && is_same_in_go(&key, field)) {
            return Err(A::Error::custom(format_args!("the key `{key}` differs from `{field}` only in case")));
        }
        seed.deserialize(StrDeserializer::<A::Error>::new(&key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.entries.next_value_seed(ExactNested(seed))
    }
}

/// Seed whose value is parsed exactly.
struct ExactNested<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for ExactNested<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(ExactDeserializer(deserializer))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Document {
        media_type: String,
        layers: Vec<Layer>,
        config: Option<Layer>,
        annotations: BTreeMap<String, String>,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Layer {
        size: Option<u64>,
        kind: String,
    }

    #[test]
    fn other_keys_may_be_anything() {
        let json = r#"{"mediaType":"a","extra":{"Layers":1},"layers":[{"size":7,"kind":"k","Other":null}],"config":{"size":null},
            "annotations":{"A":"1","a":"2","LAYERS":"3"}}"#;
        let document = parse_exact::<Document>(json.as_bytes()).unwrap();
        let annotations = [("A", "1"), ("LAYERS", "3"), ("a", "2")].map(|(key, value)| (key.into(), value.into()));
        let expected = Document {
            media_type: "a".to_owned(),
            layers: vec![Layer { size: Some(7), kind: "k".to_owned() }],
            config: Some(Layer::default()),
            annotations: annotations.into(),
        };
        assert_eq!(document, expected);
    }

    #[test]
    fn key_that_differs_only_in_case_is_refused_at_every_level() {
        for json in [
            r#"{"MediaType":"a"}"#, r#"{"mediatype":"a"}"#, r#"{"layers":[],"Layers":[]}"#, r#"{"layerſ":[]}"#,
            r#"{"layers":[{"Size":7}]}"#, r#"{"layers":[{"\u212aind":"k"}]}"#, r#"{"config":{"SIZE":7}}"#,
        ] {
            let error = parse_exact::<Document>(json.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("only in case"), "{json}: {error}");
        }
        for json in ["", "{}x", r#"{"mediaType":"a","mediaType":"a"}"#, r#"{"layers":[7]}"#] {
            assert!(parse_exact::<Document>(json.as_bytes()).is_err(), "{json}");
        }
    }
}
