// How right the readings are here, by the labels of people; and the confidence that follows from it.
import { h } from "./dom.js";
import { forgetToken, heldToken, holdToken, json, of, send } from "./api.js";
import { interval, number, percent, t } from "./words.js";
import { moment } from "./time.js";

const card = (title, ...children) => h("section", { class: "card" }, h("h2", { text: title }), children);
const said = (text) => h("p", { class: "quiet", text });

function table(label, heads, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, heads.map((text, i) => h("th", { scope: "col", class: i ? "num" : "", text })))),
      h(
        "tbody",
        {},
        rows.map(([head, ...cells]) =>
          h("tr", {}, h("th", { scope: "row", text: head }), cells.map((text) => h("td", { class: "num", text })))),
      ),
    ),
  );
}

/** '72 % (61–81 %)'. */
const share = (of) =>
  of ? t("skill.share", { value: percent(of.value), range: interval(number(of.low * 100), percent(of.high)) }) : t("none");
const oktas = (value) => `${value > 0 ? "+" : ""}${number(value, 2)}`;

function figures({ skill }) {
  if (!skill.is_enough) {
    return card(
      t("skill.figures"),
      h("p", { class: "note", text: t("skill.few", { n: number(skill.labels), least: number(skill.least_labels) }) }),
    );
  }
  const { bias, overconfidence } = skill;
  const rows = [
    [t("skill.exact"), share(skill.exact)],
    [t("skill.near"), share(skill.within_one)],
    [t("skill.inRange"), share(skill.in_range)],
    [t("skill.bias"), bias ? t("skill.oktas", { value: oktas(bias.value), range: interval(oktas(bias.low), oktas(bias.high)) }) : t("none")],
    [t("skill.confidence"), percent(skill.confidence)],
    [t("skill.over"), Number.isFinite(overconfidence) ? `${overconfidence > 0 ? "+" : "−"}${percent(Math.abs(overconfidence))}` : t("none")],
  ];
  return card(
    t("skill.figures"),
    said(t("skill.from", { n: number(skill.labels) })),
    table(t("skill.figures"), [t("skill.figure"), t("skill.value")], rows),
  );
}

function reliability({ skill }) {
  const rows = skill.reliability.map((bin) => [
    `${Math.round(bin.from * 100)}–${percent(bin.to)}`,
    number(bin.n),
    percent(bin.confidence),
    share(bin.right),
  ]);
  return card(
    t("skill.reliability"),
    said(t("skill.reliabilityNote")),
    rows.length
      ? table(t("skill.reliability"), [t("now.confidence"), t("skill.n"), t("skill.mean"), t("skill.right")], rows)
      : said(t("skill.noLabels")),
  );
}

function confusion({ skill }) {
  const codes = Array.from({ length: 10 }, (_, code) => String(code));
  // What nobody saw has no row.
  const seen = codes.filter((code) => skill.confusion[code].some(Boolean));
  const rows = seen.map((code) => [code, ...skill.confusion[code].map((n) => (n ? number(n) : "·"))]);
  if (!rows.length) return card(t("skill.confusion"), said(t("skill.noLabels")));
  const matrix = table(t("skill.confusion"), [t("skill.labelled"), ...codes], rows);
  matrix.classList.add("confusion");
  matrix.querySelectorAll("tbody tr").forEach((row, n) => row.children[Number(seen[n]) + 1].classList.add("same"));
  return card(t("skill.confusion"), said(t("skill.confusionNote")), matrix);
}

function labels(report, station) {
  const { labels: counts, observers_agree: agree } = report;
  const rows = counts.observers.map((one) => [one.observer, number(one.labels)]);
  return card(
    t("skill.labels"),
    said(t("skill.counts", { all: number(counts.all), random: number(counts.random), unsure: number(counts.unsure), cannot: number(counts.cannot_tell) })),
    rows.length ? table(t("skill.labels"), [t("label.observer"), t("skill.labels")], rows) : null,
    agree.pairs ? said(t("skill.agree", { n: number(agree.pairs), exact: share(agree.exact), near: share(agree.within_one) })) : null,
    h("p", {}, h("a", { class: "button", href: of(station.id, "/labels.csv"), download: `celaje-${station.id}-labels.csv`, text: t("chart.csv") })),
  );
}

function calibration(report, station, reload) {
  const { calibration: held, offered } = report;
  const trouble = h("p", { class: "note bad", role: "alert", hidden: true });
  const token = h("input", { type: "password", autocomplete: "off", value: heldToken() });
  const order = (method) => async () => {
    holdToken(token.value.trim());
    try {
      await send(method, of(station.id, "/calibration"));
      await reload();
    } catch (error) {
      if (error.status === 401) forgetToken();
      trouble.hidden = false;
      trouble.textContent = error.message;
    }
  };
  const change = offered.labels
    ? t("skill.offered", { n: number(offered.labels), before: percent(offered.confidence_before), after: percent(offered.confidence_after) })
    : t("skill.nothing");
  return card(
    t("skill.calibration"),
    h("p", { text: held ? t("skill.held", { n: number(held.labels), when: moment(held.created_at, station.time_zone) }) : t("skill.own") }),
    h("p", { text: change }),
    said(t("skill.old")),
    h("label", { class: "field" }, h("span", { text: t("label.token") }), token),
    h(
      "div",
      { class: "bar" },
      h("button", { type: "button", id: "calibrate", text: t("skill.apply"), disabled: !offered.labels, onclick: order("POST") }),
      held ? h("button", { type: "button", text: t("skill.end"), onclick: order("DELETE") }) : null,
    ),
    trouble,
  );
}

/** The view. */
export async function skill(main, { station, signal, go }) {
  const load = async () => {
    const report = await json(of(station.id, "/skill"), signal);
    if (signal.aborted) return;
    main.replaceChildren(
      h(
        "div",
        { class: "bar" },
        h("h1", { text: t("skill.title"), tabindex: -1 }),
        h("span", { class: "quiet", text: report.model || "" }),
        h("button", { type: "button", id: "label", text: t("skill.label"), onclick: () => go("label", {}) }),
      ),
      h("div", { class: "pair" }, figures(report), calibration(report, station, load)),
      h("div", { class: "pair" }, reliability(report), labels(report, station)),
      confusion(report),
    );
  };
  await load();
}
