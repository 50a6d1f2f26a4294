//! What is wrong with a source of pictures: one sentence with what, which value, what to do.

use super::*;

/// A home whose station has this source.
pub fn home(source: &str) -> Home {
    let home = Home::new();
    home.write(
        "celaje.toml",
        format!(
            "model = 'red.onnx'\nengine = 'rten'\nthreads = 1\ndb = 'cielo.db'\n\
             [station]\nid = 'roof'\nlatitude = -53.79\nlongitude = -67.7\n\
             time_zone = '-03:00'\n[station.source]\n{source}\n"
        ),
    );
    home
}

pub const HOUR: [&str; 5] = ["backfill", "--from", "2024-03-01T12:00", "--to", "2024-03-01T12:59"];

#[test]
fn a_template_that_cannot_be_read_back_is_refused() {
    let home = home("kind = 'tree'\ndir = 'images'\npath = '%H%M%S.jpg'");
    run(&mut home.celaje(HOUR)).refused(2, &["'%H%M%S.jpg'", "which moment", "celaje.toml"]);
}

#[test]
fn a_preset_that_finds_nothing_names_what_is_there_and_what_to_look_at() {
    let home = home("preset = 'allsky'\ndir = 'images'");
    home.write("images/20240301/sky-1202.jpg", picture(0));
    let found = run(&mut home.celaje(["backfill", "--dir", "images"]));
    found.refused(2, &["images/", "path or preset in celaje.toml", "--dir"]);
    // A range is asked for all the same.
    let asked = run(&mut home.celaje(HOUR));
    could_not_be_read(&asked, &["images/20240301/sky-1202.jpg", "image-%Y%m%d%H%M%S", "preset"]);
    let spanish = run(home.celaje(HOUR).env("LANG", "es_AR.UTF-8"));
    could_not_be_read(&spanish, &["images/20240301/sky-1202.jpg", "preset de [station.source]"]);
    assert_eq!(home.record("cielo.db").count("misses WHERE reason = 'unreadable'"), 6);
    // With the right one they are asked for again; a day without pictures is none of a wrong form.
    home.write("images/20240301/image-20240301120203.jpg", picture(0));
    let found = run(&mut home.celaje(HOUR));
    assert_eq!((found.status, home.record("cielo.db").count("observations")), (0, 1), "{found:?}");
    let details = home.record("cielo.db").texts("SELECT DISTINCT detail FROM misses");
    assert_eq!(details.len(), 5);
    for part in ["no picture of 2024-03-01T", "image-%Y%m%d%H%M%S", "images"] {
        assert!(details[0].contains(part), "{part}: {}", details[0]);
    }
}

/// As `keep` by days would remove them.
#[test]
fn copies_are_not_kept_where_the_cameras_own_pictures_are() {
    let home = home("preset = 'allsky'\ndir = 'cams/roof'");
    home.write("cams/roof/20240301/image-20240301120203.jpg", picture(0));
    let args = ["serve", "--listen", "127.0.0.1:0", "--keep", "30d", "--keep-dir", "cams"];
    run(&mut home.celaje(args)).refused(2, &["'cams'", "roof", "keep_dir"]);
}

/// That a run says why nothing could be looked for, and not that there was nothing.
fn could_not_be_read(ran: &Told, parts: &[&str]) {
    assert_eq!(ran.status, 3, "{ran:?}");
    assert!(ran.out.contains("nuevos=0"), "{ran:?}");
    for part in parts {
        assert!(ran.err.contains(part), "no '{part}' in {}", ran.err);
    }
    for misleading in ["NO PICTURE", "NO SE HALL"] {
        assert!(!ran.err.contains(misleading), "{}", ran.err);
    }
}

/// A server's list of files that is none, or of a form that is not known.
#[test]
fn a_list_in_an_unknown_form_is_told() {
    use crate::support::server::{Reply, Server};
    for list in [
        "{\"files\": [{\"name\": \"20240301\"}]}",
        "[{\"name\": \"/images/20240301/\"}]",
        "[\"20240301/\"]",
        "<html><link href=\"app.css\"><div id=\"app\"></div></html>",
    ] {
        let server = Server::start(move |_, _| Reply::Body(list.as_bytes().to_vec()));
        let base = server.base();
        let home = home(&format!("preset = 'allsky'\nurl = '{base}'"));
        let ran = run(&mut home.celaje(HOUR));
        could_not_be_read(&ran, &[&base, "is no list of files", "another kind of source"]);
    }
}

/// A server that fails is said to, and a source without pictures is not sought in other settings.
#[test]
fn a_server_that_fails_is_named_with_its_status() {
    use crate::support::server::{Reply, Server};
    let tree = "kind = 'tree'\npath = '%Y%m%d/%H%M.jpg'";
    let template = "kind = 'template'\npath = '%Y%m%d/%H%M.jpg'";
    for (source, status, en, es) in [
        (tree, 500, "answers 500, a fault of its own", "responde 500, una falla suya"),
        (template, 404, "NO PICTURE was found", "NO SE HALLÓ NINGUNA IMAGEN"),
    ] {
        let server = Server::start(move |_, _| Reply::Status(status, vec![]));
        let base = server.base();
        for (lang, part) in [("en", en), ("es", es)] {
            let home = home(&format!("{source}\nurl = '{base}'"));
            let ran = run(home.celaje(HOUR).args(["--lang", lang]));
            let line = ran.err.lines().find(|line| line.contains(part));
            let line = line.unwrap_or_else(|| panic!("no '{part}': {ran:?}"));
            assert!(line.contains(&base) && line.contains("[station.source]"), "{line}");
            assert!(!line.contains("--layout"), "{line}");
            assert_eq!(ran.err.contains("NO "), status == 404, "{ran:?}");
        }
    }
}

#[test]
fn a_folder_that_is_empty_is_called_empty() {
    let home = home("preset = 'allsky'\ndir = 'images'");
    std::fs::create_dir(home.path("images")).unwrap();
    let ran = run(&mut home.celaje(HOUR));
    assert!(ran.status == 0 && ran.err.contains("images' is empty"), "{ran:?}");
    assert!(!ran.err.contains("NO PICTURE"), "{}", ran.err);
}

#[test]
fn a_folder_that_is_not_there_or_is_none_is_named() {
    for (make, part) in [(false, "there is no folder"), (true, "cannot be read")] {
        let home = home("preset = 'allsky'\ndir = 'images'");
        if make {
            home.write("images", "no folder");
        }
        could_not_be_read(&run(&mut home.celaje(HOUR)), &[part, "images"]);
        let details = home.record("cielo.db").texts("SELECT DISTINCT detail FROM misses");
        assert_eq!(details.len(), 1, "{details:?}");
        assert!(details[0].contains(part) && details[0].contains("images"), "{}", details[0]);
    }
}

/// Lets others do what `mode` says with a file.
#[cfg(target_os = "linux")]
fn allow(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs the program while the folder is closed to it. Root reads any folder, so the program runs as
/// somebody else there.
#[cfg(target_os = "linux")]
fn without_permission(home: &Home, folder: &str, args: &[&str]) -> Told {
    let folder = home.path(folder);
    allow(home.0.path(), 0o777);
    allow(&folder, 0o000);
    let is_anybody = std::fs::read_dir(&folder).is_ok();
    let mut command = match is_anybody {
        false => home.celaje(args),
        true => {
            // Where the tests were built may be closed to others.
            let copy = home.path("program");
            std::fs::copy(program(), &copy).unwrap();
            let mut command = home.call(
                Path::new("/usr/bin/setpriv"),
                ["--reuid=65534", "--regid=65534", "--clear-groups", copy.to_str().unwrap()],
            );
            command.args(args);
            command
        }
    };
    let ran = run(&mut command);
    allow(&folder, 0o755);
    ran
}

/// The pictures of the other folders are read; a slot that may have its own in the closed one is
/// missed for that, and is asked for again.
#[cfg(target_os = "linux")]
#[test]
fn one_closed_folder_hides_its_own_pictures_alone() {
    let home = Home::new();
    home.write("sky/a/2024-03011202.jpg", picture(0));
    home.write("sky/b/2024-03011212.jpg", picture(1));
    home.write("sky/c/2024-03011222.jpg", picture(2));
    let with = [
        "--dir",
        "sky",
        "--db",
        "cielo.db",
        "--model",
        "red.onnx",
        "--engine",
        "rten",
        "--threads",
        "1",
    ];
    let hour = [&HOUR[..], &with].concat();
    let counts = || {
        let mut record = home.record("cielo.db");
        (record.count("observations"), record.count("misses WHERE reason = 'unreadable'"))
    };
    for (args, missed) in [(&[&HOUR[..1], &with].concat(), 0), (&hour, 4)] {
        let ran = without_permission(&home, "sky/b", args);
        assert_eq!(ran.status, 0, "{ran:?}");
        let said: Vec<_> = ran.err.lines().filter(|line| line.contains("sky/b")).collect();
        assert_eq!(said.len(), 1, "{ran:?}");
        assert!(
            said[0].contains("permission is denied") && said[0].contains("let the user"),
            "{said:?}"
        );
        assert_eq!(counts(), (2, missed), "{ran:?}");
    }
    let details = home.record("cielo.db").texts("SELECT DISTINCT detail FROM misses");
    assert!(details.len() == 1 && details[0].contains("sky/b"), "{details:?}");
    // As the other user made it.
    for file in ["cielo.db", "cielo.db-wal", "cielo.db-shm", "cielo.db.lock"] {
        if home.has(file) {
            allow(&home.path(file), 0o666);
        }
    }
    let ran = run(&mut home.celaje(&hour));
    assert_eq!((ran.status, counts()), (0, (3, 0)), "{ran:?}");
    // With nothing else to be read it ends as a folder does that is closed itself.
    let lone = Home::new();
    lone.write("sky/b/2024-03011212.jpg", picture(1));
    could_not_be_read(
        &without_permission(&lone, "sky/b", &hour),
        &["sky/b", "permission is denied"],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_without_permission_is_named() {
    let home = home("preset = 'allsky'\ndir = 'images'");
    home.write("images/20240301/image-20240301120000.jpg", picture(0));
    let ran = without_permission(&home, "images", &HOUR);
    let details = home.record("cielo.db").texts("SELECT DISTINCT detail FROM misses");
    assert_eq!(details.len(), 1, "{ran:?} {details:?}");
    could_not_be_read(&ran, &["images", "cannot be read", "permission is denied"]);
    for part in ["images", "cannot be read", "permission is denied"] {
        assert!(details[0].contains(part), "{part}: {}", details[0]);
    }
    // The whole folder is asked for: each language by itself, with one thing to do.
    for (lang, parts) in [
        ("en", ["images' cannot be read (permission is denied)", "let the user that runs"]),
        ("es", ["images' (no hay permiso)", "permita que la lea el usuario"]),
    ] {
        let of_source = ["backfill", "--dir", "images", "--lang", lang];
        let plain = [&of_source[..], &["--config", "plain.toml"]].concat();
        home.write("plain.toml", "model = 'red.onnx'\nengine = 'rten'\ndb = 'other.db'\n");
        for args in [&of_source[..], &plain] {
            let ran = without_permission(&home, "images", args);
            assert_eq!(ran.status, 3, "{ran:?}");
            let line = ran.err.lines().find(|line| line.contains("images'")).unwrap_or_default();
            for part in parts {
                assert_eq!(line.matches(part).count(), 1, "no '{part}': {ran:?}");
            }
            assert_eq!(line.matches(';').count(), 1, "{line}");
            assert_eq!(line.contains("cannot"), lang == "en", "{line}");
        }
    }
}

/// Chile sets its clocks at midnight: once an hour is left out, once it comes twice.
#[test]
fn a_clock_that_jumps_at_midnight_loses_and_doubles_no_slot() {
    let home = home("preset = 'allsky'\ndir = 'images'");
    let settings = std::fs::read_to_string(home.path("celaje.toml")).unwrap();
    home.write("celaje.toml", settings.replace("'-03:00'", "'America/Santiago'"));
    // A picture every ten minutes of true time, named by the clock on the wall, from the evening
    // before to the morning after.
    let zone: celaje_sky::slot::Zone = "America/Santiago".parse().unwrap();
    for (begin, from, to, slots) in [
        ("2024-09-08T00:00:07Z", "2024-09-07T20:00", "2024-09-08T09:59", 13 * 6),
        ("2024-04-06T23:00:07Z", "2024-04-06T20:00", "2024-04-07T07:59", 12 * 6),
    ] {
        let begin: chrono::DateTime<chrono::Utc> = begin.parse().unwrap();
        for n in 0..90 {
            let local = zone.local(begin + chrono::TimeDelta::minutes(10 * n));
            let night = local - chrono::TimeDelta::hours(12);
            let folder = night.format("%Y%m%d");
            let name = local.format("image-%Y%m%d%H%M%S.jpg");
            home.write(&format!("images/{folder}/{name}"), picture(n as usize));
        }
        let ran = run(&mut home.celaje(["backfill", "--from", from, "--to", to]));
        assert_eq!(ran.status, 0, "{ran:?}");
        let told =
            ran.err.contains("America/Santiago is set back by 60 minutes at 2024-04-07T00:00");
        assert_eq!(told, from.starts_with("2024-04"), "{ran:?}");
        let of = format!("WHERE slot_local BETWEEN '{from}' AND '{to}'");
        let mut record = home.record("cielo.db");
        assert_eq!(record.count(&format!("observations {of}")), slots, "{ran:?}");
        assert_eq!(record.count(&format!("misses {of}")), 0);
        let far = "abs(julianday(taken_at) - julianday(slot_utc)) * 1440 > 5";
        assert_eq!(record.count(&format!("observations {of} AND {far}")), 0);
        let twice = "(SELECT picture_name FROM observations GROUP BY 1 HAVING count(*) > 1)";
        assert_eq!(record.count(twice), 0);
    }
}

/// The camera's clock goes back by years, or ahead by two days, an hour ago: a backfill says so.
#[test]
fn a_camera_whose_clock_has_jumped_is_named() {
    let now = chrono::Utc::now();
    let at = |minutes: i64, form: &str| {
        let local = now - chrono::TimeDelta::hours(3) + chrono::TimeDelta::minutes(minutes);
        local.format(form).to_string()
    };
    let form = "sky_%Y%m%d_%H%M%S.jpg";
    let range = [at(-180, "%Y-%m-%dT%H:%M"), at(-30, "%Y-%m-%dT%H:%M")];
    for (jumped, side, lado) in [
        ("sky_20100101_000112.jpg".to_owned(), "behind", "antes de"),
        (at(2880, form), "ahead of", "después de"),
    ] {
        let home =
            home("kind = 'tree'\ndir = 'images'\npath = 'sky_%Y%m%d_%H%M%S.jpg'\nevery = '10m'");
        for n in (60..180).step_by(10) {
            let name = format!("images/{}", at(-n, form));
            home.write(&name, picture(n as usize));
            let written = std::time::SystemTime::now() - Duration::from_secs(60 * n as u64);
            let file = std::fs::File::options().write(true).open(home.path(&name)).unwrap();
            file.set_modified(written).unwrap();
        }
        let backfill = || home.celaje(["backfill", "--from", &range[0], "--to", &range[1]]);
        let first = run(&mut backfill());
        assert!(!first.err.contains("jumped"), "{first:?}");
        let rows = || {
            let row = "slot_local || ' ' || picture_name || ' ' || image_sha256";
            home.record("cielo.db").texts(&format!("SELECT {row} FROM observations ORDER BY 1"))
        };
        let before = rows();
        assert!(before.len() >= 10, "{first:?}");
        home.write(&format!("images/{jumped}"), picture(7));
        for (lang, parts) in [
            ("C", ["has jumped: its newest picture", &jumped, side, "set the camera's clock"]),
            (
                "es_AR.UTF-8",
                ["saltó: su imagen más nueva", &jumped, lado, "ponga en hora la cámara"],
            ),
        ] {
            let ran = run(backfill().args(["--retry-missed"]).env("LANG", lang));
            assert_eq!(ran.status, 0, "{ran:?}");
            let said = ran.err.lines().filter(|line| line.contains(parts[0])).collect::<Vec<_>>();
            assert_eq!(said.len(), 1, "{ran:?}");
            for part in parts {
                assert!(said[0].contains(part), "no '{part}' in {}", said[0]);
            }
        }
        let said = format!("misses WHERE detail LIKE '%{jumped}%{side}%'");
        assert!(home.record("cielo.db").count(&said) > 0);
        assert_eq!(rows(), before);
    }
}

#[test]
fn the_latest_picture_alone_has_nothing_to_go_back_to() {
    let server = camera();
    let home = home(&format!("kind = 'latest'\nurl = '{}latest.jpg'", server.base()));
    run(&mut home.celaje(HOUR)).refused(2, &["'roof'", "nothing to go back", "celaje serve"]);
    assert!(server.requests().is_empty());
}

/// `init` reads what it may, and names the folder that it may not.
#[cfg(target_os = "linux")]
#[test]
fn a_tree_whose_newest_folder_is_closed_is_found_by_the_others() {
    let args = [
        "init",
        "--latitude",
        "1",
        "--longitude",
        "2",
        "--time-zone",
        "UTC",
        "--dir",
        "images",
        "--engine",
        "rten",
        "--model",
        "red.onnx",
    ];
    for has_older in [true, false] {
        let home = Home::new();
        let now = chrono::Utc::now();
        let name = |taken: chrono::DateTime<chrono::Utc>| {
            taken.format("images/%Y%m%d/image-%Y%m%d%H%M%S.jpg").to_string()
        };
        let newest = name(now - chrono::TimeDelta::minutes(1));
        home.write(&newest, picture(1));
        if has_older {
            home.write(&name(now - chrono::TimeDelta::days(3)), picture(5));
        }
        let closed = newest.rsplit_once('/').unwrap().0;
        let told = without_permission(&home, closed, &args);
        if has_older {
            assert_eq!(told.status, 0, "{told:?}");
            assert!(told.out.contains("preset = \"allsky\""), "{told:?}");
        } else {
            let folder = format!("what is in the folder '{}", home.path(closed).display());
            told.refused(3, &[&folder, "cannot be read"]);
        }
    }
}
