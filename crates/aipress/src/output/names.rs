//! `-o name`: what a thing is called, one on each line, for other commands.

use serde_json::Value;

use crate::exit::Failure;

/// Fields that name a thing, the best first.
const FIELDS: [&str; 5] = ["name", "id", "hash", "version", "uid"];

/// The names in `value`, a thing or a list of them.
///
/// # Errors
/// When it has none.
pub(super) fn of(value: &Value) -> Result<String, Failure> {
    let things = match value {
        Value::Array(things) => things.as_slice(),
        thing => std::slice::from_ref(thing),
    };
    let mut text = String::new();
    for thing in things {
        let name = thing
            .as_str()
            .or_else(|| FIELDS.iter().find_map(|field| thing.get(*field).and_then(Value::as_str)));
        let name = name.ok_or_else(|| {
            Failure::Usage("what this prints has no names: use -o json".to_owned())
        })?;
        text.push_str(name);
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_one_on_a_line() {
        let things = json!([{"uid": "u", "name": "bakery"}, {"id": "aipress-shard-001"}, "plain"]);
        assert_eq!(of(&things).unwrap(), "bakery\naipress-shard-001\nplain\n");
        assert_eq!(of(&json!([])).unwrap(), "");
        assert!(of(&json!({"status": "ok"})).is_err());
    }
}
