//! What is refused, how one is let in, and how it ends when it is asked to.

use std::io::Write as _;
use std::process::Command;

use crate::nats::{self, Nats};
use crate::support::asked;
use crate::world::{World, until};
use crate::{check_same, twice};

#[test]
fn who_does_not_agree_is_refused() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let nats = Nats::start(&world.path("."), 1, &[]);
    let mut writer = world.writer("sky.db", &nats);
    // It describes the station otherwise: its pictures are elsewhere.
    let mut other = world.worker_at("http://127.0.0.1:9/", "other", &nats);
    assert_eq!(other.wait(), 2);
    let said = world.read("other.err");
    assert!(said.contains("is not described here as on the writer's machine"), "{said}");

    assert!(world.camera.requests().is_empty());
    let worker = world.worker(&nats);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    assert_eq!(world.known("sky.db").len(), world.slots());
    drop(worker);

    // The same record, in a copy that another machine might have.
    std::fs::copy(world.path("sky.db"), world.path("copy.db")).unwrap();
    let again = |db: &str| world.backfill(db, &["--queue", &nats.url(), "--reprocess"]);
    let _first = again("sky.db");
    until("the first one writes", || nats.has_jobs().then_some(()));
    let mut second = again("copy.db");
    let status = until("a refusal", || second.has_ended());
    let said = world.read("copy.db.err");
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("another process writes the record"), "{said}");
}

#[test]
fn nobody_is_let_in_without_tls_and_password_and_neither_is_shown() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let made = [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj /CN=test-ca",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out server.csr -subj /CN=localhost \
         -addext subjectAltName=DNS:localhost,IP:127.0.0.1",
        "x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -in server.csr \
         -out cert.pem -copy_extensions copy",
    ]
    .into_iter()
    .all(|arguments| {
        let arguments = arguments.split_whitespace();
        let ran = Command::new("openssl").args(arguments).current_dir(world.path(".")).output();
        ran.is_ok_and(|output| output.status.success())
    });
    if !made {
        let _ = writeln!(std::io::stderr(), "skipped: there is no openssl that makes certificates");
        return;
    }
    let (cert, key) = (world.path("cert.pem"), world.path("key.pem"));
    let tls = ["--tls", "--tlscert", cert.to_str().unwrap(), "--tlskey", key.to_str().unwrap()];
    let nats = Nats::start(
        &world.path("."),
        1,
        &[&tls[..], &["--user", "ana", "--pass", "s3cret"]].concat(),
    );
    let plain = nats.url().replace("127.0.0.1", "localhost");
    let inside = plain.replace("nats://", "tls://ana:s3cret@");
    let trust = ["--queue-ca-file", "ca.pem", "--log", "trace"];

    for (name, url) in [("plain", plain.as_str()), ("wrong", &inside.replace("s3cret", "wr0ng"))] {
        let mut refused = world.backfill(name, &[&["--queue", url][..], &trust].concat());
        assert_eq!(refused.wait(), 4, "{}", world.read(&format!("{name}.err")));
    }
    let mut refused = world.backfill("untrusted", &["--queue", &inside]);
    assert_eq!(refused.wait(), 4, "{}", world.read("untrusted.err"));

    let mut writer = world.backfill("sky.db", &[&["--queue", &inside][..], &trust].concat());
    let worker = [&["worker", "--queue", &inside][..], &trust].concat();
    let _worker = world.program(&world.camera.base(), "worker", &worker);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    assert_eq!(world.known("sky.db").len(), world.slots());
    let wrong = world.read("wrong.err");
    for (said, secret) in [(world.said(), "s3cret"), (wrong, "wr0ng")] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
    }
}

#[test]
fn what_ends_when_it_is_asked_to_leaves_nothing_to_be_asked_for_twice() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(2);
    assert_eq!(world.backfill("alone.db", &[]).wait(), 0);
    let (alone, once) = (world.known("alone.db"), world.requests());
    world.camera.forget_requests();
    let nats = Nats::start(&world.path("."), 1, &[]);
    let mut writer = world.writer("sky.db", &nats);
    let mut worker = world.worker(&nats);
    let asked_for = |n| {
        until("requests", || (world.camera.requests().len() >= n).then_some(()));
    };
    // A worker in the midst of a job: another one does what it left.
    asked_for(40);
    worker.signal("-TERM");
    assert_eq!(worker.wait(), 0, "{}", world.said());
    let _second = world.worker(&nats);
    // The writer: what workers have in hand is written, the rest is for the next one.
    asked_for(80);
    writer.signal("-INT");
    assert_eq!(writer.wait(), 130, "{}", world.said());
    let written = world.known("sky.db");
    let rows = written.values().filter(|text| text.contains(" observations ")).count();
    assert!(rows > 40 && written.len() < world.slots(), "{rows}");
    assert_eq!(world.writer("sky.db", &nats).wait(), 0, "{}", world.said());
    assert!(world.summary("sky.db").contains(&format!("duplicados={rows} ")));
    check_same(&alone, &world.known("sky.db"), &world);
    assert_eq!(twice(&once, &world.requests()), 0, "{}", world.said());
}

#[test]
fn a_folder_is_read_by_all_workers() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(3);
    assert_eq!(world.backfill("camera.db", &[]).wait(), 0);
    for path in world.camera.requests() {
        let name = path.rsplit('/').next().unwrap();
        if let Some(bytes) = asked(&path).and_then(|asked| World::picture(asked.index)) {
            std::fs::create_dir_all(world.path("here/2024")).unwrap();
            std::fs::write(world.path("here/2024").join(name), bytes).unwrap();
        }
    }
    std::os::unix::fs::symlink(world.path("here"), world.path("there")).unwrap();
    let nats = Nats::start(&world.path("."), 1, &[]);
    let folder = ["--dir", "here", "--queue", &nats.url()];
    let mut workers: Vec<_> = ["one", "two"]
        .map(|name| {
            let url = nats.url();
            world.program(
                &world.camera.base(),
                name,
                &["worker", "--queue", &url, "--dir", "there"],
            )
        })
        .into();
    assert_eq!(world.backfill("sky.db", &folder).wait(), 0, "{}", world.said());
    for worker in &mut workers {
        worker.signal("-TERM");
        assert_eq!(worker.wait(), 0);
    }
    assert_eq!(world.backfill("alone.db", &["--dir", "here"]).wait(), 0);
    let here = |db: &str| {
        let known = world.known(db).into_iter();
        known.map(|(slot, text)| (slot, text.replace("/there/", "/here/"))).collect()
    };
    check_same(&here("alone.db"), &here("sky.db"), &world);
}

/// A folder is listed once a run, and another run may have another one.
#[test]
fn a_worker_that_stays_reads_the_folder_of_each_run() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    assert_eq!(world.backfill("camera.db", &[]).wait(), 0);
    for path in world.camera.requests() {
        let name = path.rsplit('/').next().unwrap();
        let Some((asked, bytes)) =
            asked(&path).and_then(|asked| Some((asked.index, World::picture(asked.index)?)))
        else {
            continue;
        };
        let folder = world.path(if asked % 2 == 0 { "even/2024" } else { "odd/2024" });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let nats = Nats::start(&world.path("."), 1, &[]);
    let mut worker = world.worker(&nats);
    for folder in ["even", "odd"] {
        let args = ["--dir", folder, "--retry-missed"];
        assert_eq!(world.backfill("alone.db", &args).wait(), 0, "{}", world.said());
        let args = ["--dir", folder, "--retry-missed", "--queue", &nats.url()];
        assert_eq!(world.backfill("sky.db", &args).wait(), 0, "{}", world.said());
        check_same(&world.known("alone.db"), &world.known("sky.db"), &world);
    }
    worker.signal("-TERM");
    assert_eq!(worker.wait(), 0);
}
