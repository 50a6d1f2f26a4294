// Live events, for every view.

import { follow } from "./source.js";

/** Events are handed on in groups: the time that the first one waits, milliseconds, */
const SOON = 150;
/** and the least time between groups: a backfill writes hundreds of rows a second. */
const APART = 1500;

const parsed = (event) => {
  try {
    return JSON.parse(event.data) || {};
  } catch {
    return {};
  }
};

/** Whether a change concerns the days (or slots) `from` to `to`. */
export const touches = (change, from, to) =>
  !change || (change.to.slice(0, from.length) >= from && change.from.slice(0, to.length) <= to);

/** The stream that all pages of this browser share. */
function shared(tell) {
  const worker = new SharedWorker(new URL("stream.js", import.meta.url), { name: "celaje", type: "module" });
  let close = () => worker.port.postMessage("bye");
  // Without a worker the page opens a stream of its own.
  worker.addEventListener("error", () => {
    close = follow(tell);
  });
  worker.port.onmessage = ({ data }) => tell(data);
  return () => close();
}

/**
 * Listens for ever. `on` has
 * link(kind): `live` or `lost`; again(): anything may have changed meanwhile;
 * readings(station, {from, to}): slots that got a reading; miss(station, item); state().
 */
export function listen(on) {
  const pending = new Map();
  let timer;
  let told = 0;
  let lost = false;
  const tell = () => {
    timer = undefined;
    told = Date.now();
    const changes = [...pending];
    pending.clear();
    for (const [station, change] of changes) on.readings(station, change);
  };
  const acts = {
    open() {
      on.link("live");
      if (lost) on.again();
      lost = false;
    },
    error() {
      lost = true;
      on.link("lost");
    },
    observation(event) {
      const { station, slot } = parsed(event);
      if (!slot) return;
      const known = pending.get(station) || { from: slot, to: slot };
      pending.set(station, { from: slot < known.from ? slot : known.from, to: slot > known.to ? slot : known.to });
      timer = timer || setTimeout(tell, Math.max(SOON, told + APART - Date.now()));
    },
    miss(event) {
      const item = parsed(event);
      on.miss(item.station, item);
      on.state();
    },
    run: () => on.state(),
    state(event) {
      // The page fell behind and lost events.
      if (parsed(event).missed) on.again();
      else on.state();
    },
  };
  const close = ("SharedWorker" in window ? shared : follow)((event) => acts[event.kind](event));
  addEventListener(
    "pagehide",
    () => {
      clearTimeout(timer);
      close();
    },
    { once: true },
  );
}
