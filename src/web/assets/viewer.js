// One slot in a dialog: its picture with the mask to fade in, and its reading.
import { glyph, h, s } from "./dom.js";
import { json, of, overlay, picture, query, readings, whyNot } from "./api.js";
import { known, number, percent, t } from "./words.js";
import { addDays, dayOf, longDay, timeOf } from "./time.js";

/** `high`, `medium` or `low`; nothing if the confidence is unknown. Below 0.5 the okta is more likely wrong than right. */
export function level(confidence) {
  if (!Number.isFinite(confidence)) return "";
  return confidence >= 0.8 ? "high" : confidence >= 0.5 ? "medium" : "low";
}

/** The range of a reading; null where it is one okta. */
export function oktaRange(item) {
  const { okta_low: low, okta_high: high } = item;
  const wide = Number.isInteger(low) && Number.isInteger(high) && low < high;
  return wide ? { low, high } : null;
}

/** A confidence in words: 'media · 72 %'. */
export const sureness = (confidence) => {
  const name = level(confidence);
  return name ? `${t(`confidence.${name}`)} · ${percent(confidence)}` : t("none");
};

/** A reading in words: '5/8 muy nublado', '5–7 octas, muy nublado'. */
export function inWords(item) {
  const word = known(`category.${item.category}`, item.category || "");
  if (item.okta === 9) return word;
  const range = oktaRange(item);
  return range ? `${t("reading.range", range)}, ${word}` : `${item.okta}/8 ${word}`;
}

const CATEGORIES = ["SKC", "FEW", "FEW", "SCT", "SCT", "BKN", "BKN", "BKN", "OVC", "OBSC"];

/** The readings of models on trial for the picture of `item`, each as an element. */
export const trials = (item) =>
  [item.shadow || []].flat().map((other) => {
    const fraction = other.fraction ?? other.cloud_fraction;
    const apart = other.okta - item.okta;
    const compared = () => {
      if (other.okta === 9 || item.okta === 9) return null;
      if (apart === 0) return t("trial.same");
      const far = `${apart > 0 ? "+" : "−"}${Math.abs(apart)}`;
      return t(Math.abs(apart) === 1 ? "trial.apartOne" : "trial.apart", { n: far });
    };
    return h(
      "div",
      { class: "trial" },
      glyph(other.okta),
      h("span", { text: Number.isInteger(other.okta) ? inWords({ ...other, category: CATEGORIES[other.okta] }) : t("none") }),
      h("span", {
        class: "quiet",
        text: [compared(), Number.isFinite(fraction) ? percent(fraction) : null, other.model].filter(Boolean).join(" · "),
      }),
    );
  });

/** What is said of a reading without a defect: only one that is sure is fine. */
function faultless(item) {
  const name = item.okta === 9 ? "" : level(item.confidence);
  if (name === "high") return h("li", { class: "fine", text: t("now.fine") });
  return h("li", { text: t(name ? `now.fine.${name}` : "now.fine") });
}

/** The flags of a reading as a list; defects look different. */
export function flags(item) {
  const list = item.quality || [];
  const faults = list.filter((name) => name !== "night" && name !== "twilight");
  const entry = (name, kind) => h("li", { class: kind, text: known(`flag.${name}`, name) });
  return h(
    "ul",
    { class: "flags" },
    list.filter((name) => !faults.includes(name)).map((name) => entry(name, "")),
    faults.map((name) => entry(name, "fault")),
    faults.length ? null : faultless(item),
  );
}

/** Widths of pictures that browsers choose from: a phone needs few of a camera's pixels. */
const WIDTHS = [320, 640, 960, 1440, 2160];

/** A picture, or a message if it does not load; `sizes`: how wide it is shown, none for all of its pixels. */
export function shot(station, item, alt, lazy, sizes) {
  const box = h("div", { class: "shot" });
  const load = () => {
    const source = picture(station, item.slot);
    const srcset = WIDTHS.map((width) => `${picture(station, item.slot, width)} ${width}w`).join(", ");
    const chosen = sizes ? { sizes, srcset } : { src: source };
    const image = h("img", { alt, loading: lazy ? "lazy" : "eager", decoding: "async", ...chosen });
    image.addEventListener("load", () => box.classList.add("here"));
    image.addEventListener("error", async () => {
      const why = await whyNot(source);
      box.replaceChildren(
        h(
          "div",
          { class: "lost" },
          h("strong", { text: t("picture.none") }),
          lazy ? null : h("span", { text: why }),
          lazy ? null : h("button", { type: "button", text: t("retry"), onclick: load }),
        ),
      );
      box.dispatchEvent(new CustomEvent("lost"));
    });
    box.replaceChildren(image);
  };
  load();
  return box;
}

/** The zones of each station, by its id: [{name, polygon}]. */
export const zones = new Map();

/** The outlines of a station's zones over a picture of this size. */
function outlines(station, { naturalWidth: width, naturalHeight: height }) {
  const size = Math.max(width, height) / 40;
  const drawn = (zones.get(station) || []).map(({ name, polygon }) => {
    const corners = polygon.map(([x, y]) => [x * width, y * height]);
    const [left, top] = [Math.min(...corners.map(([x]) => x)), Math.min(...corners.map(([, y]) => y))];
    return [
      s("polygon", { points: corners.map((corner) => corner.join(",")).join(" ") }),
      s("text", { x: left + size / 3, y: top + size * 1.2, "font-size": size }, name),
    ];
  });
  return drawn.length ? s("svg", { class: "zones", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...drawn.flat()) : null;
}

/** What the colours of the mask mean. */
function maskLegend(station) {
  const kinds = ["cloud", "sky", "edge", "left", ...((zones.get(station) || []).length ? ["zone"] : [])];
  const entry = (kind) => h("li", { class: kind, text: t(`mask.${kind}`) });
  return h("ul", { class: "mask-legend", hidden: true }, kinds.map(entry));
}

/** A picture with a slider that fades in the mask, which is loaded on first use. */
export function fading(station, item, when, sizes) {
  const box = shot(station, item, t("now.alt", { when }), false, sizes);
  const value = h("output", { text: "0\u00a0%" });
  const meaning = maskLegend(station);
  let mask;
  let drawn;
  const slider = h("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 0,
    step: 5,
    "aria-label": t("now.mask"),
    oninput: () => {
      const share = Number(slider.value);
      value.textContent = `${share}\u00a0%`;
      if (!mask && share > 0) {
        mask = h("img", { src: overlay(station, item.slot), alt: t("now.maskAlt", { when }) });
        mask.addEventListener("error", async () => {
          value.textContent = await whyNot(overlay(station, item.slot));
          mask.remove();
          if (drawn) drawn.remove();
          meaning.hidden = true;
          slider.disabled = true;
        });
        box.append(mask);
      }
      meaning.hidden = !mask || share === 0;
      if (mask && !drawn) {
        const image = box.querySelector("img");
        drawn = image && image.naturalWidth ? outlines(station, image) : null;
        if (drawn) box.append(drawn);
      }
      for (const layer of [mask, drawn]) if (layer) layer.style.opacity = share / 100;
    },
  });
  box.addEventListener("lost", () => {
    slider.disabled = true;
  });
  return h(
    "div",
    {},
    box,
    h("div", { class: "fade no-print" }, h("span", { text: t("now.mask") }), slider, value),
    meaning,
  );
}

/** Gives the focus back to `opener` when the viewer closes, or to what has been drawn in its place since. */
function giveBack(dialog, opener) {
  const name = opener.getAttribute("aria-label");
  const back = () => {
    if (!name || opener.isConnected) return;
    const marks = [...document.querySelectorAll("main [aria-label]")];
    const again = marks.find((mark) => mark.getAttribute("aria-label") === name);
    if (again) again.focus();
  };
  dialog.addEventListener("close", back, { once: true });
}

/** Opens the slot 'YYYY-MM-DDTHH:MM' of `station`; `stepped`: the viewer's own button that did, if any. */
export async function openSlot(station, slot, stepped) {
  const dialog = document.getElementById("viewer");
  const title = h("h1", {
    id: "viewer-title",
    text: `${t("viewer.title", { time: timeOf(slot) })} · ${longDay(slot)}`,
  });
  const body = h("div", {});
  const close = () => dialog.close();
  const step = (name, other) =>
    h("button", {
      type: "button",
      text: t(name),
      "data-step": name,
      disabled: !other,
      onclick: () => other && openSlot(station, other, name),
    });
  const bar = h("div", { class: "bar" }, title, h("button", { type: "button", text: t("close"), onclick: close }));
  dialog.replaceChildren(bar, body);
  if (!dialog.open) {
    giveBack(dialog, document.activeElement);
    dialog.showModal();
  }
  // The readings from the day before to the day after.
  let items = [];
  try {
    const [from, to] = [addDays(dayOf(slot), -1), addDays(dayOf(slot), 1)];
    items = await readings(station, from, to);
  } catch (error) {
    body.replaceChildren(h("p", { class: "note bad", text: error.message }));
    return;
  }
  const at = items.findIndex((item) => item.slot === slot);
  if (at < 0) {
    body.replaceChildren(h("p", { class: "note", text: t("gallery.none") }));
    return;
  }
  const item = items[at];
  const when = `${longDay(slot)} ${timeOf(slot)}`;
  const steps = [
    step("back", at > 0 && items[at - 1].slot),
    step("next", at + 1 < items.length && items[at + 1].slot),
  ];
  title.after(...steps);
  const again = steps.find((button) => button.dataset.step === stepped && !button.disabled);
  if (stepped) (again || bar.lastElementChild).focus();
  body.replaceChildren(
    fading(station, item, when),
    h(
      "div",
      { class: "under" },
      h("strong", { text: inWords(item) }),
      h("span", { text: `${t("now.fraction")}: ${percent(item.cloud_fraction ?? NaN)}` }),
      ...parts(item).map(([name, fraction]) => h("span", { text: `${name}: ${percent(fraction ?? NaN)}` })),
      h("span", { text: `${t("now.confidence")}: ${sureness(item.confidence)}` }),
      h("span", { text: `${t("now.sun")}: ${number(item.solar_elevation ?? NaN, 1)}°` }),
      flags(item),
    ),
    ...trials(item).map((trial) => h("div", { class: "under" }, h("span", { class: "quiet", text: t("now.trial") }), trial)),
  );
}

/** The cloud fractions of parts of the sky: of the cap around the zenith, of each zone of the station. */
export const parts = (item) => [
  ...(item.zenith_fraction === null || item.zenith_fraction === undefined ? [] : [[t("now.zenith"), item.zenith_fraction]]),
  ...Object.entries(item.zones || {}),
];

/** Adds the reasons of misses to the gaps of a timeline whenever it is drawn. */
export function explain(figure, station, from, to, signal) {
  figure.addEventListener("drawn", async ({ detail }) => {
    const gaps = [...detail.querySelectorAll("g[data-at]")];
    if (!gaps.length) return;
    const path = of(station, `/misses?${query({ from, to })}`);
    // Without reasons the gap itself is described.
    const { items = [] } = await json(path, signal).catch(() => ({}));
    for (const gap of gaps) {
      const counts = new Map();
      for (const { slot, reason } of items) {
        if (slot >= gap.dataset.at && slot <= gap.dataset.to) counts.set(reason, (counts.get(reason) || 0) + 1);
      }
      const why = [...counts].map(([reason, n]) => `${known(`reason.${reason}`, reason)}${n > 1 ? ` (${number(n)})` : ""}`);
      if (why.length) gap.setAttribute("aria-label", `${gap.getAttribute("aria-label")} · ${why.join(", ")}`);
    }
  });
}

/** The symbol and the words of a reading in one line. */
export const line = (item) =>
  h(
    "span",
    { class: "line" },
    glyph(item.okta),
    h("span", { text: inWords(item) }),
    h("span", { text: timeOf(item.slot) }),
  );
