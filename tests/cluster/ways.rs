//! What is refused, how one is let in, and how it ends when it is asked to.

use std::io::Write as _;
use std::process::Command;

use crate::nats::{self, Nats};
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
    until("it says so", || {
        assert_eq!(other.has_ended(), None, "{}", world.read("other.err"));
        let said = world.read("other.err");
        said.contains("is not described here as on the writer's machine").then_some(())
    });
    assert!(world.camera.requests().is_empty());
    let worker = world.worker(&nats);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    assert_eq!(world.known("sky.db").len(), world.slots());
    drop(worker);
    other.signal("-TERM");
    assert_eq!(other.wait(), 0, "{}", world.read("other.err"));

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
    world.keep_pictures(|_| "here");
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
    world.keep_pictures(|n| if n % 2 == 0 { "even" } else { "odd" });
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

/// The pictures of a camera that names them as it likes, on a disk.
#[test]
fn a_folder_that_stands_for_a_source_is_read_by_workers() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    world.keep_pictures(|_| "here");
    let settings = format!(
        "[station]\nid = 'sky'\nlatitude = -53.79\nlongitude = -67.7\ntime_zone = '-03:00'\n\
         valid_minutes = [2, 12, 22, 32, 42, 52]\n[station.source]\nkind = 'template'\n\
         url = '{}'\npath = '%Y/%Y-%m%d%H%M.jpg'\n",
        world.camera.base(),
    );
    std::fs::write(world.path("celaje.toml"), settings).unwrap();
    let nats = Nats::start(&world.path("."), 1, &[]);
    let url = nats.url();
    let backfill = |db: &str, more: &[&str]| {
        let days = ["backfill", "--desde", "2024-03-01", "--hasta", "2024-03-01", "--dir", "here"];
        let all = [&days[..], &["--db", db, "--model", "red.onnx"], more].concat();
        world.plain(db, &all)
    };
    assert_eq!(backfill("alone.db", &[]).wait(), 0, "{}", world.read("alone.db.err"));
    let mut worker = world.plain("worker", &["worker", "--queue", &url]);
    let mut writer = backfill("sky.db", &["--queue", &url]);
    let status = until("the end", || {
        assert_eq!(worker.has_ended(), None, "{}", world.said());
        let refused = world.read("worker.err").contains("is not described here");
        assert!(!refused, "{}", world.said());
        writer.has_ended()
    });
    assert_eq!(status, 0, "{}", world.said());
    check_same(&world.known("alone.db"), &world.known("sky.db"), &world);
}

#[test]
fn a_writer_that_one_cannot_work_for_is_left_alone_and_the_others_are_not() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let nats = Nats::start(&world.path("."), 1, &[]);
    // Whose pictures are elsewhere.
    let days = ["backfill", "--desde", "2024-03-01", "--hasta", "2024-03-02"];
    let url = nats.url();
    let queue = ["--db", "other.db", "--model", "red.onnx", "--queue", &url];
    let _other = world.program("http://127.0.0.1:9/", "other", &[&days[..], &queue].concat());
    until("it has jobs", || nats.has_jobs().then_some(()));
    let mut worker = world.worker(&nats);
    let said = || world.read("worker.err").matches("is not described here").count();
    until("it says so", || {
        assert_eq!(worker.has_ended(), None, "{}", world.said());
        (said() > 0).then_some(())
    });
    assert_eq!(world.writer("sky.db", &nats).wait(), 0, "{}", world.said());
    assert_eq!(world.known("sky.db").len(), world.slots());
    worker.signal("-TERM");
    assert_eq!(worker.wait(), 0, "{}", world.said());
    assert_eq!(said(), 1, "{}", world.said());
}

#[test]
fn a_worker_that_may_say_nothing_says_so_and_another_one_does_its_job() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    assert_eq!(world.backfill("alone.db", &[]).wait(), 0);
    // The rights that docs/cluster.md names; one worker lacks that to say anything.
    let writer = r#"publish: ["$JS.API.>", "$JS.ACK.>", "celaje.>", "_INBOX.>"]
        subscribe: ["celaje.writer.*", "_INBOX.>"]"#;
    let worker = r#"publish: ["$JS.API.CONSUMER.LIST.CELAJE_JOBS", "celaje.outcome.*",
        "$JS.API.CONSUMER.INFO.CELAJE_JOBS.*", "$JS.API.CONSUMER.MSG.NEXT.CELAJE_JOBS.*",
        "$JS.ACK.CELAJE_JOBS.>", "celaje.writer.*"]
        subscribe: ["_INBOX.>"]"#;
    let mute = worker.replace(r#""celaje.outcome.*","#, "");
    let users = [("ana", writer), ("ina", worker), ("eva", &mute)];
    let users = users.map(|(user, rights)| {
        format!("{{ user: {user}, password: {user}, permissions: {{ {rights} }} }}\n")
    });
    let rights = format!("authorization {{ users = [\n{}] }}\n", users.concat());
    std::fs::write(world.path("nats.conf"), rights).unwrap();
    let conf = world.path("nats.conf");
    let nats = Nats::start(&world.path("."), 1, &["-c", conf.to_str().unwrap()]);
    let as_user = |user: &str| nats.url().replace("nats://", &format!("nats://{user}@"));
    let queue = as_user("ana:ana");
    let flags = ["--queue", &queue, "--queue-patience", "60"];
    let mut writer = world.backfill("sky.db", &flags);
    let mut mute =
        world.program(&world.camera.base(), "mute", &["worker", "--queue", &as_user("eva:eva")]);
    assert_eq!(mute.wait(), 4, "{}", world.read("mute.err"));
    let said = world.read("mute.err");
    assert!(said.contains("does not allow this program what it needs"), "{said}");
    assert!(said.contains("celaje.outcome."), "{said}");
    let began = std::time::Instant::now();
    let worker = ["worker", "--queue", &as_user("ina:ina")];
    let _worker = world.program(&world.camera.base(), "worker", &worker);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    assert!(began.elapsed().as_secs() < 60, "its job was not given back");
    check_same(&world.known("alone.db"), &world.known("sky.db"), &world);
}

#[test]
fn a_token_lets_in_and_is_not_shown() {
    if nats::program().is_none() {
        return;
    }
    let world = World::new(1);
    let nats = Nats::start(&world.path("."), 1, &["--auth", "t0ken"]);
    let url = nats.url().replace("nats://", "nats://t0ken@");
    let trace = ["--queue", &url, "--log", "trace"];
    let mut writer = world.backfill("sky.db", &[&trace[..], &["--json"]].concat());
    let worker = [&["worker"][..], &trace].concat();
    let _worker = world.program(&world.camera.base(), "worker", &worker);
    assert_eq!(writer.wait(), 0, "{}", world.said());
    assert_eq!(world.known("sky.db").len(), world.slots());
    assert_eq!(world.said().lines().find(|line| line.contains("t0ken")), None);
    let told = r#""queue":{"workers":1,"given_again":0,"repeated":0,"refused":0,"broken":0}"#;
    assert!(world.summary("sky.db").contains(told), "{}", world.summary("sky.db"));
}
