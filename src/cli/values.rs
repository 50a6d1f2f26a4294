//! Numbers and sizes on the command line, with sentences of their own where they are none.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::web::origins::Origin;
use celaje_sky::say;
use celaje_sky::text::BadValue;

/// Reads a whole number of `range`.
pub fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, BadValue> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        within(text, &range).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            BadValue(say!(
                "write a whole number from {least} to {most}",
                "escriba un número entero de {least} a {most}"
            ))
        })
    }
}

/// Reads a number of `range`, which may have a fraction.
pub fn number(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, BadValue> + Clone {
    move |text| {
        within(text, &range).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            BadValue(say!(
                "write a number from {least} to {most}",
                "escriba un número de {least} a {most}"
            ))
        })
    }
}

/// Reads one of a few names.
pub fn name_of<T: Copy + Send + Sync + 'static>(
    names: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names.iter().map(|(name, _)| *name)).try_map(move |text| {
        let found = names.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| BadValue(say!("write one of its names", "escriba uno de sus nombres")))
    })
}

fn within<T: FromStr + PartialOrd>(text: &str, range: &RangeInclusive<T>) -> Option<T> {
    text.trim()
        .parse()
        .ok()
        .filter(|value| range.contains(value))
}

/// Reads an address of this machine's network.
///
/// # Errors
/// How to write one.
pub fn address(text: &str) -> Result<std::net::IpAddr, BadValue> {
    text.trim().parse().map_err(|_| {
        BadValue(say!(
            "write an IP address such as 127.0.0.1",
            "escriba una dirección IP como 127.0.0.1"
        ))
    })
}

/// Reads a span of time.
///
/// # Errors
/// How to write one.
pub fn span(text: &str) -> Result<crate::settings::span::Span, BadValue> {
    text.parse()
}

/// Reads an address of this machine's network and a port.
///
/// # Errors
/// How to write them.
pub fn socket(text: &str) -> Result<std::net::SocketAddr, BadValue> {
    text.trim().parse().map_err(|_| {
        BadValue(say!(
            "write an IP address and a port such as 127.0.0.1:8080",
            "escriba una dirección IP y un puerto como 127.0.0.1:8080"
        ))
    })
}

/// Reads the origin of pages.
///
/// # Errors
/// How to write one.
pub fn origin(text: &str) -> Result<Origin, BadValue> {
    text.trim().parse().map_err(|_| {
        BadValue(say!(
            "write scheme and name of the pages' server, as https://example.org:8443, or * for any",
            "escriba el esquema y el nombre del servidor de las páginas, como https://example.org:8443, o * para cualquiera"
        ))
    })
}

/// Reads `WIDTHxHEIGHT` of a simulated picture.
///
/// # Errors
/// How to write one.
pub fn size(text: &str) -> Result<(u32, u32), BadValue> {
    let side = celaje_simulate::SIDE;
    text.split_once('x')
        .and_then(|(w, h)| Some((within(w, &side)?, within(h, &side)?)))
        .ok_or_else(|| {
            let (least, most) = (side.start(), side.end());
            BadValue(say!(
                "write it as 800x600, each side from {least} to {most}",
                "escriba p. ej. 800x600, cada lado de {least} a {most}"
            ))
        })
}

/// Checks a filter of the log.
///
/// # Errors
/// How to write one.
pub fn filter(text: &str) -> Result<String, BadValue> {
    match text.parse::<tracing_subscriber::EnvFilter>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(BadValue(say!(
            "write off, error, warn, info, debug, trace, or a filter such as celaje=debug",
            "escriba off, error, warn, info, debug, trace, o un filtro como celaje=debug"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_in_their_range() {
        let days = whole(1_u32..=31);
        assert_eq!((days("1"), days(" 31 ")), (Ok(1), Ok(31)));
        for text in ["", "0", "32", "-1", "1.5", "two", "99999999999"] {
            let advice = days(text).unwrap_err().0;
            assert_eq!(advice.en, "write a whole number from 1 to 31", "{text}");
            assert_eq!(advice.es, "escriba un número entero de 1 a 31", "{text}");
        }
        let seconds = number(0.1..=3600.0);
        assert_eq!(seconds("0.5"), Ok(0.5));
        for text in ["0", "NaN", "inf", "3600.1"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_can_be_drawn() {
        assert_eq!(size("800x600"), Ok((800, 600)));
        for text in ["800", "800x", "32x600", "800x600x3", "8000x600"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
