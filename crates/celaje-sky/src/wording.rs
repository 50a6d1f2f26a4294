//! What is wrong with a TOML file, in the reader's language: the libraries that read it speak
//! English, and of Rust's types.

use crate::say;
use crate::text::Text;

/// A mistake in the form of the file, as the parser of TOML says it.
pub fn of_form(message: &str) -> Text {
    const SPANISH: [(&str, &str); 13] = [
        ("duplicate key", "la clave figura dos veces"),
        ("key with no value", "la clave no tiene valor; escriba clave = valor"),
        ("missing value", "falta el valor"),
        ("missing key", "falta la clave"),
        ("unquoted string", "los textos van entre comillas"),
        ("string values must be quoted", "los textos van entre comillas"),
        ("unclosed table", "falta cerrar la tabla con ]"),
        ("unclosed array", "falta cerrar la lista con ]"),
        ("unclosed inline table", "falta cerrar la tabla con }"),
        ("unclosed", "falta cerrarlo"),
        ("invalid key", "la clave no es válida"),
        ("invalid basic string", "el texto no está bien escrito"),
        ("unexpected", "hay algo de más"),
    ];
    let found = SPANISH.iter().find(|(start, _)| message.starts_with(start));
    let es = found.map_or("no es TOML válido", |(_, es)| es);
    say!("{message}", "{es}")
}

/// How `valid_minutes` that are none are refused.
const MINUTES: &str = "valid minutes must be one or more numbers from 0 to 59, not ";

/// A key or a value that is not understood, as serde says it of the text `written`. What Celaje
/// itself says is in the reader's language already.
pub fn of_meaning(message: &str, written: &str) -> Text {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (name, known) =
        quoted.split_first().map_or(("", &quoted[..]), |(name, known)| (*name, known));
    let list = known.join(", ");
    let near = nearest(name, known);
    if message.starts_with("unknown field") {
        return match near {
            Some(near) => say!(
                "there is no key '{name}'; did you mean '{near}'?",
                "no existe la clave '{name}'; ¿quiso decir '{near}'?"
            ),
            None => say!(
                "there is no key '{name}' here; there are {list}",
                "aquí no existe la clave '{name}'; existen {list}"
            ),
        };
    }
    if message.starts_with("unknown variant") {
        return match near {
            Some(near) => say!(
                "'{name}' is not known; did you mean '{near}'?",
                "no se conoce '{name}'; ¿quiso decir '{near}'?"
            ),
            None => say!(
                "'{name}' is not known; write one of {list}",
                "no se conoce '{name}'; escriba uno de {list}"
            ),
        };
    }
    if message.starts_with("missing field") {
        return say!("the key '{name}' is missing", "falta la clave '{name}'");
    }
    if message.starts_with("duplicate field") {
        return say!("the key '{name}' is there twice", "la clave '{name}' figura dos veces");
    }
    if let Some(found) = message.strip_prefix(MINUTES) {
        return say!("{message}", "deben ser uno o más números de 0 a 59, no {found}");
    }
    if let Some((found, wanted)) = message
        .strip_prefix("invalid length ")
        .and_then(|rest| rest.split_once(", expected an array of length "))
    {
        return say!(
            "it has {found} values, and must have {wanted}",
            "tiene {found} valores y debe tener {wanted}"
        );
    }
    let types = ["invalid type: ", "invalid value: "];
    let rest = types.iter().find_map(|start| message.strip_prefix(start));
    match rest.and_then(|rest| rest.split_once(", expected ")) {
        Some((found, wanted)) => {
            let (found, wanted) = (found_words(found, written), wanted_words(wanted));
            let (en, es) = (found.en, found.es);
            let (must, debe) = (wanted.en, wanted.es);
            say!("it is {en}, and must be {must}", "es {es}, y debe ser {debe}")
        }
        None => say!("{message}", "{message}"),
    }
}

/// What stands in the file, without its text, which may be a secret.
fn found_words(found: &str, written: &str) -> Text {
    let number = found.split('`').nth(1).unwrap_or_default();
    match found.split([' ', '`']).next().unwrap_or_default() {
        "integer" | "floating" | "boolean" => say!("{number}", "{number}"),
        "string" => say!("a text", "un texto"),
        // TOML's dates and times are tables to the library.
        "map" if written.starts_with(|c: char| c.is_ascii_digit()) => {
            say!("a date or a time", "una fecha o una hora")
        }
        "map" => say!("a table", "una tabla"),
        "sequence" => say!("a list", "una lista"),
        _ => say!("something else", "otra cosa"),
    }
}

fn wanted_words(wanted: &str) -> Text {
    let has = |parts: &[&str]| parts.iter().any(|part| wanted.contains(part));
    match wanted {
        "usize" | "u8" | "u16" | "u32" | "u64" => {
            say!("a whole number, 0 or more", "un número entero, 0 o más")
        }
        "i8" | "i16" | "i32" | "i64" => say!("a whole number", "un número entero"),
        "f32" | "f64" => say!("a number", "un número"),
        _ if has(&["boolean"]) => say!("true or false", "true o false"),
        _ if has(&["sequence", "array", "tuple", "list"]) => say!("a list", "una lista"),
        _ if has(&["struct", "map", "table"]) => say!("a table", "una tabla"),
        _ if has(&["string", "str", "path"]) => say!("a text", "un texto"),
        _ => say!("of another kind", "de otro tipo"),
    }
}

/// The name among `known` that was meant, if one is near enough.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let most = (name.chars().count() / 3).max(1);
    let distance = |other: &str| strsim::osa_distance(name, other);
    let near = known.iter().copied().min_by_key(|other| distance(other))?;
    let begins = |other: &&&str| name.len() >= 3 && other.starts_with(name);
    (distance(near) <= most).then_some(near).or_else(|| known.iter().find(begins).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_asked() {
        let known = ["id", "name", "latitude", "longitude", "time_zone", "url_base"];
        for (name, near) in [
            ("di", Some("id")),
            ("lat", Some("latitude")),
            ("timezone", Some("time_zone")),
            ("url-base", Some("url_base")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, &known), near, "{name}");
        }
        let told = of_meaning("unknown field `lattitude`, expected one of `id`, `latitude`", "1");
        assert_eq!(told.en, "there is no key 'lattitude'; did you mean 'latitude'?");
        assert_eq!(told.es, "no existe la clave 'lattitude'; ¿quiso decir 'latitude'?");
    }
}
