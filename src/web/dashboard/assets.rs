//! The files of the page, which the program carries.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, web};

use crate::web::problem::Problem;
use crate::web::query;
use crate::web::reply::Version;
use celaje_chart::{glyph, png, theme};
use celaje_sky::okta::Okta;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const MANIFEST: &str = "application/manifest+json";
const PNG: &str = "image/png";

/// The icon on the screen of a phone, which takes no SVG and cuts the corners itself.
const TOUCH_ICON: &str = "touch-icon.png";
/// Its pixels each way.
const TOUCH_SIDE: f32 = 180.0;

/// A file of the page.
struct Asset {
    name: &'static str,
    media: &'static str,
    body: web::Bytes,
    version: Version,
}

/// Files of this folder, by media type.
macro_rules! carried {
    ($($media:ident: $($name:literal),+;)+) => {
        &[$($(($name, $media, include_str!(concat!("../assets/", $name)))),+),+]
    };
}

const CARRIED: &[(&str, &str, &str)] = carried! {
    HTML: "index.html";
    CSS: "app.css", "views.css", "print.css";
    SVG: "icon.svg";
    MANIFEST: "manifest.webmanifest";
    SCRIPT: "first.js", "main.js", "words.js", "dom.js", "api.js", "time.js", "charts.js",
        "live.js", "source.js", "stream.js", "print.js", "viewer.js", "now.js", "timeline.js",
        "tonight.js", "history.js", "gallery.js", "operations.js", "label.js", "skill.js";
};

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let drawn = [("chart.css", CSS, chart_colours()), ("okta.svg", SVG, glyph::sprite())];
    let carried = CARRIED.iter().map(|(name, media, text)| (*name, *media, (*text).to_owned()));
    let mut assets: Vec<_> = carried
        .chain(drawn)
        .map(|(name, media, text)| {
            let version = Version::of_text(&text);
            Asset { name, media, body: text.into(), version }
        })
        .collect();
    let svg = touch_icon();
    if let Ok(body) = png::render(&svg, TOUCH_SIDE / 100.0) {
        let version = Version::of_text(&svg);
        assets.push(Asset { name: TOUCH_ICON, media: PNG, body: body.into(), version });
    }
    assets
});

/// The icon on ground of its own: what is transparent is black on a phone.
fn touch_icon() -> String {
    let icon = include_str!("../assets/icon.svg").trim();
    let inner = icon.split_once('>').map_or("", |(_, inner)| inner).trim_end_matches("</svg>");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"100\" \
         viewBox=\"0 0 100 100\"><rect width=\"100\" height=\"100\" fill=\"#ffffff\"/>\
         <g transform=\"translate(12 12) scale(0.76)\">{inner}</g></svg>"
    )
}

/// The colours of charts in the page, for both themes.
fn chart_colours() -> String {
    let mut css = String::from("/* The charts' own colours, written by the program. */\n");
    for okta in Okta::ALL {
        let (k, colour) = (okta.eighths(), theme::okta_colour(okta));
        css +=
            &format!(".legend .okta{k}{{fill:{colour}}}\n.meter .okta{k}{{background:{colour}}}\n");
    }
    for (name, colour) in theme::shades() {
        css += &shade(name, colour);
    }
    css += "@media screen{\n";
    css += &theme::dark_rules("[data-theme=\"dark\"] .canvas");
    for okta in Okta::ALL {
        let (k, colour) = (okta.eighths(), theme::dark_colour(theme::okta_colour(okta)));
        let dark = "[data-theme=\"dark\"]";
        css += &format!("{dark} .legend .okta{k}{{fill:{colour}}}\n");
        css += &format!("{dark} .meter .okta{k}{{background:{colour}}}\n");
    }
    for (name, colour) in theme::shades() {
        css += "[data-theme=\"dark\"] ";
        css += &shade(name, theme::dark_colour(colour));
    }
    css + "}\n"
}

/// The colour of a sample in the legend; crosses are lines.
fn shade(name: &str, colour: &str) -> String {
    let what = if name == "crosses" { "stroke" } else { "fill" };
    format!(".legend .{name}{{{what}:{colour}}}\n")
}

/// `/`.
pub async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    answer("index.html", &request)
}

/// `/favicon.ico`.
pub async fn icon(request: HttpRequest) -> Result<HttpResponse, Problem> {
    answer("icon.svg", &request)
}

/// `/assets/{name}`.
pub async fn asset(name: web::Path<String>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    answer(&name, &request)
}

fn answer(name: &str, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or_else(Problem::no_such_path)?;
    let unchanged = asset.version.unchanged(request);
    Ok(unchanged.unwrap_or_else(|| {
        let mut response = asset.version.ok();
        response.content_type(asset.media).body(asset.body.clone())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::outcome::MissReason;
    use celaje_sky::quality::Flag;
    use std::collections::{BTreeMap, BTreeSet};

    type Words = BTreeMap<String, BTreeMap<String, String>>;

    fn text(name: &str) -> &'static str {
        CARRIED.iter().find(|(known, ..)| *known == name).unwrap().2
    }

    fn words() -> Words {
        let source = text("words.js");
        let from = source.find("{\n").unwrap();
        let to = source.find("\n;\n").unwrap();
        serde_json::from_str(&source[from..to]).unwrap()
    }

    /// The `{name}`s of a text.
    fn holes(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split('}').next()).collect()
    }

    /// Else a browser learns of each module from the one that imports it, one after the other.
    #[test]
    fn the_page_names_all_modules_beforehand() {
        let mut modules = BTreeSet::from(["main.js"]);
        let mut unread = vec!["main.js"];
        while let Some(module) = unread.pop() {
            for line in text(module).lines().filter(|line| line.starts_with("import ")) {
                let name = line.split("\"./").nth(1).and_then(|rest| rest.split('"').next());
                let name = name.unwrap();
                if modules.insert(name) {
                    unread.push(name);
                }
            }
        }
        modules.remove("main.js");
        let parts = text("index.html").split("rel=\"modulepreload\" href=\"assets/").skip(1);
        let named: BTreeSet<_> = parts.map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(modules.len() > 10 && modules == named, "{modules:?}, {named:?}");
    }

    #[test]
    fn both_languages_have_the_same_words() {
        let words = words();
        let (es, en) = (&words["es"], &words["en"]);
        assert!(es.len() > 150);
        assert_eq!(es.keys().collect::<Vec<_>>(), en.keys().collect::<Vec<_>>());
        for (key, es) in es {
            assert_eq!(holes(es), holes(&en[key]), "{key}");
            assert!(!es.trim().is_empty() && !en[key].trim().is_empty(), "{key}");
        }
    }

    #[test]
    fn every_flag_and_reason_has_its_words() {
        let words = words();
        let flags = Flag::ALL.iter().map(|flag| format!("flag.{}", flag.as_str()));
        let reasons = MissReason::ALL.iter().map(|reason| format!("reason.{}", reason.as_str()));
        for key in flags.chain(reasons) {
            assert!(words["es"].contains_key(&key), "{key}");
        }
    }

    #[test]
    fn what_the_scripts_say_is_in_the_words() {
        let words = words();
        let mut used = BTreeSet::new();
        for (name, _, text) in CARRIED.iter().filter(|(name, ..)| *name != "words.js") {
            let calls = text.match_indices("t(\"").filter(|(at, _)| {
                // A function whose name ends with t is another one.
                let before = text[..*at].chars().next_back();
                before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '.')
            });
            let marks = text.match_indices("data-t=\"");
            for (at, opening) in calls.chain(marks) {
                let key = text[at + opening.len()..].split('"').next().unwrap();
                assert!(words["en"].contains_key(key), "{name}: {key}");
                used.insert(key.to_owned());
            }
        }
        assert!(used.len() > 60, "{}", used.len());
    }

    #[test]
    fn a_script_names_only_scripts_that_are_there() {
        for (name, _, text) in CARRIED.iter().filter(|(_, media, _)| *media == SCRIPT) {
            for part in text.split("from \"./").skip(1) {
                let other = part.split('"').next().unwrap();
                assert!(CARRIED.iter().any(|(known, ..)| *known == other), "{name}: {other}");
            }
        }
    }

    #[test]
    fn the_page_has_no_style_or_script_inside_and_asks_nobody_else() {
        let page = text("index.html");
        assert!(!page.contains("style=") && !page.contains("<style"));
        assert!(!page.contains("onclick") && page.matches("<script src=").count() == 1);
        for (name, _, text) in CARRIED {
            let plain = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!plain.contains("http:") && !plain.contains("https:"), "{name}");
            assert!(!plain.contains("innerHTML"), "{name}");
        }
    }

    #[test]
    fn no_address_begins_at_the_root() {
        for (name, _, text) in CARRIED {
            // What stands behind a station's address begins with a slash, too.
            let text = ["of(station.id, ", "of(station, ", "of(id, "]
                .iter()
                .fold(text.to_string(), |text, call| text.replace(call, "of "));
            for root in ["=\"/", "(\"/", "(`/", ", \"/", "\"/api", "`/api", "`/charts", "`/assets"]
            {
                assert!(!text.contains(root), "{name}: {root}");
            }
        }
    }

    #[test]
    fn a_phone_gets_an_icon_that_it_can_show() {
        let icon = ASSETS.iter().find(|asset| asset.name == TOUCH_ICON).unwrap();
        let picture = image::load_from_memory(&icon.body).unwrap().to_rgba8();
        assert_eq!(picture.dimensions(), (180, 180));
        assert!(picture.pixels().all(|pixel| pixel.0[3] == 255));
        let colours: BTreeSet<_> = picture.pixels().map(|pixel| pixel.0).collect();
        assert!(colours.contains(&[0x22, 0x68, 0xad, 255]), "{}", colours.len());
        assert!(
            text("index.html").contains(&format!("apple-touch-icon\" href=\"assets/{TOUCH_ICON}"))
        );
    }

    #[test]
    fn the_dark_colours_are_those_of_the_charts() {
        let css = chart_colours();
        assert!(css.contains("[data-theme=\"dark\"] .canvas [fill=\"#ffffff\"]{fill:#0f141c}"));
        assert_eq!(css.matches(".legend .okta").count(), 18);
        assert_eq!(css.matches('{').count(), css.matches('}').count());
    }
}
