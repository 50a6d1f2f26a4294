//! Backfills through the API: who may start and cancel them, and what the program receives.

use celaje::daemon::operator::Refused;

use crate::site::{Site, TOKEN};

const START: &str = "/api/v1/stations/rio-grande/backfills";
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[actix::test]
async fn the_token_allows_to_start_and_cancel() {
    may_start_and_cancel(START, "../../../../api/v1/backfills/1").await;
}

#[actix::test]
async fn a_backfill_without_a_station_is_for_the_home_station() {
    may_start_and_cancel("/api/v1/backfills", "../../api/v1/backfills/1").await;
}

async fn may_start_and_cancel(start: &str, place: &str) {
    let site = Site::new();
    let bearing = bearer(TOKEN);
    let order = br#"{"from":"2024-01-05","to":"2024-01-06T12:00"}"#;
    let reply = site.ask("POST", start, &[JSON, ("Authorization", &bearing)], order).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert_eq!(reply.json()["job"], 1);
    assert_eq!(reply.header("location"), Some(place));
    let reply =
        site.ask("DELETE", "/api/v1/backfills/7", &[("Authorization", &bearing)], b"").await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    let orders = site.operator.orders.lock().unwrap().clone();
    assert_eq!(orders, ["start rio-grande 2024-01-05 00:00:00 2024-01-06 12:00:00", "cancel 7"]);
    let list = site.get("/api/v1/backfills").await.json();
    assert_eq!(list["items"][0]["status"], "running");
    assert_eq!(site.get("/api/v1/backfills/7").await.json()["job"], 7);
    site.get("/api/v1/backfills/8").await.problem(404);
}

#[actix::test]
async fn without_the_right_token_nothing_starts() {
    let site = Site::new();
    let order = br#"{"from":"2024-01-05","to":"2024-01-06"}"#;
    let wrong = bearer("0123456789abcdef0123456789abcdee");
    let basic = format!("Basic {TOKEN}");
    for authorization in
        [None, Some(wrong.as_str()), Some(basic.as_str()), Some("Bearer "), Some(TOKEN)]
    {
        let mut headers = vec![JSON];
        headers.extend(authorization.map(|value| ("Authorization", value)));
        for (method, target) in
            [("POST", START), ("POST", "/api/v1/backfills"), ("DELETE", "/api/v1/backfills/7")]
        {
            let reply = site.ask(method, target, &headers, order).await;
            reply.problem(401);
            assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"));
        }
    }
    // A token in the query does not count: queries end up in logs.
    let reply = site.ask("POST", &format!("{START}?token={TOKEN}"), &[JSON], order).await;
    reply.problem(401);
    assert!(site.operator.orders.lock().unwrap().is_empty());
}

#[actix::test]
async fn without_a_token_the_server_takes_no_orders() {
    let site = Site::of("2024-01-01T00:00", "2024-01-01T01:00", "http://127.0.0.1:9/", |options| {
        options.token = None;
    });
    for authorization in ["Bearer ", &bearer(TOKEN)] {
        let headers = [JSON, ("Authorization", authorization)];
        site.ask("POST", START, &headers, b"{}").await.problem(403);
        site.ask("DELETE", "/api/v1/backfills/7", &headers, b"").await.problem(403);
    }
    assert!(site.operator.orders.lock().unwrap().is_empty());
}

#[actix::test]
async fn bad_orders_are_refused_and_say_why() {
    let site = Site::new();
    let bearing = bearer(TOKEN);
    let headers = [JSON, ("Authorization", bearing.as_str())];
    for (order, status, parameter) in [
        ("", 400, "body"),
        ("[]", 400, "body"),
        (r#"{"from":"2024-01-05"}"#, 400, "body"),
        (r#"{"from":"2024-01-05","to":"2024-01-06","x":1}"#, 400, "body"),
        (r#"{"from":"ayer","to":"2024-01-06"}"#, 400, "from"),
        (r#"{"from":"2024-01-05","to":"2024-01-04"}"#, 400, "to"),
        (r#"{"from":"2024-01-05T00:03","to":"2024-01-05T00:04"}"#, 400, "from"),
        (r#"{"from":"1901-01-01","to":"2024-01-04"}"#, 400, "from"),
    ] {
        let (named, _) = site.ask("POST", START, &headers, order.as_bytes()).await.problem(status);
        assert_eq!(named.as_deref(), Some(parameter), "{order}");
    }
    for (method, target) in [("POST", START), ("DELETE", "/api/v1/backfills/7")] {
        let (named, _) =
            site.ask(method, &format!("{target}?x=1"), &headers, b"").await.problem(400);
        assert_eq!(named.as_deref(), Some("x"), "{method}");
    }
    let plain = [("Content-Type", "text/plain"), headers[1]];
    site.ask("POST", START, &plain, b"{}").await.problem(415);
    site.ask(
        "POST",
        "/api/v1/stations/other/backfills",
        &headers,
        br#"{"from":"2024-01-05","to":"2024-01-06"}"#,
    )
    .await
    .problem(404);
    let long = format!("{{\"from\":\"{}\",\"to\":\"\"}}", "x".repeat(70_000));
    site.ask("POST", START, &headers, long.as_bytes()).await.problem(413);
    assert!(site.operator.orders.lock().unwrap().is_empty());
}

#[actix::test]
async fn refusals_of_the_program_have_their_statuses() {
    let site = Site::new();
    let bearing = bearer(TOKEN);
    let headers = [JSON, ("Authorization", bearing.as_str())];
    let order = br#"{"from":"2024-01-05","to":"2024-01-06"}"#;
    for (refused, status) in [
        (Refused::ReadOnly, 403),
        (Refused::Full(8), 503),
        (Refused::Stopping, 503),
        (Refused::UnknownStation("rio-grande".to_owned()), 404),
    ] {
        *site.operator.refuse.lock().unwrap() = Some(refused);
        site.ask("POST", START, &headers, order).await.problem(status);
    }
}
