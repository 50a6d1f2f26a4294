// What is told as it happens: one stream for the page, whichever view is shown.

/** How long a stream that was refused is left alone, milliseconds. */
const REFUSED = 5000;
/** Events that come together are told together; how long the first one waits, milliseconds, */
const SOON = 150;
/** and how far apart they are told at least: a backfill writes hundreds of rows a second. */
const APART = 1500;

const parsed = (event) => {
  try {
    return JSON.parse(event.data) || {};
  } catch {
    return {};
  }
};

/** Whether a change of readings has to do with the days (or slots) `from` to `to`. */
export const touches = (change, from, to) =>
  !change || (change.to.slice(0, from.length) >= from && change.from.slice(0, to.length) <= to);

/**
 * Listens for ever. `on` has
 * link(kind): `live` or `lost`; again(): anything may have changed meanwhile;
 * readings(station, {from, to}): slots that got a reading; miss(station, item); state().
 */
export function listen(on, wasLost = false) {
  const stream = new EventSource("/api/v1/events");
  const pending = new Map();
  let again;
  let timer;
  let told = 0;
  let lost = wasLost;
  const tell = () => {
    timer = undefined;
    told = Date.now();
    const changes = [...pending];
    pending.clear();
    for (const [station, change] of changes) on.readings(station, change);
  };
  stream.addEventListener("open", () => {
    on.link("live");
    if (lost) on.again();
    lost = false;
  });
  stream.addEventListener("error", () => {
    lost = true;
    on.link("lost");
    // A stream that was refused (too many listeners, a proxy) is given up by the browser.
    if (stream.readyState === EventSource.CLOSED) again = setTimeout(() => listen(on, true), REFUSED);
  });
  stream.addEventListener("observation", (event) => {
    const { station, slot } = parsed(event);
    if (!slot) return;
    const known = pending.get(station) || { from: slot, to: slot };
    pending.set(station, { from: slot < known.from ? slot : known.from, to: slot > known.to ? slot : known.to });
    timer = timer || setTimeout(tell, Math.max(SOON, told + APART - Date.now()));
  });
  stream.addEventListener("miss", (event) => {
    const item = parsed(event);
    on.miss(item.station, item);
    on.state();
  });
  stream.addEventListener("run", () => on.state());
  stream.addEventListener("state", (event) => {
    // A page that fell behind was not told of so many events.
    if (parsed(event).missed) on.again();
    else on.state();
  });
  addEventListener(
    "pagehide",
    () => {
      clearTimeout(again);
      clearTimeout(timer);
      stream.close();
    },
    { once: true },
  );
}
