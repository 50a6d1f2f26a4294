//! A disk that is full or mounted elsewhere, a record or a disk that may not be written.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::storage::{JOURNAL, days};
use crate::support::server::Reply;
use crate::{Home, camera, camera_with, picture, program, run};

/// On a medium that may not be written a record is read whole: also one whose last rows are in a
/// log that nobody has folded into the file. Where something would have to be written first, a copy
/// is read, and nothing is left of it.
#[cfg(target_os = "linux")]
#[test]
fn a_record_that_may_not_be_written_is_read() {
    let home = Home::new();
    let server = camera_with(|index| (index % 10 == 3).then(Reply::not_found));
    let told = run(&mut home.celaje(days(&server, "cielo.db")));
    assert_eq!(told.status, 0, "{told:?}");
    std::fs::copy(home.path("cielo.db"), home.path("closed.db")).unwrap();
    // As a program that was killed leaves it, and copied without its -shm.
    let mut writer = home.record("cielo.db");
    writer.execute("PRAGMA wal_autocheckpoint = 0; UPDATE misses SET detail = 'in the log'");
    for (from, to) in [("cielo.db", "logged.db"), ("cielo.db-wal", "logged.db-wal")] {
        std::fs::copy(home.path(from), home.path(to)).unwrap();
    }
    drop(writer);
    // A -shm that was left behind, the replaced system's form, and a transaction that was cut off.
    std::fs::copy(home.path("closed.db"), home.path("lone.db")).unwrap();
    home.write("lone.db-shm", vec![0; 32768]);
    home.record("old.db").execute(
        "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY, url_imagen TEXT, \
         fecha_captura TEXT, octas_predichas INTEGER, confianza REAL, categoria TEXT, \
         descripcion TEXT, modelo_version TEXT, created_at TEXT); \
         INSERT INTO registro_historico VALUES ('2024-01010802.jpg', 'http://cam/x.jpg', \
         '2024-01-01T08:02:00-03:00', 3, 0.9, 'parcial', '', 'v', '2024-01-01T11:03:00+00:00')",
    );
    std::fs::copy(home.path("old.db"), home.path("cut.db")).unwrap();
    home.write("cut.db-journal", [&JOURNAL[..], &[0; 4096]].concat());
    let script = "cp closed.db logged.db* lone.db* old.db cut.db* disk/; \
         mount -o remount,ro disk; cd disk; \
         mkdir ../tmp; export TMPDIR=$PWD/../tmp; \
         for db in old cut; do \
             $CELAJE status --db $db.db; \
             $CELAJE db check --db $db.db; \
             $CELAJE db export-misses --db $db.db; \
             echo $db $($CELAJE export --db $db.db --from 2024-01-01T08:02 --to 2024-01-01T08:02 \
                 --out - 2>/dev/null | grep -c '2024-01-01T08:02'); \
         done; \
         $CELAJE serve --read-only --db old.db --listen 127.0.0.1:0 >../served & served=$!; \
         until grep -q http ../served; do sleep 0.1; done; \
         address=$(sed 's|.*http://||; s|/.*||' ../served); \
         bash -c \"exec 3<>/dev/tcp/${address%:*}/${address#*:}; \
             printf 'GET /api/v1/stations HTTP/1.0\\r\\nHost: $address\\r\\n\\r\\n' >&3; \
             cat <&3\"; \
         kill $served; wait $served; echo left $(ls ../tmp | wc -l); \
         for db in closed logged lone; do \
             $CELAJE status --db $db.db; \
             $CELAJE db check --db $db.db; \
             echo $db $($CELAJE db export-misses --db $db.db | grep -c 'in the log'); \
             $CELAJE db backup ../$db-copy.db --db $db.db; \
         done; ls";
    let Some(told) = on_disk(&home, "8m", script) else {
        return;
    };
    assert_eq!(told.matches("648 observations, 72 misses, the last of").count(), 3, "{told}");
    assert_eq!(told.matches("no run that died is marked as running").count(), 5, "{told}");
    assert!(told.contains("closed 0\n") && told.contains("logged 72\n"), "{told}");
    assert_eq!(told.matches("sound, 648 observations, 72 misses").count(), 3, "{told}");
    assert!(!told.contains('✘') && told.matches("-shm").count() == 1, "{told}");
    let older = "'old.db' is of an older form and lies where nothing may be written: a copy of it";
    // Three commands, and `serve`; what `export` says is counted above.
    assert_eq!(told.matches(older).count(), 4, "{told}");
    let cut = "'cut.db' has a transaction to be undone and lies where nothing may be written: a";
    assert_eq!(told.matches(cut).count(), 3, "{told}");
    assert_eq!(told.matches("1 observation, 0 misses, the last of 2024-01-01T08:02").count(), 2);
    assert!(told.contains("old 1\n") && told.contains("cut 1\n"), "{told}");
    assert!(told.contains("\"observations\":1,") && told.contains("left 0\n"), "{told}");
    let mut copy = home.record("logged-copy.db");
    assert_eq!(copy.count("misses WHERE detail = 'in the log'"), 72);
}

/// The answer to a GET of `path`.
#[cfg(unix)]
fn get(address: &str, path: &str) -> String {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A record in a folder of another user, who alone may write there, is served, and the rows that
/// come are seen.
#[cfg(unix)]
#[test]
fn a_record_of_another_user_is_served() {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let home = Home::new();
    let server = camera();
    let day = |to| run(&mut home.backfill(&server.base(), "2024-03-01T00:02", to));
    assert_eq!(day("2024-03-01T01:52").status, 0);
    let allow = |name: &str, mode| {
        std::fs::set_permissions(home.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    allow("cielo.db", 0o444);
    allow(".", 0o555);
    let mut command = Command::new(program());
    command.env_clear().env("HOME", home.path(".")).env("LANG", "C").current_dir(home.path("."));
    command.args(["serve", "--read-only", "--listen", "127.0.0.1:0", "--db", "cielo.db"]);
    if std::fs::metadata(home.path(".")).unwrap().uid() == 0 {
        // Permissions say nothing to root.
        command.uid(65534).gid(65534);
    }
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
        let _ = writeln!(std::io::stderr(), "skipped: another user may not run the program here");
        return;
    };
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let stations = || get(&address, "/api/v1/stations");
    assert!(stations().contains("\"observations\":12,"), "{}", stations());
    allow(".", 0o755);
    allow("cielo.db", 0o644);
    assert_eq!(day("2024-03-01T03:52").status, 0);
    allow("cielo.db", 0o444);
    allow(".", 0o555);
    assert!(stations().contains("\"observations\":24,"), "{}", stations());
    child.kill().unwrap();
    child.wait().unwrap();
    allow(".", 0o755);
}

/// Runs `script` with a disk of its own at `disk`, of `size`; the program is `$CELAJE`. None, and a
/// word about it, where this user may not mount one.
#[cfg(target_os = "linux")]
fn on_disk(home: &Home, size: &str, script: &str) -> Option<String> {
    std::fs::create_dir_all(home.path("disk")).unwrap();
    let unshare = |script: &str| {
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-euc", script])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path("."))
            .env("LANG", "C")
            .env("CELAJE", program())
            .current_dir(home.path("."))
            .output()
    };
    let mount = format!("mount -t tmpfs -o size={size} none disk");
    if !unshare(&mount).is_ok_and(|output| output.status.success()) {
        // Not `eprintln!`: the harness keeps that back.
        let _ = writeln!(std::io::stderr(), "skipped: this user may not mount a disk of its own");
        return None;
    }
    let output = unshare(&format!("{mount}; {script}")).unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8(text).unwrap())
}

/// A disk without room for the copy and the rows: the check and the run say so, and change nothing.
#[cfg(target_os = "linux")]
#[test]
fn a_takeover_without_room_is_refused_beforehand() {
    let home = Home::new();
    home.record("old.db").execute(
        "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY, url_imagen TEXT, \
             fecha_captura TEXT, octas_predichas INTEGER, confianza REAL, categoria TEXT, \
             descripcion TEXT, modelo_version TEXT, created_at TEXT);
         WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
         INSERT INTO registro_historico
         SELECT strftime('%Y-%m%d%H%M.jpg', '2020-01-01', (10 * i + 2) || ' minutes'), 'u', 's', \
             i % 9, 0.5, 'SCT', NULL, 'm', '2024' FROM n;",
    );
    let more = "--engine rten --url-base http://127.0.0.1:9/ --db disk/old.db";
    let script = format!(
        "cp old.db disk/; $CELAJE doctor {more} || echo doctor $?; \
         $CELAJE backfill --desde 2024-03-01T00:02 --hasta 2024-03-01T00:02 --model red.onnx \
         {more} || echo backfill $?; cmp old.db disk/old.db && echo same $(ls -A disk); \
         mount -o remount,size=64m disk; $CELAJE doctor {more} || true"
    );
    let Some(told) = on_disk(&home, "700k", &script) else {
        return;
    };
    let refused =
        "the takeover of the database 'disk/old.db' and the copy that is made before need";
    assert_eq!(told.matches(refused).count(), 2, "{told}");
    assert!(told.contains(&format!("✘ database: {refused}")), "{told}");
    assert!(told.contains("doctor 3") && told.contains("backfill 3"), "{told}");
    assert!(told.contains("same old.db\n"), "{told}");
    assert!(told.contains("✔ database: 'disk/old.db' is the replaced system's"), "{told}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_run_and_costs_no_row() {
    let home = Home::new();
    let server = camera();
    let args = days(&server, "disk/cielo.db").join(" ");
    let script = format!(
        "status=0; $CELAJE {args} || status=$?; echo status $status; \
         $CELAJE db check --db disk/cielo.db --json || true; \
         mkdir small; mount -t tmpfs -o size=40k none small; \
         $CELAJE db backup small/copy.db --db disk/cielo.db || echo copy $?; echo left $(ls -A \
         small | wc -l); \
         cp disk/cielo.db* .; mount -o remount,size=64m disk; $CELAJE {args}; \
         $CELAJE db backup whole.db --db disk/cielo.db"
    );
    let Some(told) = on_disk(&home, "600k", &script) else {
        return;
    };
    assert!(told.contains("status 3"), "{told}");
    assert!(told.contains("no room left on the disk of the database 'disk/cielo.db'"), "{told}");
    for name in ["integrity", "references", "both", "ledger", "rows"] {
        let holds = format!("\"name\":\"{name}\",\"ok\":true");
        assert!(told.contains(&holds), "{told}");
    }
    // A copy that does not fit is none, and nothing is left of it.
    assert!(told.contains("copy 3") && told.contains("left 0"), "{told}");
    assert!(!told.contains("panicked"), "{told}");
    let (mut cut, mut whole) = (home.record("cielo.db"), home.record("whole.db"));
    let (rows, all) = (cut.rows(), whole.rows());
    assert!((1..720).contains(&rows.len()), "{}", rows.len());
    assert_eq!(all.len(), 720);
    for (slot, row) in rows {
        assert_eq!(all[&slot], row);
    }
    assert_eq!(whole.count("misses"), 0);
    // Where not even that can be written, the next run marks it.
    let first = &whole.runs()[0];
    let ended = first.starts_with("failed 720 ") || first.starts_with("interrupted 720 ");
    assert!(ended, "{first}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_may_not_be_written_is_told() {
    let home = Home::new();
    let server = camera();
    let told = run(&mut home.celaje(days(&server, "cielo.db")));
    assert_eq!(told.status, 0, "{told:?}");
    server.forget_requests();
    let args = days(&server, "disk/cielo.db").join(" ");
    let script = format!(
        "cp cielo.db disk/; mount -o remount,ro disk; \
         $CELAJE {args} || echo status $?; $CELAJE db vacuum --db disk/cielo.db || echo status $?"
    );
    let Some(told) = on_disk(&home, "8m", &script) else {
        return;
    };
    assert_eq!(told.matches("status 3").count(), 2, "{told}");
    let sentence = "'disk/cielo.db' is read-only";
    assert_eq!(told.matches(sentence).count(), 2, "{told}");
    assert_eq!(server.requests(), Vec::<String>::new());
}

/// A takeover copies the file first; where the copy does not fit, nothing is made.
#[cfg(target_os = "linux")]
#[test]
fn a_takeover_without_room_for_the_copy_changes_nothing() {
    let home = Home::new();
    let server = camera();
    home.record("old.db").execute(
        "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY, url_imagen TEXT NOT NULL, \
         fecha_captura TEXT NOT NULL, octas_predichas INTEGER NOT NULL, confianza REAL NOT NULL, \
         categoria TEXT NOT NULL, descripcion TEXT, modelo_version TEXT, created_at TEXT); \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
         INSERT INTO registro_historico SELECT strftime('%Y-%m%d%H%M.jpg', '2023-01-01 00:02', \
         (i * 10) || ' minutes'), hex(zeroblob(100)), 'x', i % 9, 0.5, 'OVC', '', 'm', '' FROM n",
    );
    let before = std::fs::read(home.path("old.db")).unwrap();
    let args = days(&server, "disk/cielo.db").join(" ");
    let script = format!(
        "cp old.db disk/cielo.db; $CELAJE {args} || echo status $?; ls disk; \
         cp disk/cielo.db after.db; mount -o remount,size=64m disk; $CELAJE {args}; \
         ls disk; cp disk/cielo.db.before-celaje.bak copy.db"
    );
    let size = format!("{}k", before.len() / 1024 + 100);
    let Some(told) = on_disk(&home, &size, &script) else {
        return;
    };
    assert!(told.contains("status 3"), "{told}");
    assert!(
        told.contains("the copy that is made before need") && told.contains("nothing was changed"),
        "{told}"
    );
    assert!(!told.contains(".part") && !told.contains("panicked"), "{told}");
    assert!(std::fs::read(home.path("after.db")).unwrap() == before);
    assert_eq!(home.record("copy.db").count("registro_historico"), 1000);
}

/// As into a container: `-v ./cielo.db:/data/r.db`.
#[cfg(target_os = "linux")]
#[test]
fn a_record_that_is_mounted_alone_is_the_same_record() {
    let home = Home::new();
    let server = camera_with(|index| Some(Reply::Body(picture(index)).late(200)));
    let write = |db| days(&server, db).join(" ");
    let script = format!(
        "mkdir data; : > data/r.db; $CELAJE {} & \
         until $CELAJE status --db cielo.db | grep -q 'slots, [1-9]'; do sleep 0.2; done; \
         mount --bind cielo.db data/r.db; \
         $CELAJE status --db data/r.db || echo read $?; \
         $CELAJE {} || echo written $?; kill $!; wait; echo in $(ls data); \
         $CELAJE status --db data/r.db",
        write("cielo.db"),
        write("data/r.db"),
    );
    let Some(told) = on_disk(&home, "1m", &script) else {
        return;
    };
    let other_name = "the database 'data/r.db' is seen without its log: what process";
    assert!(told.contains(other_name) && told.contains("read 3\n"), "{told}");
    assert!(told.contains("is already writing to the database 'data/r.db'"), "{told}");
    assert!(told.contains("written 3\n") && told.contains("in r.db\n"), "{told}");
    assert!(told.contains("no program is writing it"), "{told}");
}
