// A day in pictures: its keogram, and one picture an hour.
import { dayField, h, steps, waiting } from "./dom.js";
import { json, of, overlay, query, readings } from "./api.js";
import { chart } from "./charts.js";
import { inWords, line, openSlot, shot } from "./viewer.js";
import { lang, t } from "./words.js";
import { addDays, dayOf, hourNow, isDay, longDay, timeOf, today } from "./time.js";
import { touches } from "./live.js";

/** The first of `items` in each hour up to `until`. */
function byHour(items, until) {
  const hours = Array.from({ length: 24 }, () => null);
  for (const item of items) {
    const hour = Number(item.slot.slice(11, 13));
    hours[hour] = hours[hour] || item;
  }
  // Future hours are no gaps.
  const last = hours.findLastIndex(Boolean);
  return hours.filter((_, hour) => hour <= Math.max(last, until));
}

function tile(station, item, hour, masks) {
  if (!item) {
    return h(
      "li",
      {},
      h(
        "div",
        { class: "tile none" },
        h("div", { class: "shot" }),
        h(
          "span",
          { class: "line" },
          h("span", { text: t("gallery.none") }),
          h("span", { text: `${String(hour).padStart(2, "0")} h` }),
        ),
      ),
    );
  }
  const box = shot(station, item, "", true, "(max-width: 30rem) 46vw, 14rem");
  if (masks) box.append(h("img", { src: overlay(station, item.slot), alt: "", loading: "lazy" }));
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        class: "tile",
        "aria-label": `${timeOf(item.slot)} · ${inWords(item)}`,
        onclick: () => openSlot(station, item.slot),
      },
      box,
      line(item),
    ),
  );
}

/** Films of the day and of the night that begins in it, from the pictures that were kept. */
async function films(station, day, signal) {
  const night = { from: `${day}T12:00`, to: `${addDays(day, 1)}T11:59` };
  const about = (span) => json(of(station.id, `/timelapse?${query(span)}`), signal).catch(() => ({ pictures: 0, forms: [] }));
  const spans = [["day", { from: day, to: day }], ["night", night]];
  const found = await Promise.all(spans.map(([, span]) => about(span)));
  const link = (span, ending, text) =>
    h("a", { class: "button", href: of(station.id, `/timelapse.${ending}?${query({ ...span, lang: lang() })}`), text });
  const links = spans.flatMap(([name, span], n) => {
    const { pictures, forms } = found[n];
    if (pictures === 0) return [];
    const ending = ["mp4", "avi"].find((form) => forms.includes(form)) || "avi";
    const told = { n: pictures, form: ending.toUpperCase() };
    const film = link(span, ending, t(`film.${name}`, told));
    return name === "night" && forms.includes("jpg") ? [film, link(span, "jpg", t("film.trails"))] : [film];
  });
  return links;
}

/** Whole addresses of what can be shared, to be copied. */
const addresses = (links) =>
  h(
    "details",
    { class: "addresses" },
    h("summary", { text: t("film.addresses") }),
    links.map(({ textContent, href }) => {
      const box = h("input", { type: "text", readonly: true, value: href, onfocus: () => box.select() });
      return h("label", { class: "field" }, h("span", { text: textContent }), box);
    }),
  );

/** The view. */
export async function gallery(main, { station, signal, params, go, onReading, lastDay, lastRead }) {
  const day = isDay(params.get("day")) ? params.get("day") : lastRead;
  const masks = params.get("masks") === "1";
  const noon = params.get("noon") === "1";
  const set = (values) => go("gallery", { day, ...(masks ? { masks: 1 } : {}), ...(noon ? { noon: 1 } : {}), ...values });
  const shown = noon ? { from: `${day}T12:00`, to: `${addDays(day, 1)}T11:59` } : { from: day, to: day };
  const night = h("input", { type: "checkbox", checked: noon, onchange: () => set({ noon: night.checked ? 1 : undefined }) });
  const check = h("input", { type: "checkbox", checked: masks, onchange: () => set({ masks: check.checked ? 1 : undefined }) });
  const tiles = h("div", {}, waiting(t("loading")));
  const keogram = chart({
    kind: "keogram",
    title: t("chart.keogram"),
    note: t("chart.keogramNote"),
    values: { station: station.id, ...shown },
    csv: of(station.id, `/observations.csv?${query(shown)}`),
    open: (data) => openSlot(station.id, data.slot),
    signal,
  });
  // Pictures arrive one by one: the keogram is drawn again until all have.
  let drawn = 0;
  keogram.addEventListener("drawn", (event) => {
    const left = Number(event.detail.getAttribute("data-waiting") || 0);
    keogram.querySelector("figcaption p").textContent =
      left > 0 ? t("chart.keogramWait", { n: left }) : t("chart.keogramNote");
    drawn += 1;
    if (left > 0 && drawn < 300) setTimeout(() => signal.aborted || keogram.reload(), 2000);
  });
  const film = h("div", {}, waiting(t("loading")));
  const drawing = h("a", {
    href: `charts/keogram.png?${query({ station: station.id, ...shown, lang: lang() })}`,
    text: noon ? t("gallery.noon") : t("chart.keogram"),
  });
  films(station, day, signal).then((links) => {
    if (signal.aborted) return;
    const none = h("p", { class: "quiet", text: t("film.none") });
    film.replaceChildren(links.length ? h("div", { class: "films" }, links) : none, addresses([...links, drawing]));
  }, () => {});
  main.replaceChildren(
    h(
      "div",
      { class: "bar" },
      h("h1", { text: t("gallery.title"), tabindex: -1 }),
      h("span", { class: "quiet", text: longDay(day) }),
      h("label", { class: "no-print" }, night, h("span", { text: t("gallery.noon") })),
      h("label", { class: "no-print" }, check, h("span", { text: t("gallery.overlays") })),
      steps([Boolean(station.first) && day <= dayOf(station.first), day >= lastDay], (sign) => set({ day: addDays(day, sign) }), dayField(t("day"), day, (other) => set({ day: other }))),
    ),
    h("section", { class: "card" }, keogram),
    h("section", { class: "card no-print", "aria-label": t("film.title") }, h("h2", { text: t("film.title") }), film),
    h("section", { class: "card", "aria-label": t("gallery.hours") }, h("h2", { text: t("gallery.hours") }), tiles),
  );
  const fill = async () => {
    const items = await readings(station.id, day, day, signal);
    tiles.replaceChildren(
      items.length
        ? h("ul", { class: "tiles" }, byHour(items, day === today(station.time_zone) ? hourNow(station.time_zone) : 23).map((item, hour) => tile(station.id, item, hour, masks)))
        : h("p", { class: "note", text: t("gallery.empty") }),
    );
  };
  const tryToFill = () =>
    fill().catch((error) => {
      if (signal.aborted) return;
      tiles.replaceChildren(
        h(
          "div",
          { class: "note bad", role: "alert" },
          h("strong", { text: t("failed.title") }),
          h("p", { text: error.message }),
          h("button", { type: "button", text: t("retry"), onclick: tryToFill }),
        ),
      );
    });
  await tryToFill();
  onReading((change) => {
    if (!touches(change, day, noon ? addDays(day, 1) : day)) return;
    tryToFill();
    keogram.reload();
  });
}
