//! Dates, numbers and labels in both languages.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use celaje_sky::okta::{Category, Okta};
use celaje_sky::sun::DayPhase;
use celaje_sky::text::Lang;

/// Formats a text in one language: the first template is English, the second Spanish.
macro_rules! tell {
    ($lang:expr, $en:literal, $es:literal $(,)?) => {
        match $lang {
            celaje_sky::text::Lang::En => format!($en),
            celaje_sky::text::Lang::Es => format!($es),
        }
    };
}
pub(crate) use tell;

/// A moment in `data-` attributes.
pub const MINUTE: &str = "%Y-%m-%dT%H:%M";

/// What the readings up to `last` are.
pub fn replaced_until(lang: Lang, last: NaiveDateTime) -> String {
    let last = moment(lang, last);
    tell!(
        lang,
        "Up to {last} there are oktas of the replaced system: shares rounded up, which may read \
         one higher",
        "Hasta el {last} hay octas del sistema anterior: proporciones redondeadas hacia arriba, \
         que pueden dar una de más"
    )
}

/// A range that ends this close to midnight ends with the day.
pub const NEARLY: TimeDelta = TimeDelta::minutes(10);

/// The METAR groups with their first and last okta.
pub const GROUPS: [(Category, u8, u8); 5] = [
    (Category::Skc, 0, 0),
    (Category::Few, 1, 2),
    (Category::Sct, 3, 4),
    (Category::Bkn, 5, 7),
    (Category::Ovc, 8, 8),
];

const MONTHS_ES: &str = "enero febrero marzo abril mayo junio julio agosto septiembre octubre \
                         noviembre diciembre";
const DAYS_ES: &str = "lunes martes miércoles jueves viernes sábado domingo";

fn nth(words: &str, n: u32) -> &str {
    words.split(' ').nth(n as usize).unwrap_or_default()
}

fn first_three(word: &str) -> String {
    word.chars().take(3).collect()
}

/// `sábado 22 de noviembre de 2026`, `Saturday 22 November 2026`.
pub fn long_date(lang: Lang, date: NaiveDate) -> String {
    match lang {
        Lang::En => date.format("%A %-d %B %Y").to_string(),
        Lang::Es => {
            let weekday = nth(DAYS_ES, date.weekday().num_days_from_monday());
            let month = nth(MONTHS_ES, date.month0());
            format!("{weekday} {} de {month} de {}", date.day(), date.year())
        }
    }
}

/// `sáb 22 nov`, `Sat 22 Nov`.
pub fn short_date(lang: Lang, date: NaiveDate) -> String {
    match lang {
        Lang::En => date.format("%a %-d %b").to_string(),
        Lang::Es => {
            let weekday = nth(DAYS_ES, date.weekday().num_days_from_monday());
            format!("{} {}", first_three(weekday), day_and_month(lang, date))
        }
    }
}

/// `22 nov`, `22 Nov`.
pub fn day_and_month(lang: Lang, date: NaiveDate) -> String {
    format!("{} {}", date.day(), short_month(lang, date.month()))
}

/// `22 nov 2026, 02:12`, `22 Nov 2026, 02:12`.
pub fn moment(lang: Lang, t: NaiveDateTime) -> String {
    let day = day_and_month(lang, t.date());
    format!("{day} {}, {}", t.year(), t.format("%H:%M"))
}

/// `nov`, `Nov`; `month` is 1 to 12.
pub fn short_month(lang: Lang, month: u32) -> String {
    first_three(&long_month(lang, month))
}

/// `noviembre`, `November`; `month` is 1 to 12.
pub fn long_month(lang: Lang, month: u32) -> String {
    let date = NaiveDate::from_ymd_opt(2000, month, 1).unwrap_or_default();
    match lang {
        Lang::En => date.format("%B").to_string(),
        Lang::Es => nth(MONTHS_ES, date.month0()).to_owned(),
    }
}

/// The capital initial of a month.
pub fn month_letter(lang: Lang, month: u32) -> String {
    let name = long_month(lang, month);
    name.chars().take(1).flat_map(char::to_uppercase).collect()
}

/// The months, 1 to 12, that a chart of the months of the year has room for: those that the record
/// has had; all where it has had none.
pub fn shown_months(due: [bool; 12]) -> Vec<u32> {
    let all = due.iter().all(|due| !due);
    (1..).zip(due).filter(|(_, due)| *due || all).map(|(month, _)| month).collect()
}

/// The initial of a weekday, `day` days after Monday; Spanish writes X for miércoles.
pub fn weekday_letter(lang: Lang, day: usize) -> &'static str {
    match lang {
        Lang::En => ["M", "T", "W", "T", "F", "S", "S"][day % 7],
        Lang::Es => ["L", "M", "X", "J", "V", "S", "D"][day % 7],
    }
}

/// A number with `digits` decimals and the language's decimal sign; `–` for NaN and infinities.
pub fn decimal(lang: Lang, value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{value:.digits$}");
    // Zero has no sign.
    let is_zero = !text.contains(|digit| matches!(digit, '1'..='9'));
    let sign = if value.is_sign_negative() && !is_zero { "−" } else { "" };
    let digits = text.trim_start_matches('-');
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = grouped(lang, whole);
    let point = match (rest, lang) {
        ("", _) => "",
        (_, Lang::En) => ".",
        (_, Lang::Es) => ",",
    };
    format!("{sign}{whole}{point}{rest}")
}

/// A number of things: `46,738`, in Spanish `46 738` with blanks that do not break. The page's
/// `number` writes it likewise.
pub fn count(lang: Lang, n: impl Into<i128>) -> String {
    let n: i128 = n.into();
    let sign = if n < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(lang, &n.unsigned_abs().to_string()))
}

/// Digits in groups of three: in English from four on, in Spanish from five on.
fn grouped(lang: Lang, digits: &str) -> String {
    let (least, between) = match lang {
        Lang::En => (4, ','),
        Lang::Es => (5, '\u{a0}'),
    };
    let places = digits.len();
    if places < least {
        return digits.to_owned();
    }
    let mut text = String::with_capacity(places + places / 3 * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (places - at).is_multiple_of(3) {
            text.push(between);
        }
        text.push(digit);
    }
    text
}

/// `30–45`, and `−0.1 – 0.3` where an end has a sign of its own.
pub fn interval(low: &str, high: &str) -> String {
    match [low, high].iter().any(|end| end.starts_with(['−', '+', '<', '>'])) {
        true => format!("{low} – {high}"),
        false => format!("{low}–{high}"),
    }
}

/// A share from 0 to 1 in percent, with a blank that does not break: `42 %`; `<1 %` of what is
/// little but not nothing, `>99 %` of what is not quite all; `–` for NaN and infinities.
pub fn percent(share: f64) -> String {
    let whole = (share * 100.0).round();
    match share {
        _ if !share.is_finite() => "–".to_owned(),
        _ if whole == 0.0 && share > 0.0 => "<1\u{a0}%".to_owned(),
        _ if whole == 100.0 && share < 1.0 => ">99\u{a0}%".to_owned(),
        _ => format!("{whole:.0}\u{a0}%"),
    }
}

/// `1 reading`, `2 readings`.
pub fn readings(lang: Lang, n: u32) -> String {
    let told = count(lang, n);
    match n {
        1 => tell!(lang, "1 reading", "1 lectura"),
        _ => tell!(lang, "{told} readings", "{told} lecturas"),
    }
}

/// A range in words; times are left out if it consists of whole days, or nearly: a record begins
/// with the first slot of its first day.
pub fn range(lang: Lang, from: NaiveDateTime, to: NaiveDateTime) -> String {
    let day_ends = to.checked_add_signed(NEARLY);
    let begins = from.time().signed_duration_since(NaiveTime::MIN) < NEARLY;
    let whole = begins && day_ends.is_none_or(|end| end.date() > to.date());
    let time = |t: NaiveDateTime| t.format("%H:%M");
    if from.date() == to.date() {
        let date = long_date(lang, from.date());
        return match whole {
            true => date,
            false if from == to => format!("{date}, {}", time(from)),
            false => format!("{date}, {}–{}", time(from), time(to)),
        };
    }
    let date = |t: NaiveDateTime| format!("{} {}", day_and_month(lang, t.date()), t.year());
    match whole {
        true if from.year() == to.year() => {
            format!("{} – {}", day_and_month(lang, from.date()), date(to))
        }
        true => format!("{} – {}", date(from), date(to)),
        false => format!("{} – {}", moment(lang, from), moment(lang, to)),
    }
}

/// `1 miss`, `2 misses`.
pub fn misses(lang: Lang, n: usize) -> String {
    let told = count(lang, n as u64);
    match n {
        1 => tell!(lang, "1 miss", "1 fallido"),
        _ => tell!(lang, "{told} misses", "{told} fallidos"),
    }
}

/// `1 okta`, `2 oktas`.
pub fn oktas(lang: Lang, okta: Okta) -> String {
    match okta.eighths() {
        1 => tell!(lang, "1 okta", "1 octa"),
        n => tell!(lang, "{n} oktas", "{n} octas"),
    }
}

/// The unit of an axis.
pub fn unit(lang: Lang) -> String {
    tell!(lang, "oktas", "octas")
}

pub fn no_reading(lang: Lang) -> String {
    tell!(lang, "no reading", "sin lectura")
}

/// What a METAR group means.
pub fn category(lang: Lang, category: Category) -> String {
    match category {
        Category::Skc => tell!(lang, "sky clear", "despejado"),
        Category::Few => tell!(lang, "few", "pocas nubes"),
        Category::Sct => tell!(lang, "scattered", "nubes dispersas"),
        Category::Bkn => tell!(lang, "broken", "muy nublado"),
        Category::Ovc => tell!(lang, "overcast", "cubierto"),
    }
}

/// The picture does not show the sky: code 9 of WMO table 2700.
pub fn hidden(lang: Lang) -> String {
    tell!(lang, "sky not visible", "cielo no visible")
}

/// `sky not visible in 12`; none for 0.
pub fn hidden_in(lang: Lang, n: u32) -> Option<String> {
    let told = count(lang, n);
    let text = tell!(lang, "sky not visible in {told}", "cielo no visible en {told}");
    (n > 0).then_some(text)
}

/// `when · mean 3.4 oktas · 144 readings · sky not visible in 3`: the tooltip of a mean.
pub fn mean_of(lang: Lang, when: &str, mean: Option<f64>, read: u32, obscured: u32) -> String {
    let Some(mean) = mean else {
        return match obscured {
            0 => format!("{when} · {}", no_reading(lang)),
            _ => format!("{when} · {} · {}", hidden(lang), readings(lang, obscured)),
        };
    };
    let (mean, count) = (decimal(lang, mean, 1), readings(lang, read));
    let text = tell!(
        lang,
        "{when} · mean {mean} oktas · {count}",
        "{when} · media {mean} octas · {count}"
    );
    match hidden_in(lang, obscured) {
        Some(hidden) => format!("{text} · {hidden}"),
        None => text,
    }
}

pub fn phase(lang: Lang, phase: DayPhase) -> String {
    match phase {
        DayPhase::Day => tell!(lang, "day", "día"),
        DayPhase::Twilight => tell!(lang, "twilight", "crepúsculo"),
        DayPhase::Night => tell!(lang, "night", "noche"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn whole_days_are_named_without_times() {
        for (from, to, es, en) in [
            (
                (21, 0, 0),
                (21, 23, 59),
                "sábado 21 de noviembre de 2026",
                "Saturday 21 November 2026",
            ),
            (
                (21, 8, 0),
                (21, 9, 30),
                "sábado 21 de noviembre de 2026, 08:00–09:30",
                "Saturday 21 November 2026, 08:00–09:30",
            ),
            ((15, 0, 2), (21, 23, 59), "15 nov – 21 nov 2026", "15 Nov – 21 Nov 2026"),
            ((15, 0, 0), (21, 23, 52), "15 nov – 21 nov 2026", "15 Nov – 21 Nov 2026"),
            (
                (21, 8, 0),
                (21, 8, 0),
                "sábado 21 de noviembre de 2026, 08:00",
                "Saturday 21 November 2026, 08:00",
            ),
            (
                (20, 18, 0),
                (21, 6, 0),
                "20 nov 2026, 18:00 – 21 nov 2026, 06:00",
                "20 Nov 2026, 18:00 – 21 Nov 2026, 06:00",
            ),
        ] {
            let [from, to] = [from, to].map(|(day, hour, minute)| at(11, day, hour, minute));
            assert_eq!(range(Lang::Es, from, to), es);
            assert_eq!(range(Lang::En, from, to), en);
        }
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(misses(Lang::Es, 1) + &misses(Lang::En, 0), "1 fallido0 misses");
        assert_eq!(oktas(Lang::Es, Okta::ALL[1]), "1 octa");
        assert_eq!(oktas(Lang::En, Okta::ALL[0]), "0 oktas");
        assert_eq!(readings(Lang::Es, 1), "1 lectura");
        assert_eq!(readings(Lang::En, 12), "12 readings");
    }

    #[test]
    fn numbers_have_the_signs_of_their_language_and_zero_has_none() {
        for (lang, value, digits, text) in [
            (Lang::En, -0.04, 1, "0.0"),
            (Lang::En, -0.06, 1, "−0.1"),
            (Lang::En, -10.0, 1, "−10.0"),
            (Lang::Es, -3.25, 1, "−3,2"),
            (Lang::En, 3.25, 2, "3.25"),
            (Lang::En, f64::NAN, 2, "–"),
            (Lang::En, 46_738.25, 1, "46,738.2"),
            (Lang::En, -1234.0, 0, "−1,234"),
            (Lang::Es, 46_738.25, 1, "46\u{a0}738,2"),
            (Lang::Es, 4673.0, 0, "4673"),
        ] {
            assert_eq!(decimal(lang, value, digits), text);
        }
        let told = [999, 1234, 46_738, 1_234_567].map(|n: i64| count(Lang::En, n));
        assert_eq!(told, ["999", "1,234", "46,738", "1,234,567"]);
        let told = [999, 1234, 46_738, 1_234_567].map(|n: i64| count(Lang::Es, n));
        assert_eq!(told, ["999", "1234", "46\u{a0}738", "1\u{a0}234\u{a0}567"]);
        assert_eq!(readings(Lang::Es, 46_738), "46\u{a0}738 lecturas");
        assert_eq!(interval("30", "45") + &interval("−0.1", "0.3"), "30–45−0.1 – 0.3");
        let shares = [0.0, 0.004, 0.425, 0.996, 1.0, f64::INFINITY].map(percent);
        let told = ["0\u{a0}%", "<1\u{a0}%", "43\u{a0}%", ">99\u{a0}%", "100\u{a0}%", "–"];
        assert_eq!(shares, told);
    }

    #[test]
    fn months_and_weekdays_have_names_with_their_accents() {
        assert_eq!(short_month(Lang::Es, 9), "sep");
        assert_eq!(long_month(Lang::En, 9), "September");
        assert_eq!(long_month(Lang::Es, 1), "enero");
        assert_eq!(weekday_letter(Lang::Es, 2), "X");
        assert_eq!(weekday_letter(Lang::En, 6), "S");
        let wednesday = at(11, 18, 0, 0).date();
        assert_eq!(short_date(Lang::Es, wednesday), "mié 18 nov");
        assert_eq!(short_date(Lang::En, wednesday), "Wed 18 Nov");
    }
}
