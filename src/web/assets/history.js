// Means, distribution, confidence and trend of a range; a year's calendar; the climatology.
import { dayField, h, steps as around } from "./dom.js";
import { of, query } from "./api.js";
import { chart, legend } from "./charts.js";
import { lang, t } from "./words.js";
import { addDays, addMonths, between, dayOf, fromRecord, isDay, shortDay } from "./time.js";
import { touches } from "./live.js";

/** Time between two updates of the charts of years, milliseconds. */
const LATER = 60000;

const SPANS = ["day", "week", "month", "year", "range"];

function bounds(span, end, from) {
  if (span === "day") return [end, end];
  if (span === "week") return [addDays(end, -6), end];
  if (span === "month") return [addDays(addMonths(end, -1), 1), end];
  if (span === "year") return [addDays(addMonths(end, -12), 1), end];
  return [from <= end ? from : end, end];
}

/** The view. */
export async function history(main, { station, signal, params, go, onReading, lastDay }) {
  const span = SPANS.includes(params.get("span")) ? params.get("span") : "month";
  const end = isDay(params.get("end")) ? params.get("end") : lastDay;
  const start = isDay(params.get("from")) ? params.get("from") : addDays(end, -30);
  const [asked, to] = bounds(span, end, start);
  // What is older than the record is not shown.
  const from = fromRecord(asked, to, station);
  const days = between(from, to);
  const by = days <= 14 ? "hour" : "day";
  const set = (values) => go("history", { span, end, ...(span === "range" ? { from: asked } : {}), ...values });
  const step = (sign) => {
    if (span === "month") return addMonths(end, sign);
    if (span === "year") return addMonths(end, 12 * sign);
    return addDays(end, sign * between(asked, to));
  };
  const move = (sign) => set({ end: step(sign), ...(span === "range" ? { from: addDays(asked, sign * between(asked, to)) } : {}) });
  const input = (label, value, change) => [h("span", { class: "quiet", text: label }), dayField(label, value, change)];
  const csv = of(station.id, `/observations.csv?${query({ from, to, by })}`);
  const values = { station: station.id, from, to };
  const whole = { station: station.id };
  const openDay = (data) => go("timeline", { days: 1, end: data.from.slice(0, 10) });
  const year = to.slice(0, 4);
  const report = of(station.id, `/report.pdf?${query({ from, to, lang: lang() })}`);
  const openMonth = (data) => data.from && go("history", { span: "month", end: addDays(addMonths(data.from.slice(0, 10), 1), -1) });
  const part = (kind, extra) => chart({ kind, title: t(`chart.${kind}`), values, csv, open: openDay, signal, ...extra });
  const first = [part("history", { note: t("chart.trendNote"), tells: true }), part("distribution", {}), part("confidence", { tells: true })];
  const long = [
    part("calendar", {
      title: t("chart.calendar", { year }),
      values: { station: station.id, from: `${year}-01-01`, to: `${year}-12-31` },
      csv: of(station.id, `/observations.csv?${query({ from: `${year}-01-01`, to: `${year}-12-31`, by: "day" })}`),
    }),
    part("climatology", { values: whole, note: t("chart.climatologyNote"), csv: of(station.id, "/climatology.csv") }),
    part("nights", { values: whole, note: t("chart.nightsNote"), csv: of(station.id, "/climatology.csv?by=month") }),
    part("dark-hours", { values: whole, note: t("chart.darkNote"), tells: true, csv: of(station.id, "/dark-hours.csv"), open: openMonth }),
    part("dark-years", { values: whole, note: t("chart.yearsNote"), tells: true, csv: of(station.id, "/dark-hours.csv"), open: openMonth }),
  ];
  main.replaceChildren(
    h(
      "div",
      { class: "bar" },
      h("h1", { text: t("history.title"), tabindex: -1 }),
      h("span", { class: "quiet", text: from === to ? shortDay(to) : `${shortDay(from)} – ${shortDay(to)}` }),
      h(
        "div",
        { class: "group no-print", role: "group", "aria-label": t("history.span") },
        SPANS.map((name) =>
          h("button", {
            type: "button",
            "aria-pressed": String(name === span),
            text: t(`history.${name}`),
            onclick: () => go("history", { span: name, end, ...(name === "range" ? { from: asked } : {}) }),
          }),
        ),
      ),
      around(
        [Boolean(station.first) && from <= dayOf(station.first), end >= lastDay],
        move,
        span === "range" ? input(t("from"), asked, (value) => set({ from: value })) : null,
        input(span === "range" ? t("to") : t("timeline.until"), to, (value) => set({ end: value })),
      ),
      ...(station.last
        ? [
            h("a", { class: "button no-print", href: report, download: `celaje-${station.id}-${from}-${to}.pdf`, text: t("report.pdf") }),
            h("a", { class: "button no-print", href: report, target: "_blank", rel: "noopener", text: t("report.print") }),
          ]
        : []),
    ),
    // Who prints the view itself is told of the whole.
    h("p", { class: "only-print", text: t("report.whole", { address: new URL(report, document.baseURI).href }) }),
    h("section", { class: "card charts" }, first[0], legend()),
    h("div", { class: "pair" }, first.slice(1).map((figure) => h("section", { class: "card" }, figure))),
    h("h2", { class: "quiet", text: t("history.long") }),
    h("section", { class: "card charts" }, long[0], legend()),
    h("div", { class: "pair" }, h("section", { class: "card charts" }, long[1], legend()), h("section", { class: "card" }, long[2])),
    h("section", { class: "card" }, long[3]),
    h("section", { class: "card" }, long[4]),
  );
  // One reading changes the charts of years little: they are updated rarely.
  let later;
  signal.addEventListener("abort", () => clearTimeout(later));
  onReading((change) => {
    if (touches(change, from, to)) first.forEach((figure) => figure.reload());
    later = later || setTimeout(() => {
      later = undefined;
      long.forEach((figure) => figure.reload());
    }, LATER);
  });
}
