//! `/livez`, `/readyz`, `/metrics`.

use crate::site::Site;

#[actix::test]
async fn readiness_ends_with_trouble() {
    let site = Site::new();
    for path in ["/livez", "/readyz"] {
        let reply = site.get(path).await;
        assert_eq!((reply.status, reply.text()), (200, "ok\n"), "{path}");
    }
    *site.operator.trouble.lock().unwrap() = Some("the disk is full".to_owned());
    let reply = site.get("/readyz").await;
    assert_eq!((reply.status, reply.text()), (503, "the disk is full\n"));
    assert_eq!(site.get("/livez").await.status, 200);
}

#[actix::test]
async fn metrics_are_in_the_text_format() {
    let site = Site::new();
    let reply = site.get("/metrics").await;
    assert!(reply.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = reply.text();
    for line in [
        "celaje_info{version=\"test\",engine=\"fake\",model=\"a \\\"model\\\"\"} 1",
        "celaje_pictures_total{result=\"new\"} 3",
        "celaje_pictures_total{result=\"not_found\"} 1",
        "celaje_actor_restarts_total{actor=\"fetch\"} 2",
        "celaje_stage_seconds_count{stage=\"fetch\"} 0",
        "celaje_queue_wait_seconds_sum{stage=\"store\"} 0",
        "celaje_backfills{status=\"running\"} 1",
        "celaje_queue_up 1",
        "celaje_workers 1",
        "celaje_worker_jobs 3",
        "celaje_worker_outcomes_total{result=\"taken\"} 480",
        "celaje_worker_outcomes_total{result=\"refused\"} 2",
        "celaje_worker_slots_given_again_total 7",
        "celaje_record_up 1",
    ] {
        assert!(text.lines().any(|known| known == line), "no {line} in\n{text}");
    }
    let last = site.get("/api/v1/stations/rio-grande/latest").await.json();
    assert!(
        text.contains(&format!("celaje_last_okta{{station=\"rio-grande\"}} {}\n", last["okta"]))
    );
    let age = text
        .lines()
        .find_map(|line| line.strip_prefix("celaje_last_row_age_seconds{station=\"rio-grande\"} "))
        .unwrap();
    assert!(age.parse::<i64>().unwrap() > 0);
    // Each sample has a family, which is declared once.
    let mut families = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(!families.contains(&name), "{name} twice");
            families.push(name);
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let base = name.trim_end_matches("_sum").trim_end_matches("_count");
            assert!(families.contains(&name) || families.contains(&base), "{line}");
            let value = line.rsplit(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
