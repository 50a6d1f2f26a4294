//! `[data]`: on what terms the record may be used, and by whom it is made. Exports say it.

use std::collections::BTreeMap;

use serde::Deserialize;

use celaje_sky::say;
use celaje_sky::text::Text;

/// On what terms the record may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataTerms {
    /// Name or address of the licence, such as `CC-BY-4.0`.
    pub licence: Option<String>,
    /// How the record is to be cited.
    pub cite: Option<String>,
    /// Who runs the stations.
    pub institution: Option<String>,
    /// Whom to ask: an address of mail or of a page.
    pub contact: Option<String>,
    /// Where more is told of the stations.
    pub url: Option<String>,
    /// WIGOS station identifiers by the stations' ids.
    pub wigos: BTreeMap<String, String>,
}

/// The table among others.
#[derive(Debug, Deserialize)]
pub(super) struct RawData {
    #[serde(default)]
    data: DataTerms,
}

impl RawData {
    pub(super) fn check(self) -> Result<DataTerms, Text> {
        let terms = self.data;
        let DataTerms { licence, cite, institution, contact, url, .. } = &terms;
        let texts = [
            ("licence", licence),
            ("cite", cite),
            ("institution", institution),
            ("contact", contact),
            ("url", url),
        ];
        for (key, text) in texts {
            let text = text.as_deref().unwrap_or("-");
            if text.trim().is_empty() || text.contains(char::is_control) {
                return Err(say!(
                    "[data] {key} must be a line of text; leave the key out where there is none",
                    "[data] {key} debe ser una línea de texto; si no hay, omita la clave"
                ));
            }
        }
        match terms.wigos.iter().find(|(_, id)| wigos_parts(id).is_none()) {
            None => Ok(terms),
            Some((station, id)) => Err(say!(
                "[data.wigos] {station}: '{id}' is no WIGOS station identifier; write it like \
                 0-20000-0-87934",
                "[data.wigos] {station}: '{id}' no es un identificador WIGOS de estación; \
                 escríbalo como 0-20000-0-87934"
            )),
        }
    }
}

/// Series, issuer, issue number and local identifier of a WIGOS station identifier.
pub fn wigos_parts(id: &str) -> Option<[&str; 4]> {
    let parts: [&str; 4] = id.split('-').collect::<Vec<_>>().try_into().ok()?;
    let is_number = |text: &str| text.parse::<u16>().is_ok_and(|n| n < u16::MAX);
    let [_, _, _, local] = parts;
    let is_local = (1..=16).contains(&local.len())
        && local.chars().all(|letter| letter.is_ascii_alphanumeric());
    (parts[..3].iter().all(|part| is_number(part)) && is_local).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DataTerms, Text> {
        let raw: RawData = toml::from_str(text).map_err(|error| say!("{error}", "{error}"))?;
        raw.check()
    }

    #[test]
    fn terms_are_read_and_checked() {
        assert_eq!(read("").unwrap(), DataTerms::default());
        let terms = "[data]\nlicence = 'CC-BY-4.0'\n[data.wigos]\nhill = '0-20000-0-87934'\n";
        let terms = read(terms).unwrap();
        assert_eq!(terms.licence.as_deref(), Some("CC-BY-4.0"));
        assert_eq!(wigos_parts(&terms.wigos["hill"]), Some(["0", "20000", "0", "87934"]));
        for (text, named) in [
            ("[data]\nlicence = ' '", "licence"),
            ("[data]\ncite = \"a\\nb\"", "cite"),
            ("[data]\nlicense = 'x'", "license"),
            ("[data.wigos]\nhill = '87934'", "'87934'"),
            ("[data.wigos]\nhill = '0-70000-0-1'", "'0-70000-0-1'"),
            ("[data.wigos]\nhill = '0-20000-0-'", "'0-20000-0-'"),
        ] {
            let why = read(text).unwrap_err().en;
            assert!(why.contains(named), "{text}: {why}");
        }
    }
}
