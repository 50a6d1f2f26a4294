//! `/report.pdf`: the report that the command writes.

use crate::pdf;
use crate::site::Site;

const REPORT: &str = "/api/v1/stations/rio-grande/report.pdf?lang=en";
const DARK: &str = "/api/v1/stations/rio-grande/dark-hours";

#[actix::test]
async fn a_report_has_the_dark_hours_of_the_api_and_a_name() {
    // In winter, about new moon.
    let site = Site::of("2024-06-28T00:00", "2024-07-10T23:59", "http://127.0.0.1:9/", |_| {});
    let reply = site.get(REPORT).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/pdf"));
    let name = reply.header("content-disposition").unwrap();
    assert_eq!(name, "inline; filename=\"celaje-rio-grande-2024-06-28-2024-07-10.pdf\"");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.pdf");
    std::fs::write(&file, &reply.body).unwrap();
    let dark = site.get(DARK).await.json();
    let Some(pages) = pdf::pages(&file) else { return };
    let periods = dark["periods"].as_array().unwrap();
    let month = periods.iter().find(|month| month["period"] == "2024-07").unwrap();
    let text = pages.concat();
    assert!(text.contains("Best months, year against year"), "{text}");
    assert!(text.contains("Months cannot be compared yet"), "{text}");
    let cells = pdf::line(&pages, "Jul 2024");
    let hours = |name: &str| format!("{:.1}", month[name].as_f64().unwrap());
    let interval = format!("({}–{})", hours("low"), hours("high"));
    assert_eq!(cells[cells.len() - 3..], [hours("dark"), hours("usable"), interval]);
}

#[actix::test]
async fn a_report_of_nothing_or_of_too_much_is_refused() {
    let site = Site::new();
    for (target, status, part) in [
        ("/api/v1/stations/cerro/report.pdf", 404, "cerro"),
        ("/api/v1/report.pdf?from=2023-01-01&to=2023-02-01", 404, "2023-02-01"),
        ("/api/v1/report.pdf?lang=fr", 400, "fr"),
    ] {
        let (_, detail) = site.get(target).await.problem(status);
        assert!(detail.contains(part), "{detail}");
    }
}
