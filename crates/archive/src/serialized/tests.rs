//! Lengths are right as if PHP had done it, and what is broken stays text.

use proptest::prelude::*;

use super::*;

/// A value of PHP, and how it is serialized.
#[derive(Debug, Clone)]
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    /// A serialization within a string.
    Packed(Box<Value>),
    Array(Vec<(String, Value)>),
    Object(String, Vec<(String, Value)>),
}

fn serialize(value: &Value) -> String {
    let text = |text: &str| format!("s:{}:\"{text}\";", text.len());
    let pairs = |pairs: &[(String, Value)]| -> String {
        pairs.iter().map(|(key, value)| text(key) + &serialize(value)).collect()
    };
    match value {
        Value::Null => "N;".to_owned(),
        Value::Bool(on) => format!("b:{};", u8::from(*on)),
        Value::Int(number) => format!("i:{number};"),
        Value::Text(content) => text(content),
        Value::Packed(inner) => text(&serialize(inner)),
        Value::Array(items) => format!("a:{}:{{{}}}", items.len(), pairs(items)),
        Value::Object(class, items) => {
            format!("O:{}:\"{class}\":{}:{{{}}}", class.len(), items.len(), pairs(items))
        }
    }
}

/// The same value with `old` replaced in its texts, as unserializing and serializing would.
fn with(value: &Value, old: &str, new: &str) -> Value {
    let pairs = |items: &[(String, Value)]| {
        items.iter().map(|(key, value)| (key.clone(), with(value, old, new))).collect()
    };
    match value {
        Value::Text(text) => Value::Text(text.replace(old, new)),
        Value::Packed(inner) => Value::Packed(Box::new(with(inner, old, new))),
        Value::Array(items) => Value::Array(pairs(items)),
        Value::Object(class, items) => Value::Object(class.clone(), pairs(items)),
        other => other.clone(),
    }
}

fn replacing(old: &'static str, new: &'static str) -> impl Fn(&[u8]) -> Option<Vec<u8>> {
    move |text| {
        let text = std::str::from_utf8(text).ok()?;
        text.contains(old).then(|| text.replace(old, new).into_bytes())
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        "[a-zä\"';:{}0-9 ]{0,20}".prop_map(Value::Text),
        "[a-zé\"; ]{0,8}OLD[a-z\"}]{0,8}(OLD)?".prop_map(Value::Text),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        let items = prop::collection::vec(("[a-z_OLD]{1,8}", inner.clone()), 0..6);
        prop_oneof![
            items.clone().prop_map(Value::Array),
            ("[A-Z][a-z_]{0,9}", items).prop_map(|(class, items)| Value::Object(class, items)),
            inner
                .prop_filter("a serialization that begins like one", |inner| {
                    looks_serialized(serialize(inner).as_bytes())
                })
                .prop_map(|inner| Value::Packed(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn lengths_are_right_as_if_it_had_been_unserialized(value in values()) {
        for new in ["NEWER-AND-LONGER", "", "é"] {
            let change = move |text: &[u8]| {
                let text = std::str::from_utf8(text).ok()?;
                text.contains("OLD").then(|| text.replace("OLD", new).into_bytes())
            };
            let plain = serialize(&value);
            prop_assume!(looks_serialized(plain.as_bytes()));
            let found = rewritten(plain.as_bytes(), &change).into_owned();
            let wanted = serialize(&with(&value, "OLD", new));
            prop_assert_eq!(String::from_utf8(found).unwrap(), wanted);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = rewrite(&bytes, &replacing("a", "bb"));
        let begun = [b"a:2:{i:0;s:3:\"", &bytes[..]].concat();
        let _ = rewrite(&begun, &replacing("a", "bb"));
    }
}

#[test]
fn what_is_broken_is_plain_text() {
    // Its length is wrong already: WordPress reads it as text, and so it is treated.
    let change = replacing("OLD", "NEWER");
    let found = rewrite(b"a:1:{i:0;s:9:\"OLD\";}", &change).unwrap();
    assert_eq!(found, b"a:1:{i:0;s:9:\"NEWER\";}");
    assert_eq!(rewrite(b"text OLD", &change).unwrap(), b"text NEWER");
    assert_eq!(rewrite(b"a:1:{i:0;s:1:\"x\";}", &change), None);
}

#[test]
fn keys_classes_and_foreign_formats_stay() {
    let change = replacing("OLD", "NEWER");
    let kept = br#"a:2:{s:3:"OLD";i:1;i:0;O:3:"OLD":0:{}}"#;
    assert_eq!(rewrite(kept, &change), None);
    let own = br#"a:2:{i:0;C:3:"Own":5:{OLD;}}i:1;s:3:"OLD";}"#;
    let wanted = br#"a:2:{i:0;C:3:"Own":5:{OLD;}}i:1;s:5:"NEWER";}"#;
    assert_eq!(rewrite(own, &change).unwrap(), wanted);
}

#[test]
fn deep_nesting_ends() {
    let deep = "a:1:{i:0;".repeat(5_000) + "s:3:\"OLD\";" + &"}".repeat(5_000);
    assert!(rewrite(deep.as_bytes(), &replacing("OLD", "N")).is_some());
}
