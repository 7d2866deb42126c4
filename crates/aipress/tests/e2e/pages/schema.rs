//! As much of JSON Schema as our own schemas use, to check examples.

use serde_json::Value;

/// What of `value` is not as `schema` (a part of `whole`) says.
pub(super) fn complaints(whole: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(whole, schema, value, "", &mut found);
    found
}

fn check(whole: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    check_as(whole, schema, value, (place, true), found);
}

/// `is_whole` when the schema is all that is said of the value: then a field that it does not list
/// is unknown. One of several that hold together does not know the fields of the others.
fn check_as(
    whole: &Value,
    schema: &Value,
    value: &Value,
    (place, is_whole): (&str, bool),
    found: &mut Vec<String>,
) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = whole.pointer(reference.trim_start_matches('#'));
        let target = target.unwrap_or_else(|| panic!("{reference} leads nowhere"));
        check_as(whole, target, value, (place, is_whole), found);
        return;
    }
    for one in schema["allOf"].as_array().into_iter().flatten() {
        check_as(whole, one, value, (place, false), found);
    }
    let is_whole = is_whole && schema["allOf"].is_null();
    for choice in ["oneOf", "anyOf"] {
        let Some(choices) = schema[choice].as_array() else { continue };
        let fits = |one: &Value| {
            let mut found = Vec::new();
            let is_whole = is_whole && schema["properties"].is_null();
            check_as(whole, one, value, (place, is_whole), &mut found);
            found.is_empty()
        };
        if !choices.iter().any(fits) {
            found.push(format!("{place}: none of the choices: {value}"));
        }
    }
    if !has_type(&schema["type"], value) {
        found.push(format!("{place}: {} is wanted, not {value}", schema["type"]));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{place}: {value} is none of {}", schema["enum"]));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        found.push(format!("{place}: {} is wanted, not {value}", schema["const"]));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            found.push(format!("{place}: `{name}` is missing"));
        }
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        match schema["properties"].get(name) {
            Some(schema) => check(whole, schema, field, &place, found),
            None if schema["additionalProperties"].is_object() => {
                check(whole, &schema["additionalProperties"], field, &place, found);
            }
            // A schema that lists its fields means all of them.
            None if schema["properties"].is_object() && is_whole => {
                found.push(format!("{place}: unknown field"));
            }
            None => {}
        }
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        if schema["items"].is_object() {
            check(whole, &schema["items"], item, &format!("{place}/{at}"), found);
        }
    }
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match wanted {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::complaints;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_found() {
        let whole = json!({"$defs": {"Name": {"type": "string"}}});
        let schema = json!({"type": "object", "required": ["name"], "properties": {
            "name": {"$ref": "#/$defs/Name"}, "tier": {"enum": ["bronze", "gold"]},
            "list": {"type": "array", "items": {"type": ["integer", "null"]}}}});
        let wrong = |value| complaints(&whole, &schema, &value).join("; ");
        assert_eq!(wrong(json!({"name": "x", "tier": "gold", "list": [1, null]})), "");
        assert!(wrong(json!({})).contains("`name` is missing"));
        assert!(wrong(json!({"name": 1})).contains("/name: \"string\" is wanted"));
        assert!(wrong(json!({"name": "x", "tier": "tin"})).contains("/tier"));
        assert!(wrong(json!({"name": "x", "list": ["a"]})).contains("/list/0"));
        assert!(wrong(json!({"name": "x", "teir": 1})).contains("/teir: unknown field"));
    }
}
