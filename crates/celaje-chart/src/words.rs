//! Dates and labels in both languages.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

use super::day::NEARLY;
use celaje_sky::okta::{Category, Okta};
use celaje_sky::say;
use celaje_sky::sun::DayPhase;
use celaje_sky::text::{Lang, Text};

const MONTHS_ES: [&str; 12] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];
const DAYS_ES: [&str; 7] = [
    "lunes",
    "martes",
    "miércoles",
    "jueves",
    "viernes",
    "sábado",
    "domingo",
];

/// The sentence in `lang`, owned.
pub fn tell(lang: Lang, text: Text) -> String {
    match lang {
        Lang::Es => text.es,
        Lang::En => text.en,
    }
}

/// `sábado 22 de noviembre de 2026`, `Saturday 22 November 2026`.
pub fn long_date(lang: Lang, date: NaiveDate) -> String {
    match lang {
        Lang::En => date.format("%A %-d %B %Y").to_string(),
        Lang::Es => {
            let weekday = DAYS_ES[date.weekday().num_days_from_monday() as usize];
            let month = MONTHS_ES[date.month0() as usize];
            format!("{weekday} {} de {month} de {}", date.day(), date.year())
        }
    }
}

/// `sáb 22 nov`, `Sat 22 Nov`.
pub fn short_date(lang: Lang, date: NaiveDate) -> String {
    match lang {
        Lang::En => date.format("%a %-d %b").to_string(),
        Lang::Es => {
            let weekday = DAYS_ES[date.weekday().num_days_from_monday() as usize];
            format!("{} {}", first_three(weekday), day_and_month(lang, date))
        }
    }
}

/// `22 nov`, `22 Nov`.
pub fn day_and_month(lang: Lang, date: NaiveDate) -> String {
    match lang {
        Lang::En => date.format("%-d %b").to_string(),
        Lang::Es => format!(
            "{} {}",
            date.day(),
            first_three(MONTHS_ES[date.month0() as usize])
        ),
    }
}

fn first_three(word: &str) -> String {
    word.chars().take(3).collect()
}

/// `nov`, `Nov`; `month` is 1 to 12.
pub fn short_month(lang: Lang, month: u32) -> String {
    let date = NaiveDate::from_ymd_opt(2000, month, 1).unwrap_or_default();
    match lang {
        Lang::En => date.format("%b").to_string(),
        Lang::Es => first_three(MONTHS_ES[date.month0() as usize]),
    }
}

/// `noviembre`, `November`; `month` is 1 to 12.
pub fn long_month(lang: Lang, month: u32) -> String {
    let date = NaiveDate::from_ymd_opt(2000, month, 1).unwrap_or_default();
    match lang {
        Lang::En => date.format("%B").to_string(),
        Lang::Es => MONTHS_ES[date.month0() as usize].to_owned(),
    }
}

/// The first letter of a day of the week, `day` days after Monday; Spanish writes X for miércoles.
pub fn weekday_letter(lang: Lang, day: usize) -> &'static str {
    match lang {
        Lang::En => ["M", "T", "W", "T", "F", "S", "S"][day % 7],
        Lang::Es => ["L", "M", "X", "J", "V", "S", "D"][day % 7],
    }
}

/// A number with `digits` decimals and the language's decimal sign; `–` for what is no number.
pub fn decimal(lang: Lang, value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{value:.digits$}");
    // What is rounded to nothing has no sign.
    let is_zero = !text.contains(|digit| matches!(digit, '1'..='9'));
    let text = text.replace('-', if is_zero { "" } else { "−" });
    match lang {
        Lang::En => text,
        Lang::Es => text.replace('.', ","),
    }
}

/// A share from 0 to 1 in percent: `42 %`; `–` for what is no number.
pub fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{:.0} %", share * 100.0)
    } else {
        "–".to_owned()
    }
}

/// `1 reading`, `2 readings`.
pub fn readings(lang: Lang, count: u32) -> String {
    let text = match count {
        1 => say!("1 reading", "1 lectura"),
        _ => say!("{count} readings", "{count} lecturas"),
    };
    tell(lang, text)
}

/// A range in words; times are left out where it is made of whole days.
///
/// A range that ends within ten minutes of midnight ends with the day.
pub fn range(lang: Lang, from: NaiveDateTime, to: NaiveDateTime) -> String {
    let day_ends = to
        .checked_add_signed(NEARLY)
        .is_none_or(|t| t.date() > to.date());
    let whole = from.num_seconds_from_midnight() == 0 && day_ends;
    let one_day = from.date() == to.date();
    let date = |t: NaiveDateTime| format!("{} {}", day_and_month(lang, t.date()), t.year());
    match (one_day, whole) {
        (true, true) => long_date(lang, from.date()),
        (true, false) if from == to => {
            format!("{}, {}", long_date(lang, from.date()), from.format("%H:%M"))
        }
        (true, false) => {
            let (a, b) = (from.format("%H:%M"), to.format("%H:%M"));
            format!("{}, {a}–{b}", long_date(lang, from.date()))
        }
        (false, true) if from.year() == to.year() => {
            format!("{} – {}", day_and_month(lang, from.date()), date(to))
        }
        (false, true) => format!("{} – {}", date(from), date(to)),
        (false, false) => {
            format!(
                "{} {} – {} {}",
                date(from),
                from.format("%H:%M"),
                date(to),
                to.format("%H:%M")
            )
        }
    }
}

/// `1 miss`, `2 misses`.
pub fn misses(lang: Lang, count: usize) -> String {
    let text = match count {
        1 => say!("1 miss", "1 fallido"),
        _ => say!("{count} misses", "{count} fallidos"),
    };
    tell(lang, text)
}

/// `1 okta`, `2 oktas`.
pub fn oktas(lang: Lang, okta: Okta) -> String {
    let text = if okta.eighths() == 1 {
        say!("{okta} okta", "{okta} octa")
    } else {
        say!("{okta} oktas", "{okta} octas")
    };
    tell(lang, text)
}

/// What a METAR group means.
pub fn category(lang: Lang, category: Category) -> String {
    let text = match category {
        Category::Skc => say!("sky clear", "despejado"),
        Category::Few => say!("few", "pocas nubes"),
        Category::Sct => say!("scattered", "nubes dispersas"),
        Category::Bkn => say!("broken", "muy nublado"),
        Category::Ovc => say!("overcast", "cubierto"),
    };
    tell(lang, text)
}

/// What is said where the picture does not show the sky: 9 of WMO table 2700.
pub fn hidden(lang: Lang) -> String {
    tell(lang, say!("sky not visible", "cielo no visible"))
}

/// `sky not visible in 12`; nothing where it was always seen.
pub fn hidden_in(lang: Lang, count: u32) -> Option<String> {
    let text = say!("sky not visible in {count}", "cielo no visible en {count}");
    (count > 0).then(|| tell(lang, text))
}

/// Day, twilight or night.
pub fn phase(lang: Lang, phase: DayPhase) -> String {
    let text = match phase {
        DayPhase::Day => say!("day", "día"),
        DayPhase::Twilight => say!("twilight", "crepúsculo"),
        DayPhase::Night => say!("night", "noche"),
    };
    tell(lang, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32, hour: u32, minute: u32) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 11, day)
            .unwrap()
            .and_hms_opt(hour, minute, 0)
            .unwrap()
    }

    #[test]
    fn what_is_rounded_to_nothing_has_no_sign() {
        for (value, text) in [
            (-0.04, "0.0"),
            (0.0, "0.0"),
            (-0.06, "−0.1"),
            (-10.0, "−10.0"),
        ] {
            assert_eq!(decimal(Lang::En, value, 1), text);
        }
    }

    #[test]
    fn ranges_name_what_is_needed() {
        let cases = [
            (
                at(21, 0, 0),
                at(21, 23, 59),
                "sábado 21 de noviembre de 2026",
                "Saturday 21 November 2026",
            ),
            (
                at(21, 8, 0),
                at(21, 9, 30),
                "sábado 21 de noviembre de 2026, 08:00–09:30",
                "Saturday 21 November 2026, 08:00–09:30",
            ),
            (
                at(15, 0, 0),
                at(21, 23, 52),
                "15 nov – 21 nov 2026",
                "15 Nov – 21 Nov 2026",
            ),
            (
                at(21, 8, 0),
                at(21, 8, 0),
                "sábado 21 de noviembre de 2026, 08:00",
                "Saturday 21 November 2026, 08:00",
            ),
            (
                at(20, 18, 0),
                at(21, 6, 0),
                "20 nov 2026 18:00 – 21 nov 2026 06:00",
                "20 Nov 2026 18:00 – 21 Nov 2026 06:00",
            ),
        ];
        for (from, to, es, en) in cases {
            assert_eq!(range(Lang::Es, from, to), es);
            assert_eq!(range(Lang::En, from, to), en);
        }
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(
            (misses(Lang::Es, 1), misses(Lang::En, 0)),
            ("1 fallido".into(), "0 misses".into())
        );
        assert_eq!(
            (oktas(Lang::Es, Okta::ALL[1]), oktas(Lang::En, Okta::ALL[0])),
            ("1 octa".into(), "0 oktas".into())
        );
    }

    #[test]
    fn numbers_have_the_sign_of_their_language() {
        assert_eq!(decimal(Lang::Es, -3.25, 1), "−3,2");
        assert_eq!(decimal(Lang::En, 3.25, 2), "3.25");
        assert_eq!(decimal(Lang::En, f64::NAN, 2), "–");
        assert_eq!(
            (percent(0.425), percent(f64::INFINITY)),
            ("42 %".into(), "–".into())
        );
        assert_eq!(
            (readings(Lang::Es, 1), readings(Lang::En, 12)),
            ("1 lectura".into(), "12 readings".into())
        );
    }

    #[test]
    fn months_and_days_of_the_week_have_names() {
        assert_eq!(short_month(Lang::Es, 9), "sep");
        assert_eq!(long_month(Lang::En, 9), "September");
        assert_eq!(long_month(Lang::Es, 1), "enero");
        assert_eq!(weekday_letter(Lang::Es, 2), "X");
        assert_eq!(weekday_letter(Lang::En, 6), "S");
    }

    #[test]
    fn short_dates_keep_their_accents() {
        assert_eq!(short_date(Lang::Es, at(21, 0, 0).date()), "sáb 21 nov");
        assert_eq!(short_date(Lang::Es, at(18, 0, 0).date()), "mié 18 nov");
        assert_eq!(short_date(Lang::En, at(18, 0, 0).date()), "Wed 18 Nov");
    }
}
