// Chooses the view and the station, and hands live events to the view.
import { h, s, waiting } from "./dom.js";
import { json, of, query, text } from "./api.js";
import { lang, t } from "./words.js";
import { dayOf, today } from "./time.js";
import { TWO, empty, now } from "./now.js";
import { timeline } from "./timeline.js";
import { history } from "./history.js";
import { gallery } from "./gallery.js";
import { label as labelling } from "./label.js";
import { operations } from "./operations.js";
import { skill } from "./skill.js";
import { listen } from "./live.js";
import { reportHead } from "./print.js";
import { zones } from "./viewer.js";

const VIEWS = { now, timeline, history, gallery, skill, label: labelling, operations };
/** Those that show nothing but readings. */
const OF_READINGS = ["timeline", "history", "gallery"];
const root = document.documentElement;
const main = document.getElementById("main");
/** `acts`: what the view does at a reading and at a miss, by the station. */
const state = { stations: [], station: null, named: null, view: "", lastDay: "", leave: null, acts: new Map(), change: () => {} };

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
  location.hash = `#/${view}?${query({ ...values, station: address().params.get("station") })}`;
}

const THEMES = ["light", "dark", "red"];
const theme = () => (root.dataset.red ? "red" : root.dataset.theme);
const nextTheme = () => THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];

function wear(name) {
  root.dataset.theme = name === "light" ? "light" : "dark";
  if (name === "red") root.dataset.red = "1";
  else delete root.dataset.red;
}

/** Names the view in the tab, behind the last reading of the station. */
function nameTab() {
  const { item, view, station } = state;
  const okta = item ? `${item.okta === 9 ? "×" : item.okta}/8` : "";
  document.title = [okta, t(`nav.${view || "now"}`), "Celaje", station && station.name].filter(Boolean).join(" · ");
}

/** Shows a reading in the tab: its okta before the title, its symbol as the icon. */
async function tab(item) {
  const before = state.item;
  state.item = item;
  nameTab();
  if (before && item && before.okta === item.okta) return;
  const icon = document.querySelector("link[rel=icon]");
  if (!item) return void icon.setAttribute("href", "assets/icon.svg");
  try {
    const sprite = new DOMParser().parseFromString(await text("assets/okta.svg"), "image/svg+xml");
    const symbol = sprite.getElementById(`okta-${item.okta}`);
    if (!symbol) return;
    const svg = s("svg", { viewBox: "0 0 100 100", color: "#4a90d9" });
    svg.append(...[...symbol.childNodes].map((node) => document.importNode(node, true)));
    icon.setAttribute("href", `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`);
  } catch {
    // The icon then stays as it is.
  }
}

/** The last reading of the station, for the tab of a view that doesn't show it. */
async function lookForTab() {
  const { station } = state;
  if (!station) return;
  const item = await json(of(station.id, "/latest")).catch(() => null);
  if (station === state.station) tab(item);
}

/** Sets the frame's words in the language of the page. */
function label() {
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  const other = document.getElementById("lang");
  other.textContent = t("lang.other");
  other.lang = lang() === "es" ? "en" : "es";
  const theme = document.getElementById("theme");
  const next = nextTheme();
  theme.textContent = t(`theme.${next}`);
  theme.setAttribute("aria-label", t(`theme.to${next[0].toUpperCase()}${next.slice(1)}`));
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
  state.acts = new Map();
  state.change = () => {};
  const { view, params } = address();
  const named = addressed(view, params);
  if (named !== state.station?.id && state.stations.some((item) => item.id === named)) choose(named);
  const moved = state.view && state.view !== view;
  const held = main.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
  delete main.dataset.view;
  state.view = view;
  nameTab();
  if (view !== "now" && !state.item) lookForTab();
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
    // Without a reading the first view says so, and how to get one.
    const none = OF_READINGS.includes(view) && !station.first;
    const act = (of, kind, does) => state.acts.set(of.id, { ...state.acts.get(of.id), [kind]: does });
    const context = (of) => ({
      station: of,
      params,
      signal: leave.signal,
      go,
      tab: of === station ? tab : () => {},
      stations: state.stations,
      choose: pick,
      lastDay,
      lastRead,
      // {from, to}: slots that got a reading; null: anything may have changed.
      onReading: (does) => act(of, "reading", none ? show : does),
      // A slot that was missed, or null as above.
      onMiss: (does) => act(of, "miss", does),
      onState: (does) => {
        state.change = does;
      },
    });
    // The same of a station that stands beside another one, under its name.
    const beside = (of) => ({ ...context(of), stations: [of], name: of.name });
    await VIEWS[none ? "now" : view](main, { ...context(station), beside });
    if (!leave.signal.aborted) main.dataset.view = view;
    if (moved && !leave.signal.aborted) {
      const title = main.querySelector("h1");
      if (title) title.focus({ preventScroll: true });
      scrollTo(0, 0);
    } else if (held && !leave.signal.aborted && document.activeElement === document.body) {
      // Who steps from day to day by keyboard goes on where they were.
      const again = [...main.querySelectorAll("[aria-label]")].find((item) => item.getAttribute("aria-label") === held);
      if (again) again.focus({ preventScroll: true });
    }
  } catch (error) {
    if (!leave.signal.aborted) fail(error);
  }
}

/**
 * The station that the address names, which goes along from view to view: in the address, where a link dropped it, and
 * in the links that can be opened elsewhere.
 */
function addressed(view, params) {
  const named = params.get("station") || state.named;
  if (named && !params.has("station")) {
    params.set("station", named);
    window.history.replaceState(null, "", `#/${view}?${params}`);
  }
  state.named = named;
  const behind = named ? `?${query({ station: named })}` : "";
  for (const link of document.querySelectorAll("#nav a, .brand")) link.setAttribute("href", `#/${link.dataset.view || "now"}${behind}`);
  return named;
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
  state.item = null;
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
  for (const station of state.stations) zones.set(station.id, station.zones || []);
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
  if (!state.station?.first || main.querySelector("[role=alert]")) return void start();
  for (const { reading, miss } of state.acts.values()) {
    if (reading) reading(null);
    if (miss) miss(null);
  }
  state.change();
}

const stream = {
  link: connection,
  again,
  readings(station, change) {
    if (!state.station) return void start();
    const known = state.stations.find((item) => item.id === station);
    // A station that was added while the page was open.
    if (!known) return void loadStations().catch(() => {});
    if (!(known.last >= change.to)) known.last = change.to;
    if (!(known.first <= change.from)) known.first = change.from;
    if (known === state.station && state.view !== "now") lookForTab();
    const { reading } = state.acts.get(station) || {};
    if (known === state.station && isOver(change.to)) show();
    else if (reading) reading(change);
  },
  miss(station, item) {
    const { miss } = state.acts.get(station) || {};
    if (miss) miss(item);
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
  wear(nextTheme());
  keep("celaje.theme", theme());
  label();
});
function pick(id) {
  keep("celaje.station", id);
  choose(id);
  const { view, params } = address();
  params.set("station", id);
  const chosen = `#/${view}?${params}`;
  // The view follows the address.
  if (location.hash === chosen) show();
  else location.hash = chosen;
}
document.getElementById("station").addEventListener("change", (event) => pick(event.target.value));
addEventListener("hashchange", show);
let settled;
TWO.addEventListener("change", () => {
  clearTimeout(settled);
  // Paper is narrow for a moment.
  settled = setTimeout(() => {
    const differs = TWO.matches !== Boolean(main.querySelector(".columns"));
    if (state.view === "now" && state.stations.length === 2 && differs) show();
  }, 300);
});

/** The views that a screen turns through, and the least time for each, seconds. */
const TURNS = ["now", "timeline?days=7", "history?span=month", "gallery"];
const LEAST = 5;

/** Turns from view to view, and from station to station, where the address says `kiosk=SECONDS`. */
function kiosk() {
  const asked = Number(new URLSearchParams(location.search).get("kiosk"));
  if (!(asked > 0)) return;
  root.classList.add("kiosk");
  let turn = TURNS.findIndex((name) => name.split("?")[0] === address().view);
  setInterval(() => {
    if (document.querySelector("dialog[open]")) return;
    turn = (turn + 1) % TURNS.length;
    if (turn === 0 && state.stations.length > 1) {
      const at = state.stations.indexOf(state.station);
      state.named = state.stations[(at + 1) % state.stations.length].id;
    }
    location.hash = `#/${TURNS[turn]}`;
  }, Math.max(asked, LEAST) * 1000);
}
kiosk();

start();
listen(stream);
