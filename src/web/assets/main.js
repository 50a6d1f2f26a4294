// Which view is shown of which station, and what is told as it happens.
import { h, waiting } from "./dom.js";
import { json, query } from "./api.js";
import { lang, t } from "./words.js";
import { dayOf, today } from "./time.js";
import { empty, now } from "./now.js";
import { timeline } from "./timeline.js";
import { history } from "./history.js";
import { gallery } from "./gallery.js";
import { operations } from "./operations.js";

const VIEWS = { now, timeline, history, gallery, operations };
const root = document.documentElement;
const main = document.getElementById("main");
const state = { stations: [], station: null, view: "", leave: null, reading: () => {}, change: () => {} };

function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Then it is forgotten with the page.
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

/** The frame's words in the language of the page. */
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
  state.change = () => {};
  const { view, params } = address();
  const moved = state.view && state.view !== view;
  state.view = view;
  document.title = `${t(`nav.${view}`)} · Celaje${state.station ? ` · ${state.station.name}` : ""}`;
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (moved || !main.firstChild) main.replaceChildren(waiting(t("loading")));
  const { station } = state;
  const day = station ? today(station.time_zone) : "";
  const lastRead = station && station.last ? dayOf(station.last) : day;
  const lastDay = maxDay(lastRead, day);
  try {
    // A record that nobody has written to yet knows no station.
    if (!station && view !== "operations") {
      empty(main);
      return;
    }
    await VIEWS[view](main, {
      station,
      params,
      signal: leave.signal,
      go,
      lastDay,
      lastRead,
      onReading: (act) => {
        state.reading = act;
      },
      onState: (act) => {
        state.change = act;
      },
    });
    if (moved && !leave.signal.aborted) {
      const title = main.querySelector("h1");
      if (title) title.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  } catch (error) {
    if (!leave.signal.aborted) fail(error);
  }
}

/** A record that ends in the past is shown at its end; a live one today. */
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
  const answer = await json("/api/v1/stations");
  state.stations = Array.isArray(answer) ? answer : answer.items || [];
  choose(kept("celaje.station"));
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

/** Live updates: one stream for the page, whichever view is shown. */
function listen() {
  const stream = new EventSource("/api/v1/events");
  let soon;
  const later = (act) => {
    clearTimeout(soon);
    soon = setTimeout(act, 150);
  };
  stream.addEventListener("open", () => {
    // What could not be shown meanwhile is tried again.
    if (state.link === "lost") later(() => (main.querySelector("[role=alert]") ? start() : state.reading()));
    connection("live");
  });
  stream.addEventListener("error", () => connection("lost"));
  stream.addEventListener("observation", (event) => {
    let data = {};
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    if (!state.station) return void start();
    if (data.station && data.station !== state.station.id) return;
    if (data.slot && !(state.station.last >= data.slot)) state.station.last = data.slot;
    later(() => state.reading(data));
  });
  for (const name of ["miss", "run", "state"]) stream.addEventListener(name, () => state.change());
  addEventListener("pagehide", () => stream.close());
}

document.getElementById("lang").addEventListener("click", () => {
  root.lang = lang() === "es" ? "en" : "es";
  keep("celaje.lang", root.lang);
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
listen();
