//! Parses and checks a manifest.

use crate::model::manifest::{Kind, Manifest, OBSTRUCTED};
use celaje_sky::confidence::Calibration;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::text::Text;
use celaje_sky::wording;

/// Allowed sides of a network's input, in pixels.
const SIDES: std::ops::RangeInclusive<u32> = 16..=4096;

/// Parses the text of the manifest `file` and checks it.
///
/// # Errors
/// A failure that names the file, the line or key, and what is allowed.
pub fn parse(text: &str, file: &str) -> Result<Manifest> {
    let mistake = |error: &toml::de::Error, words: fn(&str, &str) -> Text| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let written = error.span().and_then(|span| text.get(span)).unwrap_or_default();
        let Text { en, es } = words(&error.message().replace('\n', " "), written);
        Failure::environment(say!(
            "the manifest {file} has a mistake in line {line}: {en}",
            "el manifiesto {file} tiene un error en la línea {line}: {es}"
        ))
    };
    // First its form: the parser has other words for it than for what the keys mean.
    toml::from_str::<toml::Table>(text)
        .map_err(|error| mistake(&error, |message, _| wording::of_form(message)))?;
    let manifest: Manifest =
        toml::from_str(text).map_err(|error| mistake(&error, wording::of_meaning))?;
    match complaint(&manifest) {
        None => Ok(manifest),
        Some(what) => {
            let Text { en, es } = what;
            Err(Failure::environment(say!(
                "the manifest {file}: {en}",
                "el manifiesto {file}: {es}"
            )))
        }
    }
}

/// The line (from 1) of the byte `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// The first mistake in a manifest.
fn complaint(manifest: &Manifest) -> Option<Text> {
    if manifest.name.trim().is_empty() {
        return Some(say!("name is empty", "name está vacío"));
    }
    if let Some(hash) = &manifest.sha256
        && (hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Some(say!(
            "sha256 = \"{hash}\" is no SHA-256; write its 64 hexadecimal digits or leave it out",
            "sha256 = \"{hash}\" no es un SHA-256; escriba sus 64 dígitos hexadecimales u omítalo"
        ));
    }
    let input = &manifest.input;
    for (key, value) in [("width", input.width), ("height", input.height)] {
        if !SIDES.contains(&value) {
            let (least, most) = (SIDES.start(), SIDES.end());
            return Some(say!(
                "input.{key} = {value} is not between {least} and {most}",
                "input.{key} = {value} no está entre {least} y {most}"
            ));
        }
    }
    if let Some(value) = input.mean.iter().find(|value| !value.is_finite()) {
        return Some(say!(
            "input.mean has {value}; write finite numbers",
            "input.mean contiene {value}; escriba números finitos"
        ));
    }
    if let Some(value) = input.std.iter().find(|value| !value.is_finite() || **value <= 0.0) {
        return Some(say!(
            "input.std has {value}; write numbers above zero",
            "input.std contiene {value}; escriba números mayores que cero"
        ));
    }
    if let Some(what) = manifest.calibration.as_ref().and_then(bad_calibration) {
        return Some(what);
    }
    classes_complaint(manifest.kind, &manifest.output.classes)
}

/// The first value outside the domain of the formulas of [`celaje_sky::confidence`].
fn bad_calibration(calibration: &Calibration) -> Option<Text> {
    let Calibration {
        temperature,
        scale_base,
        scale_slope,
        scale_middle,
        doubt,
        half_light,
        light_power,
        half_colour,
        colour_power,
        range_level,
    } = *calibration;
    for (key, value) in
        [("temperature", temperature), ("light_power", light_power), ("colour_power", colour_power)]
    {
        if !value.is_finite() || value <= 0.0 {
            return Some(say!(
                "calibration.{key} = {value} must be a finite number above zero",
                "calibration.{key} = {value} debe ser un número finito mayor que cero"
            ));
        }
    }
    for (key, value) in [
        ("scale_base", scale_base),
        ("scale_slope", scale_slope),
        ("scale_middle", scale_middle),
        ("half_light", half_light),
        ("half_colour", half_colour),
    ] {
        if !value.is_finite() || value < 0.0 {
            return Some(say!(
                "calibration.{key} = {value} must be a finite number, zero or above",
                "calibration.{key} = {value} debe ser un número finito, cero o mayor"
            ));
        }
    }
    if !(0.0..=1.0).contains(&doubt) {
        return Some(say!(
            "calibration.doubt = {doubt} must lie between 0 and 1",
            "calibration.doubt = {doubt} debe estar entre 0 y 1"
        ));
    }
    (!(range_level > 0.0 && range_level < 1.0)).then(|| {
        say!(
            "calibration.range_level = {range_level} must be above 0 and below 1",
            "calibration.range_level = {range_level} debe ser mayor que 0 y menor que 1"
        )
    })
}

fn classes_complaint(kind: Kind, classes: &[String]) -> Option<Text> {
    let count = |name: &str| classes.iter().filter(|class| *class == name).count();
    match kind {
        Kind::Segmentation => {
            let known = ["background", "sky", "cloud", OBSTRUCTED];
            if let Some(class) = classes.iter().find(|class| !known.contains(&class.as_str())) {
                return Some(say!(
                    "output.classes has \"{class}\"; a segmentation knows background, sky, cloud \
                    and obstructed",
                    "output.classes contiene \"{class}\"; una segmentación conoce background, sky, \
                    cloud y obstructed"
                ));
            }
            if count(OBSTRUCTED) > 1 {
                return Some(say!(
                    "output.classes names obstructed more than once; a segmentation has it once or \
                    not at all",
                    "output.classes nombra obstructed más de una vez; una segmentación la tiene \
                    una vez o ninguna"
                ));
            }
            (count("sky") != 1 || count("cloud") != 1).then(|| {
                say!(
                    "output.classes of a segmentation must name sky and cloud once each",
                    "output.classes de una segmentación debe nombrar sky y cloud una vez cada una"
                )
            })
        }
        Kind::Classification => {
            let oktas = classes.iter().enumerate().all(|(okta, class)| *class == okta.to_string());
            (classes.len() != 9 || !oktas).then(|| {
                let found = classes.len();
                say!(
                    "output.classes of a classification must be the nine oktas \"0\" to \"8\" in \
                    order, and it has {found} names",
                    "output.classes de una clasificación debe ser las nueve octas \"0\" a \"8\" en \
                    orden, y tiene {found} nombres"
                )
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "m"
kind = "segmentation"
[input]
width = 192
height = 192
[output]
classes = ["background", "sky", "cloud"]
"#;

    fn refused(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        parse(&GOOD.replace(from, to), "m.toml").unwrap_err().text.en
    }

    #[test]
    fn a_small_manifest_will_do() {
        let manifest = parse(GOOD, "m.toml").unwrap();
        assert_eq!(manifest.kind, Kind::Segmentation);
        assert_eq!(manifest.input.std, [1.0; 3]);
    }

    #[test]
    fn obstructed_may_stand_once_anywhere() {
        for classes in
            [r#""background", "sky", "cloud", "obstructed""#, r#""obstructed", "cloud", "sky""#]
        {
            for activation in ["logits", "probabilities"] {
                let classes = format!("{classes}]\nactivation = \"{activation}\"");
                let good = GOOD.replace("\"background\", \"sky\", \"cloud\"]", &classes);
                assert_ne!(good, GOOD);
                let manifest = parse(&good, "m.toml").unwrap();
                assert!(manifest.output.classes.iter().any(|class| class == OBSTRUCTED));
            }
        }
    }

    #[test]
    fn mistakes_name_file_and_line() {
        let text = refused("width = 192", "widht = 192");
        assert!(
            text.contains("m.toml") && text.contains("line 5") && text.contains("widht"),
            "{text}"
        );
        let text = refused("kind = \"segmentation\"", "kind = \"detection\"");
        assert!(text.contains("line 3") && text.contains("detection"), "{text}");
        assert!(refused("width = 192", "width = ").contains("line 5"));
    }

    #[test]
    fn no_english_is_left_in_spanish() {
        for (from, to, es) in [
            ("width = 192", "widht = 192", "no existe la clave 'widht'; ¿quiso decir 'width'?"),
            ("width = 192", "width = 'x'", "es un texto, y debe ser un número entero, 0 o más"),
            ("width = 192", "width", "la clave no tiene valor; escriba clave = valor"),
            ("width = 192", "width = 192\nmean = [1.0]", "tiene 1 valores y debe tener 3"),
            ("segmentation", "detection", "no se conoce 'detection'"),
        ] {
            let failure = parse(&GOOD.replace(from, to), "m.toml").unwrap_err();
            assert!(failure.text.es.contains(es), "{}", failure.text.es);
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (from, to, part) in [
            ("width = 192", "width = 8", "input.width = 8"),
            ("height = 192", "height = 5000", "input.height = 5000"),
            ("height = 192", "height = 192\nstd = [1.0, 0.0, 1.0]", "input.std has 0"),
            ("height = 192", "height = 192\nstd = [1.0, nan, 1.0]", "input.std has NaN"),
            ("height = 192", "height = 192\nmean = [inf, 0.0, 1.0]", "input.mean has inf"),
            ("name = \"m\"", "name = \" \"", "name is empty"),
            ("name = \"m\"", "name = \"m\"\nsha256 = \"12\"", "no SHA-256"),
            ("\"sky\", ", "", "sky and cloud once each"),
            ("\"background\"", "\"tree\"", "tree"),
            ("\"background\"", "\"sky\"", "sky and cloud once each"),
            ("\"background\"", "\"obstructed\", \"obstructed\"", "obstructed more than once"),
            ("\"cloud\"", "\"obstructed\"", "sky and cloud once each"),
            ("segmentation", "classification", "it has 3 names"),
        ] {
            let text = refused(from, to);
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn calibrations_must_suit_the_formulas() {
        let with = |line: &str| parse(&format!("{GOOD}[calibration]\n{line}\n"), "m.toml");
        for key in ["temperature", "light_power", "colour_power"] {
            for value in ["0.0", "-1.0", "nan", "inf"] {
                let text = with(&format!("{key} = {value}")).unwrap_err().text;
                let part = format!("calibration.{key} = ");
                assert!(text.en.contains(&part) && text.es.contains(&part), "{text}");
                assert!(text.en.contains("m.toml") && text.en.contains("above zero"));
            }
            assert!(with(&format!("{key} = 0.001")).is_ok());
        }
        for key in ["scale_base", "scale_slope", "scale_middle", "half_light", "half_colour"] {
            for value in ["-0.1", "nan", "-inf", "inf"] {
                let text = with(&format!("{key} = {value}")).unwrap_err().text.en;
                assert!(text.contains(&format!("calibration.{key} = ")), "{text}");
            }
            assert!(with(&format!("{key} = 0.0")).is_ok());
        }
        for value in ["-0.1", "1.1", "nan"] {
            let text = with(&format!("doubt = {value}")).unwrap_err().text.en;
            assert!(text.contains("calibration.doubt") && text.contains("0 and 1"), "{text}");
        }
        assert!(with("doubt = 0.0").is_ok() && with("doubt = 1.0").is_ok());
        for value in ["0.0", "1.0", "-0.5", "nan"] {
            let text = with(&format!("range_level = {value}")).unwrap_err().text.en;
            assert!(text.contains("calibration.range_level") && text.contains("below 1"), "{text}");
        }
        let level = |line: &str| with(line).unwrap().calibration.unwrap().range_level;
        assert_eq!((level("range_level = 0.93"), level("doubt = 0.1")), (0.93, 0.9));
    }

    #[test]
    fn a_classification_names_the_oktas_in_order() {
        let nine = |classes: &str| {
            let text = GOOD
                .replace("segmentation", "classification")
                .replace("\"background\", \"sky\", \"cloud\"", classes);
            parse(&text, "m.toml")
        };
        assert!(nine(r#""0","1","2","3","4","5","6","7","8""#).is_ok());
        assert!(nine(r#""1","0","2","3","4","5","6","7","8""#).is_err());
    }
}
