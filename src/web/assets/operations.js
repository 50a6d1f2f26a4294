// The state of the program, its jobs and its runs.
import { h, meter } from "./dom.js";
import { json, query } from "./api.js";
import { bytes, known, number, percent, t } from "./words.js";
import { printButton } from "./print.js";
import { dueAfter, moment, shortSlot, since, span } from "./time.js";

const card = (title, ...children) => h("section", { class: "card" }, h("h2", { text: title }), children);
const pairs = (list) =>
  h(
    "dl",
    { class: "pairs" },
    list.filter(Boolean).flatMap(([label, value]) => [h("dt", { text: label }), h("dd", { text: value })]),
  );
/** A range of slots, either of which may be unknown. */
const slots = (from, to) => [from, to].map((slot) => (slot ? shortSlot(slot) : t("none"))).join(" – ");
const said = (text) => h("p", { class: "quiet", text });

function table(label, heads, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, heads.map(([text, kind]) => h("th", { scope: "col", class: kind, text })))),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h("tr", {}, row.map((value, i) => h("td", { class: heads[i][1] }, value === null ? t("none") : value))),
        ),
      ),
    ),
  );
}

function job(item) {
  const { planned, pending, new: fresh, duplicates, missed, in_flight: flight, rate, eta_s: left } = item.progress;
  const lost = Object.values(missed || {}).reduce((sum, n) => sum + n, 0);
  const done = fresh + duplicates + lost;
  const kind = item.status === "failed" ? "no" : item.status === "finished" ? "ok" : "";
  const range = slots(item.from, item.to);
  return h(
    "div",
    { class: "job" },
    h(
      "div",
      { class: "bar" },
      h("strong", { text: range }),
      h("span", { class: kind, text: t(`job.${item.status}`) }),
    ),
    meter(planned > 0 ? done / planned : NaN, range),
    h(
      "div",
      { class: "bar quiet" },
      // The number of slots is unknown before the job begins.
      planned > 0 ? h("span", { text: t("ops.of", { done: number(done), all: number(planned) }) }) : null,
      h("span", { text: t("ops.counts", { new: number(fresh), duplicates: number(duplicates), missed: number(lost) }) }),
      pending > 0 ? h("span", { text: t("ops.pending", { n: number(pending) }) }) : null,
      item.status === "running" && flight ? h("span", { text: t("ops.flight", { n: flight }) }) : null,
      Number.isFinite(rate) ? h("span", { text: t("ops.rate", { n: number(rate, 1) }) }) : null,
      Number.isFinite(left) && item.status === "running" ? h("span", { text: t("ops.left", { span: span(left) }) }) : null,
    ),
    item.error ? h("p", { class: "no", text: item.error }) : null,
  );
}

/** The agreement of the model on trial with the record, as rows. */
const agreement = (shadow) =>
  shadow && shadow.compared
    ? [
        [t("ops.shadowSame"), t("ops.shadowOf", { share: percent(shadow.exact), n: number(shadow.compared) })],
        [t("ops.shadowNear"), percent(shadow.within_one)],
        [t("ops.shadowBias"), t("ops.oktas", { n: number(shadow.bias, 2) })],
        shadow.failed ? [t("ops.shadowFailed"), `${number(shadow.failed)}${shadow.last_error ? `: ${shadow.last_error}` : ""}`] : null,
      ]
    : [];

/** The camera of the station, as rows. */
function camera(item, zone) {
  if (!item) return [];
  const when = (time) => (time ? moment(time, zone) : t("none"));
  const words = { at: when(item.since), reason: known(`reason.${item.fault}`, item.fault || "") };
  return [
    [t("ops.camera"), item.address],
    item.up === null ? null : [t("ops.cameraState"), t(item.up ? "ops.cameraUp" : "ops.cameraGone", words)],
    [t("ops.cameraPicture"), when(item.last_success)],
    [t("ops.cameraAnswer"), when(item.last_answer)],
  ];
}

const cell = (bad, text) => h("span", { class: bad ? "no" : "", text });

/** The queue of the workers on other machines, and those that are there. */
function queue({ address, connected, since: turned, trouble, workers, outcomes, given_again: again }, zone) {
  const num = "num";
  const heads = [
    [t("queue.worker")], [t("queue.version")], [t("queue.jobs"), num], [t("queue.slots"), num], [t("queue.rate"), num],
    [t("queue.heard"), "when"],
  ];
  const rows = workers.map((worker) => [
    worker.name,
    worker.version,
    number(worker.jobs),
    number(worker.slots),
    worker.rate === null ? null : number(worker.rate, 1),
    t("queue.ago", { span: span(worker.silent_s) }),
  ]);
  const refused = outcomes.refused + outcomes.broken;
  const at = turned ? moment(turned, zone) : null;
  return [
    h("h2", { text: t("queue.title") }),
    trouble
      ? h("div", { class: "note bad", role: "alert" }, h("strong", { text: t("queue.trouble") }), h("span", { text: trouble }))
      : "",
    pairs([
      [t("queue.address"), address],
      [t("queue.state"), at ? t(connected ? "queue.connected" : "queue.away", { at }) : t("queue.never")],
      [t("queue.taken"), number(outcomes.taken)],
      again ? [t("queue.again"), number(again)] : null,
      refused ? [t("queue.refused"), number(refused)] : null,
    ]),
    workers.length ? table(t("queue.workers"), heads, rows) : said(t("queue.noWorkers")),
  ];
}

/** The rules of alerts, where they stand, and their last messages. */
function alerts({ rules, messages }, zone) {
  const when = (time) => (time ? moment(time, zone) : null);
  const num = "num";
  const heads = [
    [t("alerts.alert")], [t("alerts.station")], [t("alerts.waitsFor")], [t("alerts.to")], [t("ops.col.status")],
    [t("alerts.told"), "when"], [t("alerts.waiting"), num], [t("alerts.dropped"), num],
  ];
  const rows = rules.map((rule) => [
    rule.alert,
    rule.station,
    known(`alerts.${rule.kind}`, rule.kind),
    rule.to.join(", "),
    known(`alerts.${rule.state}`, rule.state),
    when(rule.told_at),
    number(rule.waiting),
    cell(rule.dropped, number(rule.dropped)),
  ]);
  const sentHeads = [
    [t("alerts.written"), "when"], [t("alerts.alert")], [t("alerts.station")], [t("alerts.to")],
    [t("ops.col.status")], [t("alerts.attempts"), num], [t("ops.col.error")],
  ];
  const sent = messages.slice(0, 12).map((message) => [
    when(message.created_at),
    message.alert,
    message.station,
    message.sender,
    cell(message.status === "dropped", known(`alerts.status.${message.status}`, message.status)),
    number(message.attempts),
    message.last_error,
  ]);
  return [
    h("h2", { text: t("alerts.title") }),
    rules.length ? table(t("alerts.title"), heads, rows) : said(t("alerts.none")),
    sent.length ? h("h3", { text: t("alerts.messages") }) : null,
    sent.length ? table(t("alerts.messages"), sentHeads, sent) : null,
  ].filter(Boolean);
}

/** The engine or model of the last run, if this process has none. */
const ofRun = (runs, name) => (runs.length ? t("ops.ofRun", { text: runs[0][name] }) : t("none"));

function draw(parts, { state, runs, ops, station, rules, messages }) {
  const zone = station ? station.time_zone : "UTC";
  const here = (state.stations || []).find((item) => station && item.id === station.id);
  parts.program.replaceChildren(
    h("h2", { text: t("ops.program") }),
    state.trouble
      ? h("div", { class: "note bad", role: "alert" }, h("strong", { text: t("ops.trouble") }), h("span", { text: state.trouble }))
      : "",
    pairs([
      [t("ops.version"), state.version],
      [t("ops.mode"), known(`ops.mode.${state.mode}`, state.mode)],
      [t("ops.started"), span(since(state.started_at))],
      [t("ops.engine"), state.engine || ofRun(runs, "engine")],
      [t("ops.model"), state.model || ofRun(runs, "model")],
      state.shadow_model ? [t("now.trial"), state.shadow_model] : null,
      ...agreement(state.shadow),
      here && here.next_slot ? [t("ops.next"), shortSlot(here.next_slot)] : null,
      ...camera(here && here.camera, zone),
    ]),
  );
  parts.queue.hidden = !state.queue;
  parts.queue.replaceChildren(...(state.queue ? queue(state.queue, zone) : []));
  const jobs = [...(state.jobs || [])].reverse();
  parts.jobs.replaceChildren(
    h("h2", { text: t("ops.backfills") }),
    ...(jobs.length ? jobs.map(job) : [said(t("ops.noBackfills"))]),
  );
  parts.alerts.replaceChildren(...alerts({ rules, messages }, zone));
  const most = Math.max(1, ...ops.misses.map((item) => item.n));
  parts.misses.replaceChildren(
    h("h2", { text: t("ops.misses") }),
    ops.misses.length
      ? h(
          "div",
          { class: "bars" },
          ops.misses.flatMap((item) => {
            const name = known(`reason.${item.reason}`, item.reason);
            return [h("span", { text: name }), meter(item.n / most, name), h("span", { text: number(item.n) })];
          }),
        )
      : said(t("ops.noMisses")),
  );
  parts.disk.replaceChildren(
    h("h2", { text: t("ops.disk") }),
    pairs([
      [t("ops.db"), bytes(ops.disk.database)],
      [t("ops.wal"), bytes(ops.disk.log)],
      ops.pictures && ops.pictures.n
        ? [t("ops.pictures"), t("ops.picturesOf", { n: number(ops.pictures.n), size: bytes(ops.pictures.bytes) })]
        : null,
      [t("ops.free"), bytes(ops.disk.free ?? NaN)],
      station ? [t("ops.observations"), number(station.observations)] : null,
      station ? [t("ops.missesCount"), number(station.misses)] : null,
      station && station.first ? [t("ops.first"), shortSlot(station.first)] : null,
      station && station.last ? [t("ops.lastReading"), shortSlot(station.last)] : null,
      station && station.last && station.minutes ? [t("ops.unread"), number(dueAfter(station.last, station))] : null,
      station && station.last_miss ? [t("ops.lastMiss"), shortSlot(station.last_miss)] : null,
    ]),
  );
  const num = "num";
  parts.models.replaceChildren(
    h("h2", { text: t("ops.models") }),
    ops.models.length
      ? table(t("ops.models"), [[t("ops.col.model")], [t("ops.col.readings"), num], [t("ops.col.firstLast")]],
          ops.models.map((item) => [
            item.model || t("none"),
            number(item.n),
            h("span", {}, h("span", { class: "whole", text: shortSlot(item.first) }), " – ", h("span", { class: "whole", text: shortSlot(item.last) })),
          ]))
      : said(t("ops.noModels")),
  );
  // Rows of zeros are folded into a line.
  const isBusy = (item) => item.working || item.restarts || item.last_error;
  const all = state.actors || [];
  const actors = all.filter(isBusy);
  const idle = all.filter((item) => !isBusy(item));
  parts.actors.replaceChildren(
    h("h2", { text: t("ops.actors") }),
    actors.length
      ? table(t("ops.actors"), [[t("ops.col.actor")], [t("ops.col.working"), num], [t("ops.col.restarts"), num], [t("ops.col.error")]],
          actors.map((item) => [
            item.name,
            number(item.working),
            h("span", { class: item.restarts ? "no" : "", text: number(item.restarts) }),
            item.last_error ? `${moment(item.last_error_at, zone)} · ${item.last_error}` : null,
          ]))
      : all.length
        ? ""
        : said(t("ops.noActors")),
    idle.length ? said(t("ops.idleActors", { names: idle.map((item) => item.name).join(", ") })) : "",
  );
  parts.runs.replaceChildren(
    h("h2", { text: t("ops.runs") }),
    runs.length
      ? table(
          t("ops.runs"),
          [[t("ops.col.run")], [t("ops.col.range"), "when"], [t("ops.col.status")], [t("ops.col.new"), num], [t("ops.col.dup"), num], [t("ops.col.missed"), num], [t("ops.col.started"), "when"], [t("ops.col.model"), "when"]],
          runs.map((run) => [
            String(run.id),
            slots(run.from || run.range_from, run.to || run.range_to),
            h("span", { class: run.status === "failed" ? "no" : run.status === "finished" ? "ok" : "", text: t(`run.${run.status}`) }),
            number(run.new),
            number(run.duplicates),
            number(run.missed),
            moment(run.started_at, zone),
            run.model,
          ]),
        )
      : said(t("ops.noRuns")),
  );
}

/** The view. */
export async function operations(main, { station, signal, onState }) {
  const parts = {};
  for (const name of ["program", "disk", "misses", "jobs", "queue", "alerts", "models", "actors", "runs"]) {
    parts[name] = card("");
    if (["jobs", "queue", "alerts", "runs"].includes(name)) parts[name].classList.add("full");
    if (name === "actors") parts[name].classList.add("two");
  }
  const trouble = h("div", { class: "note bad", role: "alert", hidden: true });
  const load = async () => {
    const id = station ? station.id : undefined;
    const [state, runs, ops, stations, rules, messages] = await Promise.all([
      json("api/v1/state", signal),
      json(`api/v1/runs?${query({ limit: 12 })}`, signal),
      json(`dashboard/operations?${query({ station: id })}`, signal),
      json("api/v1/stations", signal),
      json("api/v1/alerts/rules", signal),
      json("api/v1/alerts", signal),
    ]);
    const all = Array.isArray(stations) ? stations : stations.items || [];
    const fresh = all.find((item) => item.id === id) || station;
    draw(parts, { state, runs: Array.isArray(runs) ? runs : runs.items || [], ops, station: fresh, rules, messages });
  };
  await load();
  main.replaceChildren(
    h(
      "div",
      { class: "bar" },
      h("h1", { text: t("ops.title"), tabindex: -1 }),
      printButton(),
    ),
    trouble,
    h("div", { class: "grid" }, Object.values(parts)),
  );
  const look = () =>
    load().then(
      () => {
        trouble.hidden = true;
      },
      (error) => {
        if (signal.aborted) return;
        trouble.hidden = false;
        trouble.replaceChildren(h("strong", { text: t("failed.title") }), h("span", { text: error.message }));
      },
    );
  // One request at a time, and another one if something changed meanwhile.
  let looking = false;
  let changed = false;
  const again = async () => {
    changed = true;
    if (looking) return;
    looking = true;
    while (changed && !signal.aborted) {
      changed = false;
      await look();
      await new Promise((done) => setTimeout(done, 500));
    }
    looking = false;
  };
  onState(again);
  const clock = setInterval(again, 5000);
  signal.addEventListener("abort", () => clearInterval(clock));
}
