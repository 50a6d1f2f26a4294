// A shared worker: one stream of events for all pages of a browser, which allows itself six
// connections to a host. A page says `bye` when it goes; what comes is told to all that are there.
const REFUSED = 5000;
const KINDS = ["observation", "miss", "run", "state"];
const ports = new Set();
let source;
let again;

function tell(message) {
  for (const port of ports) port.postMessage(message);
}

function open() {
  const stream = new EventSource("/api/v1/events");
  source = stream;
  stream.addEventListener("open", () => tell({ kind: "open" }));
  stream.addEventListener("error", () => {
    tell({ kind: "error" });
    // A stream that was refused (too many listeners, a proxy) is given up by the browser.
    if (stream.readyState === EventSource.CLOSED) again = setTimeout(open, REFUSED);
  });
  for (const kind of KINDS) {
    stream.addEventListener(kind, (event) => tell({ kind, data: event.data }));
  }
}

function leave(port) {
  ports.delete(port);
  if (ports.size) return;
  clearTimeout(again);
  source.close();
  source = undefined;
}

addEventListener("connect", (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = () => leave(port);
  if (!source) open();
  else if (source.readyState === EventSource.OPEN) port.postMessage({ kind: "open" });
});
