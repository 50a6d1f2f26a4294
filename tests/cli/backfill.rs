//! `celaje backfill`, from the first picture to the last line.

use crate::support::server::{Reply, Server, closed};
use crate::support::{asked, first, onnx, pictures, slots};
use crate::{Home, camera, camera_with, okta, picture, run};

const HOUR: (&str, &str) = ("2024-03-01T00:00", "2024-03-01T00:59");

#[test]
fn a_day_is_stored_and_then_known() {
    let home = Home::new();
    let server = camera();
    let day = || home.backfill(&server.base(), "2024-03-01", "2024-03-01");
    let told = run(day().arg("--json"));
    assert_eq!((told.status, told.err.as_str()), (0, ""), "{told:?}");
    let lines: Vec<&str> = told.out.lines().collect();
    assert_eq!(lines[0], "📊 Backfill → total=144 | nuevos=144 | duplicados=0 | fallidos=0");
    assert_eq!(lines.len(), 2);
    let summary = told.json();
    for (field, wanted) in [
        ("station", "rio-grande".into()),
        ("from", "2024-03-01T00:00".into()),
        ("to", "2024-03-01T23:59".into()),
        ("total", 144.into()),
        ("new", 144.into()),
        ("duplicates", 0.into()),
        ("missed", 0.into()),
        ("missed_by_reason", serde_json::json!({})),
        ("reprocessed", 0.into()),
        ("pending", 0.into()),
        ("interrupted", false.into()),
        ("model", serde_json::Value::from("red 3")),
    ] {
        assert_eq!(summary[field], wanted, "{field}");
    }
    assert!(summary["elapsed_s"].as_f64().unwrap() > 0.0);
    assert!(summary["images_per_s"].as_f64().unwrap() > 0.0);
    assert!(summary["engine"].as_str().unwrap().starts_with("rten "));
    let oktas: Vec<i64> = (0..144).map(|i| i64::from(okta(i))).collect();
    assert_eq!(home.record("cielo.db").oktas(), oktas);
    assert_eq!(home.record("cielo.db").count("registro_historico"), 144);
    assert!(server.most_at_once() <= 8);

    server.forget_requests();
    let told = run(day().arg("--json"));
    assert_eq!(
        (told.status, told.out.lines().next()),
        (0, Some("📊 Backfill → total=144 | nuevos=0 | duplicados=144 | fallidos=0"))
    );
    assert_eq!(told.json()["duplicates"], 144);
    assert_eq!(server.requests(), Vec::<String>::new());
    // Nothing is left beside the database but the lock.
    assert!(!home.has("cielo.db-wal") && !home.has("cielo.db.lock"));
}

#[test]
fn ends_of_the_range_are_included_to_the_minute() {
    let server = camera();
    for (from, to, slots) in [
        ("2024-03-01T00:02", "2024-03-01T00:12", 2),
        ("2024-03-01 00:02", "2024-03-01T00:02:59", 1),
        ("2024-03-01T22:00", "2024-03-02T00:02", 13),
        ("2024-03-01T23:52", "2024-03-01", 1),
    ] {
        let home = Home::new();
        let mut command = home.celaje(["backfill", "--from", from, "--to", to, "--json"]);
        command.args(["--url-base", &server.base(), "--engine", "rten"]);
        let told = run(command.args(["--model", "red.onnx", "--quiet"]));
        assert_eq!(told.json()["total"], slots, "{told:?}");
        // Without a word of it, the database is the replaced system's.
        assert_eq!(home.record("registros-octas.db").count("observations"), slots);
    }
}

#[test]
fn slots_that_are_not_due_are_pending() {
    let home = Home::new();
    let server = Server::start(|path, _| {
        asked(path).map_or(Reply::not_found(), |_| Reply::Body(picture(0)))
    });
    // Whole hours around now, by the station's clock: three hours behind UTC.
    let hour = |hours: i64| {
        let time = chrono::Utc::now() + chrono::TimeDelta::hours(hours - 3);
        time.format("%Y-%m-%dT%H:00").to_string()
    };
    let told = run(home.backfill(&server.base(), &hour(-1), &hour(30)).arg("--json"));
    assert_eq!(told.status, 0, "{told:?}");
    let summary = told.json();
    let number = |field: &str| summary[field].as_u64().unwrap();
    let pending = number("pending");
    assert!((174..=180).contains(&pending), "{summary}");
    assert_eq!((number("total") + pending, number("missed")), (186, 0));
    assert_eq!(number("new"), number("total"));
    assert_eq!(told.err, format!("pending: {pending} slots of the range are not due yet\n"));
    let mut record = home.record("cielo.db");
    assert_eq!(record.count("misses"), 0);
    assert_eq!(record.number("SELECT total FROM runs"), summary["total"].as_i64().unwrap());

    // Wholly ahead: nothing is asked for, nothing is written.
    server.forget_requests();
    let ahead = || home.backfill(&server.base(), &hour(48), &hour(49));
    let told = run(ahead().args(["--lang", "es"]));
    assert_eq!(
        (told.status, told.out.as_str(), told.err.as_str()),
        (
            0,
            "📊 Backfill → total=0 | nuevos=0 | duplicados=0 | fallidos=0\n",
            "pendientes: 6 turnos del rango todavía no están disponibles\n"
        )
    );
    assert_eq!(server.requests(), Vec::<String>::new());
    assert_eq!(home.record("cielo.db").count("runs"), 1);

    // A folder holds what it holds.
    let slot = hour(48).replace(":00", ":02").replace(['-', 'T', ':'], "");
    home.write(&format!("sky/{}-{}.jpg", &slot[..4], &slot[4..]), picture(0));
    let told = run(ahead().args(["--dir", "sky", "--json", "--quiet"]));
    assert_eq!((&told.json()["new"], &told.json()["pending"]), (&1.into(), &0.into()), "{told:?}");
}

/// A clock that is ahead of the camera's would ask for slots that have not come.
#[test]
fn a_clock_that_differs_from_the_cameras_books_no_misses() {
    let time = |days: i64, format: &str| {
        let time = chrono::Utc::now() + chrono::TimeDelta::days(days);
        time.format(format).to_string()
    };
    let behind = time(-3, "%a, %d %b %Y %H:%M:%S GMT");
    let date = behind.clone();
    let empty = Server::start(move |_, _| Reply::Status(404, vec![("date", date.clone())]));
    // One that answers any name, and one that has what has come by this machine's clock.
    let camera = |until: Option<chrono::DateTime<chrono::Utc>>| {
        let behind = behind.clone();
        Server::start(move |path, _| match asked(path) {
            Some(asked) if until.is_none_or(|until| asked.slot.utc() < until) => {
                let body = picture(0);
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nDate: {behind}\r\nContent-Length: {length}\r\n\r\n"
                );
                Reply::Raw([head.into_bytes(), body].concat())
            }
            _ => Reply::Status(404, vec![("date", behind.clone())]),
        })
    };
    let any_name = camera(None);
    let full = camera(Some(chrono::Utc::now()));
    let home = Home::new();
    let (from, to) = (time(-2, "%Y-%m-%dT00:00"), time(0, "%Y-%m-%dT%H:00"));
    // A program that has just been built knows itself that the last hours have come.
    let program = home.older_program();
    let range =
        |server: &Server, to: &str| run(&mut home.backfill_by(&program, &server.base(), &from, to));
    // No camera is asked for what may not have come, whatever it would answer.
    for server in [&empty, &any_name, &full] {
        let parts =
            ["the clock of this machine looks wrong", &time(0, "%Y-%m-%d"), "trust_clock = true"];
        range(server, &to).refused(3, &parts);
        assert_eq!(server.requests(), ["/sky/"]);
        server.forget_requests();
    }
    assert_eq!(home.record("cielo.db").count("misses"), 0);
    assert_eq!(home.record("cielo.db").count("runs"), 0);
    // The user speaks for this machine.
    let mut trusting = home.backfill_by(&program, &full.base(), &from, &to);
    let told = run(trusting.arg("--trust-clock"));
    assert_eq!(told.status, 0, "{told:?}");
    assert!(home.record("cielo.db").count("observations") > 200, "{told:?}");
    // What has come by both clocks is asked for.
    let told = run(&mut home.backfill(&empty.base(), "2024-03-01T00:00", "2024-03-01T00:59"));
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(home.record("cielo.db").count("misses"), 6);
}

#[test]
fn misses_are_told_by_reason() {
    let home = Home::new();
    let server = camera_with(|index| match index {
        1 | 3 => Some(Reply::not_found()),
        4 => Some(Reply::Body(pictures::html())),
        _ => None,
    });
    let hour = || home.backfill(&server.base(), HOUR.0, HOUR.1);
    let told = run(hour().arg("--json"));
    assert_eq!(told.status, 0);
    assert_eq!(told.err, "missed: not_found=2, not_an_image=1\n");
    assert_eq!(
        told.out.lines().next(),
        Some("📊 Backfill → total=6 | nuevos=3 | duplicados=0 | fallidos=3")
    );
    let summary = told.json();
    assert_eq!(summary["missed_by_reason"], serde_json::json!({"not_found": 2, "not_an_image": 1}));
    assert_eq!(summary["total"], 6);

    // Two are known now: not asked for again, and said so, in the user's language.
    server.forget_requests();
    let told = run(hour().args(["--lang", "es"]));
    assert_eq!(
        told.err,
        format!(
            "fallidos: not_found=2, not_an_image=1 (2 ya sabidos; --retry-missed los pide de \
            nuevo)\n\
             NO SE HALLÓ NINGUNA IMAGEN en '{}' (turnos pedidos: 1); si debería haberlas, revise \
             --url-base, --layout, --desde y --hasta\n",
            server.base()
        )
    );
    assert_eq!(told.out, "📊 Backfill → total=6 | nuevos=0 | duplicados=3 | fallidos=3\n");
    // But for the page in a picture's place: that may be mended by now.
    assert_eq!(server.requests().len(), 2);
    assert!(server.requests().iter().all(|path| path.ends_with("2024-03010042.jpg")));
    server.forget_requests();

    let told = run(hour().args(["--retry-missed", "--quiet", "--json"]));
    assert_eq!((told.err.as_str(), told.out.lines().count()), ("", 1));
    assert_eq!(told.json()["missed"], 3);
    // Each in both places.
    assert_eq!(server.requests().len(), 3 + 3);
}

#[test]
fn a_slot_that_was_missed_is_stored_when_its_picture_comes() {
    let home = Home::new();
    let server = camera_with(|index| (index < 3).then(|| Reply::status(403)));
    let told = run(&mut home.backfill(&server.base(), HOUR.0, HOUR.1));
    assert_eq!(told.err, "missed: http_status=3\n");
    let server = camera();
    let told = run(&mut home.backfill(&server.base(), HOUR.0, HOUR.1));
    assert_eq!(
        (told.out.as_str(), told.err.as_str()),
        ("📊 Backfill → total=6 | nuevos=3 | duplicados=3 | fallidos=0\n", "")
    );
    assert_eq!(home.record("cielo.db").count("misses"), 0);
}

#[test]
fn reprocessing_uses_the_present_model() {
    let home = Home::new();
    let server = camera();
    run(&mut home.backfill(&server.base(), HOUR.0, HOUR.1));
    onnx::write_red(&home.path(""), "red", "4");
    let mut again = home.backfill(&server.base(), HOUR.0, HOUR.1);
    let told = run(again.args(["--reprocess", "--json"]));
    let summary = told.json();
    assert_eq!(
        (&summary["duplicates"], &summary["reprocessed"], &summary["new"]),
        (&6.into(), &6.into(), &0.into())
    );
    let rows = "observations WHERE model = 'red 4'";
    assert_eq!(home.record("cielo.db").count(rows), 6);
}

/// A range where nothing is may be the address's fault: that is said once, without its secrets.
#[test]
fn a_run_that_finds_no_picture_says_so() {
    let home = Home::new();
    let server = camera_with(|_| Some(Reply::not_found()));
    let base = server.base().replace("http://", "http://observer:hush@");
    let hour = || home.backfill(&format!("{base}?key=hush"), HOUR.0, HOUR.1);
    let told = run(hour().args(["--json"]));
    assert_eq!(told.status, 0, "{told:?}");
    let wanted = format!("NO PICTURE was found at '{}' (slots asked for: 6);", server.base());
    assert_eq!(told.err.matches(&wanted).count(), 1, "{}", told.err);
    assert!(told.err.contains("--url-base") && told.err.contains("--layout"));
    assert!(!told.err.contains("hush"), "{}", told.err);
    let mut record = home.record("cielo.db");
    let asked = record.texts("SELECT DISTINCT source || layout FROM misses");
    assert_eq!(asked, [format!("{}auto", server.base())]);
    drop(record);

    // Nothing is asked for any more, and nothing is said of it; nor with --quiet.
    let told = run(&mut hour());
    assert!(told.err.contains("6 known") && !told.err.contains("NO PICTURE"), "{}", told.err);
    let told = run(hour().args(["--quiet", "--retry-missed"]));
    assert_eq!((told.status, told.err.as_str()), (0, ""));

    home.write("pictures/none.txt", "");
    let told = run(hour().args(["--dir", "pictures", "--lang", "es"]));
    let wanted = "en la carpeta 'pictures' (turnos buscados: 6)";
    assert!(told.err.contains(wanted) && told.err.contains("--dir"), "{}", told.err);
}

#[test]
fn rows_that_were_asked_for_in_vain_are_told() {
    let home = Home::new();
    run(&mut home.backfill(&camera().base(), HOUR.0, HOUR.1));
    let gone = camera_with(|index| (index < 2).then(Reply::not_found));
    let again = || {
        let mut command = home.backfill(&gone.base(), HOUR.0, HOUR.1);
        command.arg("--reprocess");
        command
    };
    let told = run(&mut again());
    let notice = "2 of the duplicates were asked for in vain and keep their rows: not_found=2\n";
    assert_eq!(told.err, notice);
    assert!(told.out.contains("duplicados=6 | fallidos=0"), "{told:?}");
    assert_eq!(run(again().arg("--quiet")).err, "");
}

#[test]
fn a_host_that_nobody_reaches_is_status_4() {
    let home = Home::new();
    let base = format!("http://{}/sky/", closed());
    let mut command = home.backfill(&base, "2024-03-01", "2024-03-01");
    let told = run(command.args(["--layout", "root", "--json"]));
    assert_eq!(told.status, 4, "{told:?}");
    assert!(
        told.err.contains("missed: unreachable=144\n")
            && told.err.contains("no request reached the host '127.0.0.1'")
            && told.err.contains("--url-base"),
        "{}",
        told.err
    );
    // The summary is there all the same, and the record says why.
    assert_eq!(
        told.out.lines().next(),
        Some("📊 Backfill → total=144 | nuevos=0 | duplicados=0 | fallidos=144")
    );
    assert_eq!(told.json()["missed_by_reason"]["unreachable"], 144);
    assert_eq!(home.record("cielo.db").reasons()["unreachable"], 144);
}

#[test]
fn pictures_from_a_folder_in_both_layouts() {
    for place in ["sky", "sky/2024"] {
        let home = Home::new();
        for (index, slot) in slots(first(6)).into_iter().enumerate() {
            if index != 2 {
                home.write(&format!("{place}/{}", slot.file_name()), picture(index));
            }
        }
        let mut command = home.backfill("http://127.0.0.1:9/", HOUR.0, HOUR.1);
        let told = run(command.args(["--dir", "sky"]));
        assert_eq!(
            (told.status, told.out.as_str()),
            (0, "📊 Backfill → total=6 | nuevos=5 | duplicados=0 | fallidos=1\n")
        );
        assert_eq!(home.record("cielo.db").oktas(), [0, 1, 3, 4, 5]);
    }
}

/// Without a range, what a tree holds is all that is asked for; a range is asked for whole.
#[test]
fn gaps_of_a_folder_are_misses_only_where_they_are_asked_for() {
    let home = Home::new();
    for place in
        ["a/2024-03010002.jpg", "b/2024-03010002.jpg", "b/2024-03010052.jpg", "c/2024-05010002.jpg"]
    {
        home.write(&format!("sky/{place}"), picture(0));
    }
    let call = |args: &[&str]| {
        let mut command = home.celaje(["backfill", "--db", "cielo.db", "--threads", "1"]);
        command.args(["--engine", "rten", "--model", "red.onnx", "--base-dir", "sky"]);
        run(command.args(args))
    };
    let told = call(&[]);
    assert_eq!(
        (told.status, told.out.as_str()),
        (0, "📊 Backfill → total=3 | nuevos=3 | duplicados=0 | fallidos=0\n"),
        "{told:?}"
    );
    let doubles = "1 pictures of the folder are left out, since another one has the same moment in \
         its name: the one nearest to the top counts, then the first by its path \
         ('a/2024-03010002.jpg', not 'b/2024-03010002.jpg')";
    assert!(told.err.contains(doubles), "{}", told.err);
    let mut record = home.record("cielo.db");
    assert_eq!((record.count("observations"), record.count("misses")), (3, 0));
    let told = run(&mut home.celaje(["db", "check", "--db", "cielo.db"]));
    assert_eq!(told.status, 0, "{told:?}");
    // A second time nothing is new, and one that came meanwhile is.
    home.write("sky/c/2024-04010002.jpg", picture(0));
    let told = call(&[]);
    assert!(told.out.contains("total=4 | nuevos=1 | duplicados=3 | fallidos=0"), "{told:?}");
    let told = call(&["--desde", "2024-03-01T00:00", "--hasta", "2024-03-01T00:59"]);
    assert!(told.out.contains("total=6 | nuevos=0 | duplicados=2 | fallidos=4"), "{told:?}");
    assert_eq!(record.count("misses"), 4);
    let told = call(&["--desde", "2024-04-30T23:52"]);
    assert!(told.out.contains("total=2 | nuevos=0 | duplicados=1 | fallidos=1"), "{told:?}");
}

/// A tree with names of its own, as the station's source says.
#[test]
fn gaps_of_a_tree_are_no_misses_either() {
    let home = Home::new();
    home.write(
        "celaje.toml",
        "[station]\nid = 'cerro'\nlatitude = -30.0\nlongitude = -70.0\ntime_zone = '-03:00'\n\
         [station.source]\nkind = 'tree'\ndir = 'sky'\n\
         path = '%Y%m%d/image-%Y%m%d%H%M%S.jpg'\n",
    );
    home.write("sky/20240301/image-20240301000205.jpg", picture(0));
    home.write("sky/20240301/image-20240301000311.jpg", picture(1));
    home.write("sky/20240305/image-20240305115758.jpg", picture(2));
    let call = |args: &[&str]| {
        let mut command = home.celaje(["backfill", "--db", "cielo.db", "--threads", "1"]);
        run(command.args(["--engine", "rten", "--model", "red.onnx", "--dir", "sky"]).args(args))
    };
    let told = call(&[]);
    assert_eq!(
        (told.status, told.out.as_str()),
        (0, "📊 Backfill → total=2 | nuevos=2 | duplicados=0 | fallidos=0\n"),
        "{told:?}"
    );
    let slots = home.record("cielo.db").texts("SELECT slot_local FROM observations ORDER BY 1");
    assert_eq!(slots, ["2024-03-01T00:00", "2024-03-05T12:00"]);
    let told = call(&["--desde", "2024-03-05T11:30"]);
    assert!(told.out.contains("nuevos=0 | duplicados=1") && !told.out.contains("fallidos=0"));
}

/// The calls that stand in old scripts: a tree of labelled folders without a range, and the modes.
#[test]
fn the_replaced_systems_calls_are_understood() {
    let home = Home::new();
    let places = [
        "a/imagenes_clara_octa_0/2024-03010002.jpg",
        "a/b/c/2024-03010012.JPEG",
        "2024-03010022.Png",
        "a/2024-03010033.jpg",
        "a/._2024-03010032.jpg",
        "a/latest.jpg",
    ];
    for (index, place) in places.into_iter().enumerate() {
        home.write(&format!("sky/{place}"), picture(index));
    }
    let call = |args: &[&str]| {
        let mut command = home.celaje(["backfill", "--db", "cielo.db", "--threads", "1"]);
        command.args(["--engine", "rten", "--model", "red.onnx", "--base-dir", "sky"]);
        run(command.args(["--concurrency", "64"]).args(args))
    };
    let told = call(&[]);
    assert_eq!(
        (told.status, told.out.as_str()),
        (0, "📊 Backfill → total=3 | nuevos=3 | duplicados=0 | fallidos=0\n"),
        "{told:?}"
    );
    assert!(told.err.contains("1 pictures of the folder are left out"), "{}", told.err);
    let mut record = home.record("cielo.db");
    assert_eq!(record.oktas(), [0, 1, 2]);
    let urls =
        record.texts("SELECT url FROM observations WHERE url LIKE '%/b/c/2024-03010012.JPEG'");
    assert_eq!(urls.len(), 1);
    // The rows stay, or are replaced.
    let stay = ["--modo", "respetar_hora", "--step-min", "10", "--json", "--hasta", "2024-03-01"];
    let told = call(&stay);
    assert_eq!((told.status, told.json()["reprocessed"].as_u64()), (0, Some(0)), "{told:?}");
    assert_eq!(told.json()["total"], 144);
    let told = call(&["--modo", "forzar", "--json"]);
    assert_eq!((told.status, told.json()["reprocessed"].as_u64()), (0, Some(3)), "{told:?}");
    call(&["--step-min", "5"]).refused(2, &["--step-min 5", "2, 12, 22, 32, 42, 52"]);
    home.write("empty/latest.jpg", picture(0));
    call(&["--dir", "empty"]).refused(2, &["--dir"]);
    let mut command = home.celaje(["backfill", "--dir", "empty", "--db", "cielo.db"]);
    run(&mut command).refused(2, &["'empty'", "2024-01310802.jpg"]);
    run(&mut home.celaje(["backfill", "--desde", "2024-03-01"])).refused(2, &["--hasta"]);
}

/// The bundled model, as a new user runs it.
#[test]
fn the_bundled_model_needs_nothing() {
    let home = Home::new();
    let server = camera_with(|index| {
        let cloud = if index.is_multiple_of(2) { 0.0 } else { 1.0 };
        Some(Reply::Body(pictures::jpeg(cloud)))
    });
    let mut command = home.celaje(["backfill", "--desde", HOUR.0, "--hasta", HOUR.1]);
    let told = run(command.args(["--url-base", &server.base(), "--engine", "rten", "--json"]));
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(told.json()["model"], "celaje-6 6");
    let oktas = home.record("registros-octas.db").oktas();
    for (index, okta) in oktas.iter().enumerate() {
        assert!(if index % 2 == 0 { *okta <= 1 } else { *okta >= 7 }, "{oktas:?}");
    }
}

#[test]
fn what_flowed_through_the_actors_balances() {
    let home = Home::new();
    let server = camera();
    let hour = || home.backfill(&server.base(), HOUR.0, HOUR.1);
    let told = run(hour().args(["--stats", "--json", "--quiet"]));
    assert_eq!(told.status, 0, "{told:?}");
    let stats = &told.json()["stats"];
    for (n, stage) in ["fetch", "decode", "batch", "session", "store"].iter().enumerate() {
        let told = &stats["stages"][n];
        assert_eq!(told["stage"], *stage);
        for count in ["received", "taken", "done"] {
            assert_eq!(told[count], 6, "{stage} {count}");
        }
        for count in ["waiting", "working"] {
            assert_eq!(told[count], 0, "{stage} {count}");
        }
    }
    assert_eq!(stats["credits_given"], 6);
    assert_eq!(stats["credits_home"], 6);
    assert_eq!(stats["batched"], 6);
    assert_eq!(stats["committed"], 6);
    assert_eq!(stats["inference"]["sessions"], 1);
    assert!(told.err.contains("credits: 6 given, 6 home"), "{}", told.err);

    // Nothing to do, nothing flows; without the flag nothing is told of it.
    let told = run(hour().args(["--json", "--quiet"]));
    assert!(told.json().get("stats").is_none());
}
