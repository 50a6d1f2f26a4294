//! `/metrics`: the program in numbers, in Prometheus' text format (version 0.0.4).

use std::fmt::{Display, Write as _};

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};

use crate::daemon::operator::{JobStatus, ProgramState};
use crate::daemon::recent::RecentReadings;
use crate::store::reader::ObservationItem;
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::routes::Routes;

pub(crate) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Monitoring, "The program in numbers, for Prometheus")
        .record()
        .media(&["text/plain"], "Prometheus' text format");
    routes.read(&["/metrics"], operation, get);
}

async fn get(state: web::Data<WebState>) -> Result<HttpResponse, Problem> {
    let last = state
        .pool
        .ask(|reader| {
            let mut last = Vec::new();
            for station in reader.station_ids()? {
                let item = reader.latest(&station)?;
                last.extend(item.map(|item| (station, item)));
            }
            Ok(last)
        })
        .await;
    let mut body = written(
        &state.operator.state(),
        last.as_deref().ok(),
        state.hub.listeners(),
        state.clock.now(),
    );
    body.push_str(&safety(&state.recent));
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(body))
}

/// The text, as it is built.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let open = if place == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}

/// `last` is the last row of each station; none when the record cannot be read.
fn written(
    state: &ProgramState,
    last: Option<&[(String, ObservationItem)]>,
    listeners: usize,
    now: DateTime<Utc>,
) -> String {
    let mut text = Text::default();
    text.family("celaje_info", "gauge", "Version of the program, its engine and its model.");
    let or_none = |value: &Option<String>| value.clone().unwrap_or_default();
    let (engine, model) = (or_none(&state.engine), or_none(&state.model));
    text.sample(
        "celaje_info",
        &[("version", &state.version), ("engine", &engine), ("model", &model)],
        1,
    );
    let name = "celaje_start_time_seconds";
    text.family(name, "gauge", "When the program was started, in Unix time.");
    text.sample(name, &[], state.started_at.timestamp());
    let name = "celaje_pictures_total";
    text.family(
        name,
        "counter",
        "Pictures since the start, by what came of them: new, or the reason of a miss.",
    );
    for (result, n) in &state.pictures {
        text.sample(name, &[("result", result)], n);
    }
    flow(&mut text, state);
    let name = "celaje_actor_restarts_total";
    text.family(name, "counter", "Restarts of an actor since the start.");
    for actor in &state.actors {
        text.sample(name, &[("actor", &actor.name)], actor.restarts);
    }
    let name = "celaje_backfills";
    text.family(name, "gauge", "Backfills that were asked for and wait or run.");
    for (status, label) in [(JobStatus::Queued, "queued"), (JobStatus::Running, "running")] {
        let n = state.jobs.iter().filter(|job| job.status == status).count();
        text.sample(name, &[("status", label)], n);
    }
    let name = "celaje_event_listeners";
    text.family(name, "gauge", "Clients that listen to the events.");
    text.sample(name, &[], listeners);
    let name = "celaje_record_up";
    text.family(name, "gauge", "Whether the record can be read, and is where it is written.");
    text.sample(name, &[], u8::from(last.is_some() && !state.record_lost));
    let name = "celaje_record_losses_total";
    text.family(name, "counter", "Times that the database was moved, deleted or replaced.");
    text.sample(name, &[], state.record_losses);
    workers(&mut text, state);
    cameras(&mut text, state);
    rows(&mut text, last.unwrap_or_default(), now);
    text.0
}

/// Of the stations that have a rule.
fn safety(recent: &RecentReadings) -> String {
    let mut text = Text::default();
    let name = "celaje_safe";
    text.family(name, "gauge", "Whether the sky is safe by [station.safety]: 1 or 0.");
    for station in recent.stations().iter().filter(|station| station.safety.is_some()) {
        let safe = recent.safety(&station.id).is_some_and(|state| state.safe);
        text.sample(name, &[("station", &station.id)], u8::from(safe));
    }
    text.0
}

/// Of a program that has a queue.
fn workers(text: &mut Text, state: &ProgramState) {
    let Some(queue) = &state.queue else { return };
    let name = "celaje_queue_up";
    text.family(name, "gauge", "Whether the queue of the workers is reached.");
    text.sample(name, &[], u8::from(queue.connected));
    let name = "celaje_workers";
    text.family(name, "gauge", "Workers that said within the last minute that they are there.");
    text.sample(name, &[], queue.workers.len());
    let name = "celaje_worker_jobs";
    text.family(name, "gauge", "Jobs that workers have in hand.");
    text.sample(name, &[], queue.workers.iter().map(|worker| worker.jobs).sum::<u64>());
    let name = "celaje_worker_outcomes_total";
    text.family(name, "counter", "Slots that workers said something of, by what became of that.");
    let counts = &queue.outcomes;
    for (result, n) in [
        ("taken", counts.taken),
        ("repeated", counts.repeated),
        ("refused", counts.refused),
        ("broken", counts.broken),
    ] {
        text.sample(name, &[("result", result)], n);
    }
    let name = "celaje_worker_slots_given_again_total";
    text.family(name, "counter", "Slots that were given to workers again.");
    text.sample(name, &[], queue.given_again);
}

fn cameras(text: &mut Text, state: &ProgramState) {
    let name = "celaje_camera_up";
    text.family(name, "gauge", "Whether a station's camera gives pictures: 1 or 0.");
    for station in &state.stations {
        if let Some(up) = station.camera.up {
            text.sample(name, &[("station", &station.id)], u8::from(up));
        }
    }
    let name = "celaje_last_success_timestamp_seconds";
    text.family(name, "gauge", "When a station's camera last gave a picture, in Unix time.");
    for station in &state.stations {
        if let Some(time) = station.camera.last_success {
            text.sample(name, &[("station", &station.id)], time.timestamp());
        }
    }
}

fn flow(text: &mut Text, state: &ProgramState) {
    let Some(flow) = &state.flow else {
        return;
    };
    let label = |stage| {
        let named = serde_json::to_value(stage).ok();
        named.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let stages = flow.stages.map(|stage| (label(stage.stage), stage));
    let name = "celaje_stage_seconds";
    text.family(name, "summary", "Seconds that a stage worked on slots.");
    for (label, stage) in &stages {
        text.sample("celaje_stage_seconds_sum", &[("stage", label)], stage.worked_s);
        text.sample("celaje_stage_seconds_count", &[("stage", label)], stage.done);
    }
    let name = "celaje_queue_wait_seconds";
    text.family(name, "summary", "Seconds that slots waited for a stage.");
    for (label, stage) in &stages {
        text.sample("celaje_queue_wait_seconds_sum", &[("stage", label)], stage.waited_s);
        text.sample("celaje_queue_wait_seconds_count", &[("stage", label)], stage.taken);
    }
    for (name, help, now) in [
        (
            "celaje_stage_waiting",
            "Slots that wait for a stage now.",
            stages.clone().map(|(label, stage)| (label, stage.waiting)),
        ),
        (
            "celaje_stage_working",
            "Slots that a stage works on now.",
            stages.clone().map(|(label, stage)| (label, stage.working)),
        ),
    ] {
        text.family(name, "gauge", help);
        for (label, n) in now {
            text.sample(name, &[("stage", &label)], n);
        }
    }
}

fn rows(text: &mut Text, last: &[(String, ObservationItem)], now: DateTime<Utc>) {
    let name = "celaje_last_okta";
    text.family(name, "gauge", "Okta of the last row; 9 where the sky cannot be seen.");
    for (station, item) in last {
        text.sample(name, &[("station", station)], item.okta);
    }
    let name = "celaje_last_row_age_seconds";
    text.family(name, "gauge", "Age of the last row's slot.");
    for (station, item) in last {
        let slot = item.slot_utc.as_deref();
        if let Some(slot) = slot.and_then(|slot| slot.parse::<DateTime<Utc>>().ok()) {
            text.sample(name, &[("station", station)], (now - slot).num_seconds());
        }
    }
}
