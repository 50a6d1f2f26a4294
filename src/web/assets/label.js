// Labelling: a picture without its reading, and a key for what is seen in it.
import { announce, h } from "./dom.js";
import { forgetToken, heldToken, holdToken, json, of, picture, query, send } from "./api.js";
import { number, t } from "./words.js";
import { longDay, timeOf } from "./time.js";

const OBSERVER = "celaje.observer";
/** Pictures that are asked for at a time, and how few are left when more are. */
const BATCH = 20;
const FEW = 4;
/** Pictures in a row that do not load before the session stops. */
const LOST = 6;

const kept = () => {
  try {
    return localStorage.getItem(OBSERVER) || "";
  } catch {
    return "";
  }
};

/** Fails unless the program takes orders with this token: to take back what is not there changes nothing. */
const check = (station, observer) => send("DELETE", of(station, `/labels/1900-01-01T00:00?${query({ observer })}`));

/** Asks who looks and for the token; `begin` gets the observer. */
function welcome(main, station, begin) {
  const name = h("input", { type: "text", value: kept(), maxlength: 40, required: true, autocomplete: "name", id: "observer" });
  const token = h("input", { type: "password", value: heldToken(), required: true, autocomplete: "off", id: "token" });
  const trouble = h("p", { class: "note bad", role: "alert", hidden: true });
  const start = async (event) => {
    event.preventDefault();
    const observer = name.value.trim();
    holdToken(token.value.trim());
    try {
      await check(station.id, observer);
    } catch (error) {
      forgetToken();
      trouble.hidden = false;
      trouble.textContent = error.message;
      token.focus();
      return;
    }
    try {
      localStorage.setItem(OBSERVER, observer);
    } catch {
      // The name then lasts as long as the page.
    }
    begin(observer);
  };
  const field = (text, input) => h("label", { class: "field" }, h("span", { text }), input);
  main.replaceChildren(
    h("div", { class: "bar" }, h("h1", { text: t("label.title"), tabindex: -1 })),
    h(
      "form",
      { class: "card ask", onsubmit: start },
      h("p", { text: t("label.why") }),
      h("p", { class: "quiet", text: t("label.keys") }),
      field(t("label.observer"), name),
      field(t("label.token"), token),
      trouble,
      h("button", { type: "submit", text: t("label.begin") }),
    ),
  );
  (name.value ? token : name).focus();
}

/** The view. */
export async function label(main, { station, signal, params, go }) {
  // `celaje label` gives the token of its own server in the address.
  if (params.get("token")) {
    holdToken(params.get("token"));
    window.history.replaceState(null, "", `${location.pathname}#/label`);
  }
  await new Promise((begin) => {
    signal.addEventListener("abort", () => begin(null));
    welcome(main, station, begin);
    main.dataset.view = "label";
  }).then((observer) => observer && session(main, station, observer, signal, go));
}

async function session(main, station, observer, signal, go) {
  const title = h("h1", { text: t("label.title"), tabindex: -1 });
  const count = h("span", { class: "quiet" });
  const when = h("p", { class: "quiet" });
  const image = h("img", { alt: t("label.alt"), decoding: "async" });
  const shot = h("div", { class: "shot" }, image);
  const trouble = h("p", { class: "note bad", role: "alert", hidden: true });
  const queue = [];
  const seen = new Set();
  const done = [];
  let current = null;
  let ready = false;
  let skipped = 0;
  let lost = 0;
  // Orders are sent one after the other, so that taking back follows keeping.
  let orders = Promise.resolve();

  const tell = (text) => {
    trouble.hidden = !text;
    trouble.textContent = text || "";
  };
  const path = (slot) => of(station.id, `/labels/${slot}`);
  const order = (work, undo) => {
    orders = orders.then(work).catch((error) => {
      if (signal.aborted) return;
      tell(error.message);
      undo();
    });
    return orders;
  };

  const more = async () => {
    await orders;
    const values = { observer, skip: skipped, limit: BATCH };
    const { items } = await json(of(station.id, `/label-queue?${query(values)}`), signal);
    for (const item of items) {
      if (seen.has(item.slot)) continue;
      seen.add(item.slot);
      queue.push(item);
    }
  };

  const finish = (text) => {
    current = null;
    ready = false;
    shot.hidden = true;
    when.textContent = text;
    announce(text);
  };

  const show = (item) => {
    current = item;
    ready = false;
    shot.hidden = false;
    shot.classList.remove("here");
    when.textContent = `${longDay(item.slot)}, ${timeOf(item.slot)}`;
    count.textContent = t("label.count", { n: number(done.length) });
    image.src = picture(station.id, item.slot);
    if (queue[0]) new Image().src = picture(station.id, queue[0].slot);
  };

  const next = async () => {
    try {
      if (queue.length < FEW) await more();
    } catch (error) {
      if (signal.aborted) return;
      tell(error.message);
    }
    if (signal.aborted) return;
    const item = queue.shift();
    if (item) show(item);
    else finish(t("label.all"));
  };

  image.addEventListener("load", () => {
    ready = true;
    lost = 0;
    shot.classList.add("here");
    announce(t("label.next", { n: number(done.length + 1) }));
  });
  image.addEventListener("error", () => {
    if (!current || signal.aborted) return;
    lost += 1;
    skipped += 1;
    if (lost >= LOST) finish(t("label.lost"));
    else next();
  });

  const keep = (okta) => {
    if (!current || !ready) return;
    const item = current;
    tell("");
    done.push(item);
    order(
      () => send("POST", path(item.slot), { observer, okta, draw: item.draw }),
      () => {
        done.splice(done.indexOf(item), 1);
        if (current) queue.unshift(current);
        show(item);
      },
    );
    next();
  };
  const skip = () => {
    if (!current) return;
    skipped += 1;
    next();
  };
  const undo = () => {
    const item = done.pop();
    if (!item) return;
    tell("");
    order(
      () => send("DELETE", `${path(item.slot)}?${query({ observer })}`),
      () => done.push(item),
    ).then(() => {
      if (done.includes(item)) return;
      if (current) queue.unshift(current);
      show(item);
      announce(t("label.undone"));
    });
  };

  const buttons = () => {
    const button = (text, keyName, act) =>
      h("button", { type: "button", "aria-keyshortcuts": keyName, onclick: act }, h("span", { text }), h("kbd", { text: keyName }));
    const oktas = Array.from({ length: 9 }, (_, okta) =>
      h("button", { type: "button", class: "okta", text: String(okta), "aria-label": t("label.okta", { n: okta }), onclick: () => keep(okta) }),
    );
    return [
      h("div", { class: "group", role: "group", "aria-label": t("label.oktas") }, oktas),
      button(t("label.hidden"), "9", () => keep(9)),
      button(t("label.cannot"), "x", () => keep(null)),
      button(t("label.undo"), "z", undo),
      button(t("label.skip"), "s", skip),
    ];
  };
  const pad = h("div", { class: "pad" }, buttons());

  const press = (event) => {
    const within = event.target.closest("input, select, textarea, dialog");
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || within) return;
    const key = event.key.toLowerCase();
    const act = {
      x: () => keep(null),
      "?": () => keep(null),
      z: undo,
      backspace: undo,
      s: skip,
      arrowright: skip,
    }[key];
    if (/^[0-9]$/.test(key)) keep(Number(key));
    else if (act) act();
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", press, { signal });

  main.replaceChildren(
    h(
      "div",
      { class: "bar" },
      title,
      count,
      h("button", { type: "button", text: t("label.end"), onclick: () => go("skill", {}) }),
    ),
    trouble,
    h("section", { class: "card labelling", "aria-label": t("now.picture") }, shot, when, pad),
    h("p", { class: "quiet", text: t("label.keys") }),
  );
  title.focus({ preventScroll: true });
  await next();
}
