//! Labels through the API: the queue, who may label, and what follows from labels.

use celaje::daemon::operator::Refused;
use serde_json::{Value, json};

use crate::client::Reply;
use crate::site::{Site, TOKEN};

const BASE: &str = "/api/v1/stations/rio-grande";
const JSON: (&str, &str) = ("Content-Type", "application/json");

impl Site {
    async fn order(&self, method: &str, path: &str, body: Value) -> Reply {
        let bearing = format!("Bearer {TOKEN}");
        let headers = [JSON, ("Authorization", bearing.as_str()), ("Accept-Language", "en")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask(method, &format!("{BASE}{path}"), &headers, body.as_bytes()).await
    }

    async fn label(&self, slot: &str, okta: Value) -> u16 {
        let body = json!({"observer": "Ana", "okta": okta, "draw": "random"});
        self.order("POST", &format!("/labels/{slot}"), body).await.status
    }

    async fn skill(&self) -> Value {
        self.get(&format!("{BASE}/skill")).await.json()
    }
}

#[actix::test]
async fn pictures_are_labelled_and_the_skill_follows() {
    let site = Site::new();
    let asked = format!("{BASE}/label-queue?observer=Ana&limit=100");
    let queue = site.get(&asked).await.json();
    let items = queue["items"].as_array().unwrap();
    assert_eq!(items.len(), 100);
    // What was read is not told.
    assert!(items.iter().all(|item| item.as_object().unwrap().len() == 2), "{queue}");
    assert_eq!((&items[0]["draw"], &items[1]["draw"]), (&json!("random"), &json!("unsure")));
    assert_eq!(site.skill().await["skill"]["is_enough"], false);
    // Every other picture is one okta clearer than was read.
    let mut labelled = 0;
    for item in items.iter().step_by(2).take(30) {
        let slot = item["slot"].as_str().unwrap();
        let read = site.get(&format!("{BASE}/observations?from={slot}&to={slot}")).await.json();
        let okta = read["items"][0]["okta"].as_u64().unwrap();
        if okta == 9 {
            assert_eq!(site.label(slot, json!(9)).await, 204);
            continue;
        }
        let off = u64::from(labelled % 2 == 0 && okta > 0);
        assert_eq!(site.label(slot, json!(okta - off)).await, 204);
        labelled += 1;
    }
    let told = site.skill().await;
    assert_eq!(told["skill"]["labels"], labelled, "{told}");
    assert_eq!(told["skill"]["within_one"]["value"], 1.0);
    let exact = &told["skill"]["exact"];
    assert!(exact["value"].as_f64() < Some(0.7) && exact["low"].as_f64() > Some(0.2), "{exact}");
    assert!(told["skill"]["bias"]["value"].as_f64() > Some(0.2), "{told}");
    let then = site.get(&asked).await.json();
    let slots = |queue: &Value| -> Vec<Value> {
        queue["items"].as_array().unwrap().iter().map(|item| item["slot"].clone()).collect()
    };
    let then = slots(&then);
    assert!(slots(&queue).iter().step_by(2).take(30).all(|slot| !then.contains(slot)));
    let csv = site.get(&format!("{BASE}/labels.csv")).await;
    assert_eq!(csv.text().lines().count(), 31, "{}", csv.text());
    assert!(csv.text().starts_with("slot,observer,okta,draw,created_at,okta_read,"));
    let list = site.get("/api/v1/labels").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 30);
    // The confidence of new readings follows when it is told to.
    assert_eq!(told["calibration"], Value::Null);
    let fitted = site.order("POST", "/calibration", Value::Null).await;
    assert_eq!((fitted.status, &fitted.json()["labels"]), (201, &json!(labelled)));
    assert_eq!(site.skill().await["calibration"]["labels"], labelled);
    assert_eq!(site.order("DELETE", "/calibration", Value::Null).await.status, 204);
    assert_eq!(site.skill().await["calibration"], Value::Null);
}

#[actix::test]
async fn a_label_is_taken_back() {
    let site = Site::new();
    let (slot, by) = ("2024-01-01T00:02", "?observer=Ana");
    assert_eq!(site.label(slot, Value::Null).await, 204);
    assert_eq!(site.skill().await["labels"]["cannot_tell"], 1);
    let path = format!("/labels/{slot}{by}");
    assert_eq!(site.order("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(site.skill().await["labels"]["all"], 0);
    assert_eq!(site.order("DELETE", &path, Value::Null).await.status, 204);
    site.ask("DELETE", &format!("{BASE}{path}"), &[], b"").await.problem(401);
    // Without a label there is nothing to fit.
    site.order("POST", "/calibration", Value::Null).await.problem(404);
}

#[actix::test]
async fn what_is_no_label_is_refused() {
    let site = Site::new();
    let body = |observer: &str, okta: i64, draw: &str| {
        let label = [("observer", json!(observer)), ("okta", json!(okta)), ("draw", json!(draw))];
        Value::from_iter(label)
    };
    let slot = "/labels/2024-01-01T00:02";
    for (path, body, status, part) in [
        (slot, body("", 4, "random"), 400, "observer"),
        (slot, body("a\u{7}b", 4, "random"), 400, "observer"),
        (slot, body(&"x".repeat(41), 4, "random"), 400, "observer"),
        (slot, body("Ana", 10, "random"), 400, "okta"),
        (slot, body("Ana", -1, "random"), 400, "body"),
        (slot, body("Ana", 4, "chosen"), 400, "draw"),
        (slot, json!({"observer": "Ana"}), 400, "body"),
        ("/labels/yesterday", body("Ana", 4, "random"), 400, "slot"),
        ("/labels/2024-01-01T12:02", body("Ana", 4, "random"), 404, "slot"),
    ] {
        let (named, detail) = site.order("POST", path, body).await.problem(status);
        assert_eq!(named.as_deref(), Some(part), "{detail}");
    }
    let good = body("Ana", 4, "random").to_string();
    let place = format!("{BASE}{slot}");
    site.ask("POST", &place, &[JSON], good.as_bytes()).await.problem(401);
    let elsewhere = "/api/v1/stations/nowhere/labels/2024-01-01T00:02";
    let bearing = format!("Bearer {TOKEN}");
    let headers = [JSON, ("Authorization", bearing.as_str())];
    site.ask("POST", elsewhere, &headers, good.as_bytes()).await.problem(404);
    *site.operator.refuse.lock().unwrap() = Some(Refused::ReadOnly);
    site.order("POST", slot, body("Ana", 4, "random")).await.problem(403);
    assert_eq!(site.skill().await["labels"]["all"], 0);
    site.get(&format!("{BASE}/label-queue")).await.problem(400);
    site.get(&format!("{BASE}/label-queue?observer=Ana&limit=101")).await.problem(400);
}
