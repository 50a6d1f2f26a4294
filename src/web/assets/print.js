// Prints the view, with its charts drawn for the width of a page.
import { h } from "./dom.js";
import { number, t } from "./words.js";
import { moment } from "./time.js";

/** The width of A4 between its margins, and half of it, in CSS pixels. */
const PAGE = 700;
const HALF = 340;

/** Draws the charts for paper, with letters as large as the text, and prints. */
async function report() {
  const figures = [...document.querySelectorAll("figure.chart")];
  await Promise.all(figures.map((figure) => figure.redraw(figure.closest(".pair") ? HALF : PAGE)));
  addEventListener("afterprint", () => figures.forEach((figure) => figure.isConnected && figure.redraw()), { once: true });
  print();
}

export const printButton = () => h("button", { type: "button", class: "no-print", text: t("print"), onclick: report });

/** The heading that only the printed page has. */
export function reportHead(station) {
  const lines = station
    ? [
        `${t("report.title")} · ${station.name}`,
        `${number(station.latitude, 2)}°, ${number(station.longitude, 2)}° · ${station.time_zone}`,
        t("report.made", { when: moment(new Date().toISOString(), station.time_zone) }),
      ]
    : [];
  document.getElementById("report").replaceChildren(...lines.map((text) => h("p", { text })));
}
