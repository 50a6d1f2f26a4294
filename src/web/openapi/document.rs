//! Routes to OpenAPI 3.1.

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::web::legacy::Detail;
use crate::web::openapi::operation::{DescribedAnswer, Operation, Tag};
use crate::web::problem::{MEDIA_TYPE, ProblemBody, ProblemCode};
use crate::web::query::{Parameter, Values};
use crate::web::routes::DescribedRoute;

const ABOUT: &str = "The record of cloud cover of a sky camera, and the program that keeps it. \
    Moments are the station's clock unless they say UTC. HEAD is answered wherever GET is. Lists \
    are JSON, CSV or JSON lines, by Accept or by the ending .json, .csv or .jsonl of the path. \
    Errors are application/problem+json (RFC 9457) in the language of Accept-Language (es, en); at \
    the replaced system's paths they are {\"detail\": …} in Spanish, as its clients expect.";

/// A date, or a minute.
const MOMENT: &str = r"^\d{4}-\d\d-\d\d(T\d\d:\d\d)?$";

/// The parts of paths.
const PARTS: &[Parameter] = &[
    Parameter::new("station", Values::Text, "id of a station").like("rio-grande"),
    Parameter::new("slot", Values::Text, "a slot of the station's clock, YYYY-MM-DDTHH:MM")
        .like("2024-01-31T08:02"),
    Parameter::new("run", Values::Text, "number of a run").like("1"),
    Parameter::new("job", Values::Text, "number of a backfill").like("1"),
];

/// The whole description.
pub(super) fn of(routes: &[DescribedRoute]) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let problem = schemas.subschema_for::<ProblemBody<'_>>();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let described = method(route, &mut schemas);
        paths.entry(&route.path).or_default().insert(route.method.to_owned(), described);
    }
    let tags = Tag::ALL.map(|tag| json!({"name": tag.name(), "description": tag.heading()}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Celaje",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            "description": ABOUT,
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": problems(&json!(problem)),
            "schemas": schemas.take_definitions(true),
        },
    })
}

fn method(route: &DescribedRoute, schemas: &mut SchemaGenerator) -> Value {
    let operation = &route.operation;
    let mut described = json!({
        "tags": [operation.tag.name()],
        "summary": operation.summary,
        "parameters": parameters(&route.path, operation),
        "responses": responses(&route.path, operation, schemas),
    });
    if let Some(details) = operation.details {
        described["description"] = json!(details);
    }
    if operation.needs_token {
        described["security"] = json!([{"token": []}]);
    }
    if let Some((schema, example)) = operation.body {
        let example: Value = serde_json::from_str(example).unwrap_or_default();
        let content = json!({"schema": schema(schemas), "example": example});
        described["requestBody"] =
            json!({"required": true, "content": {"application/json": content}});
    }
    if let Some(usual) = &route.form_of {
        described["x-form-of"] = json!(usual);
    }
    described
}

fn parameters(path: &str, operation: &Operation) -> Vec<Value> {
    let parts = path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let known = || operation.parts.iter().chain(PARTS);
    let parts = parts.map(|name| match known().find(|part| part.name == name) {
        Some(part) => parameter(part, "path"),
        None => parameter(&Parameter::new("?", Values::Text, "not described"), "path"),
    });
    parts
        .chain(operation.query.iter().map(|query| parameter(query, "query")))
        .chain(operation.headers.iter().map(|header| parameter(header, "header")))
        .collect()
}

fn parameter(parameter: &Parameter, place: &str) -> Value {
    let mut described = json!({
        "name": parameter.name,
        "in": place,
        "required": place == "path",
        "description": parameter.meaning,
        "schema": match parameter.values {
            Values::Text => json!({"type": "string"}),
            Values::Moment => json!({"type": "string", "pattern": MOMENT}),
            Values::Choice(names) => json!({"type": "string", "enum": names()}),
            Values::Choices(names) => {
                json!({"type": "array", "items": {"type": "string", "enum": names()}})
            }
            Values::Number { least, most, usual: None } => {
                json!({"type": "integer", "minimum": least, "maximum": most})
            }
            Values::Number { least, most, usual } => {
                json!({"type": "integer", "minimum": least, "maximum": most, "default": usual})
            }
        },
    });
    if let Values::Choices(_) = parameter.values {
        // With commas between them.
        described["explode"] = json!(false);
    }
    if let Some(example) = parameter.example {
        described["example"] = json!(example);
    }
    described
}

/// The answers and problems of an operation, by status.
fn responses(path: &str, operation: &Operation, schemas: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for problem in &operation.problems {
        let (status, ..) = problem.row();
        // Its clients know no problems.
        let described = match operation.tag {
            Tag::ReplacedSystem => json!({
                "description": status.canonical_reason(),
                "content": {"application/json": {"schema": schemas.subschema_for::<Detail>()}},
            }),
            _ => json!({"$ref": format!("#/components/responses/{}", status.as_u16())}),
        };
        responses.insert(status.as_u16().to_string(), described);
    }
    for answer in &operation.answers {
        let mut described = response(path, answer, schemas);
        let status = answer.status.to_string();
        if responses.contains_key(&status) && operation.tag != Tag::ReplacedSystem {
            described["content"][MEDIA_TYPE] =
                json!({"schema": schemas.subschema_for::<ProblemBody<'_>>()});
        }
        responses.insert(status, described);
    }
    Value::Object(responses)
}

fn response(path: &str, answer: &DescribedAnswer, schemas: &mut SchemaGenerator) -> Value {
    let mut contents = Map::new();
    for (media, schema) in &answer.contents {
        if !is_of_ending(path, media) {
            continue;
        }
        let content = match schema {
            Some(schema) => json!({"schema": schema(schemas)}),
            None => json!({}),
        };
        contents.insert((*media).to_owned(), content);
    }
    let mut described = json!({"description": answer.meaning});
    if !contents.is_empty() {
        described["content"] = Value::Object(contents);
    }
    described
}

/// Whether a path may give this media type: the ending of a list's path names one.
fn is_of_ending(path: &str, media: &str) -> bool {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv") => media == "text/csv",
        Some("jsonl") => media == "application/jsonl",
        Some("json") => media == "application/json",
        Some("parquet") => media == "application/vnd.apache.parquet",
        Some("nc") => media == "application/netcdf",
        _ => true,
    }
}

/// The response of each status that stands for problems.
fn problems(schema: &Value) -> Value {
    let mut meanings: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for problem in ProblemCode::ALL {
        let (status, code, meaning) = problem.row();
        meanings.entry(status.as_u16()).or_default().push(format!("{code}: {}", meaning.en));
    }
    let content = json!({MEDIA_TYPE: {"schema": schema}});
    let responses = meanings.into_iter().map(|(status, meanings)| {
        let described = json!({"description": meanings.join("; "), "content": content});
        (status.to_string(), described)
    });
    Value::Object(responses.collect())
}
