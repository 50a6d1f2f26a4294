//! Where a year's pictures are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use celaje_sky::layout::{CONFIRMED, Layout, SAMPLED};
use celaje_sky::station::LayoutChoice;

use crate::support::record::Record;
use crate::support::server::{Reply, Server};
use crate::support::stage::Stage;
use crate::support::{asked, first, judge, range, slots};
use crate::{camera, healthy};

/// A server that keeps its pictures in one layout.
fn only(layout: Layout) -> Server {
    Server::start(camera(move |asked, _| (asked.layout != layout).then(Reply::not_found)))
}

#[actix::test]
async fn either_layout_is_found_out_with_one_extra_request_at_most() {
    for layout in [Layout::Root, Layout::Year] {
        let server = only(layout);
        let stage = Stage::new(&server);
        let report = stage.run(first(60)).await;
        assert_eq!(report.end.ledger.new_rows(), 60);
        let requests = server.requests().len();
        assert!((60..=61).contains(&requests), "{requests} for {layout:?}");

        // Remembered: not one extra request for more of that year.
        server.forget_requests();
        let report = stage.run(first(90)).await;
        assert_eq!(report.end.ledger.new_rows(), 30);
        assert_eq!(server.requests().len(), 30);
    }
}

#[actix::test]
async fn a_layout_that_was_named_is_not_doubted() {
    let server = only(Layout::Year);
    let stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    let report = stage.run(first(20)).await;
    assert_eq!(report.end.ledger.missed(), 20);
    assert_eq!(server.requests().len(), 20);
}

#[actix::test]
async fn two_years_are_found_each_in_its_place() {
    let server = Server::start(|path, _| match asked(path) {
        Some(asked) if (asked.slot.year() == 2023) == (asked.layout == Layout::Year) => {
            Reply::Body(judge::picture(3, judge::Trouble::None, 0))
        }
        _ => Reply::not_found(),
    });
    let stage = Stage::new(&server);
    let turn = range("2023-12-31T20:00", "2024-01-01T03:59");
    let report = stage.run(turn).await;
    assert_eq!(report.end.ledger.new_rows(), 48);
    let extra = server.requests().len() - 48;
    assert!(extra <= 2, "{extra} extra requests");
    let remembered =
        stage.record().texts("SELECT year || ' ' || layout FROM year_layouts ORDER BY year");
    assert_eq!(remembered, ["2023 year", "2024 root"]);
}

/// A server that moves the year from its root to its folder before the `at`th request.
fn moves(at: usize) -> Server {
    let asked_for = AtomicUsize::new(0);
    Server::start(camera(move |asked, _| {
        let moved = asked_for.fetch_add(1, Ordering::SeqCst) >= at;
        let here = if moved { Layout::Year } else { Layout::Root };
        (asked.layout != here).then(Reply::not_found)
    }))
}

/// Whatever is in flight when the year moves: nothing is lost, however few slots are left.
#[actix::test]
async fn a_year_that_moves_in_mid_run_loses_nothing() {
    for left in [30, 5, 4, 3, 2, 1] {
        let stage_of = |server: &Server| {
            let stage = Stage::new(server);
            // Known to be at the root, by an earlier run.
            stage.start_remembering(2024, Layout::Root);
            stage
        };
        let server = moves(60 - left);
        let stage = stage_of(&server);
        let report = stage.run(first(60)).await;
        assert_eq!(report.end.ledger.new_rows(), 60, "{left} left at the move");
        let extra = server.requests().len() - 60;
        assert!(extra <= 16, "{extra} extra requests, {left} left");
        assert_eq!(stage.record().texts("SELECT layout FROM year_layouts"), ["year"]);
    }
}

#[actix::test]
async fn an_outage_costs_few_extra_requests() {
    let outage = 30..90;
    let gone = outage.clone();
    let server = Server::start(camera(move |asked, _| {
        (asked.layout == Layout::Year || gone.contains(&asked.index)).then(Reply::not_found)
    }));
    let stage = Stage::new(&server);
    stage.start_remembering(2024, Layout::Root);
    let report = stage.run(first(120)).await;
    assert_eq!(report.end.ledger.missed(), outage.len() as u64);
    let extra = server.requests().len() - 120;
    // The first of the run may be asked for twice, then 24 confirm the outage, then one in
    // thirteen.
    assert!((24..=24 + 60 / 12 + 4).contains(&extra), "{extra}");
}

#[actix::test]
async fn scattered_misses_are_asked_for_once() {
    let server = Server::start(camera(move |asked, _| {
        (asked.layout == Layout::Root || asked.index % 10 == 9).then(Reply::not_found)
    }));
    let stage = Stage::new(&server);
    stage.start_remembering(2024, Layout::Year);
    let report = stage.run(first(100)).await;
    assert_eq!(report.end.ledger.missed(), 10);
    // The last slot of the range is missing: before the end the other place is asked for it.
    let extra = server.requests().len() - 100;
    assert!(extra <= 2, "{extra}");
}

/// The misses at the very end of a range, where no later picture could tell that the year moved,
/// are asked for in the other place before they count.
#[actix::test]
async fn what_is_missing_at_the_end_is_confirmed() {
    let server = Server::start(camera(|asked, _| {
        (asked.layout == Layout::Year || asked.index >= 58).then(Reply::not_found)
    }));
    let mut stage = Stage::new(&server);
    // In order: a picture that was asked for after the missing ones would tell what they are.
    stage.tuning.concurrency = 1;
    stage.start_remembering(2024, Layout::Root);
    let report = stage.run(first(60)).await;
    assert_eq!(report.end.ledger.missed(), 2);
    let last: Vec<String> = slots(first(60))[58..]
        .iter()
        .map(|slot| format!("/sky/{}", Layout::Year.path(*slot)))
        .collect();
    let asked_for = server.requests();
    assert!(last.iter().all(|path| asked_for.contains(path)));
    assert!(asked_for.len() <= 60 + 4, "{}", asked_for.len());
}

/// More requests than slots that were asked for in vain.
fn bound(missing: usize, stage: &Stage) -> usize {
    let share = missing / SAMPLED as usize + (CONFIRMED + 2 * SAMPLED) as usize;
    share + stage.tuning.credits()
}

/// A range without any picture costs a small share more, whatever is known of its year; later runs
/// look in the place that was left, and then nothing is asked for.
#[actix::test]
async fn a_range_without_any_picture_costs_few_extra_requests() {
    for remembered in [None, Some(Layout::Root), Some(Layout::Year)] {
        let server = Server::start(|_, _| Reply::not_found());
        let stage = Stage::new(&server);
        if let Some(layout) = remembered {
            stage.start_remembering(2024, layout);
        }
        let mut open = 288;
        for _ in 0..3 {
            server.forget_requests();
            let report = stage.run(first(288)).await;
            assert_eq!(report.end.ledger.missed(), 288);
            assert_eq!(report.end.skipped_misses(), 288 - open as u64);
            let made = server.requests().len();
            assert!(made <= open + bound(open, &stage), "{made} for {open}");
            open = stage.record().count("misses WHERE unasked IS NOT NULL") as usize;
        }
        assert_eq!(open, 0);
        server.forget_requests();
        stage.run(first(288)).await;
        assert_eq!(server.requests().len(), 0);
    }
}

/// Thirty pictures in the base, five hours without, then the folder.
fn torn() -> Server {
    Server::start(camera(|asked, _| {
        let here = match asked.index {
            0..30 => Layout::Root,
            30..60 => return Some(Reply::not_found()),
            _ => Layout::Year,
        };
        // Slow where the run does not know yet, so that it can be stopped there.
        (asked.layout != here).then(|| Reply::not_found().late(20))
    }))
}

/// Stopped while it believes that pictures are missing which are in the other place: the next run
/// looks for them there.
#[actix::test]
async fn what_a_stopped_run_believed_missing_is_looked_for_by_the_next_one() {
    let server = torn();
    let mut stage = Stage::new(&server);
    stage.tuning.concurrency = 1;
    let pipeline = stage.start();
    let drain = pipeline.drainer();
    let mut progress = pipeline.progress();
    let draining = actix::spawn(async move {
        while progress.borrow_and_update().ledger.total() < 63 {
            progress.changed().await.unwrap();
        }
        drain();
    });
    let report = pipeline.run(first(144)).await.unwrap();
    draining.await.unwrap();
    assert!(pipeline.stop().await.is_some());
    stage.check(first(144), &report);
    stage.run(first(144)).await;
    assert_eq!(stage.record().count("observations"), 30 + 84);
}

/// A doubt is in the record from the moment of its miss on: a process that dies takes none along.
#[actix::test]
async fn a_doubt_is_written_with_its_miss() {
    let server = torn();
    let mut stage = Stage::new(&server);
    stage.tuning.concurrency = 1;
    let pipeline = stage.start();
    let mut progress = pipeline.progress();
    let db = stage.db();
    let copy = db.with_file_name("copy.db");
    let copied = copy.clone();
    let copying = actix::spawn(async move {
        while progress.borrow_and_update().ledger.total() < 63 {
            progress.changed().await.unwrap();
        }
        // What a process would find that opens the file after this one is gone.
        Record::open(&db).execute(&format!("VACUUM INTO '{}'", copied.display()));
    });
    pipeline.run(first(144)).await.unwrap();
    copying.await.unwrap();
    assert!(pipeline.stop().await.is_some());
    std::fs::rename(copy, stage.db()).unwrap();
    stage.run(first(144)).await;
    assert_eq!(stage.record().count("observations"), 30 + 84);
}

/// Credits come home out of order and late; none is handed out twice.
#[actix::test]
async fn late_answers_of_the_old_place_do_no_harm() {
    let asked_for = Arc::new(AtomicUsize::new(0));
    let server = Server::start(camera(move |asked, _| {
        let nth = asked_for.fetch_add(1, Ordering::SeqCst);
        let here = if nth >= 20 { Layout::Year } else { Layout::Root };
        let reply = if asked.layout == here { healthy(asked.index) } else { Reply::not_found() };
        Some(reply.late((nth % 5) as u64 * 4))
    }));
    let stage = Stage::new(&server);
    let report = stage.run(first(60)).await;
    assert_eq!(report.end.ledger.new_rows(), 60);
}
