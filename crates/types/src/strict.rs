//! JSON values, read strictly from any format: a name that is given twice is refused (RFC 8259
//! section 4 leaves open which one counts, so that two readers may disagree), and so is more than
//! a bound of values (a YAML document of 1 KB can stand for gigabytes by its aliases).

use std::cell::RefCell;
use std::fmt;

use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;

/// Values in one document at most; the largest that makes sense has some hundreds.
pub const VALUES_MAX: usize = 20_000;

/// Bytes of all texts of one document at most, each alias counted.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a document was not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError<E> {
    /// The name at this JSON pointer is given twice.
    #[error("`{0}` is given twice: keep one of them")]
    Twice(String),
    /// More than [`VALUES_MAX`] values or [`BYTES_MAX`] bytes.
    #[error("it has more than {VALUES_MAX} values, or more than {BYTES_MAX} bytes of text")]
    TooMany,
    /// The format's own complaint.
    #[error(transparent)]
    Format(E),
}

/// Reads a whole document.
///
/// # Errors
/// See [`ReadError`].
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, ReadError<D::Error>> {
    let reading = RefCell::new(Reading {
        left: VALUES_MAX,
        left_bytes: BYTES_MAX,
        path: Vec::new(),
        twice: None,
    });
    match (Seed(&reading)).deserialize(deserializer) {
        Ok(value) => Ok(value),
        Err(error) => {
            let reading = reading.into_inner();
            Err(match reading.twice {
                Some(pointer) => ReadError::Twice(pointer),
                None if reading.left == 0 => ReadError::TooMany,
                None => ReadError::Format(error),
            })
        }
    }
}

struct Reading {
    left: usize,
    left_bytes: usize,
    path: Vec<String>,
    twice: Option<String>,
}

#[derive(Clone, Copy)]
struct Seed<'a>(&'a RefCell<Reading>);

impl Seed<'_> {
    fn enter(self, name: String) {
        self.0.borrow_mut().path.push(name);
    }

    fn leave(self) {
        self.0.borrow_mut().path.pop();
    }

    fn twice<E: Error>(self, name: &str) -> E {
        let mut reading = self.0.borrow_mut();
        let path: String = reading
            .path
            .iter()
            .map(String::as_str)
            .chain([name])
            .fold(String::new(), |path, name| path + "/" + &crate::spec::escape(name));
        reading.twice = Some(path);
        E::custom("a name is given twice")
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        {
            let mut reading = self.0.borrow_mut();
            let Some(left) = reading.left.checked_sub(1).filter(|left| *left > 0) else {
                reading.left = 0;
                return Err(D::Error::custom("too many values"));
            };
            reading.left = left;
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        // JSON has neither infinity nor "not a number"; YAML does.
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that JSON does not have"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        let mut reading = self.0.borrow_mut();
        let Some(left) = reading.left_bytes.checked_sub(value.len()) else {
            reading.left = 0;
            return Err(E::custom("too much text"));
        };
        reading.left_bytes = left;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            self.enter(list.len().to_string());
            let next = items.next_element_seed(self)?;
            self.leave();
            match next {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(self.twice(&name));
            }
            self.enter(name.clone());
            let value = fields.next_value_seed(self)?;
            self.leave();
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Value, ReadError<serde_json::Error>> {
        read(&mut serde_json::Deserializer::from_str(text))
    }

    #[test]
    fn what_is_plain_is_read_as_ever() {
        for text in [r#"{"a":[1,-2,2.5,null,true,"x",{"b":{}}],"c":[]}"#, "null", "[]", "3"] {
            assert_eq!(json(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
    }

    #[test]
    fn a_name_that_comes_twice_is_named() {
        for (text, pointer) in [
            (r#"{"a":1,"a":1}"#, "/a"),
            (r#"{"x":[{},{"y/z":{"a":1,"b":2,"a":3}}]}"#, "/x/1/y~1z/a"),
            (r#"{"a":{"a":1},"b":{"a":1},"b":2}"#, "/b"),
        ] {
            match json(text) {
                Err(ReadError::Twice(at)) => assert_eq!(at, pointer, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn there_is_an_end_to_values() {
        let many = format!("[{}0]", "0,".repeat(VALUES_MAX));
        assert!(matches!(json(&many), Err(ReadError::TooMany)));
        assert!(matches!(json("[1,"), Err(ReadError::Format(_))));
    }
}
