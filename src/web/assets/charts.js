// Puts a chart, an SVG from the program, into the page, so that its marks can be pointed at, focused
// and opened.
import { h, s, shown, waiting } from "./dom.js";
import { query, text } from "./api.js";
import { lang, t } from "./words.js";

const tip = () => document.getElementById("tip");

/**
 * A chart.
 * kind: its name in /charts/; title: for people; values: the query without width and language;
 * note: a sentence beside the title; tells: the chart's own summary stands there, too; help: one that is of no use on paper; csv: an address, or a function that makes one; open(data): what a click on a mark does.
 */
export function chart({ kind, title, values, note, help, tells, csv, open, signal }) {
  const canvas = h("div", { class: "canvas" }, waiting(t("loading")));
  const file = (ending) => `charts/${kind}.${ending}?${query({ ...values, lang: lang() })}`;
  const dark = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
  // Windows takes no colon in a name.
  const name = [values.station, kind, values.from, values.to].filter(Boolean).join("-").replace(/[^\w.-]/g, "");
  const png = h("a", {
    href: file("png"),
    download: `celaje-${name}.png`,
    text: t("chart.png"),
    "aria-label": `${title}: PNG`,
    onclick: () => png.setAttribute("href", `${file("png")}&theme=${dark()}`),
  });
  const rows = h("a", { download: `celaje-${name}.csv`, text: t("chart.csv"), "aria-label": `${title}: CSV` });
  const saves = (...of) => {
    const address = typeof csv === "function" ? csv(...of) : csv;
    rows.hidden = !address;
    if (address) rows.setAttribute("href", address);
  };
  saves();
  const said = h("p", { class: help ? "note-line keys no-print" : "note-line", text: note || help || "" });
  const list = h("ul");
  const details = h("details", { class: "no-print" }, h("summary", { text: t("chart.list") }), list);
  const figure = h(
    "figure",
    { class: "chart", "data-kind": kind },
    h(
      "figcaption",
      {},
      h("h2", { text: title }),
      said,
      h(
        "span",
        { class: "save" },
        rows,
        png,
      ),
    ),
    canvas,
    details,
  );
  const state = { width: 0, turn: 0, figure, canvas, list, open, said, signal, tells, note: note || "" };
  walk(state);
  details.addEventListener("toggle", () => details.open && fillList(state));
  // Its width on paper while it is printed.
  let paper = 0;
  const draw = async (turn) => {
    if (signal.aborted) return;
    // Large screens have larger letters, which leave the chart less room.
    const letters = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const width = paper || Math.round(canvas.clientWidth / Math.max(letters, 1));
    if (width < 40) return;
    state.width = width;
    canvas.classList.add("old");
    try {
      const svg = await text(
        `charts/${kind}.svg?${query({ ...values, lang: lang(), width: Math.max(width, 300), bare: 1 })}`,
        signal,
      );
      // A newer request replaces this one.
      if (turn !== state.turn) return state.newest;
      if (!signal.aborted) show(state, svg);
    } catch (error) {
      if (turn !== state.turn) return state.newest;
      if (!signal.aborted) fail(state, error, load);
    }
  };
  const load = () => {
    clearTimeout(state.later);
    state.turn += 1;
    return (state.newest = draw(state.turn));
  };
  const watch = new ResizeObserver(() => {
    const letters = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    const width = canvas.clientWidth / Math.max(letters, 1);
    if (Math.abs(width - state.width) > 24 && !paper && !matchMedia("print").matches) {
      clearTimeout(state.later);
      state.later = setTimeout(load, state.width ? 250 : 0);
    }
  });
  watch.observe(canvas);
  signal.addEventListener("abort", () => watch.disconnect());
  figure.reload = load;
  // With what the address of the rows is made from.
  figure.saves = saves;
  // With a width for paper, or for the available space.
  figure.redraw = (width) => {
    paper = width || 0;
    return load();
  };
  return figure;
}

function fail(state, error, again) {
  state.canvas.classList.remove("old");
  state.canvas.replaceChildren(
    h(
      "div",
      { class: "note bad", role: "alert" },
      h("strong", { text: t("failed.title") }),
      h("p", { text: error.message }),
      h("button", { type: "button", text: t("retry"), onclick: again }),
    ),
  );
}

function show(state, source) {
  const drawn = new DOMParser().parseFromString(source, "image/svg+xml").documentElement;
  if (drawn.nodeName !== "svg") throw new Error(t("failed.title"));
  const svg = document.importNode(drawn, true);
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  const title = svg.querySelector(":scope > title");
  const about = svg.querySelector(":scope > desc");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", [title, about].map((part) => (part ? part.textContent : "")).join(". "));
  if (title) title.remove();
  const marks = [...svg.querySelectorAll("g")].filter((mark) => mark.querySelector(":scope > title"));
  // In order of time, not of drawing.
  const time = (mark) => target(mark) || mark.dataset.at;
  if (marks.every(time)) marks.sort((a, b) => (time(a) < time(b) ? -1 : Number(time(a) > time(b))));
  for (const mark of marks) {
    const label = mark.querySelector(":scope > title");
    mark.setAttribute("aria-label", label.textContent);
    mark.setAttribute("role", state.open && target(mark) ? "button" : "img");
    mark.setAttribute("tabindex", "-1");
    label.remove();
  }
  for (const text of svg.querySelectorAll("text")) text.setAttribute("aria-hidden", "true");
  if (marks.length) marks[marks.length - 1].setAttribute("tabindex", "0");
  state.marks = marks;
  state.svg = svg;
  // The focus survives an update.
  const focused = state.canvas.contains(document.activeElement)
    ? document.activeElement.getAttribute("aria-label")
    : null;
  // The page names the place elsewhere.
  if (state.tells && about) state.said.textContent = `${about.textContent.replace(/^.*? · /, "")} ${state.note}`.trim();
  state.canvas.classList.remove("old");
  state.canvas.replaceChildren(svg);
  shown("chart");
  const again = focused && marks.find((mark) => mark.getAttribute("aria-label") === focused);
  if (again) move(state, marks.indexOf(again));
  if (state.figure.querySelector("details").open) fillList(state);
  state.figure.dispatchEvent(new CustomEvent("drawn", { detail: svg }));
}

const target = (mark) => mark.dataset.slot || mark.dataset.from;

function fillList(state) {
  const items = (state.marks || []).map((mark) => h("li", { text: mark.getAttribute("aria-label") }));
  state.list.replaceChildren(...(items.length ? items : [h("li", { text: t("none") })]));
}

function move(state, to) {
  const mark = state.marks[to];
  if (!mark) return;
  for (const other of state.svg.querySelectorAll('g[tabindex="0"]')) other.setAttribute("tabindex", "-1");
  mark.setAttribute("tabindex", "0");
  mark.focus();
}

/** The axis and direction of an arrow key. */
const WAYS = { ArrowRight: ["x", 1], ArrowLeft: ["x", -1], ArrowDown: ["y", 1], ArrowUp: ["y", -1] };

/**
 * The mark that lies next to the one `at`, as it is drawn. At the end of a row the one after it in
 * time; where all stand in one row, seven of them are a step up or down.
 */
function beside(marks, at, [axis, sign]) {
  const [near, far, before, after] = axis === "x" ? ["left", "right", "top", "bottom"] : ["top", "bottom", "left", "right"];
  const boxes = marks.map((mark) => mark.getBoundingClientRect());
  const middle = (box) => (box[near] + box[far]) / 2;
  const own = boxes[at];
  let best;
  boxes.forEach((box, i) => {
    const ahead = sign * (middle(box) - middle(own));
    const aside = Math.max(box[before] - own[after], own[before] - box[after], 0);
    if (i === at || ahead < 1 || aside > 1) return;
    if (!best || ahead < best.ahead) best = { i, ahead };
  });
  if (best) return best.i;
  return at + sign * (axis === "x" ? 1 : 7);
}

// On the frame: a drawing that listens for the focus would take it itself.
function walk(state) {
  const of = (event) => (event.target.closest ? event.target.closest("g[tabindex]") : null);
  state.canvas.addEventListener("keydown", (event) => {
    const at = (state.marks || []).indexOf(of(event));
    if (at < 0) return;
    const last = state.marks.length - 1;
    const to = event.key in WAYS ? beside(state.marks, at, WAYS[event.key]) : { Home: 0, End: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      move(state, Math.min(Math.max(to, 0), last));
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      openMark(state, state.marks[at]);
    } else if (event.key === "Escape") {
      tip().hidden = true;
    }
  });
  state.canvas.addEventListener("click", (event) => openMark(state, of(event)));
  state.canvas.addEventListener("pointermove", (event) => {
    const mark = of(event);
    if (mark) place(mark.getAttribute("aria-label"), event.clientX, event.clientY);
    else tip().hidden = true;
  });
  state.canvas.addEventListener("pointerleave", () => {
    tip().hidden = true;
  });
  state.canvas.addEventListener("focusin", (event) => {
    const mark = of(event);
    if (!mark || !mark.matches(":focus-visible")) return;
    const box = mark.getBoundingClientRect();
    place(mark.getAttribute("aria-label"), box.left + box.width / 2, box.top);
  });
  state.canvas.addEventListener("focusout", () => {
    tip().hidden = true;
  });
}

function openMark(state, mark) {
  if (mark && state.open && target(mark)) {
    tip().hidden = true;
    state.open(mark.dataset, mark);
  }
}

function place(label, x, y) {
  const box = tip();
  box.textContent = label;
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.min(Math.max(x - width / 2, 6), innerWidth - width - 6)}px`;
  box.style.top = `${y - height - 14 > 0 ? y - height - 14 : y + 20}px`;
}

/** What a legend of each kind has beside the oktas; `flat`: gaps that are not hatched. */
const KEYS = {
  amounts: ["hatch", "veil"],
  raster: ["flat", "veil"],
  timeline: ["hatch", "veil", "miss", "twilight", "night"],
  night: ["civil", "nautical", "astronomical", "dark", "moon", "hatch", "veil", "miss"],
};
/** The words and the colours of those that have others' names. */
const SAID = { hatch: "legend.gap", flat: "legend.gap", veil: "now.hidden" };
const COLOURS = { nautical: "twilight", dark: "night" };

/** One legend for several charts of a kind. */
export function legend(kind = "amounts") {
  const swatch = (name, label) =>
    h(
      "span",
      { class: "ramp" },
      s(
        "svg",
        { viewBox: "0 0 24 14", "aria-hidden": "true" },
        name === "hatch"
          ? s("path", { class: "hatched", d: "M0 6L6 0M0 14L14 0M8 14L22 0M16 14L24 6" })
          : s("rect", { class: COLOURS[name] || name, ...(name === "miss" ? { x: 10, width: 4 } : { width: 24 }), height: 14 }),
        name === "veil" ? s("path", { class: "crosses", d: "M3 4L9 10M9 4L3 10M14 4L20 10M20 4L14 10" }) : null,
      ),
      h("span", { text: label }),
    );
  const ramp = s("svg", { viewBox: "0 0 216 14", "aria-hidden": "true" });
  for (let okta = 0; okta <= 8; okta += 1) {
    ramp.append(s("rect", { class: `okta${okta}`, x: okta * 24, width: 23, height: 14 }));
  }
  return h(
    "div",
    { class: "legend" },
    h("span", { class: "ramp" }, h("span", { text: "0" }), ramp, h("span", { text: `8 ${t("legend.oktas")}` })),
    ...KEYS[kind].map((name) => swatch(name, t(SAID[name] || `legend.${name}`))),
  );
}
