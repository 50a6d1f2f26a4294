//! Servers that do what they should.

use celaje::camera::Source;
use celaje::camera::picture_folder::PictureFolder;
use celaje::service::RunPolicy;
use celaje_sky::station::LayoutChoice;
use celaje_vision::model::source::Model;

use crate::support::server::{Reply, Server};
use crate::support::stage::Stage;
use crate::support::{asked, first, pictures, slots};
use crate::{camera, healthy, okta};

#[actix::test]
async fn a_range_is_stored_whole_and_then_known() {
    let server = Server::start(camera(|_, _| None));
    let stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    let report = stage.run(first(100)).await;
    assert_eq!(report.end.ledger.new_rows(), 100);
    assert_eq!(server.requests().len(), 100);
    let oktas: Vec<i64> = (0..100).map(|i| i64::from(okta(i))).collect();
    assert_eq!(stage.record().oktas(), oktas);
    assert!(server.most_at_once() <= 4, "{}", server.most_at_once());

    server.forget_requests();
    let before = stage.record().rows();
    let report = stage.run(first(100)).await;
    assert_eq!(report.end.ledger.duplicates(), 100);
    assert_eq!(server.requests(), Vec::<String>::new());
    assert_eq!(stage.record().rows(), before);
    assert_eq!(stage.record().runs(), ["finished 100 100 0 0", "finished 100 0 100 0"]);
}

#[actix::test]
async fn a_longer_range_asks_for_what_is_new_alone() {
    let server = Server::start(camera(|_, _| None));
    let stage = Stage::new(&server).with_layout(LayoutChoice::Year);
    stage.run(first(20)).await;
    server.forget_requests();
    let report = stage.run(first(30)).await;
    assert_eq!((report.end.ledger.duplicates(), report.end.ledger.new_rows()), (20, 10));
    let mut asked_for = server.requests();
    asked_for.sort();
    let wanted: Vec<String> = slots(first(30))[20..]
        .iter()
        .map(|slot| format!("/sky/2024/{}", slot.file_name()))
        .collect();
    assert_eq!(asked_for, wanted);
}

#[actix::test]
async fn requests_in_flight_are_bounded_and_use_the_bound() {
    for concurrency in [1, 3, 9] {
        let server = Server::start(camera(|asked, _| Some(healthy(asked.index).late(25))));
        let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
        stage.tuning.concurrency = concurrency;
        let report = stage.run(first(40)).await;
        assert_eq!(report.end.ledger.new_rows(), 40);
        assert_eq!(server.most_at_once(), concurrency);
    }
}

#[actix::test]
async fn the_window_opens_for_a_host_that_takes_more() {
    let server = Server::start(camera(|asked, _| Some(healthy(asked.index).late(20))));
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    (stage.tuning.adaptive, stage.tuning.concurrency) = (true, 12);
    let report = stage.run(first(120)).await;
    assert_eq!(report.end.ledger.new_rows(), 120);
    // It begins with four; a busy machine may be too slow for all twelve.
    assert!((6..=12).contains(&server.most_at_once()), "{}", server.most_at_once());
}

#[actix::test]
async fn requests_keep_the_pace_that_was_asked_for() {
    let server = Server::start(camera(|_, _| None));
    let mut stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    stage.tuning.max_rps = Some(100.0);
    let report = stage.run(first(30)).await;
    assert_eq!(report.end.ledger.new_rows(), 30);
    // The first one begins at once.
    assert!(report.elapsed.as_millis() >= 290, "{:?}", report.elapsed);
}

#[actix::test]
async fn one_pipeline_fills_range_after_range() {
    let server = Server::start(camera(|_, _| None));
    let stage = Stage::new(&server);
    let pipeline = stage.start();
    for slot in [10, 25, 25] {
        let report = pipeline.run(first(slot)).await.unwrap();
        stage.check(first(slot), &report);
    }
    assert!(pipeline.stop().await.is_some());
    assert_eq!(
        stage.record().runs(),
        ["finished 10 10 0 0", "finished 25 15 10 0", "finished 25 0 25 0"]
    );
}

#[actix::test]
async fn the_bundled_model_reads_clear_and_overcast_skies() {
    let cloud = |index: usize| if index.is_multiple_of(2) { 0.0 } else { 1.0 };
    let server = Server::start(move |path, _| match asked(path) {
        Some(asked) => Reply::Body(pictures::jpeg(cloud(asked.index))),
        None => Reply::not_found(),
    });
    let model = std::sync::Arc::new(Model::bundled().unwrap());
    let engine = std::sync::Arc::new(celaje_vision::engine::rten::Rten::new(&model).unwrap());
    let mut stage = Stage::new(&server).with_engine(engine);
    stage.model = model;
    stage.run(first(6)).await;
    let oktas = stage.record().oktas();
    assert_eq!(oktas.len(), 6);
    for (index, okta) in oktas.into_iter().enumerate() {
        if index % 2 == 0 {
            assert!(okta <= 1, "clear sky read as {okta}");
        } else {
            assert!(okta >= 7, "overcast sky read as {okta}");
        }
    }
    let whole = "observations WHERE model = 'celaje-6 6' AND length(model_sha256) = 64";
    assert_eq!(stage.record().count(whole), 6);
}

#[actix::test]
async fn pictures_come_from_a_folder_in_both_layouts() {
    for year in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let place = if year { folder.path().join("2024") } else { folder.path().to_owned() };
        std::fs::create_dir_all(&place).unwrap();
        for (index, slot) in slots(first(30)).into_iter().enumerate() {
            let Reply::Body(bytes) = healthy(index) else { panic!("a healthy picture has a body") };
            let bytes = match index {
                7 => continue,
                8 => Vec::new(),
                9 => vec![0xff; 100_001],
                _ => bytes,
            };
            std::fs::write(place.join(slot.file_name()), bytes).unwrap();
        }
        let mut stage = Stage::at("http://127.0.0.1:9/");
        stage.source = Source::Folder(PictureFolder::list(folder.path()).unwrap());
        let report = stage.run(first(30)).await;
        assert_eq!(report.end.ledger.new_rows(), 27);
        let reasons: Vec<String> = stage.record().reasons().into_keys().collect();
        assert_eq!(reasons, ["empty", "not_found", "too_large"]);
        let url = &stage.record().texts("SELECT min(url) FROM observations")[0];
        assert!(url.starts_with("file:///") && url.ends_with("2024-03010002.jpg"), "{url}");

        stage.policy = RunPolicy { retry_missed: true, ..RunPolicy::default() };
        std::fs::write(
            place.join(slots(first(8))[7].file_name()),
            crate::support::judge::picture(4, crate::support::judge::Trouble::None, 0),
        )
        .unwrap();
        let report = stage.run(first(30)).await;
        assert_eq!(report.end.ledger.new_rows(), 1);
    }
}
