// Chooses the view and the station, and hands live events to the view.
import { h, waiting } from "./dom.js";
import { json, query } from "./api.js";
import { lang, t } from "./words.js";
import { dayOf, today } from "./time.js";
import { empty, now } from "./now.js";
import { timeline } from "./timeline.js";
import { history } from "./history.js";
import { gallery } from "./gallery.js";
import { label as labelling } from "./label.js";
import { operations } from "./operations.js";
import { skill } from "./skill.js";
import { listen } from "./live.js";
import { reportHead } from "./print.js";

const VIEWS = { now, timeline, history, gallery, skill, label: labelling, operations };
const root = document.documentElement;
const main = document.getElementById("main");
const state = { stations: [], station: null, view: "", lastDay: "", leave: null, reading: () => {}, miss: () => {}, change: () => {} };

function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // The choice then lasts as long as the page.
  }
}

function kept(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function address() {
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: path in VIEWS ? path : "now", params: new URLSearchParams(search || "") };
}

function go(view, values) {
  location.hash = `#/${view}?${query(values)}`;
}

/** Sets the frame's words in the language of the page. */
function label() {
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  const other = document.getElementById("lang");
  other.textContent = t("lang.other");
  other.lang = lang() === "es" ? "en" : "es";
  const theme = document.getElementById("theme");
  const dark = root.dataset.theme === "dark";
  theme.textContent = t(dark ? "theme.light" : "theme.dark");
  theme.setAttribute("aria-label", t(dark ? "theme.toLight" : "theme.toDark"));
  theme.title = theme.getAttribute("aria-label");
  connection(state.link || "wait");
}

function connection(kind) {
  state.link = kind;
  const link = document.getElementById("link");
  link.className = `link ${kind}`;
  link.textContent = t(`link.${kind}`);
}

function fail(error) {
  const title = h("h1", { text: t("failed.title"), tabindex: -1 });
  main.replaceChildren(
    h(
      "section",
      { class: "state bad", role: "alert" },
      title,
      h("p", { text: error.message }),
      h("button", { type: "button", text: t("retry"), onclick: start }),
    ),
  );
}

async function show() {
  if (state.leave) state.leave.abort();
  const leave = new AbortController();
  state.leave = leave;
  state.reading = () => {};
  state.miss = () => {};
  state.change = () => {};
  const { view, params } = address();
  const moved = state.view && state.view !== view;
  delete main.dataset.view;
  state.view = view;
  document.title = `${t(`nav.${view}`)} · Celaje${state.station ? ` · ${state.station.name}` : ""}`;
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === (view === "label" ? "skill" : view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (moved || !main.firstChild) main.replaceChildren(waiting(t("loading")));
  const { station } = state;
  reportHead(station);
  const day = station ? today(station.time_zone) : "";
  const lastRead = station && station.last ? dayOf(station.last) : day;
  const lastDay = maxDay(lastRead, day);
  state.lastDay = lastDay;
  try {
    // An empty record has no station.
    if (!station && view !== "operations") {
      await empty(main, null, leave.signal);
      return;
    }
    await VIEWS[view](main, {
      station,
      params,
      signal: leave.signal,
      go,
      lastDay,
      lastRead,
      // {from, to}: slots that got a reading; null: anything may have changed.
      onReading: (act) => {
        state.reading = act;
      },
      // A slot that was missed, or null as above.
      onMiss: (act) => {
        state.miss = act;
      },
      onState: (act) => {
        state.change = act;
      },
    });
    if (!leave.signal.aborted) main.dataset.view = view;
    if (moved && !leave.signal.aborted) {
      const title = main.querySelector("h1");
      if (title) title.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  } catch (error) {
    if (!leave.signal.aborted) fail(error);
  }
}

/** The last day of a record that ended in the past; today for a live one. */
function maxDay(last, day) {
  const old = (new Date(day) - new Date(last)) / 86400000 > 2;
  return old ? last : day;
}

function choose(id) {
  state.station = state.stations.find((item) => item.id === id) || state.stations.find((item) => item.is_home) || state.stations[0] || null;
  const select = document.getElementById("station");
  select.replaceChildren(...state.stations.map((item) => h("option", { value: item.id, text: item.name })));
  if (state.station) select.value = state.station.id;
  const label = document.getElementById("station-label");
  label.hidden = state.stations.length === 0;
  label.classList.toggle("single", state.stations.length === 1);
  select.disabled = state.stations.length === 1;
  document.getElementById("foot-station").textContent = state.station
    ? `${state.station.name} · ${state.station.time_zone}`
    : "";
}

async function loadStations() {
  const answer = await json("api/v1/stations");
  state.stations = Array.isArray(answer) ? answer : answer.items || [];
  choose(state.station ? state.station.id : kept("celaje.station"));
}

async function start() {
  label();
  try {
    await loadStations();
  } catch (error) {
    fail(error);
    return;
  }
  await show();
}

/** Whether the view shows the last day and `slot` begins a new one. */
function isOver(slot) {
  const { view, params } = address();
  const follows = !params.has("end") && !params.has("day") && ["timeline", "history", "gallery"].includes(view);
  return follows && dayOf(slot) > state.lastDay;
}

/** Reloads everything: the stream was interrupted, or the page fell behind. */
function again() {
  if (!state.station || main.querySelector("[role=alert]")) return void start();
  state.reading(null);
  state.miss(null);
  state.change();
}

const stream = {
  link: connection,
  again,
  readings(station, change) {
    if (!state.station) return void start();
    // A station that was added while the page was open.
    if (!state.stations.some((item) => item.id === station)) return void loadStations().catch(() => {});
    if (station !== state.station.id) return;
    if (!(state.station.last >= change.to)) state.station.last = change.to;
    if (isOver(change.to)) show();
    else state.reading(change);
  },
  miss(station, item) {
    if (state.station && station === state.station.id) state.miss(item);
  },
  state: () => state.change(),
};

addEventListener("pageshow", (event) => {
  // The browser restored the page with its stream closed.
  if (!event.persisted) return;
  listen(stream);
  show();
});

document.getElementById("lang").addEventListener("click", () => {
  root.lang = lang() === "es" ? "en" : "es";
  keep("celaje.lang", root.lang);
  // The address would override the choice.
  if (location.search) window.history.replaceState(null, "", `${location.pathname}${location.hash}`);
  label();
  show();
});
document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  keep("celaje.theme", root.dataset.theme);
  label();
});
document.getElementById("station").addEventListener("change", (event) => {
  keep("celaje.station", event.target.value);
  choose(event.target.value);
  show();
});
addEventListener("hashchange", show);

start();
listen(stream);
