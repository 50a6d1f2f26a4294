// Requests to the program. A failure is an Error whose message is meant for the reader.
import { lang, t } from "./words.js";

const PATIENCE = 30000;

export class Failed extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const TOKEN = "celaje.token";
let held = "";

/** The operator's token, as long as the tab is open. */
export function heldToken() {
  try {
    return sessionStorage.getItem(TOKEN) || held;
  } catch {
    return held;
  }
}

export function holdToken(token) {
  held = token;
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {
    // It then lasts as long as the page.
  }
}

export function forgetToken() {
  holdToken("");
}

async function ask(path, accept, signal, order) {
  let answer;
  const limit = AbortSignal.timeout(PATIENCE);
  try {
    answer = await fetch(path, {
      ...order,
      headers: { Accept: accept, "Accept-Language": lang(), ...(order || {}).headers },
      signal: signal && AbortSignal.any ? AbortSignal.any([signal, limit]) : signal || limit,
    });
  } catch (error) {
    if (signal && signal.aborted) throw error;
    throw new Failed(t("failed.unreachable"), 0);
  }
  if (answer.ok) return answer;
  let detail = "";
  try {
    const problem = await answer.json();
    detail = problem.detail || problem.title || "";
  } catch {
    // A response without a reason.
  }
  throw new Failed(detail || t("failed.status", { status: answer.status }), answer.status);
}

export const json = async (path, signal) => (await ask(path, "application/json", signal)).json();
export const text = async (path, signal) => (await ask(path, "image/svg+xml", signal)).text();

/** Gives the program an order, with the token; resolves when it is carried out. */
export async function send(method, path, body) {
  const headers = { Authorization: `Bearer ${heldToken()}`, ...(body ? { "Content-Type": "application/json" } : {}) };
  await ask(path, "application/json", undefined, { method, headers, body: body && JSON.stringify(body) });
}

/** Why a picture did not load, as a message. */
export async function whyNot(path) {
  try {
    await ask(path, "image/*, application/problem+json");
    return t("picture.broken");
  } catch (error) {
    return error.message;
  }
}

export const query = (values) => {
  const list = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return new URLSearchParams(list).toString();
};

export const of = (station, rest) => `api/v1/stations/${encodeURIComponent(station)}${rest}`;
export const picture = (station, slot, width) => of(station, `/slots/${slot}/picture${width ? `?${query({ width })}` : ""}`);
export const overlay = (station, slot) => of(station, `/slots/${slot}/overlay`);

/** Every reading of a day, from all pages of the list. */
export async function readings(station, from, to, signal) {
  const items = [];
  let cursor;
  for (let page = 0; page < 20; page += 1) {
    const answer = await json(of(station, `/observations?${query({ from, to, cursor })}`), signal);
    items.push(...(answer.items || []));
    cursor = answer.next;
    if (!cursor) break;
  }
  return items;
}
