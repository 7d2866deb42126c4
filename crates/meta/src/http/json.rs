//! Bodies: JSON into wire types, with complaints that name the field (RFC 6901) and, for a field
//! that is not known, the one that was probably meant.

use aipress_types::FieldError;
use aipress_types::strict;
use aipress_types::strict::ReadError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::codes;
use crate::problem::ApiError;

/// Complaints in one answer at most.
const COMPLAINTS_MAX: usize = 20;
/// A name that is this similar is suggested (Jaro–Winkler, 0 to 1).
const SIMILAR: f64 = 0.8;

/// The body as `T`. An empty one counts as `{}`: verbs without a body need none.
pub(crate) fn decode<T: Serialize + DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return from_value(Value::Object(serde_json::Map::new()), "");
    }
    from_value(parse(body)?, "")
}

/// The body as JSON in which no name is given twice.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = strict::read(&mut reader).and_then(|value| match reader.end() {
        Ok(()) => Ok(value),
        Err(error) => Err(ReadError::Format(error)),
    });
    read.map_err(|error| match error {
        ReadError::Twice(pointer) => ApiError::field(&pointer, "is given twice: keep one of them"),
        ReadError::TooMany => ApiError::new(&codes::INVALID_JSON, error.to_string()),
        ReadError::Format(error) => ApiError::new(
            &codes::INVALID_JSON,
            format!("line {}, column {}: {}", error.line(), error.column(), kind(&error)),
        ),
    })
}

/// A verb that takes nothing but an empty object.
pub(crate) fn decode_nothing(body: &[u8]) -> Result<(), ApiError> {
    #[derive(Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    if body.trim_ascii() == b"null" {
        return Ok(());
    }
    decode::<Nothing>(body).map(drop)
}

/// The JSON parser's words without the input, which may hold a secret.
fn kind(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "the JSON ends too early",
        serde_json::error::Category::Syntax => "a syntax error, or nested too deeply",
        serde_json::error::Category::Io | serde_json::error::Category::Data => "not readable",
    }
}

/// `value` as `T`; pointers of complaints start with `base`.
pub(crate) fn from_value<T: Serialize + DeserializeOwned>(
    mut value: Value,
    base: &str,
) -> Result<T, ApiError> {
    let mut complaints: Vec<FieldError> = Vec::new();
    loop {
        // The value is consumed by each attempt; bodies are small.
        let error = match serde_path_to_error::deserialize(value.clone()) {
            Ok(decoded) => {
                complaints.extend(positional(&decoded, &value, base));
                return if complaints.is_empty() {
                    Ok(decoded)
                } else {
                    Err(ApiError::fields(complaints))
                };
            }
            Err(error) => error,
        };
        let text = error.inner().to_string();
        let path = pointer(error.path().iter());
        let Some(unknown) = unknown_field(&text) else {
            let words = unknown_word::<T>(&text, &value, &path).unwrap_or(text);
            complaints.push(FieldError::new(format!("{base}{path}"), words));
            return Err(ApiError::fields(complaints));
        };
        // The path of an unknown field is that of its object, or its own.
        let object = path
            .strip_suffix(&format!("/{}", escape(unknown.name)))
            .filter(|_| value.pointer(&path).is_some())
            .unwrap_or(&path)
            .to_owned();
        complaints.push(FieldError::new(
            format!("{base}{object}/{}", escape(unknown.name)),
            unknown.complaint(),
        ));
        // Without it the rest can be looked at, so that all complaints come at once.
        let removed = value
            .pointer_mut(&object)
            .and_then(Value::as_object_mut)
            .and_then(|fields| fields.remove(unknown.name));
        if removed.is_none() || complaints.len() >= COMPLAINTS_MAX {
            return Err(ApiError::fields(complaints));
        }
    }
}

/// Serde takes an array for an object, its fields in their order; an API must not: a field that is
/// added later would change its meaning.
fn positional<T: Serialize>(decoded: &T, value: &Value, base: &str) -> Option<FieldError> {
    fn find(decoded: &Value, given: &Value, at: &str) -> Option<(String, &'static str)> {
        match (decoded, given) {
            (Value::Object(_), Value::Array(_)) => {
                Some((at.to_owned(), "invalid type: an array, expected an object"))
            }
            // Serde takes `{"gold": null}` for the word `gold`.
            (Value::String(_), Value::Object(_)) => {
                Some((at.to_owned(), "invalid type: an object, expected a string"))
            }
            (Value::Object(decoded), Value::Object(given)) => {
                given.iter().find_map(|(key, value)| {
                    find(decoded.get(key)?, value, &format!("{at}/{}", escape(key)))
                })
            }
            (Value::Array(decoded), Value::Array(given)) => {
                decoded.iter().zip(given).enumerate().find_map(|(index, (decoded, value))| {
                    find(decoded, value, &format!("{at}/{index}"))
                })
            }
            _ => None,
        }
    }
    let decoded = serde_json::to_value(decoded).ok()?;
    find(&decoded, value, base).map(|(at, words)| FieldError::new(at, words))
}

struct UnknownField<'a> {
    name: &'a str,
    known: Vec<&'a str>,
}

/// Takes serde's words apart: ``unknown field `a`, expected one of `b`, `c` ``. Pinned by a test.
fn unknown_field(text: &str) -> Option<UnknownField<'_>> {
    let rest = text.strip_prefix("unknown field `")?;
    let (name, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).collect();
    Some(UnknownField { name, known })
}

/// Says of a field that is one of some words which ones it takes, where serde complains of another
/// word or of what is no word at all. Pinned by a test that walks all such fields of a document.
fn unknown_word<T: DeserializeOwned>(text: &str, value: &Value, path: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix("unknown variant `") {
        let (word, rest) = rest.split_once("`, ")?;
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let allowed = known.join(", ");
        return Some(match closest(word, &known) {
            Some(meant) => format!("is one of {allowed}: did you mean `{meant}`?"),
            None => format!("is one of {allowed}, not `{word}`"),
        });
    }
    // What is no word is not told apart from other wrong types, but a wrong word in its place is.
    if !text.starts_with("invalid type: ") {
        return None;
    }
    let mut with_word = value.clone();
    *with_word.pointer_mut(path)? = Value::from("");
    let error = serde_path_to_error::deserialize::<_, T>(with_word).err()?;
    let known = error.inner().to_string();
    let known = known.strip_prefix("unknown variant ``, ")?;
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    (pointer(error.path().iter()) == path)
        .then(|| format!("is one of {}, as a string", known.join(", ")))
}

impl UnknownField<'_> {
    fn complaint(&self) -> String {
        let name = self.name;
        match closest(name, &self.known) {
            Some(meant) => format!("unknown field `{name}`: did you mean `{meant}`?"),
            None if self.known.is_empty() => format!("unknown field `{name}`: none is taken here"),
            None => format!("unknown field `{name}`: known are {}", self.known.join(", ")),
        }
    }
}

/// The known word that was probably meant.
pub(crate) fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let similarity =
        |other: &str| strsim::jaro_winkler(&word.to_lowercase(), &other.to_lowercase());
    known
        .iter()
        .map(|other| (similarity(other), *other))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

fn pointer<'a>(segments: impl Iterator<Item = &'a Segment>) -> String {
    let mut out = String::new();
    for segment in segments {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("/{index}")),
            Segment::Map { key } => out.push_str(&format!("/{}", escape(key))),
            Segment::Enum { variant } => out.push_str(&format!("/{}", escape(variant))),
            Segment::Unknown => {}
        }
    }
    out
}

/// RFC 6901 section 3.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aipress_api::TenantCreate;

    fn complaints(body: &str) -> Vec<(String, String)> {
        let error = decode::<TenantCreate>(body.as_bytes()).unwrap_err();
        error.errors().iter().map(|e| (e.pointer.clone(), e.detail.clone())).collect()
    }

    #[test]
    fn unknown_fields_are_all_named_with_what_was_meant() {
        let found = complaints(
            r#"{"name":"abc","titel":1,"spec":{"teir":"gold","wordpress":{"Title":"x","zzz":1}}}"#,
        );
        let pointers: Vec<&str> = found.iter().map(|(p, _)| p.as_str()).collect();
        assert!(pointers.contains(&"/titel"), "{found:?}");
        assert!(pointers.contains(&"/spec/teir"), "{found:?}");
        assert!(pointers.contains(&"/spec/wordpress/Title"), "{found:?}");
        assert!(pointers.contains(&"/spec/wordpress/zzz"), "{found:?}");
        let detail = |at: &str| &found.iter().find(|(p, _)| p == at).unwrap().1;
        assert_eq!(detail("/spec/teir"), "unknown field `teir`: did you mean `tier`?");
        assert!(detail("/spec/wordpress/Title").contains("did you mean `title`?"));
        assert!(detail("/spec/wordpress/zzz").contains("known are version, title"));
    }

    #[test]
    fn wrong_types_name_their_field() {
        for (body, pointer) in [
            (r#"{"name":5}"#, "/name"),
            (r#"{"name":"abc","spec":[]}"#, "/spec"),
            (r#"{"name":"abc","spec":{"tier":"platinum"}}"#, "/spec/tier"),
            (r#"{"name":"abc","spec":{"tier":7}}"#, "/spec/tier"),
            (r#"{"name":"abc","spec":{"wordpress":{"title":{}}}}"#, "/spec/wordpress/title"),
            (r#"{"spec":{}}"#, ""),
            (r#"[1]"#, "/0"),
            (r#"["abc"]"#, ""),
            (r#"{"name":"abc","spec":{"wordpress":["7.1"]}}"#, "/spec/wordpress"),
            (r#"{"name":"abc","spec":{"tier":{"gold":null}}}"#, "/spec/tier"),
        ] {
            assert_eq!(complaints(body)[0].0, pointer, "{body}");
        }
    }

    #[test]
    fn a_word_that_is_not_taken_is_answered_with_those_that_are() {
        for (tier, words) in [
            (r#""platinum""#, "is one of bronze, silver, gold, not `platinum`"),
            (r#""sliver""#, "is one of bronze, silver, gold: did you mean `silver`?"),
            ("7", "is one of bronze, silver, gold, as a string"),
            ("[]", "is one of bronze, silver, gold, as a string"),
            ("null", "is one of bronze, silver, gold, as a string"),
        ] {
            let body = format!(r#"{{"name":"abc","spec":{{"tier":{tier}}}}}"#);
            assert_eq!(complaints(&body)[0].1, words, "{body}");
        }
    }

    #[test]
    fn a_field_that_is_given_twice_is_refused() {
        let found = complaints(r#"{"name":"abc","spec":{"tier":"gold","tier":"bronze"}}"#);
        assert_eq!(found[0].0, "/spec/tier");
        assert!(found[0].1.contains("twice"), "{found:?}");
    }

    #[test]
    fn what_is_no_json_is_400() {
        for body in ["{", "nonsense", "{\"name\":}", "\u{0}", "{} {}"] {
            let error = decode::<TenantCreate>(body.as_bytes()).unwrap_err();
            assert_eq!(error.code(), "invalid_json", "{body}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(decode::<TenantCreate>(deep.as_bytes()).unwrap_err().code(), "invalid_json");
    }
}
