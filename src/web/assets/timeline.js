// Today and the last days, slot by slot.
import { dayField, h, steps } from "./dom.js";
import { of, query } from "./api.js";
import { chart, legend } from "./charts.js";
import { explain, openSlot } from "./viewer.js";
import { t } from "./words.js";
import { printButton } from "./print.js";
import { addDays, dayOf, fromRecord, isDay, shortDay } from "./time.js";
import { touches } from "./live.js";

const CHOICES = [1, 3, 7, 30, 90, 365];
const USUAL = 7;
/** More days are no range that a chart refuses, but no dates any more. */
const MOST = 100000;
/** More days are a raster alone. */
const BARS = 30;
/** Fewer days are no raster. */
const ROWS = 7;

/** The view; `go` changes the address. */
export async function timeline(main, { station, signal, params, go, onReading, lastDay }) {
  // As many as the address says: the chart tells where it cannot show them.
  const asked = Number(params.get("days") ?? USUAL);
  const days = Number.isInteger(asked) && asked > 0 ? Math.min(asked, MOST) : USUAL;
  const end = isDay(params.get("end")) ? params.get("end") : lastDay;
  const from = fromRecord(addDays(end, 1 - days), end, station);
  const raster = days > BARS || (days >= ROWS && params.get("form") === "raster");
  const set = (values) => go("timeline", { days, end, ...(raster && days <= BARS ? { form: "raster" } : {}), ...values });
  const view = chart({
    kind: raster ? "raster" : "timeline",
    title: t(raster ? "chart.raster" : "chart.timeline"),
    ...(raster ? { note: "", tells: true } : { help: t("chart.help") }),
    values: { station: station.id, from, to: end },
    csv: of(station.id, `/observations.csv?${query({ from, to: end })}`),
    open: (data) => (data.slot ? openSlot(station.id, data.slot) : go("timeline", { days: 1, end: data.from.slice(0, 10) })),
    signal,
  });
  if (!raster) explain(view, station.id, from, end, signal);
  main.replaceChildren(
    h(
      "div",
      { class: "bar" },
      h("h1", { text: t("timeline.title"), tabindex: -1 }),
      h("span", { class: "quiet only-print", text: from === end ? shortDay(end) : `${shortDay(from)} – ${shortDay(end)}` }),
      h(
        "div",
        { class: "group no-print", role: "group", "aria-label": t("history.span") },
        CHOICES.map((n) =>
          h("button", {
            type: "button",
            "aria-pressed": String(n === days),
            text: n === 1 ? t("timeline.one") : t("timeline.days", { n }),
            onclick: () => set({ days: n }),
          }),
        ),
      ),
      h("button", {
        type: "button",
        class: "no-print",
        "aria-pressed": String(raster),
        disabled: days < ROWS || days > BARS,
        text: t("timeline.raster"),
        onclick: () => set({ form: raster ? undefined : "raster" }),
      }),
      steps(
        [Boolean(station.first) && from <= dayOf(station.first), end >= lastDay],
        (sign) => set({ end: addDays(end, sign * days) }),
        h("span", { class: "quiet", text: t("timeline.until") }),
        dayField(t("timeline.until"), end, (day) => set({ end: day })),
      ),
      printButton(),
    ),
    h("section", { class: "card charts" }, view, legend(raster ? "raster" : "timeline")),
  );
  onReading((change) => touches(change, from, end) && view.reload());
}
