// The answer: whether tonight is a night to observe.
import { glyph, h } from "./dom.js";
import { json, of, query } from "./api.js";
import { chart } from "./charts.js";
import { inWords, openSlot } from "./viewer.js";
import { known, number, percent, t } from "./words.js";
import { span, timeOf } from "./time.js";

const clock = (moment) => timeOf(moment.local);
const between = (part) => `${clock(part.from)}–${clock(part.to)}`;

/** Why, in a sentence. */
function why({ reason, text, night }) {
  if (reason === "no_night" && night.kind === "sun_stays_up") return t("tonight.polarDay");
  if (reason === "no_night") return t("tonight.noNight", { degrees: number(-night.lowest_sun) });
  if (reason === "daylight" && night.allowed) return t("tonight.from", { time: clock(night.allowed.from) });
  return known(`safety.${reason}`, text);
}

/** How the last hour went. */
function lastHour({ tendency, oktas_an_hour: change }) {
  if (!tendency) return t("tonight.few");
  const n = number(Math.abs(change));
  return tendency === "steady" ? t("tonight.steady") : t(`tonight.${tendency}`, { n });
}

function row(told) {
  const since = told.clear_since || told.cloudy_since;
  if (!since) return null;
  const value = told.since_or_before ? t("tonight.before", { time: clock(since) }) : clock(since);
  return [t(told.clear_since ? "tonight.clearSince" : "tonight.cloudySince"), value];
}

/** The hours of darkness that are left. */
function dark({ night }) {
  if (!night.astronomical) return t(night.kind === "sun_stays_up" ? "tonight.polarDay" : "tonight.notDark");
  if (!night.dark_minutes) return t("tonight.darkOver");
  const whole = `${span(night.dark_minutes * 60)} · ${between(night.astronomical)}`;
  if (night.moonless_minutes === night.dark_minutes) return `${whole} · ${t("tonight.noMoon")}`;
  return `${whole} · ${t("tonight.moonless", { span: span(night.moonless_minutes * 60) })}`;
}

function moon({ moon: seen }) {
  const coming = [["rises", seen.rise], ["sets", seen.set]].filter(([, at]) => at).sort(([, a], [, b]) => (a.utc < b.utc ? -1 : 1));
  const events = coming.map(([name, at]) => t(`tonight.${name}`, { time: clock(at) }));
  const height = seen.elevation > -0.833 ? t("tonight.high", { degrees: number(Math.max(seen.elevation, 0)) }) : t("tonight.down");
  return [`${percent(seen.lit)} ${t(seen.waxing ? "tonight.waxing" : "tonight.waning")}`, height, ...events].filter(Boolean).join(" · ");
}

function sun({ night }) {
  if (night.kind === "usual") return t("tonight.sunset", { set: clock(night.span.from), rise: clock(night.span.to) });
  return t(night.kind === "sun_stays_up" ? "tonight.polarDay" : "tonight.polarNight");
}

/** A column a station, where there are several: its word and its last reading. */
export function columns({ stations, station, choose, signal }) {
  if (stations.length < 2) return null;
  const list = h("ul", { class: "stations", "aria-label": t("stations.title") });
  const fill = async () => {
    const told = await Promise.all(
      stations.map(async ({ id }) => [
        await json(of(id, "/tonight"), signal).catch(() => null),
        await json(of(id, "/latest"), signal).catch(() => null),
      ]),
    );
    if (signal.aborted) return;
    list.replaceChildren(
      ...stations.map(({ id, name }, n) => {
        const [night, item] = told[n];
        const column = h(
          "button",
          { type: "button", "aria-pressed": String(id === station.id), onclick: () => choose(id) },
          glyph(item ? item.okta : undefined),
          h("span", { class: "who", text: name }),
          h("strong", { text: night ? t(`tonight.${night.advice}`) : t("none") }),
          h("span", { class: "quiet", text: item ? `${inWords(item)} · ${timeOf(item.slot)}` : t("safety.no_reading") }),
        );
        if (night) column.dataset.advice = night.advice;
        return h("li", {}, column);
      }),
    );
  };
  fill();
  const again = setInterval(fill, 30000);
  signal.addEventListener("abort", () => clearInterval(again));
  return list;
}

/** The card with the answer and the strip of the night, with the `name` of the station where others stand beside; `look` asks anew. */
export function outlook(station, signal, name) {
  const word = h("p", { class: "advice" });
  const reason = h("p", { class: "why" });
  const rule = h("p", { class: "quiet rule", hidden: true, text: t("tonight.usual") });
  const list = h("dl", { class: "outlook" });
  const reading = h("div");
  const title = h("h1", { class: "quiet", text: [t("tonight.title"), name].filter(Boolean).join(" · "), tabindex: -1 });
  const element = h(
    "section",
    { class: "card tonight", "aria-label": t("tonight.title") },
    h("div", { class: "answer", role: "status" }, title, word, reason, rule),
    reading,
    list,
  );
  const strip = chart({
    kind: "tonight",
    title: t("chart.tonight"),
    values: { station: station.id },
    csv: (night) => night && of(station.id, `/observations.csv?${query({ from: night.span.from.local, to: night.span.to.local })}`),
    open: (data) => data.slot && openSlot(station.id, data.slot),
    signal,
  });
  let last = "";
  const show = (told) => {
    const said = JSON.stringify(told);
    if (said === last) return;
    last = said;
    element.dataset.advice = told.advice;
    word.textContent = t(`tonight.${told.advice}`);
    reason.textContent = why(told);
    rule.hidden = !told.by_usual_rule;
    const rows = [[t("tonight.lastHour"), lastHour(told)], row(told), [t("tonight.dark"), dark(told)], [t("tonight.moon"), moon(told)], [t("now.sun"), sun(told)]];
    list.replaceChildren(...rows.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", { text: value }))));
    strip.saves(told.night);
  };
  return {
    element,
    strip,
    shows: (headline) => reading.replaceChildren(headline),
    async look() {
      try {
        show(await json(of(station.id, "/tonight"), signal));
      } catch (error) {
        if (signal.aborted) return;
        // Without an answer there is no kind word.
        last = "";
        element.dataset.advice = "close";
        word.textContent = t("none");
        reason.textContent = error.message;
      }
    },
  };
}
