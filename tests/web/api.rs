//! `/api/v1`: what it answers from the record, and in which forms.

use serde_json::{Value, json};

use crate::site::{Site, at};

const OBSERVATIONS: &str = "/api/v1/stations/rio-grande/observations";

fn items(body: &Value) -> &Vec<Value> {
    body["items"].as_array().unwrap()
}

#[actix::test]
async fn stations_come_with_their_first_and_last_slot_and_counts() {
    let site = Site::new();
    let reply = site.get("/api/v1/stations").await;
    assert_eq!(
        reply.json(),
        json!([{
            "id": "rio-grande", "name": "Estación Astronómica Río Grande",
            "latitude": -53.79, "longitude": -67.7,
            "time_zone": "America/Argentina/Ushuaia", "is_home": true,
            "minutes": [2, 12, 22, 32, 42, 52], "has_lens": false,
            "first": "2024-01-01T00:02", "last": "2024-01-02T23:52",
            "observations": 286, "misses": 2, "zones": [],
            "last_miss": "2024-01-02T12:02"
        }])
    );
}

#[actix::test]
async fn a_path_without_a_station_means_the_home_station() {
    let site = Site::new();
    let long = "/api/v1/stations/rio-grande";
    for path in [
        "latest",
        "observations?from=2024-01-01T03:02&limit=3",
        "observations.csv?by=day",
        "misses",
        "climatology",
        "observations?by=week",
        "slots/nothing/picture",
    ] {
        let short = site.get(&format!("/api/v1/{path}")).await;
        let whole = site.get(&format!("{long}/{path}")).await;
        assert_eq!(short.status, whole.status, "{path}");
        assert_ne!(short.status, 404, "{path}");
        assert_eq!(short.body, whole.body, "{path}");
    }
    assert_eq!(site.get("/api/v1/latest/more").await.status, 404);
}

#[actix::test]
async fn raw_readings_have_the_columns_of_the_record() {
    let site = Site::new();
    let body =
        site.get(&format!("{OBSERVATIONS}?from=2024-01-01T03:02&to=2024-01-01T03:02")).await.json();
    assert_eq!((&body["by"], &body["next"]), (&json!("raw"), &Value::Null));
    assert_eq!(body["from"], "2024-01-01T03:02");
    let code = (at("2024-01-01T03:02").and_utc().timestamp() / 600).rem_euclid(10);
    let item = &items(&body)[0];
    assert_eq!(item["okta"], code);
    assert_eq!(item["slot_utc"], "2024-01-01T06:02:00Z");
    assert_eq!(item["quality"], json!(["twilight"]));
    assert_eq!(item["day_phase"], "twilight");
    assert_eq!(item["url"], "http://127.0.0.1:9/2024/2024-01010302.jpg");
    assert_eq!(items(&body).len(), 1);
}

#[actix::test]
async fn parts_of_the_sky_come_beside_the_whole() {
    let site = Site::new();
    let path = format!("{OBSERVATIONS}?from=2024-01-01T03:02&to=2024-01-01T03:02");
    let body = site.get(&path).await.json();
    let item = &items(&body)[0];
    assert_eq!((&item["zenith_fraction"], &item["zones"]), (&Value::Null, &Value::Null));
    site.execute(
        "UPDATE observations SET zenith_fraction = 0.25, zones = '{\"south\":0.5,\"trees\":null}' \
         WHERE slot_local = '2024-01-01T03:02'",
    );
    let body = site.get(&path).await.json();
    let item = &items(&body)[0];
    assert_eq!(item["zenith_fraction"], 0.25);
    assert_eq!(item["zones"], json!({"south": 0.5, "trees": null}));
    let reply = site.get(&path.replace("observations?", "observations.csv?")).await;
    let csv = reply.text();
    assert!(csv.contains(",0.25,\"{\"\"south\"\":0.5,\"\"trees\"\":null}\""), "{csv}");
}

#[actix::test]
async fn charts_mark_where_the_replaced_systems_readings_end() {
    let site = Site::new();
    let range = "from=2024-01-01&to=2024-01-02&lang=en";
    let charts = ["timeline", "history"].map(|kind| format!("/charts/{kind}.svg?{range}"));
    for chart in &charts {
        assert!(!site.get(chart).await.text().contains("class=\"method\""), "{chart}");
    }
    site.execute(
        "UPDATE observations SET origin = 'registro_historico' \
         WHERE slot_local <= '2024-01-01T12:12' AND okta < 9",
    );
    for chart in &charts {
        let reply = site.get(chart).await;
        let svg = reply.text();
        assert_eq!(svg.matches("class=\"method\" data-until=\"2024-01-01T12:12\"").count(), 1);
        assert!(svg.contains("Up to 1 Jan 2024, 12:12"), "{chart}");
    }
}

#[actix::test]
async fn filters_choose_by_phase_and_quality() {
    let site = Site::new();
    for (filter, keeps) in [
        ("phase=day", (|item| item["day_phase"] == "day") as fn(&Value) -> bool),
        ("quality=no_sky", |item| item["okta"] == 9),
        ("quality=ok", |item| item["okta"] != 9),
        ("quality=ok,no_sky&phase=twilight", |item| item["day_phase"] == "twilight"),
    ] {
        let all = site.get(OBSERVATIONS).await.json();
        let some = site.get(&format!("{OBSERVATIONS}?{filter}")).await.json();
        let wanted: Vec<_> = items(&all).iter().filter(|item| keeps(item)).collect();
        assert!(!wanted.is_empty() && wanted.len() < 286, "{filter}");
        assert!(items(&some).iter().eq(wanted), "{filter}");
    }
}

#[actix::test]
async fn pages_joined_are_the_whole_list() {
    let site = Site::new();
    for (query, key) in [("by=raw", "slot"), ("by=hour", "from"), ("by=day", "from")] {
        let whole = site.get(&format!("{OBSERVATIONS}?{query}")).await.json();
        let mut pages = Vec::new();
        let mut cursor = String::new();
        for _ in 0..100 {
            let page = site.get(&format!("{OBSERVATIONS}?{query}&limit=7{cursor}")).await.json();
            assert!(items(&page).len() <= 7);
            pages.extend(items(&page).iter().map(|item| item[key].clone()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let keys: Vec<_> = items(&whole).iter().map(|item| item[key].clone()).collect();
        assert_eq!(pages, keys, "{query}");
    }
}

#[actix::test]
async fn sums_agree_with_the_readings() {
    let site = Site::new();
    let raw = site.get(OBSERVATIONS).await.json();
    for (by, width) in [("hour", 13), ("day", 10)] {
        let sums = site.get(&format!("{OBSERVATIONS}?by={by}")).await.json();
        for sum in items(&sums) {
            let start = &sum["from"].as_str().unwrap()[..width];
            let rows: Vec<_> = items(&raw)
                .iter()
                .filter(|item| item["slot"].as_str().unwrap().starts_with(start))
                .map(|item| item["okta"].as_u64().unwrap())
                .collect();
            let seen: Vec<_> = rows.iter().filter(|okta| **okta < 9).collect();
            let mean = seen.iter().copied().sum::<u64>() as f64 / seen.len() as f64;
            assert_eq!(sum["n"], seen.len(), "{start}");
            assert_eq!(sum["obscured"], rows.len() - seen.len(), "{start}");
            assert!((sum["mean_okta"].as_f64().unwrap() - mean).abs() < 1e-4, "{start}");
            assert_eq!(sum["slots"], if by == "hour" { 6 } else { 144 });
            for okta in 0..9 {
                let count = seen.iter().filter(|seen| ***seen == okta).count();
                assert_eq!(sum["distribution"][okta as usize], count, "{start} {okta}");
            }
        }
        assert_eq!(items(&sums).len(), if by == "hour" { 48 } else { 2 });
    }
    // Slots count as far as they were asked for.
    let part = site
        .get(&format!("{OBSERVATIONS}?by=day&from=2024-01-01T22:00&to=2024-01-02T00:30"))
        .await
        .json();
    let slots: Vec<_> = items(&part).iter().map(|item| item["slots"].clone()).collect();
    assert_eq!(slots, [json!(12), json!(3)]);
}

#[actix::test]
async fn lists_are_csv_and_lines_by_ending_and_by_accept() {
    let site = Site::new();
    let json = site.get(&format!("{OBSERVATIONS}?limit=3")).await.json();
    let by_ending = site.get(&format!("{OBSERVATIONS}.csv?limit=3")).await;
    let by_accept =
        site.ask("GET", &format!("{OBSERVATIONS}?limit=3"), &[("Accept", "text/csv")], b"").await;
    assert_eq!(by_ending.text(), by_accept.text());
    let mut csv = csv::Reader::from_reader(by_ending.body.as_slice());
    let header: Vec<_> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header[..3], ["slot", "slot_utc", "okta"]);
    let rows: Vec<_> = csv.records().map(|row| row.unwrap()).collect();
    assert_eq!(rows.len(), 3);
    for (row, item) in rows.iter().zip(items(&json)) {
        assert_eq!(row[0], *item["slot"].as_str().unwrap());
        assert_eq!(row[2], item["okta"].to_string());
    }
    let lines = site.get(&format!("{OBSERVATIONS}.jsonl?limit=3")).await;
    assert_eq!(lines.header("content-type"), Some("application/jsonl; charset=utf-8"));
    let lines: Vec<Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&lines, items(&json));
}

#[actix::test]
async fn csv_has_a_column_for_each_member() {
    let site = Site::new();
    for (list, query, place) in [
        ("stations/rio-grande/observations", "", "/items/0"),
        ("observations", "?by=day", "/items/0"),
        ("misses", "", "/items/0"),
        ("runs", "", "/items/0"),
        ("climatology", "", "/hours/0"),
    ] {
        let json = site.get(&format!("/api/v1/{list}{query}")).await.json();
        let csv = site.get(&format!("/api/v1/{list}.csv{query}")).await;
        let header = csv.text().lines().next().unwrap();
        let columns: Vec<_> = header.split(',').collect();
        for member in json.pointer(place).unwrap().as_object().unwrap().keys() {
            let column = if member == "distribution" { "okta_8" } else { member };
            assert!(columns.contains(&column), "{list}{query}: {member} is not in {header}");
        }
        let lines = site.get(&format!("/api/v1/{list}.jsonl{query}")).await;
        let first: Value = serde_json::from_str(lines.text().lines().next().unwrap()).unwrap();
        assert_eq!(json.pointer(place), Some(&first), "{list}{query}");
    }
}

#[actix::test]
async fn misses_have_their_reasons() {
    let site = Site::new();
    let misses = "/api/v1/stations/rio-grande/misses";
    let body = site.get(misses).await.json();
    assert_eq!(items(&body).len(), 2);
    let first = &items(&body)[0];
    assert_eq!(first["slot"], "2024-01-01T12:02");
    assert_eq!((&first["reason"], &first["http_status"]), (&json!("not_found"), &json!(404)));
    assert_eq!(first["attempts"], 2);
    let none = site.get(&format!("{misses}?reason=timeout")).await.json();
    assert_eq!(items(&none).len(), 0);
    let csv = site.get(&format!("{misses}.csv?limit=1")).await;
    assert!(csv.text().contains("\"HTTP 404, \"\"gone\"\"\""), "{}", csv.text());
    let second =
        site.get(&format!("{misses}?cursor={}", first["slot"].as_str().unwrap())).await.json();
    assert_eq!(items(&second)[0]["slot"], "2024-01-02T12:02");
}

#[actix::test]
async fn the_latest_reading_is_the_last_slots() {
    let site = Site::new();
    let latest = site.get("/api/v1/stations/rio-grande/latest").await;
    assert_eq!(latest.json()["slot"], "2024-01-02T23:52");
}

#[actix::test]
async fn runs_have_their_progress() {
    let site = Site::new();
    let list = site.get("/api/v1/runs").await.json();
    assert_eq!(items(&list)[0]["id"], 1);
    assert_eq!(site.get("/api/v1/stations/rio-grande/runs").await.json(), list);
    // The program itself says the progress of the run at work,
    let run = site.get("/api/v1/runs/1").await.json();
    assert_eq!(run["status"], "running");
    assert_eq!(run["progress"]["planned"], 10);
    assert_eq!(run["progress"]["eta_s"], 3.0);
    // the record that of others.
    let mut database = site.database();
    crate::site::fill(
        &mut database,
        &site.station,
        "2024-01-03T00:00",
        "2024-01-03T23:59",
        "http://127.0.0.1:9/",
    );
    let run = site.get("/api/v1/runs/2").await.json();
    assert_eq!(run["progress"]["new"], 143);
    assert_eq!(run["progress"]["missed"], json!({"not_found": 1}));
    for path in ["/api/v1/runs/9", "/api/v1/runs/x", "/api/v1/stations/other/runs/1"] {
        let (parameter, _) = site.get(path).await.problem(404);
        assert_eq!(parameter.as_deref(), Some("run"), "{path}");
    }
}

#[actix::test]
async fn a_picture_that_came_twice_is_in_no_mean() {
    let site = Site::new();
    let day = format!("{OBSERVATIONS}?by=day&from=2024-01-01&to=2024-01-01");
    let usual = "/api/v1/stations/rio-grande/climatology";
    let before = items(&site.get(&day).await.json())[0].clone();
    let january = |body: Value| body["months"][0]["n"].as_u64().unwrap();
    let all = january(site.get(usual).await.json());
    let sevens = before["distribution"][7].as_u64().unwrap();
    site.execute(
        "UPDATE observations SET quality = quality || ',frozen' WHERE slot_local = \
         (SELECT min(slot_local) FROM observations WHERE okta = 7)",
    );
    let after = items(&site.get(&day).await.json())[0].clone();
    assert_eq!(after["frozen"], 1);
    assert_eq!(before["frozen"], 0);
    assert_eq!(after["distribution"][7], sevens - 1);
    assert_eq!(after["n"], before["n"].as_u64().unwrap() - 1);
    assert_eq!(january(site.get(usual).await.json()), all - 1);
    // The list of readings still has it, with its flag.
    let frozen = site.get(&format!("{OBSERVATIONS}?quality=frozen")).await.json();
    assert_eq!(items(&frozen).len(), 1);
}

#[actix::test]
async fn the_climatology_counts_every_reading_once() {
    // June, when nights are long at this station.
    let site = Site::of("2024-06-10T00:00", "2024-06-13T23:59", "http://127.0.0.1:9/", |_| {});
    let body = site.get("/api/v1/stations/rio-grande/climatology").await.json();
    let hours = body["hours"].as_array().unwrap();
    assert_eq!(hours.len(), 288);
    let all = site.get(OBSERVATIONS).await.json();
    let seen = items(&all).iter().filter(|item| item["okta"] != 9).count();
    let sum: u64 = hours.iter().map(|hour| hour["n"].as_u64().unwrap()).sum();
    assert_eq!(sum, seen as u64);
    let june = &body["months"][5];
    assert_eq!(june["n"], seen);
    let categories: u64 =
        june["categories"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(categories, seen as u64);
    // Four days have three whole nights and two halves, of which the one of the first morning
    // begins on the 9th; a fifth of these skies is clear, so that no night is.
    assert!((3..=5).contains(&june["nights"].as_u64().unwrap()), "{june}");
    assert_eq!((&june["clear_nights"], &june["clear_share"]), (&json!(0), &json!(0.0)));
    assert_eq!(body["months"][0]["clear_share"], Value::Null);
    assert_eq!(body["years"], json!([2024]));
    // The months as a table.
    let path = "/api/v1/stations/rio-grande/climatology.csv?by=month";
    let table = site.get(path).await;
    let mut rows = csv::Reader::from_reader(table.body.as_slice());
    let names = rows.headers().unwrap().clone();
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 12);
    for (name, cell) in names.iter().zip(&rows[5]) {
        let told = june.get(name).unwrap_or_else(|| &june["categories"][name]);
        assert_eq!(cell.parse::<f64>().ok(), told.as_f64(), "{name}");
    }
}

#[actix::test]
async fn any_version_is_unchanged_for_if_none_match_star() {
    let site = Site::new();
    for path in ["/charts/history.svg", "/api/openapi.json", "/assets/app.css", OBSERVATIONS] {
        let reply = site.ask("GET", path, &[("If-None-Match", "*")], b"").await;
        assert_eq!(reply.status, 304, "{path}");
        assert!(reply.header("etag").is_some(), "{path}");
    }
}

#[actix::test]
async fn charts_vary_with_the_language_that_is_accepted() {
    let site = Site::new();
    for (path, headers) in [
        ("/charts/history.svg", [("Accept-Language", "en")]),
        ("/charts/history.svg", [("If-None-Match", "*")]),
        ("/charts/keogram.svg", [("Accept-Language", "en")]),
    ] {
        let reply = site.ask("GET", path, &headers, b"").await;
        let vary = reply.header("vary").unwrap_or_default().to_ascii_lowercase();
        assert!(vary.contains("accept-language"), "{path} {headers:?}: {vary}");
    }
}

#[actix::test]
async fn an_answer_is_the_same_until_the_record_changes() {
    let site = Site::new();
    let first = site.get(OBSERVATIONS).await;
    let tag = first.header("etag").unwrap().to_owned();
    let again = site.ask("GET", OBSERVATIONS, &[("If-None-Match", &tag)], b"").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let csv = site
        .ask("GET", OBSERVATIONS, &[("If-None-Match", &tag), ("Accept", "text/csv")], b"")
        .await;
    assert_eq!(csv.status, 200);
    let mut database = site.database();
    crate::site::fill(
        &mut database,
        &site.station,
        "2024-01-03T00:00",
        "2024-01-03T01:00",
        "http://127.0.0.1:9/",
    );
    let changed = site.ask("GET", OBSERVATIONS, &[("If-None-Match", &tag)], b"").await;
    assert_eq!(changed.status, 200);
    assert_eq!(items(&changed.json()).len(), 286 + 6);
}

#[actix::test]
async fn answers_are_compressed_on_request() {
    let site = Site::new();
    let plain = site.get(OBSERVATIONS).await;
    assert_eq!(plain.header("content-encoding"), None);
    let packed = site.ask("GET", OBSERVATIONS, &[("Accept-Encoding", "gzip")], b"").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() * 4 < plain.body.len());
    let mut unpacked = Vec::new();
    let mut gzip = flate2::read::GzDecoder::new(packed.body.as_slice());
    std::io::Read::read_to_end(&mut gzip, &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.body);
}

#[actix::test]
async fn bad_queries_name_parameter_and_reason_in_the_clients_language() {
    let site = Site::new();
    for (query, parameter) in [
        ("from=yesterday", "from"),
        ("from=2024-01-02&to=2024-01-01", "to"),
        ("by=week", "by"),
        ("limit=0", "limit"),
        ("colour=red", "colour"),
        ("quality=fine", "quality"),
        ("phase=noon", "phase"),
        ("cursor=%00", "cursor"),
    ] {
        let target = format!("{OBSERVATIONS}?{query}");
        let (named, english) = site.get(&target).await.problem(400);
        assert_eq!(named.as_deref(), Some(parameter), "{query}");
        let spanish =
            site.ask("GET", &target, &[("Accept-Language", "es-AR, en;q=0.5")], b"").await;
        assert_eq!(spanish.header("content-language"), Some("es"));
        let (_, spanish) = spanish.problem(400);
        assert_ne!(english, spanish, "{query}");
    }
    let (named, _) = site.get("/api/v1/stations?x=1").await.problem(400);
    assert_eq!(named.as_deref(), Some("x"));
    let (named, _) = site.get("/api/v1/stations/other/latest").await.problem(404);
    assert_eq!(named.as_deref(), Some("station"));
}

#[actix::test]
async fn readings_of_second_models_are_listed_with_the_first() {
    use celaje::store::ShadowReading;
    use celaje_sky::cover::Cover;
    use celaje_sky::slot::Slot;

    let site = Site::new();
    let mut database = site.database();
    for (slot, model) in [
        ("2024-01-01T00:02", "other 1"),
        ("2024-01-01T00:22", "other 1"),
        ("2024-01-01T00:22", "other 2"),
        // The record has a miss here.
        ("2024-01-01T12:02", "other 1"),
    ] {
        let reading = ShadowReading {
            slot: Slot::at(at(slot), site.station.zone).unwrap(),
            model: model.to_owned(),
            model_sha256: "1".repeat(64),
            cover: Cover::from_code(5).unwrap(),
            cloud_fraction: Some(0.6),
            confidence: None,
        };
        database.keep_shadow(&reading).unwrap();
    }
    let body = site.get(&format!("{OBSERVATIONS}?to=2024-01-01")).await.json();
    let told: Vec<_> = items(&body)
        .iter()
        .filter_map(|item| Some((item["slot"].as_str()?, item["shadow"].as_array()?)))
        .map(|(slot, shadow)| (slot, shadow.len(), shadow[0]["okta"].as_i64().unwrap()))
        .collect();
    assert_eq!(told, [("2024-01-01T00:02", 1, 5), ("2024-01-01T00:22", 2, 5)]);
    let lines = site.get(&format!("{OBSERVATIONS}.jsonl?limit=2")).await;
    let lines: Vec<Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines[0]["shadow"],
        json!([{"model": "other 1", "okta": 5, "cloud_fraction": 0.6, "confidence": null}])
    );
    assert_eq!(lines[1].get("shadow"), None);
}
