//! `outgoing.*`: what sites may reach of private networks.

use aipress_drivers::local::firewall::Opening;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error as _;

/// Openings at most: each is a rule that every new connection of a site is held against.
const MOST: usize = 64;

/// What sites may reach of private networks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct OutgoingSettings {
    /// Ports of addresses that all sites may connect to, though they are private.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "as_texts",
        deserialize_with = "from_texts"
    )]
    pub(crate) allow: Vec<Opening>,
}

/// A list, or one text with commas, as a person types it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    List(Vec<String>),
}

fn as_texts<S: Serializer>(openings: &[Opening], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(openings.iter().map(ToString::to_string))
}

fn from_texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Opening>, D::Error> {
    let texts = match Written::deserialize(from) {
        Ok(Written::List(texts)) => texts,
        Ok(Written::Text(text)) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        Err(_) => {
            return Err(D::Error::custom("outgoing.allow is a list, such as [\"10.0.0.5:25\"]"));
        }
    };
    if texts.len() > MOST {
        return Err(D::Error::custom(format!("outgoing.allow takes {MOST} addresses at most")));
    }
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_or_what_a_person_types() {
        let read = |value| serde_json::from_value::<OutgoingSettings>(value);
        let list = read(json!({"allow": ["10.0.0.5:25", "[fd00::5]:587"]})).unwrap();
        assert_eq!(read(json!({"allow": "10.0.0.5:25, [fd00::5]:587"})).unwrap(), list);
        assert_eq!(
            serde_json::to_value(&list).unwrap(),
            json!({"allow": ["10.0.0.5:25", "[fd00::5]:587"]})
        );
        assert_eq!(serde_json::to_value(OutgoingSettings::default()).unwrap(), json!({}));
        for (wrong, says) in [
            (json!({"allow": "mail:25"}), "`mail:25`"),
            (json!({"allow": 25}), "is a list"),
            (json!({"allow": vec!["10.0.0.5:25"; 65]}), "64"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
