//! `/export`: the same file that the command writes.

use celaje_sky::slot::SlotRange;
use serde_json::Value;

use crate::netcdf::NetCdf;
use crate::site::{Site, at};

const EXPORT: &str = "/api/v1/stations/rio-grande/export";

/// The slots of two days.
fn slots(site: &Site) -> usize {
    let range = SlotRange::new(at("2024-01-01T00:00"), at("2024-01-02T23:59")).unwrap();
    range.slots(&site.station.minutes, site.station.zone).count()
}

#[actix::test]
async fn the_form_follows_from_ending_and_accept() {
    let site = Site::new();
    for (ending, accept, media, name) in [
        ("", "*/*", "text/csv; charset=utf-8; header=present", "rio-grande.csv"),
        (".csv", "", "text/csv; charset=utf-8; header=present", "rio-grande.csv"),
        (".wmo.csv", "", "text/csv; charset=utf-8; header=present", "rio-grande.wmo.csv"),
        (".jsonl", "", "application/jsonl; charset=utf-8", "rio-grande.jsonl"),
        ("", "application/vnd.apache.parquet", "application/vnd.apache.parquet", ".parquet"),
        ("", "text/html, application/x-netcdf;q=0.5", "application/netcdf", "rio-grande.nc"),
        (".nc", "text/csv", "application/netcdf", "rio-grande.nc"),
    ] {
        let target = format!("{EXPORT}{ending}");
        let reply = site.ask("GET", &target, &[("Accept", accept)], b"").await;
        assert_eq!(reply.status, 200, "{target}");
        assert_eq!(reply.header("content-type"), Some(media), "{target}");
        let told = reply.header("content-disposition").unwrap();
        assert!(told.contains(name), "{told}");
    }
    site.execute(
        "INSERT INTO stations (id, name, latitude, longitude, time_zone)
             VALUES ('moon', 'Moon', 10.0, 20.0, '+00:00');
         UPDATE observations SET station = 'moon'
             WHERE slot_local = (SELECT min(slot_local) FROM observations);",
    );
    let all = site.get("/api/v1/export.csv?stations=all").await;
    let told = all.header("content-disposition").unwrap();
    assert!(told.contains("moon_rio-grande.csv"), "{told}");
    let rows = |text: &str| text.lines().filter(|row| row.starts_with("moon,")).count();
    assert_eq!((rows(all.text()), all.text().lines().count()), (1, slots(&site) + 1));
    let one = site.get("/api/v1/export.csv?stations=moon").await;
    assert_eq!(one.text().lines().count(), 2);
    let about = site.get("/api/v1/export/about?stations=moon,rio-grande").await.json();
    assert_eq!(about["stations"].as_array().unwrap().len(), 2);
    assert_eq!(site.get("/api/v1/export.csv?stations=mars").await.status, 404);
    assert_eq!(site.get("/api/v1/export.nc?stations=all").await.status, 400);
    // The record's own station needs no name.
    let own = site.get("/api/v1/export.csv").await;
    assert_eq!(own.text(), site.get(&format!("{EXPORT}.csv")).await.text());
}

#[actix::test]
async fn every_slot_is_there_once() {
    let site = Site::new();
    let n = slots(&site);
    let reply = site.get(&format!("{EXPORT}.csv")).await;
    assert_eq!(reply.header("link"), Some("<export/about>; rel=\"describedby\""));
    let mut csv = csv::Reader::from_reader(reply.body.as_slice());
    let names: Vec<_> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let miss = names.iter().position(|name| name == "miss").unwrap();
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), n);
    assert_eq!(rows.iter().filter(|row| &row[miss] == "not_found").count(), 2);
    let lines = site.get(&format!("{EXPORT}.jsonl")).await;
    assert_eq!(lines.text().lines().count(), n);
    let parquet = site.get(&format!("{EXPORT}.parquet")).await;
    assert_eq!(
        (&parquet.body[..4], &parquet.body[parquet.body.len() - 4..]),
        (&b"PAR1"[..], &b"PAR1"[..])
    );
    let file = NetCdf::read(&site.get(&format!("{EXPORT}.nc")).await.body);
    assert_eq!((file.records, file.left_over), (n, 0));
    let half = site.get(&format!("{EXPORT}.csv?from=2024-01-02&to=2024-01-02")).await;
    assert_eq!(half.text().lines().count(), n / 2 + 1);
    let wrong = site.get(&format!("{EXPORT}.csv?from=2024-01-02&to=2024-01-01")).await;
    assert_eq!(wrong.status, 400);
    assert_eq!(site.get("/api/v1/stations/moon/export.csv").await.status, 404);
}

#[actix::test]
async fn what_a_file_is_stands_beside_it() {
    let site = Site::of("2024-01-01T00:00", "2024-01-02T23:59", "http://127.0.0.1:9/", |options| {
        options.terms.licence = Some("CC0-1.0".to_owned());
    });
    site.execute("DELETE FROM misses WHERE slot_local = '2024-01-01T12:02'");
    let about = site.get(&format!("{EXPORT}/about")).await.json();
    assert_eq!(about["licence"], "CC0-1.0");
    let station = &about["stations"][0];
    assert_eq!(station["readings"], slots(&site) - 2);
    assert_eq!(station["misses"], serde_json::json!({"not_found": 1}));
    assert_eq!(station["never_asked"], 1);
    assert_eq!(station["models"][0]["sha256"], "0".repeat(64));
    let columns: Vec<&Value> = about["columns"].as_array().unwrap().iter().collect();
    assert_eq!(columns[1]["name"], "slot");
    let file = NetCdf::read(&site.get(&format!("{EXPORT}.nc")).await.body);
    assert_eq!(file.text("license"), "CC0-1.0");
}

/// More slots than a part holds: the parts make one file, and none is empty.
#[actix::test]
async fn a_long_file_comes_in_parts() {
    let site = Site::of("2024-01-01T00:00", "2024-03-31T23:59", "http://127.0.0.1:9/", |_| {});
    let range = SlotRange::new(at("2024-01-01T00:00"), at("2024-03-31T23:59")).unwrap();
    let n = range.slots(&site.station.minutes, site.station.zone).count();
    assert!(n > 3 * 4096);
    let csv = site.get(&format!("{EXPORT}.csv")).await;
    assert_eq!(csv.text().lines().count(), n + 1);
    let file = NetCdf::read(&site.get(&format!("{EXPORT}.nc")).await.body);
    assert_eq!((file.records, file.left_over), (n, 0));
    let seconds = |at| file.number("time", at);
    assert!((1..n).all(|at| seconds(at) > seconds(at - 1)));
}

#[actix::test]
async fn the_moment_and_the_name_of_a_picture_are_told() {
    let site = Site::new();
    site.execute(
        "UPDATE observations SET taken_at = '2024-01-01T06:02:09Z', picture_name = 'a.jpg' \
         WHERE slot_local = '2024-01-01T03:02'",
    );
    let path = "/api/v1/stations/rio-grande/observations";
    let range = "?from=2024-01-01T03:02&to=2024-01-01T03:02";
    let item = site.get(&format!("{path}{range}")).await.json();
    let item = &item["items"][0];
    assert_eq!(
        (&item["taken_at"], &item["picture_name"]),
        (&"2024-01-01T06:02:09Z".into(), &"a.jpg".into())
    );
    let csv = site.get(&format!("{path}.csv{range}")).await;
    assert!(csv.text().trim_end().ends_with(",2024-01-01T06:02:09Z,a.jpg"), "{}", csv.text());
}
