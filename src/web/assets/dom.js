// Builds elements without markup in strings, so that data is only ever text.
import { t } from "./words.js";
import { addDays, readDay, shortDay } from "./time.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element; `attributes` may hold listeners (`onclick`), `class`, and `text`. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An element of SVG. */
export function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined));
  return element;
}

/** The symbol of an okta; `code` is 0 to 9. */
export function glyph(code, label) {
  const known = Number.isInteger(code) && code >= 0 && code <= 9;
  return s(
    "svg",
    label
      ? { class: "glyph", viewBox: "0 0 100 100", role: "img", "aria-label": label }
      : { class: "glyph", viewBox: "0 0 100 100", "aria-hidden": "true" },
    known ? s("use", { href: `assets/okta.svg#okta-${code}` }) : null,
  );
}

/** A bar from 0 to 1, in the colour of `kind`, an okta or a level of confidence, if there is one; empty and without a value if it is unknown. */
export function meter(share, label, kind) {
  if (!Number.isFinite(share)) return h("div", { class: "meter", "aria-hidden": "true" });
  const part = Math.min(Math.max(share, 0), 1);
  const inner = h("span", { class: Number.isInteger(kind) ? `okta${kind}` : kind ? `sure-${kind}` : null });
  inner.style.width = `${part * 100}%`;
  return h(
    "div",
    {
      class: "meter",
      role: "meter",
      "aria-label": label,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": Math.round(part * 100),
    },
    inner,
  );
}

/** Marks when the first of its kind was shown (`celaje-reading`, `celaje-chart` …), for measurements. */
export function shown(kind) {
  const name = `celaje-${kind}`;
  if (!performance.getEntriesByName(name).length) performance.mark(name);
}

/** Buttons for previous and next on either side of `around`, but for those that lead out of the record; `move` gets -1 or 1. */
export function steps([atBegin, atEnd], move, ...around) {
  const step = (text, label, sign, disabled) =>
    h("button", { type: "button", text, "aria-label": t(label), disabled, onclick: () => move(sign) });
  return h("span", { class: "steps no-print" }, step("‹", "back", -1, atBegin), around, step("›", "next", 1, atEnd));
}

/**
 * A day in the page's own form, which a browser's field for dates is not: to be written, or picked
 * in the browser's calendar; the arrow keys are a day each. `change` gets 'YYYY-MM-DD'.
 */
export function dayField(label, value, change) {
  const tell = (text) => {
    field.setCustomValidity(text);
    field.setAttribute("aria-invalid", String(Boolean(text)));
  };
  const take = (day) => day !== value && change(day);
  const field = h("input", {
    type: "text",
    class: "day",
    value: shortDay(value),
    "aria-label": label,
    title: t("day.form"),
    autocomplete: "off",
    oninput: () => tell(""),
    onchange: () => {
      const day = readDay(field.value);
      tell(day ? "" : t("day.wrong", { day: shortDay(value), iso: value }));
      if (!day) return void field.reportValidity();
      field.value = shortDay(day);
      take(day);
    },
    onkeydown: (event) => {
      const days = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!days) return;
      event.preventDefault();
      take(addDays(readDay(field.value) || value, days));
    },
  });
  const picker = h("input", { type: "date", value, tabindex: -1, "aria-hidden": "true", onchange: () => picker.value && take(picker.value) });
  const open = h(
    "button",
    {
      type: "button",
      "aria-label": `${label}: ${t("day.pick")}`,
      hidden: !("showPicker" in picker),
      onclick: () => picker.showPicker(),
    },
    s("svg", { class: "calendar", viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: "M1.5 3.5h13v11h-13zM1.5 6.5h13M4.5 1v4M11.5 1v4" })),
  );
  return h("span", { class: "date" }, field, picker, open);
}

/** The placeholder of content that is loading. */
export function waiting(text) {
  return h("p", { class: "wait", role: "status", text });
}

/** Announces `text` to screen readers. */
export function announce(text) {
  document.getElementById("announce").textContent = text;
}
