// The last reading: its picture, its okta and its quality.
import { announce, glyph, h, meter, s, shown, waiting } from "./dom.js";
import { json, of, query } from "./api.js";
import { chart, legend } from "./charts.js";
import { touches } from "./live.js";
import { columns, outlook } from "./tonight.js";
import { explain, fading, flags, inWords, level, oktaRange, openSlot, parts, sureness, trials } from "./viewer.js";
import { known, number, percent, t } from "./words.js";
import { addDays, dayOf, dueAfter, longDay, shortSlot, since, slotNow, span, timeOf } from "./time.js";

function fact(label, ...values) {
  const wide = values.length === 1;
  return h(
    "div",
    { class: "fact" },
    h("dt", { text: label }),
    values.map((value) => h("dd", { class: wide ? "wide" : "" }, value)),
  );
}

/** The symbol, the oktas with their range, and when that was. */
function headline(item, age) {
  const hidden = item.okta === 9;
  const range = hidden ? null : oktaRange(item);
  const word = known(`category.${item.category}`, item.category || "");
  return h(
    "div",
    { class: "reading" },
    glyph(item.okta, inWords(item)),
    h(
      "div",
      {},
      h(
        "p",
        { class: "okta" },
        hidden ? "×" : range ? t("now.range", range) : String(item.okta),
        h("small", { text: t(hidden ? "now.hidden" : "now.oktas") }),
      ),
      h("p", { class: "word", text: [word, item.category].filter(Boolean).join(" · ") }),
      range ? h("p", { class: "likeliest", text: t("now.likeliest", { okta: item.okta }) }) : null,
      h("p", { class: "moment" }, h("span", { class: "quiet", text: `${longDay(item.slot)}, ${timeOf(item.slot)}` }), " · ", age),
    ),
  );
}

function facts(item, safety) {
  const elevation = item.solar_elevation;
  const degrees = number(Math.abs(elevation ?? NaN), 1);
  const sunWords = t(elevation < 0 ? "now.below" : "now.above", { degrees });
  return h(
    "dl",
    { class: "facts" },
    fact(t("now.fraction"), meter(item.cloud_fraction, t("now.fraction"), item.okta), percent(item.cloud_fraction ?? NaN)),
    ...parts(item).map(([name, fraction]) => fact(name, meter(fraction, name, nearest(fraction)), percent(fraction ?? NaN))),
    fact(t("now.confidence"), meter(item.confidence, t("now.confidence"), level(item.confidence)), sureness(item.confidence)),
    Number.isFinite(elevation)
      ? fact(t("now.sun"), h("span", { text: [sunWords, known(`phase.${item.day_phase}`, "")].filter(Boolean).join(" · ") }))
      : null,
    fact(t("now.quality"), flags(item)),
    safety,
    fact(t("now.model"), h("span", { text: item.model || t("none") })),
    ...trials(item).map((trial) => fact(t("now.trial"), trial)),
  );
}

const nearest = (fraction) => (Number.isFinite(fraction) ? Math.round(fraction * 8) : undefined);

/** How wide the picture is shown; a phone's fine pixels show no more of a sky, and cost a slow line much. */
const SIZES = "(max-width: 34rem) 62vw, (max-width: 60rem) 94vw, (min-width: 100rem) 34vw, 60vw";

/** Slots without a reading after which the last one is stale. */
const STALE = 3;

/** The notice above a stale reading: its age, and the reason if known. */
function notes() {
  const stale = h("div", { class: "note warn", role: "status", hidden: true });
  const unread = h("div", { class: "note warn", role: "status", hidden: true });
  const say = (note, words, fill) => {
    note.hidden = !words;
    if (note.dataset.words === words) return;
    note.dataset.words = words;
    note.replaceChildren(...(words ? fill() : []));
  };
  const more = () => h("a", { href: "#/operations", text: t("nav.operations") });
  return {
    elements: [unread, stale],
    stale(seconds, every) {
      const old = seconds > every * 60 * STALE;
      const words = old ? t("stale.text", { age: span(seconds), every: number(every) }) : "";
      say(stale, words, () => [h("strong", { text: t("stale.title") }), h("span", { text: `${words} ` }), more()]);
    },
    /** The slot that was missed last, and how many are `due` since the reading of `since`. */
    unread(last, due, since) {
      const values = last && {
        time: shortSlot(last.slot),
        reason: known(`reason.${last.reason}`, last.reason),
        n: due,
        since: shortSlot(since),
      };
      const words = last ? t(due > 1 ? "unread.text" : "unread.one", values) : "";
      say(unread, words, () => [h("strong", { text: t("unread.title") }), h("span", { text: `${words} ` }), more()]);
    },
  };
}

/** Where two stations have a column each. */
export const TWO = matchMedia("(min-width: 90rem)");

/** The view. */
export async function now(main, context) {
  const { stations, beside, signal } = context;
  if (stations.length !== 2 || !TWO.matches) return one(main, context);
  const all = stations.map((station) => h("div", { class: "column" }, waiting(t("loading"))));
  main.replaceChildren(h("div", { class: "columns" }, all));
  const fill = async (station, n) => {
    try {
      await one(all[n], beside(station));
    } catch (error) {
      if (!signal.aborted) all[n].replaceChildren(h("div", { class: "note bad", role: "alert" }, h("strong", { text: station.name }), h("p", { text: error.message })));
    }
  };
  await Promise.all(stations.map(fill));
}

/** A station; `station` is one of /api/v1/stations, `name` is told where another one stands beside it. */
async function one(main, context) {
  const { station, name, signal, onReading, onMiss } = context;
  const every = station.minutes && station.minutes.length ? 60 / station.minutes.length : 10;
  let item;
  try {
    item = await json(of(station.id, "/latest"), signal);
  } catch (error) {
    if (error.status !== 404) throw error;
    // A reading may arrive during the request.
    const nothingYet = new AbortController();
    const waits = AbortSignal.any ? AbortSignal.any([signal, nothingYet.signal]) : signal;
    onReading(() => {
      nothingYet.abort();
      return signal.aborted || one(main, context);
    });
    let looks = false;
    let again = false;
    const others = columns(context);
    // One look at a time: a backfill may miss hundreds of slots a second.
    const look = async () => {
      again = true;
      if (looks) return;
      looks = true;
      while (again && !waits.aborted) {
        again = false;
        await empty(main, station, waits);
        if (others && !waits.aborted) main.prepend(others);
      }
      looks = false;
    };
    onMiss(look);
    await look();
    return;
  }
  const age = h("span");
  const safety = fact(t("now.safety"), h("span"));
  safety.hidden = true;
  const lookForSafety = async () => {
    try {
      const told = await json(of(station.id, "/safety"), signal);
      safety.hidden = told.reason === "not_configured";
      const words = `${t(told.safe ? "now.safe" : "now.unsafe")} · ${known(`safety.${told.reason}`, told.text)}`;
      safety.querySelector("span").textContent = words;
    } catch {
      // An answer that doesn't come is no "safe".
      safety.querySelector("span").textContent = t("now.unsafe");
    }
  };
  const above = notes();
  const answer = outlook(station, signal, name);
  await answer.look();
  const left = h("section", { class: "card", "aria-label": t("now.picture") });
  const right = h("section", { class: "card", "aria-label": t("now.title") });
  const night = h("section", { class: "card charts" }, answer.strip, legend("night"));
  const charts = h("section", { class: "card charts" });
  const dome = station.has_lens ? h("section", { class: "card charts dome" }) : null;
  // Up to now, however old the last reading is; of a record that ended, up to its end.
  const past = () => since(item.slot_utc) > 86400;
  const until = () => (since(item.slot_utc) > every * 60 * STALE && !past() ? slotNow(station.time_zone) : item.slot);
  const from = () => `${addDays(dayOf(until()), -1)}T${timeOf(until())}`;
  let last24;
  const tick = () => {
    const seconds = since(item.slot_utc);
    age.textContent = Number.isFinite(seconds) ? t("now.ago", { age: span(seconds) }) : t("none");
    above.stale(seconds, every);
  };
  const draw = () => {
    tick();
    context.tab(item);
    left.replaceChildren(fading(station.id, item, `${longDay(item.slot)} ${timeOf(item.slot)}`, SIZES));
    right.replaceChildren(facts(item, safety));
    answer.shows(headline(item, age));
    lookForSafety();
    shown("reading");
    last24 = chart({
      kind: "timeline",
      title: t(past() ? "now.lastOf" : "now.last"),
      values: { station: station.id, from: from(), to: until() },
      csv: of(station.id, `/observations.csv?${query({ from: from(), to: until() })}`),
      open: (data) => openSlot(station.id, data.slot),
      signal,
    });
    explain(last24, station.id, from(), until(), signal);
    charts.replaceChildren(last24, legend("timeline"));
    if (dome) dome.replaceChildren(chart({ kind: "dome", title: t("chart.dome"), note: t("chart.domeNote"), values: { station: station.id, to: item.slot }, csv: `charts/dome.csv?${query({ station: station.id, to: item.slot })}`, signal }), legend());
  };
  // Slots after the last reading that were missed.
  const lookForMisses = async () => {
    const path = of(station.id, `/misses?${query({ from: item.slot, limit: 1000 })}`);
    try {
      const answer = await json(path, signal);
      // A clock that was ahead may have left misses of what is to come.
      const past = (answer.items || []).filter((miss) => since(miss.slot_utc) >= 0);
      // Without the minutes of the station's slots those that were asked for are known.
      above.unread(past[past.length - 1], Math.max(dueAfter(item.slot, station), past.length), item.slot);
    } catch {
      // Then only the age of the reading is shown.
    }
  };
  main.replaceChildren(
    ...above.elements,
    ...[columns(context)].filter(Boolean),
    answer.element,
    h("div", { class: "nights" }, night, charts),
    h("div", { class: "now" }, left, right),
    ...[dome].filter(Boolean),
  );
  draw();
  lookForMisses();
  const clock = setInterval(tick, 1000);
  // It becomes unsafe without an event.
  const watch = setInterval(() => {
    lookForSafety();
    answer.look();
  }, 15000);
  signal.addEventListener("abort", () => [clock, watch].forEach(clearInterval));
  onMiss((missed) => (!missed || missed.slot > item.slot) && lookForMisses());
  onReading(async (change) => {
    try {
      const newest = await json(of(station.id, "/latest"), signal);
      const same = JSON.stringify(newest) === JSON.stringify(item);
      const later = newest.slot !== item.slot || newest.okta !== item.okta;
      item = newest;
      if (!same) {
        draw();
        answer.look();
        answer.strip.reload();
        lookForMisses();
      } else if (touches(change, from(), item.slot)) {
        last24.reload();
      }
      if (later) announce(t("now.arrived", { time: timeOf(item.slot), text: inWords(item) }));
    } catch (error) {
      if (!signal.aborted) announce(error.message);
    }
  });
}

/** The symbol for no reading. */
const nothing = () =>
  s(
    "svg",
    { class: "glyph", viewBox: "0 0 100 100", "aria-hidden": "true" },
    s("circle", { cx: 50, cy: 50, r: 44, fill: "none", stroke: "currentColor", "stroke-width": 4, "stroke-dasharray": "9 9" }),
  );

/** The content while there is no reading; with a `station`, also its missed slots. */
export async function empty(main, station, signal) {
  const told = await json("api/v1/state", signal).catch(() => ({ mode: "read-only" }));
  const counts = station && (await json("api/v1/stations", signal).catch(() => [])).find((item) => item.id === station.id);
  let last;
  if (counts && counts.misses) {
    const answer = await json(of(station.id, `/misses?${query({ from: counts.last_miss, limit: 1 })}`), signal).catch(() => ({}));
    last = (answer.items || [])[0];
  }
  if (signal && signal.aborted) return;
  const to = addDays(new Date().toISOString().slice(0, 10), -1);
  const title = h("h1", { text: t("empty.title"), tabindex: -1 });
  const watches = told.mode !== "read-only";
  const command = watches ? "celaje serve --catch-up 30d" : `celaje backfill --from ${addDays(to, -29)} --to ${to}`;
  main.replaceChildren(
    h(
      "section",
      { class: "state" },
      h("div", { class: "sign" }, nothing()),
      title,
      last
        ? h("p", { class: "note warn", text: t("empty.missed", { n: number(counts.misses), time: shortSlot(last.slot), reason: known(`reason.${last.reason}`, last.reason) }) })
        : null,
      h("p", { text: t(watches ? "empty.watched" : "empty.text") }),
      h("pre", { tabindex: 0 }, h("code", { text: command })),
      h("p", { class: "quiet", text: t("empty.live") }),
    ),
  );
}
