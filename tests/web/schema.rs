//! The part of JSON Schema that the description of the API uses.

use serde_json::{Map, Value};

/// Keywords that no value can violate.
const ANNOTATIONS: [&str; 4] = ["title", "description", "default", "format"];

/// Checks `value` against `schema`, a part of `document`. Members that the schema does not have
/// are wrong. The error says what differs.
pub fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let Value::Object(keywords) = schema else {
        return Err(format!("{schema} is no schema"));
    };
    keywords
        .iter()
        .try_for_each(|(keyword, wanted)| check_keyword(document, keywords, keyword, wanted, value))
        .map_err(|why| if why.len() < 2000 { format!("{why} in {value}") } else { why })
}

fn check_keyword(
    document: &Value,
    schema: &Map<String, Value>,
    keyword: &str,
    wanted: &Value,
    value: &Value,
) -> Result<(), String> {
    let list = || wanted.as_array().into_iter().flatten();
    let matching = || list().filter(|one| check(document, one, value).is_ok()).count();
    let right = match keyword {
        "$ref" => {
            let place = wanted.as_str().unwrap().strip_prefix('#').unwrap();
            return check(document, document.pointer(place).ok_or("no such schema")?, value);
        }
        "type" => match wanted {
            Value::Array(types) => types.iter().any(|one| has_type(one, value)),
            one => has_type(one, value),
        },
        "enum" => list().any(|one| one == value),
        "const" => wanted == value,
        "anyOf" => matching() > 0,
        "oneOf" => matching() == 1,
        "minimum" => value.as_f64().is_none_or(|value| Some(value) >= wanted.as_f64()),
        "maximum" => value.as_f64().is_none_or(|value| Some(value) <= wanted.as_f64()),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= number(wanted)),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= number(wanted)),
        "items" => {
            let mut items = value.as_array().into_iter().flatten();
            return items.try_for_each(|item| check(document, wanted, item));
        }
        "required" => {
            let mut names = list().filter_map(Value::as_str);
            names.all(|name| value.get(name).is_some())
        }
        "properties" => return members(document, schema, value),
        "additionalProperties" => {
            schema.contains_key("properties") || {
                let members = value.as_object().into_iter().flat_map(Map::values);
                return members.into_iter().try_for_each(|one| check(document, wanted, one));
            }
        }
        annotation if ANNOTATIONS.contains(&annotation) => true,
        unknown => return Err(format!("the keyword {unknown} is not known")),
    };
    if right { Ok(()) } else { Err(format!("{keyword} {wanted} does not hold")) }
}

fn members(document: &Value, schema: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let Some(members) = value.as_object() else {
        return Ok(());
    };
    for (name, member) in members {
        let described = schema["properties"].get(name);
        let described = described.ok_or_else(|| format!("{name} is not described"))?;
        check(document, described, member).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn has_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    }
}

#[test]
fn differences_from_a_schema_are_found() {
    let document = serde_json::json!({"a": {
        "type": "object",
        "properties": {"n": {"type": ["integer", "null"], "minimum": 0}, "s": {"enum": ["x"]}},
        "required": ["n"],
    }});
    let lists = serde_json::json!({"type": "array", "items": {"$ref": "#/a"}, "maxItems": 2});
    for (value, right) in [
        (r#"[]"#, true),
        (r#"[{"n": 1, "s": "x"}, {"n": null}]"#, true),
        (r#"[{"n": 1}, {"n": 1}, {"n": 1}]"#, false),
        (r#"[{"s": "x"}]"#, false),
        (r#"[{"n": -1}]"#, false),
        (r#"[{"n": 1.5}]"#, false),
        (r#"[{"n": 1, "s": "y"}]"#, false),
        (r#"[{"n": 1, "more": 1}]"#, false),
        (r#"{}"#, false),
    ] {
        let checked = check(&document, &lists, &serde_json::from_str(value).unwrap());
        assert_eq!(checked.is_ok(), right, "{value}: {checked:?}");
    }
}
