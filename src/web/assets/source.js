// An event stream that reconnects for ever, for the shared worker or for a page without one.

/** Pause after a refused stream, milliseconds. */
const REFUSED = 5000;
// From here: a worker's own address is not the page's.
const EVENTS = new URL("../api/v1/events", import.meta.url);
const KINDS = ["observation", "miss", "run", "state"];

/** Reports `open`, `error` and each event with its data; returns a function that ends the stream. */
export function follow(tell) {
  let stream;
  let again;
  const open = () => {
    stream = new EventSource(EVENTS);
    stream.addEventListener("open", () => tell({ kind: "open" }));
    stream.addEventListener("error", () => {
      tell({ kind: "error" });
      // The browser gives up a refused stream (too many listeners, a proxy).
      if (stream.readyState === EventSource.CLOSED) again = setTimeout(open, REFUSED);
    });
    for (const kind of KINDS) stream.addEventListener(kind, ({ data }) => tell({ kind, data }));
  };
  open();
  return () => {
    clearTimeout(again);
    stream.close();
  };
}
