//! JSON objects that are kept as they are: what clients keep with an account.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize as _};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::Problem;

/// How many bytes an object may have, as it was sent. Clients keep the answers to a few questions here.
pub const MAX_OBJECT_BYTES: usize = 32 * 1024;
/// How many values an object may have, in all of its levels together. Each takes a hundred bytes of memory.
pub const MAX_OBJECT_VALUES: usize = 1_000;
/// How many levels an object may have.
pub const MAX_OBJECT_DEPTH: usize = 16;

/// Reads one, in memory that is bounded by the limits above.
pub(super) fn read(text: &RawValue) -> Result<Map<String, Value>, Problem> {
    if !text.get().starts_with('{') {
        return Err(Problem::WrongType {
            wanted: "a JSON object",
        });
    }
    let too_large = || Problem::Unsuitable {
        reason: format!(
            "has at most {MAX_OBJECT_BYTES} bytes, {MAX_OBJECT_VALUES} values and {MAX_OBJECT_DEPTH} levels"
        ),
    };
    if text.get().len() > MAX_OBJECT_BYTES {
        return Err(too_large());
    }
    let left = Cell::new(MAX_OBJECT_VALUES);
    let bounded = Bounded {
        left: &left,
        depth: 0,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text.get());
    match bounded.deserialize(&mut deserializer) {
        Ok(Value::Object(map)) => Ok(map),
        // A limit was reached; other faults are in what the text says.
        Err(error) if !error.is_data() => Err(Problem::Unsuitable {
            reason: "has a number that is out of range, or an escape (\\u) that stands for no character"
                .to_owned(),
        }),
        Ok(_) | Err(_) => Err(too_large()),
    }
}

/// Reads a value as long as there are some left.
#[derive(Clone, Copy)]
struct Bounded<'a> {
    left: &'a Cell<usize>,
    depth: usize,
}

impl Bounded<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_OBJECT_DEPTH {
            return Err(E::custom("too deep"));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| D::Error::custom("too many"))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        value.serialize(serde_json::value::Serializer).map_err(E::custom)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            fields.insert(name, map.next_value_seed(inner)?);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Map<String, Value>, Problem> {
        read(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn objects_are_read_as_they_are() {
        let text = r#"{"a":[1,-2,2.5,null,true,"x"],"b":{"c":{}},"d":18446744073709551615}"#;
        let expected: Map<String, Value> = serde_json::from_str(text).unwrap();
        assert_eq!(read_text(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_value_is_not_told_as_too_large() {
        for text in [r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#, r#"{"a":[{"b":1e999}]}"#] {
            let Err(Problem::Unsuitable { reason }) = read_text(text) else {
                panic!("{text} was read");
            };
            assert!(
                reason.contains("out of range") && reason.contains("escape"),
                "{text}: {reason}"
            );
        }
    }

    #[test]
    fn large_ones_are_refused() {
        let many = |count: usize| format!("{{\"x\":[{}]}}", vec!["{}"; count].join(","));
        // The object and the list count, too.
        assert!(read_text(&many(MAX_OBJECT_VALUES - 2)).is_ok());
        let deep = |depth: usize| format!("{{\"x\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read_text(&deep(MAX_OBJECT_DEPTH - 1)).is_ok());
        let long = |bytes: usize| format!("{{\"x\":\"{}\"}}", "x".repeat(bytes - 8));
        assert!(read_text(&long(MAX_OBJECT_BYTES)).is_ok());
        for text in [
            many(MAX_OBJECT_VALUES - 1),
            deep(MAX_OBJECT_DEPTH),
            long(MAX_OBJECT_BYTES + 1),
        ] {
            let Err(Problem::Unsuitable { reason }) = read_text(&text) else {
                panic!("it was read");
            };
            assert!(reason.contains("has at most"), "{reason}");
        }
        for text in ["[]", "1", "\"x\"", "true"] {
            assert!(matches!(read_text(text), Err(Problem::WrongType { .. })));
        }
    }
}
