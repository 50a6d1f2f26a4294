//! `celaje report`: what the PDF says is what the record has.

use std::path::Path;

use crate::support::pdf;
use crate::support::record::Record;
use crate::support::server::Reply;
use crate::{Home, Told, camera_with, run};

/// Three days about the end of February: every fifth slot of March is missed, one was never asked
/// for.
fn home() -> Home {
    let home = Home::new();
    let server = camera_with(|index| match index % 5 {
        3 => Some(Reply::not_found()),
        4 if index > 40 => Some(Reply::status(403)),
        _ => None,
    });
    let mut command = home.backfill(&server.base(), "2024-02-29T12:00", "2024-03-02T23:59");
    assert_eq!(run(command.args(["--layout", "root"])).status, 0);
    home.record("cielo.db").execute(
        "UPDATE observations SET okta = 9, cloud_fraction = NULL, confidence = NULL, \
             category = 'OBSC', okta_low = NULL, okta_high = NULL \
             WHERE slot_local BETWEEN '2024-03-01T10:00' AND '2024-03-01T10:59';
         DELETE FROM misses WHERE slot_local = '2024-03-01T00:32';",
    );
    home.write("celaje.toml", "[data]\nlicence = 'CC-BY-4.0'\ninstitution = 'Estación Ñandú'\n");
    home
}

fn report(home: &Home, args: &[&str]) -> Told {
    let mut command = home.celaje(["report", "--db", "cielo.db"]);
    run(command.args(args))
}

/// The pictures of February are all the same: its camera stands still.
const SEEN: &str = "quality NOT LIKE '%frozen%'";

/// A month's row of the table as SQL has it: readings, sky not visible, mean, clear.
fn by_sql(record: &mut Record, month: &str) -> [String; 4] {
    let read = format!("FROM observations WHERE slot_local LIKE '{month}%' AND {SEEN}");
    let mut one = |what: &str| record.texts(&format!("SELECT {what} {read}")).remove(0);
    [
        one("CAST(count(*) AS TEXT)"),
        one("printf('%.0f', 100.0 * sum(okta = 9) / count(*))"),
        one("printf('%.2f', avg(CASE WHEN okta < 9 THEN okta END))"),
        one("printf('%.0f', 100.0 * sum(okta < 2) / sum(okta < 9))"),
    ]
}

#[test]
fn a_report_has_the_numbers_of_the_record_and_says_how_to_cite_it() {
    let home = home();
    let told = report(&home, &["--out", "sky.pdf"]);
    assert_eq!((told.status, told.out.as_str()), (0, ""), "{told:?}");
    let file = home.path("sky.pdf");
    assert!(std::fs::read(&file).unwrap().starts_with(b"%PDF-1."));
    let Some(pages) = pdf::pages(&file) else { return };
    assert!((4..=14).contains(&pages.len()), "{} pages", pages.len());
    for (number, page) in (1..).zip(&pages) {
        assert!(page.trim_end().ends_with(&format!(" {number}")), "{page}");
    }
    let whole = pages.join("\n").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut record = home.record("cielo.db");
    let hash = record.texts("SELECT DISTINCT model_sha256 FROM observations").remove(0);
    let licence = "Licence of the data CC-BY-4.0";
    let name = "Estación Astronómica Río Grande";
    for part in [&format!("Cloud amount at {name}"), licence, "Estación Ñandú", "red 3", &hash] {
        assert!(whole.contains(part), "no '{part}' in {whole}");
    }
    assert!(whole.contains("covers the slots without a reading alone"), "{whole}");
    assert!(whole.contains("How to cite Estación Ñandú: Cloud amount at Estación"));
    let labels = "Not enough labels yet: people labelled 0 pictures";
    assert!(whole.contains(labels), "{whole}");
    for (month, name, due) in [("2024-02", "Feb 2024", 72), ("2024-03", "Mar 2024", 288)] {
        let [readings, hidden, mean, clear] = by_sql(&mut record, month);
        let share = format!("{:.0}", 100.0 * readings.parse::<f64>().unwrap() / f64::from(due));
        let cells = pdf::line(&pages, name);
        let percent = |share: &str| format!("{share}%");
        let expected =
            [due.to_string(), readings, percent(&share), percent(&hidden), mean, percent(&clear)];
        assert_eq!(cells[..6], expected, "{name}");
    }
    let [seen, frozen] =
        ["", "NOT "].map(|not| record.count(&format!("observations WHERE {not}({SEEN})")));
    assert!(frozen > 60, "{frozen}");
    assert_eq!(pdf::line(&pages, "Readings ")[0], seen.to_string());
    let still = "Readings of a camera that stood still, in no figure";
    assert_eq!(pdf::line(&pages, still)[0], frozen.to_string());
    for (reason, said) in
        [("not_found", "was not on the camera"), ("http_status", "the server refused it")]
    {
        let missed = record.count(&format!("misses WHERE reason = '{reason}'")).to_string();
        assert_eq!(pdf::line(&pages, &format!("Missed: {said}"))[0], missed);
    }
    assert_eq!(pdf::line(&pages, "Never asked for")[0], "1");
    assert_eq!(pdf::line(&pages, "Slots due")[0], "360");
    letters_are_large_enough(&file);
}

/// No letter is smaller than 7 points. The foot of a page has 7.5.
fn letters_are_large_enough(file: &Path) {
    let heights = pdf::heights(file).unwrap();
    let foot = heights.iter().filter(|(_, word)| word == "celaje").map(|(height, _)| *height);
    let foot = foot.fold(f64::MAX, f64::min);
    assert!((7.0..=10.0).contains(&foot), "{foot}");
    for (height, word) in &heights {
        assert!(*height >= foot * 7.0 / 7.5, "'{word}' is {height} tall, the foot {foot}");
    }
}

#[test]
fn a_report_is_in_the_language_that_is_asked_for_and_of_the_range() {
    let home = home();
    let wanted = ["--lang", "es", "--from", "2024-03-01", "--to", "2024-03-01"];
    let told = report(&home, &[&wanted[..], &["--out", "cielo.pdf"]].concat());
    assert_eq!(told.status, 0, "{told:?}");
    let Some(pages) = pdf::pages(&home.path("cielo.pdf")) else { return };
    let cells = pdf::line(&pages, "mar 2024");
    let mut record = home.record("cielo.db");
    let read = format!("observations WHERE slot_local LIKE '2024-03-01%' AND {SEEN}");
    let read = record.count(&read);
    assert_eq!((cells[0].as_str(), &cells[1]), ("144", &read.to_string()));
    let whole = pages.join("\n").split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Nubosidad en Estación Astronómica Río Grande, viernes 1 de marzo de 2024",
        "Cómo citar Estación Ñandú: Nubosidad en Estación Astronómica Río Grande, leída de \
         imágenes por celaje ",
        " con red 3, 20",
        "Método",
        "responde solo por los turnos sin lectura: donde",
    ] {
        assert!(whole.contains(part), "no '{part}' in {whole}");
    }
    assert!(!whole.contains("feb 2024"));
    assert!(!whole.contains("Cloud amount"), "{whole}");
}

/// The night of the first slot begins in October, has no moon, and is dark before the first.
#[test]
fn a_first_night_of_the_month_before_is_no_row_and_takes_no_coverage() {
    let home = Home::new();
    let server = camera_with(|_| None);
    let mut command = home.backfill(&server.base(), "2024-10-31T22:00", "2024-11-01T05:59");
    assert_eq!(run(command.args(["--layout", "root"])).status, 0);
    let wanted = ["--from", "2024-11-01", "--to", "2024-11-01", "--out", "sky.pdf"];
    let told = report(&home, &wanted);
    assert_eq!(told.status, 0, "{told:?}");
    let Some(pages) = pdf::pages(&home.path("sky.pdf")) else { return };
    let whole = pages.join("\n").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(whole.contains("Nov 2024"), "{whole}");
    for part in ["Oct 2024", "How many slots were due is not known"] {
        assert!(!whole.contains(part), "'{part}' in {whole}");
    }
}

#[test]
fn what_cannot_be_reported_is_said_in_a_sentence() {
    let home = home();
    home.record("cielo.db").execute(
        "UPDATE observations SET slot_local = '2010-03-01T00:02', captured_at = \
             '2010-03-01T00:02', slot_utc = '2010-03-01T03:02:00Z', file_name = \
             '2010-03010002.jpg' WHERE slot_local = '2024-03-01T00:02'",
    );
    let out = ["--out", "x.pdf"];
    for (args, parts) in [
        (&["--station", "cerro"][..], &["'cerro'"][..]),
        (&["--from", "2011-01-01", "--to", "2011-02-01"], &["2011-01-01", "2011-02-01"]),
        (&["--to", "2044-03-01"], &["ten years"]),
        (&["--from", "2024-03-02", "--to", "2024-03-01"], &["--from", "swap"]),
    ] {
        report(&home, &[args, &out].concat()).refused(2, parts);
    }
    let told = report(&home, &["--from", "2024-03-01", "--out", "no/folder/x.pdf"]);
    assert_eq!(told.status, 3, "{told:?}");
    assert!(told.err.contains("'no/folder/x.pdf'"), "{told:?}");
    assert!(!home.has("x.pdf"));
}
