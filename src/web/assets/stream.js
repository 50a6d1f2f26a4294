// A shared worker: one stream of events for all pages of a browser, which allows itself six
// connections to a host. A page says `bye` when it closes; events go to all open pages.
import { follow } from "./source.js";

const ports = new Set();
let end;
let link;

function tell(message) {
  if (message.kind === "open" || message.kind === "error") link = message;
  for (const port of ports) port.postMessage(message);
}

function leave(port) {
  ports.delete(port);
  if (ports.size || !end) return;
  end();
  end = undefined;
  link = undefined;
}

addEventListener("connect", (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = () => leave(port);
  if (!end) end = follow(tell);
  else if (link) port.postMessage(link);
});
