// The stream of events, for ever: for the worker that shares one, and for a page that has none.

/** How long a stream that was refused is left alone, milliseconds. */
const REFUSED = 5000;
const KINDS = ["observation", "miss", "run", "state"];

/** Tells `open`, `error`, and the events by their kind with their data; gives what ends it. */
export function follow(tell) {
  let stream;
  let again;
  const open = () => {
    stream = new EventSource("/api/v1/events");
    stream.addEventListener("open", () => tell({ kind: "open" }));
    stream.addEventListener("error", () => {
      tell({ kind: "error" });
      // A stream that was refused (too many listeners, a proxy) is given up by the browser.
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
